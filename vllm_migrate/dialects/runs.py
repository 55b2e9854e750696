"""The records that finished runs leave: Hydra's outputs and W&B's configuration. They are read like configurations."""

from __future__ import annotations

from vllm_migrate.dialects.tree import File, Tree, tree_of

MARKS = ("_wandb", "wandb_version")
FOLDERS = frozenset((".hydra", "wandb"))


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
