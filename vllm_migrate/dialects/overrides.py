"""Hydra overrides on a command line (`key=value`, `+key=`, `++key=`, `~key`) as a tree that remembers its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from vllm_migrate.dialects.tree import File, Place, Tree
from vllm_migrate.documents.interface import MAP, SCALAR, Node, Pair, Unknown
from vllm_migrate.documents.shell.document import Command, Word
from vllm_migrate.documents.yaml.scalars import read_plain


class WordNode(Node):
    """The value of an override: start and end span the whole word."""

    __slots__ = ("_value", "assumed")

    def __init__(self, word: Word, value: object) -> None:
        self.kind = SCALAR
        self.assumed = word.unknown if is_assumed(word) else ""
        self.start, self.end = word.start, word.end
        self.flow = self.shared = False
        self._value = value

    @property
    def value(self) -> object:
        return self._value

    def plain(self) -> object:
        return self._value


class Above(Node):
    """A mapping that overrides imply: `a` of `a.b=1`."""

    __slots__ = ()

    def __init__(self, word: Word) -> None:
        self.kind = MAP
        self.start, self.end = word.start, word.end
        self.flow = self.shared = False

    @property
    def pairs(self) -> list[Pair]:
        return []


class Override(NamedTuple):
    """One word of a command as an override: `+`, `++`, `~` or no prefix. at: which word; value: Unknown where the shell
    decides it, None of `~key`."""

    at: int
    word: Word
    prefix: str
    key: str
    value: object


def is_assumed(word: Word) -> bool:
    """Whether a word has its value unless the caller sets another."""
    return word.value is None and word.assumed is not None


def overrides_in(words: Sequence[Word]) -> list[Override]:
    """The overrides among the words of a command, in order."""
    found = [_override(at, word) for at, word in enumerate(words) if _MAY_ASSIGN.search(word.raw)]
    return [override for override in found if override is not None]


# Without any of these a word neither is an override nor becomes one.
_MAY_ASSIGN = re.compile(r"""[=~$\\'"`]""")
_NO_KEY = re.compile(r"""-|.*[ \t'"$/{}\[\]()]""", re.DOTALL)


def _override(at: int, word: Word) -> Override | None:
    text = word.value
    known = text is not None
    if text is None:
        text = word.prefix
    prefix = "++" if text.startswith("++") else text[:1] if text[:1] in "+~" else ""
    key, eq, _ = text[len(prefix) :].partition("=")
    if not key or _NO_KEY.match(key):
        return None
    if not eq:
        return Override(at, word, prefix, key, None) if prefix == "~" and known else None
    whole = word.assumed
    value = (
        literal(whole[len(prefix) :].partition("=")[2]) if whole is not None else Unknown(word.raw.partition("=")[2])
    )
    return Override(at, word, prefix, key, value)


def literal(text: str) -> object:
    """An override's value as Hydra reads it: numbers, booleans, null, lists and mappings; else text."""
    if text[:1] in ("[", "{") or text[:1] in ("'", '"'):
        import yaml

        try:
            value: object = yaml.safe_load(text)
        except yaml.YAMLError:
            return text
        return value
    return read_plain(text, True)


def tree_of_overrides(file: File, command: Command, overrides: Iterable[Override]) -> Tree | None:
    """The overrides of a command as one tree, later words over earlier ones; None when it has none."""
    root: Tree | None = None
    for override in overrides:
        place = partial(_place, file, command, override)
        root = root or Tree([place(Above(override.word))], {})
        branch = root
        *above, last = override.key.split(".")
        for key in above:
            below = branch.children.get(key)
            if below is None or not below.is_map:
                below = branch.children[key] = Tree([place(Above(override.word))], {})
            branch = below
        branch.children[last] = _valued(override.word, override.value, place)
    return root


def _place(file: File, command: Command, override: Override, node: Node) -> Place:
    return Place(file, command.index, (override.at,), node, node.start, node.end)


def _valued(word: Word, value: object, place: Callable[[Node], Place]) -> Tree:
    """A value with its parts."""
    if isinstance(value, dict):
        return Tree([place(Above(word))], {str(key): _valued(word, part, place) for key, part in value.items()})
    return Tree([place(WordNode(word, value))])
