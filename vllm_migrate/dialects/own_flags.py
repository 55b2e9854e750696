"""A framework's own command-line flags as a tree that remembers its words: `--vllm.enforce_eager`, `--vllm_mode colocate`.

`flags` in a dialect says how they are read. booleans: `present` (a flag alone is true, and its absence false) or `literal`
(`--flag true`); mappings: flags whose value is a JSON mapping; pairs: flags with a mapping written as `a=b,c=d`. `-`
and `_` in a name are one, dots are levels.
"""

from __future__ import annotations

import json
import re

from vllm_migrate.dialects.overrides import Above, WordNode
from vllm_migrate.dialects.tree import File, Place, Tree
from vllm_migrate.documents.interface import Node, Unknown
from vllm_migrate.documents.shell.document import Command, Word
from vllm_migrate.documents.yaml.scalars import read_plain
from vllm_migrate.knowledge.records import Flags

_OUTER_COMMA = re.compile(r",(?![^{]*\})")  # `a={b:1,c:2}` is one pair
_WORDS = {"true": True, "false": False, "none": None, "null": None}


def tree_of_flags(file: File, command: Command, start: int, spec: Flags) -> Tree | None:
    """The flags from word `start` on as one tree, later ones over earlier ones; None without any."""
    words = command.words
    root = Tree([Place(file, command.index, (), Above(words[start - 1]), words[0].start, words[0].end)], {})
    at = start
    while at < len(words):
        name = flag_name(words[at])
        if name is None:
            _take_positional(root, file, command, at, start, spec)
            at += 1
            continue
        end = at + 1
        while end < len(words) and flag_name(words[end]) is None:
            end += 1
        used = list(range(at, end))
        while len(used) > 2 and words[used[-1]].value is None:
            used.pop()  # behind a value, `$EXTRA` or `"$@"` brings flags of its own
        value = _value(words, used, name, spec)
        if name == spec.configuration and isinstance(value, dict):
            for key, inner in value.items():
                _store(root, str(key).split("."), file, command, used, inner)
        else:
            _store(root, name.split("."), file, command, used, value)
        at = end
    return root if root.children else None


def _take_positional(root: Tree, file: File, command: Command, at: int, start: int, spec: Flags) -> None:
    """A word before any flag, under the name that the dialect has for it."""
    if at - start < len(spec.positional):
        name, word = spec.positional[at - start], command.words[at]
        value = word.value if word.value is not None else Unknown(word.raw)
        _store(root, [name], file, command, [at], _pairs(word) if name in spec.pairs else value)


def flag_name(word: Word) -> str | None:
    """`vllm.enforce_eager` of `--vllm.enforce-eager` or `--vllm.enforce_eager=true`; None when the word is no flag."""
    text = word.value if word.value is not None else word.prefix
    if not text.startswith("--") or len(text) < 4 or not text[2].isalpha():
        return None
    name = text[2:].partition("=")[0].replace("-", "_")
    return name if name.replace(".", "").replace("_", "").isalnum() else None


def _value(words: list[Word], used: list[int], name: str, spec: Flags) -> object:
    head = words[used[0]]
    mapping = name in spec.mappings or name == spec.configuration
    if name in spec.pairs and len(used) > 1:
        return _pairs(words[used[1]])
    if "=" in (head.value or head.prefix):
        if head.value is None:
            return Unknown(head.raw.partition("=")[2])
        return _read(head.value.partition("=")[2], mapping)
    values = [
        _read(word.value, mapping) if word.value is not None else Unknown(word.raw)
        for word in (words[i] for i in used[1:])
    ]
    return True if not values else values[0] if len(values) == 1 else values


def _pairs(word: Word) -> object:
    """`a=b,c=d` as a mapping; a value that is decided elsewhere is Unknown."""
    pieces = [piece.text if piece.known else "\0" for piece in word.pieces]
    out: dict[str, object] = {}
    for part in _OUTER_COMMA.split("".join(pieces)):
        key, eq, value = part.strip().partition("=")
        if not eq or not key or "\0" in key:
            continue
        out[key] = Unknown(word.raw) if "\0" in value else _read(value, False)
    return out or Unknown(word.raw)


def _read(text: str, mapping: bool) -> object:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if mapping and text.lstrip().startswith("{"):
        try:
            value: object = json.loads(text)
        except ValueError:
            return text
        return value
    return read_plain(text, True)


def _store(root: Tree, keys: list[str], file: File, command: Command, used: list[int], value: object) -> None:
    _put(root, keys, _leaf(file, command, used, value), file, command, used)


def _put(root: Tree, keys: list[str], leaf: Tree, file: File, command: Command, used: list[int]) -> None:
    """A value at a path below a mapping; mappings on the way are made."""
    branch = root
    for key in keys[:-1]:
        below = branch.children.get(key)
        if below is None or not below.is_map:
            below = Tree([_place(file, command, used, Above(command.words[used[0]]))], {})
            branch.children[key] = below
        branch = below
    branch.children[keys[-1]] = leaf


def _leaf(file: File, command: Command, used: list[int], value: object) -> Tree:
    head = command.words[used[0]]
    if isinstance(value, dict):
        branch = Tree([_place(file, command, used, Above(head))], {})
        for key, inner in value.items():
            _put(branch, str(key).split("."), _leaf(file, command, used, inner), file, command, used)
        return branch
    return Tree([_place(file, command, used, WordNode(head, value))])


def _place(file: File, command: Command, used: list[int], node: Node) -> Place:
    return Place(file, command.index, tuple(used), node, node.start, node.end)
