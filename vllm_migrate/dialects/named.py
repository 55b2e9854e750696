"""The configuration that a Hydra command line names: `--config-path DIR --config-name NAME`, found beside the script.

The words may begin with a variable (`--config-path="$PROJECT/conf"`): what is known of their end is looked for in the
script's folder and the folders above it. Where it is not found, and is none of those that come with the framework, what it sets
is not known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm_migrate.dialects import hydra, parents
from vllm_migrate.dialects.composition import Composed, UnreadInput
from vllm_migrate.dialects.tree import File, Place, Tree, merge, tree_of
from vllm_migrate.dialects.workspace import Workspace

if TYPE_CHECKING:
    from vllm_migrate.documents.shell.document import Command, Word

PATHS = ("--config-path", "-cp", "--config-dir", "-cd")
NAMES = ("--config-name", "-cn")
FILES = ("--config",)

# How many folders above the script are looked at.
ABOVE = 6


def named_config(file: File, command: Command, workspace: Workspace, kind: str = "hydra") -> Composed | None:
    """The composed configuration that the command names; None when it names none, or one that is not in the tree."""
    if kind == "ordered_files":
        return _ordered(file, command, workspace)
    name = _after(command, NAMES if kind == "hydra" else FILES)
    if not name:
        return None
    name = name if name.endswith((".yaml", ".yml")) else f"{name}.yaml"
    folder = (_after(command, PATHS) or "").strip("/")
    config = None
    for below in (
        _module(command),
        "",
    ):  # a relative path is relative to the program, which stands in its module's folder
        config = config or _find(
            os.path.dirname(file.path), os.path.normpath(os.path.join(below, folder, name)), workspace
        )
    tree = tree_of(config) if config is not None else None
    if config is None or tree is None or not tree.is_map:
        return None
    workspace.claimed.add(os.path.normpath(config.path))
    known = workspace.composed.get(kind, config)
    return known or workspace.composed.keep(kind, config, _compose(kind, config, tree, workspace))


def unfound_config(file: File, command: Command, own: Sequence[str]) -> UnreadInput | None:
    """The configuration that a Hydra command line names and nobody finds; None where it names none but the framework's `own`."""
    from vllm_migrate.dialects.overrides import Above

    name = _after(command, NAMES)
    if name is None or any(_same(name.removesuffix(".yaml"), known) for known in own):
        return None
    folder = _after(command, PATHS) or ""
    word = command.words[0]
    shown = f"{folder}/{name}" if folder else name or "--config-name"
    return UnreadInput(shown, Place(file, command.index, (), Above(word), word.start, word.end), inline=True)


def _compose(kind: str, config: File, tree: Tree, workspace: Workspace) -> Composed:
    if kind == "parent_files":
        return parents.compose(config, tree, workspace.load, workspace.composed)
    if hydra.uses_defaults(tree):
        return hydra.compose(config, tree, workspace.load)
    return Composed(tree, [config], [])


def _ordered(file: File, command: Command, workspace: Workspace) -> Composed | None:
    """`rl @ a.toml @ b.toml`: the files that follow an `@`, a later one over an earlier."""
    from vllm_migrate.dialects.overrides import Above  # a run without scripts knows no words

    files: list[File] = []
    merged: Tree | None = None
    missing: list[UnreadInput] = []
    for mark, word in zip(command.words, command.words[1:], strict=False):
        if not _may_be("@", mark) or mark.value != "@":
            continue
        name = _tail(word).lstrip("/") if word.value is None else word.value
        config = _find(os.path.dirname(file.path), os.path.normpath(name), workspace) if name else None
        tree = tree_of(config) if config is not None else None
        if config is None or tree is None or not tree.is_map:
            missing.append(UnreadInput(word.raw, Place(file, command.index, (), Above(word), word.start, word.end)))
            continue
        workspace.claimed.add(os.path.normpath(config.path))
        files.append(config)
        merged = merge(merged, tree)
    return Composed(merged, files, missing) if merged is not None else None


def _module(command: Command) -> str:
    """The folder of the module that `python -m a.b.c` runs: a/b."""
    for word, then in zip(command.words, command.words[1:], strict=False):
        if word.value == "-m" and then.value:
            return "/".join(then.value.split(".")[:-1])
    return ""


def _find(folder: str, name: str, workspace: Workspace) -> File | None:
    for _ in range(ABOVE):
        found = workspace.load(os.path.join(folder, name))
        if found is not None and found.data is not None:
            return found
        if folder in ("", ".", "/"):
            return None
        folder = os.path.dirname(folder)
    return None


def _after(command: Command, flags: tuple[str, ...]) -> str | None:
    """The value of `--flag value` or `--flag=value`, as far as its end is known."""
    words = command.words
    for at, word in enumerate(words):
        if not _may_be("-c", word):  # which all of the flags have
            continue
        text = word.value if word.value is not None else word.prefix
        flag, eq, _ = text.partition("=")
        if flag not in flags:
            continue
        if eq:
            return _tail(word).partition("=")[2] if word.value is not None else _tail(word)
        return _tail(words[at + 1]) if at + 1 < len(words) else None
    return None


def _may_be(part: str, word: Word) -> bool:
    """False only for a word that does not have a part of a text, whatever it expands to."""
    return part in word.raw or "$" in word.raw


def _tail(word: Word) -> str:
    """What is known of a word's end: `/conf` of `$ROOT/conf`, also where a variable holds all of it."""
    out = ""
    for piece in word.pieces:
        out = out + piece.text if piece.known else _tail_of(piece.text, word, 0)
    return out


# How many variables that hold variables are followed.
DEEPEST = 4
_WHOLE = re.compile(r"\$\{?(\w+)(?::?[-=](.*))?\}?\Z", re.DOTALL)


def _tail_of(expansion: str, word: Word, depth: int) -> str:
    """The end of what a variable holds, by its default, else by the last assignment above: `/conf` for `D=${D:-"$ROOT/conf"}`."""
    whole = _WHOLE.match(expansion)
    if whole is None or depth > DEEPEST:
        return ""
    text = whole[2]
    if text is None:
        above = [each.value for each in word.script.assigns.get(whole[1], ()) if each.end <= word.start]
        if not above or above[-1] is None:
            return ""
        text = above[-1].raw
    text = text.removesuffix("}").strip().strip("\"'")
    if _WHOLE.match(text) and "/" not in text.rpartition("}")[2]:
        return _tail_of(text, word, depth + 1)
    return re.split(r"[})]|\$\w+", text)[-1].strip("\"'")


def not_missing(missing: list[UnreadInput], own: Sequence[str]) -> list[UnreadInput]:
    """What was not found, without the configurations that come with the framework (their settings are its defaults)."""
    return [item for item in missing if not any(_same(item.name, name) for name in own)]


def _same(name: str, own: str) -> bool:
    return name == own or (own.endswith("*") and name.startswith(own[:-1]))


def laid_over(composed: Composed, overrides: Tree) -> Tree:
    """Overrides of a command line over the configuration it names."""
    merged = merge(composed.tree, overrides)
    assert merged is not None
    return merged
