"""A framework's own command-line flags as a tree that remembers its words: `--vllm.enforce_eager`, `--vllm_mode colocate`.

`flags` in a dialect says how they are read. booleans: `present` (a flag alone is true, and its absence false) or `literal`
(`--flag true`); mappings: flags whose value is a JSON mapping. `-` and `_` in a name are one, dots are levels.
"""

from __future__ import annotations

import json
from functools import partial

from vllm_migrate.dialects.overrides import Above, put
from vllm_migrate.dialects.tree import File, Place, Tree
from vllm_migrate.documents.interface import Node, Unknown
from vllm_migrate.documents.shell.document import Command, Word
from vllm_migrate.documents.yaml.scalars import read_plain
from vllm_migrate.knowledge.records import Flags

_WORDS = {"true": True, "false": False, "none": None, "null": None}


def tree_of_flags(file: File, command: Command, start: int, spec: Flags) -> Tree | None:
    """The flags from word `start` on as one tree, later ones over earlier ones; None without any."""
    words = command.words
    root = Tree([Place(file, command.index, (), Above(words[start - 1]), words[0].start, words[0].end)], {})
    at = start
    while at < len(words):
        name = flag_name(words[at])
        if name is None:
            at += 1
            continue
        end = at + 1
        while end < len(words) and flag_name(words[end]) is None:
            end += 1
        used = list(range(at, end))
        while len(used) > 2 and words[used[-1]].value is None:
            used.pop()  # behind a value, `$EXTRA` or `"$@"` brings flags of its own
        place = partial(_place, file, command, used)
        put(root, name, words[used[0]], _value(words, used, name in spec.mappings), place)
        at = end
    return root if root.children else None


def flag_name(word: Word) -> str | None:
    """`vllm.enforce_eager` of `--vllm.enforce-eager` or `--vllm.enforce_eager=true`; None when the word is no flag."""
    text = word.value if word.value is not None else word.prefix
    if not text.startswith("--") or len(text) < 4 or not text[2].isalpha():
        return None
    name = text[2:].partition("=")[0].replace("-", "_")
    return name if name.replace(".", "").replace("_", "").isalnum() else None


def _value(words: list[Word], used: list[int], mapping: bool) -> object:
    head = words[used[0]]
    if "=" in (head.value or head.prefix):
        if head.value is None:
            return Unknown(head.raw.partition("=")[2])
        return _read(head.value.partition("=")[2], mapping)
    values = [
        _read(word.value, mapping) if word.value is not None else Unknown(word.raw)
        for word in (words[i] for i in used[1:])
    ]
    return True if not values else values[0] if len(values) == 1 else values


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


def _place(file: File, command: Command, used: list[int], node: Node) -> Place:
    return Place(file, command.index, tuple(used), node, node.start, node.end)
