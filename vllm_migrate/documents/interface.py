"""The nouns of a parsed file, whatever its format.

A document keeps its text and knows where each value stands in it. A change is asked for as operations
(`Op`) on paths or words, planned into edits (`Edit`: replace text[start:end]), applied to the text, and
proved by parsing the result again (editing.py; for scripts, shell/edit.py and shell/proof.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vllm_migrate.documents.text.source import (
    CannotEdit,
    Edit,
    Position,
    ProofFailed,
    Source,
    Unreadable,
    apply_edits,
    decode,
)

__all__ = [
    "DELETE",
    "INSERT",
    "MAP",
    "RENAME",
    "SCALAR",
    "SEQ",
    "SET",
    "CannotEdit",
    "DataDocument",
    "Edit",
    "Keyed",
    "Node",
    "Op",
    "Pair",
    "Path",
    "Position",
    "ProofFailed",
    "Source",
    "Unknown",
    "Unreadable",
    "apply_edits",
    "decode",
]  # fmt: skip


LARGEST_NUMBER = 1 << 1024  # no setting has a larger one; one of 4,300 digits and more cannot be printed


class Unknown:
    """A value the file does not decide: an interpolation, a shell variable, a template. `text` is what stands there."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Unknown({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.text == self.text

    def __hash__(self) -> int:
        return hash((Unknown, self.text))


Path = tuple[str | int, ...]

SET, DELETE, RENAME, INSERT = "set", "delete", "rename", "insert"


class Op(NamedTuple):
    """One change to a tree of mappings, sequences and scalars.

    SET: path gets `value` (parents that are missing or null are created as mappings; an existing value is replaced).
    DELETE: the last key of path goes, with its line. RENAME: the last key of path becomes `new_key`, value kept.
    INSERT: `value` becomes item path[-1] (an int) of the sequence path[:-1].
    `after` names the sibling key a SET would like to follow; else the end of its mapping.
    """

    kind: str
    path: Path
    value: object = None
    new_key: str = ""
    after: str = ""


MAP, SEQ, SCALAR = "map", "seq", "scalar"


class Pair(NamedTuple):
    """One entry of a mapping: the key as text, where it stands, and its value."""

    key: str
    key_node: Node
    value: Node
    merged: bool  # arrives through a YAML merge (`<<:`): an edit here changes the anchor's other users


# A pair's key, the start and the end of the key's text, the value, and whether it arrives through a merge.
Keyed = tuple[str, int, int, "Node", bool]


class Node:
    """One value in a data document: start and end are offsets of its text, without trailing comments.

    `value` is the Python value of a scalar (str, int, float, bool, None); `pairs` those of a mapping (duplicates kept,
    merges expanded after own keys), `items` those of a sequence. `shared`: an alias or merge elsewhere shows it too.
    """

    __slots__ = ("end", "flow", "kind", "shared", "start")

    kind: str
    start: int
    end: int
    flow: bool
    shared: bool

    @property
    def value(self) -> object:
        raise NotImplementedError

    @property
    def pairs(self) -> list[Pair]:
        raise NotImplementedError

    @property
    def items(self) -> list[Node]:
        raise NotImplementedError

    def keyed(self) -> list[Keyed]:
        """The pairs as plain tuples, for a walk through all of them."""
        return [(pair.key, pair.key_node.start, pair.key_node.end, pair.value, pair.merged) for pair in self.pairs]

    def get(self, key: str) -> Node | None:
        """The last pair of that key wins, own keys before merged ones; None when absent or not a mapping."""
        if self.kind != MAP:
            return None
        found: Node | None = None
        for pair in self.pairs:
            if pair.key == key:
                if pair.merged and found is not None:
                    break
                found = pair.value
        return found

    def at(self, path: Path) -> Node | None:
        node: Node | None = self
        for key in path:
            if node is None:
                return None
            if isinstance(key, int):
                node = node.items[key] if node.kind == SEQ and -len(node.items) <= key < len(node.items) else None
            else:
                node = node.get(key)
        return node

    def plain(self) -> object:
        """The whole value as dicts, lists and scalars; the last duplicate key wins."""
        if self.kind == MAP:
            out: dict[str, object] = {}
            for pair in self.pairs:
                if not (pair.merged and pair.key in out):
                    out[pair.key] = pair.value.plain()
            return out
        if self.kind == SEQ:
            return [item.plain() for item in self.items]
        return self.value


class DataDocument:
    """A file that is a tree. One file may hold several (`roots`); `root` is the first. `carrier`: the package it is read by."""

    __slots__ = ("roots", "source")
    carrier = ""

    source: Source
    roots: Sequence[Node]

    @property
    def root(self) -> Node | None:
        return self.roots[0] if self.roots else None

    def forget(self) -> None:
        """Nobody reads the document any more: break what refers back to it, since the collector is off during a run."""

    def read_as_omegaconf(self) -> None:
        """From now on read scalars as OmegaConf does (`1e-6` is a float). Nothing to do but in YAML."""
