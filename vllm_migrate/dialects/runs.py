"""Files that nobody edits: records that finished runs leave (Hydra's outputs, W&B's configuration), and files that say that they
are generated. They are read like configurations."""

from __future__ import annotations

import os
import re

from vllm_migrate.dialects.tree import File, Tree, tree_of

MARKS = ("_wandb", "wandb_version")
FOLDERS = frozenset((".hydra", "wandb"))
GENERATED = "_generated_"
HEAD = 30  # lines of a file's first comment that are looked at
# What the first comment of a generated file says.
_SAYS = re.compile(
    r"\bdo not (?:modify|edit|change)\b|@generated\b|\bauto(?:matically)?[- ]?generated\b"
    r"|\b(?:this file|code|file|config|yaml) (?:is|was|has been )?\s?(?:generated|created) (?:by|from|via|with|using)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"\s*(?:#|//|/?\*|<!--|\"\"\"|---\s*$|$)")


def unwrapped(tree: Tree) -> Tree:
    """A configuration without the `value:` that W&B puts around each top key; any other tree as it is."""
    if not any(tree.get(mark) is not None for mark in MARKS):
        return tree
    children = {}
    for key, child in tree.children.items():
        value = child.get("value") if child.is_map else None
        if key not in MARKS and value is not None and set(child.children) <= {"value", "desc"}:
            children[key] = value
    return Tree(tree.places, children, mounted=True)


def is_record(file: File) -> bool:
    """Whether a file records a run that is over: what is written there changes nothing."""
    if not FOLDERS.isdisjoint(file.path.replace("\\", "/").split("/")):
        return True
    tree = tree_of(file)
    return tree is not None and tree.is_map and any(tree.get(mark) is not None for mark in MARKS)


def generated(file: File) -> int:
    """The line (from 1) in which a file says that it is generated, or 1 where its name does; 0 for any other."""
    if os.path.basename(file.path).startswith(GENERATED):
        return 1
    for number, line in enumerate(file.source.text[:8000].split("\n")[:HEAD], 1):
        if not _COMMENT.match(line):
            return 0
        if _SAYS.search(line):
            return number
    return 0
