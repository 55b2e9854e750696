"""Several rounds of edits as one list of edits of the original text."""

from __future__ import annotations

from vllm_migrate.documents.text.source import Edit


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
