"""Planning and proving, the same for every data format.

A format offers `candidates` (splices that might make one operation, best first), `reparse` and `boxes`. Several
operations are planned one after the other, each on the text the one before left, and come out as one list of
edits of the original text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import (
    DELETE,
    SET,
    CannotEdit,
    DataDocument,
    Edit,
    Op,
    ProofFailed,
    Source,
    Unreadable,
    apply_edits,
)
from vllm_migrate.documents.oracle import Box, Value, Written, apply, same

if TYPE_CHECKING:
    from typing import Self


class EditableDocument(DataDocument):
    """A document whose format can be edited."""

    __slots__ = ()

    def candidates(self, op: Op, index: int) -> Iterator[list[Edit]]:
        """Splices that might make `op`, the best first; one empty list where it is made already. Raises CannotEdit."""
        raise NotImplementedError

    def reparse(self, source: Source) -> Self:
        """The same kind of document of another text. Raises Unreadable."""
        raise NotImplementedError

    def boxes(self) -> list[Box]:
        """Fresh boxes of every document of the file."""
        raise NotImplementedError

    def read(self, written: Written) -> object:
        """The value of a scalar as the format's own parser sees it."""
        raise NotImplementedError

    def plan(self, ops: list[Op], index: int = 0) -> list[Edit]:
        """Edits that make `ops`; cheap, not proved. Raises CannotEdit."""
        return self._settle(ops, index, False)[0]

    def plan_proved(self, ops: list[Op], index: int = 0) -> tuple[list[Edit], Self]:
        """Edits that make `ops`, proved, and the document they lead to; where one splice fails its proof the next is
        tried. Raises CannotEdit when none is left."""
        return self._settle(ops, index, True)

    def _settle(self, ops: list[Op], index: int, proved: bool) -> tuple[list[Edit], Self]:
        document, pieces = self, Pieces(self.source.text)
        for number, op in enumerate(ops):
            if not op.path:
                raise CannotEdit("the whole document cannot be replaced")
            edits, document = document._step(op, index, proved, number == len(ops) - 1)
            if len(ops) == 1:
                return edits, document
            pieces.splice(edits)
        return pieces.edits(), document

    def _step(self, op: Op, index: int, proved: bool, last: bool) -> tuple[list[Edit], Self]:
        for edits in self.candidates(op, index):
            if not edits or (last and not proved):
                return edits, self
            try:
                after = self.reparse(edited(self.source, edits))
                if proved:
                    self._compare([op], after, index)
                    after._check_repeated([op], index)
            except (Unreadable, ProofFailed, CannotEdit):
                continue
            return edits, after
        raise CannotEdit(
            f"no place in the file takes {op.kind} {'.'.join(map(str, op.path))} and reads back as it should"
        )

    def _compare(self, ops: list[Op], after: Self, index: int) -> None:
        expected, actual = self.boxes(), after.boxes()
        if not expected and index == 0:
            expected = [Box(Value(None))]
        if not 0 <= index < len(expected):
            raise ProofFailed(f"there is no document {index}")
        apply(expected[index], ops, self.read)
        if not actual and len(expected) == 1:
            actual = [Box(Value(None))]
        if len(expected) != len(actual):
            raise ProofFailed(f"{len(expected)} documents became {len(actual)}")
        seen: set[tuple[int, int]] = set()
        for one, other in zip(expected, actual, strict=True):
            if not same(one, other, self.read, seen):
                raise ProofFailed("the edited text reads back as something else")

    def prove(self, ops: list[Op], edits: list[Edit], index: int = 0) -> Self:
        """The document after `edits`. Raises ProofFailed unless it holds `ops` made on this one's data, everything
        outside the splices is as it was, and making them again changes nothing."""
        try:
            source = edited(self.source, edits)
            after = self.reparse(source)
        except (ValueError, Unreadable) as error:
            raise ProofFailed(f"the edited text does not parse: {error}") from None
        _check_untouched(self.source.text, source.text, edits)
        self._compare(ops, after, index)
        after._check_repeated(ops, index)
        return after

    def _check_repeated(self, ops: list[Op], index: int) -> None:
        """Made again, operations change nothing, unless one moves what the next names."""
        if len(ops) > 1 and any(op.kind not in (SET, DELETE) for op in ops):
            return
        if any(op.kind == DELETE and isinstance(op.path[-1], int) for op in ops):
            return
        try:
            again = self.plan(ops, index)
        except CannotEdit as error:
            raise ProofFailed(f"made again it fails: {error}") from None
        if again:
            raise ProofFailed("made again it changes the file again")


def edited(source: Source, edits: list[Edit]) -> Source:
    """The source after `edits`, in the same encoding. ValueError when edits overlap or the text cannot be encoded."""
    text = apply_edits(source.text, edits)
    return Source(source.path, source.encode(text), text, source.bom, source.newline)


def _check_untouched(before: str, after: str, edits: list[Edit]) -> None:
    at = shift = 0
    for edit in sorted(edits):
        if before[at : edit.start] != after[at + shift : edit.start + shift]:
            raise ProofFailed("text outside the edits changed")
        at, shift = edit.end, shift + len(edit.text) - (edit.end - edit.start)
    if before[at:] != after[at + shift :]:
        raise ProofFailed("text outside the edits changed")


class Pieces:
    """A text as pieces of the original and of what was written since: edits in turn become edits of the original."""

    __slots__ = ("_original", "_pieces")

    def __init__(self, original: str) -> None:
        self._original = original
        self._pieces: list[tuple[int, str]] = (
            [(0, original)] if original else []
        )  # offset in the original, -1 for new text

    def splice(self, edits: list[Edit]) -> None:
        """Make edits of the current text."""
        for edit in sorted(edits, reverse=True):
            self._cut(edit.start)
            self._cut(edit.end)
            at, left, right = 0, [], []
            for piece in self._pieces:
                if at < edit.start:
                    left.append(piece)
                elif at >= edit.end:
                    right.append(piece)
                at += len(piece[1])
            self._pieces = [*left, *([(-1, edit.text)] if edit.text else []), *right]

    def _cut(self, position: int) -> None:
        """Make `position` of the current text a border between pieces."""
        at = 0
        for number, (offset, text) in enumerate(self._pieces):
            if at < position < at + len(text):
                here = position - at
                second = offset + here if offset >= 0 else -1
                self._pieces[number : number + 1] = [(offset, text[:here]), (second, text[here:])]
                return
            at += len(text)

    def edits(self) -> list[Edit]:
        """Edits of the original, in order, without those that change nothing."""
        found: list[Edit] = []
        at, new = 0, ""
        for offset, text in [*self._pieces, (len(self._original), "")]:
            if offset < 0:
                new += text
                continue
            if (new or offset > at) and self._original[at:offset] != new:
                found.append(Edit(at, offset, new))
            at, new = offset + len(text), ""
        return found
