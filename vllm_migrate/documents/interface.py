"""The nouns of a parsed file, whatever its format.

A document keeps its text and knows where each value stands in it. A change is asked for as operations
(`Op`) on paths or words, planned into edits (`Edit`: replace text[start:end]), applied to the text, and
proved by parsing the result again. Offsets count code points of `Source.text` (no BOM, newlines as found).

Errors: Unreadable (the file cannot be parsed: one VM9xx finding), CannotEdit (no safe splice exists: the
fix is shown as advice), ProofFailed (the edited text does not read back as intended: never written).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple


class Unreadable(Exception):
    """A file that cannot be analysed. `reason` is a stable slug; line and column count from 1 (0: unknown)."""

    def __init__(self, reason: str, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.line = line
        self.column = column


class CannotEdit(Exception):
    """The change cannot be written here without touching more than it should; the message says why."""


class ProofFailed(Exception):
    """The edited text does not read back as the change that was asked for."""


class Edit(NamedTuple):
    """Replace text[start:end] by `text`."""

    start: int
    end: int
    text: str


class Position(NamedTuple):
    """Line and column, both from 1; columns in code points."""

    line: int
    column: int


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


class Source:
    """One file as read: `data` are its bytes, `text` its decoded text without BOM.

    Lines end at \\n, \\r\\n or \\r only, never at the other Unicode line breaks.
    """

    __slots__ = ("_starts", "bom", "data", "newline", "path", "text")

    def __init__(self, path: str, data: bytes, text: str, bom: bool, newline: str) -> None:
        self.path = path
        self.data = data
        self.text = text
        self.bom = bom
        self.newline = newline
        self._starts: list[int] | None = None

    def _line_starts(self) -> list[int]:
        if self._starts is None:
            starts, text = [0], self.text
            if "\r" in text:
                i, n = 0, len(text)
                while i < n:
                    c = text[i]
                    if c == "\r" and i + 1 < n and text[i + 1] == "\n":
                        i += 1
                    if c in "\r\n":
                        starts.append(i + 1)
                    i += 1
            else:
                at = 0
                for line in text.split("\n")[:-1]:
                    at += len(line) + 1
                    starts.append(at)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> Position:
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return Position(line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its newline; "" past the end."""
        starts = self._line_starts()
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")

    def encode(self, text: str) -> bytes:
        """Bytes of an edited text in this file's encoding."""
        return (b"\xef\xbb\xbf" if self.bom else b"") + text.encode("utf-8")


def decode(path: str, data: bytes) -> Source:
    """Source of a file's bytes. Raises Unreadable("not-utf8")."""
    bom = data.startswith(b"\xef\xbb\xbf")
    try:
        text = (data[3:] if bom else data).decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        raise Unreadable("not-utf8", f"not UTF-8: byte 0x{data[error.start]:02x}", line) from None
    newline = "\r\n" if "\r\n" in text else "\n"
    return Source(path, data, text, bom, newline)


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


def apply_edits(text: str, edits: list[Edit]) -> str:
    """The text with all edits made. Edits must not overlap; ValueError if they do."""
    parts, at = [], 0
    for edit in sorted(edits):
        if edit.start < at:
            raise ValueError(f"overlapping edits at {edit.start}")
        parts.append(text[at : edit.start])
        parts.append(edit.text)
        at = edit.end
    parts.append(text[at:])
    return "".join(parts)


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
    """A file that is a tree (YAML, TOML, JSON). One file may hold several (`roots`); `root` is the first."""

    __slots__ = ("roots", "source")

    source: Source
    roots: list[Node]

    @property
    def root(self) -> Node | None:
        return self.roots[0] if self.roots else None

    def forget(self) -> None:
        """Nobody reads the document any more: break what refers back to it, since the collector is off during a run."""

    def read_as_omegaconf(self) -> None:
        """From now on read scalars as OmegaConf does (`1e-6` is a float). Nothing to do but in YAML."""

    def plan(self, ops: list[Op], index: int = 0) -> list[Edit]:
        """Edits that make `ops` on document `index` of the file, in the file's own style. Raises CannotEdit."""
        raise NotImplementedError

    def plan_proved(self, ops: list[Op], index: int = 0) -> tuple[list[Edit], DataDocument]:
        """Edits that make `ops`, proved, and the document they lead to. Where the first splice fails its proof the
        next place is tried; CannotEdit when none is left."""
        edits = self.plan(ops, index)
        return edits, self.prove(ops, edits, index)

    def prove(self, ops: list[Op], edits: list[Edit], index: int = 0) -> DataDocument:
        """Parse the edited text; raise ProofFailed unless it equals `ops` made on the old data by other code."""
        raise NotImplementedError
