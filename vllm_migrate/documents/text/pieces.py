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
        old, self._pieces = self._pieces[::-1], []
        at = 0
        for edit in sorted(edits):
            self._pieces += _taken(old, edit.start - at)
            _taken(old, edit.end - edit.start)
            if edit.text:
                self._pieces.append((-1, edit.text))
            at = edit.end
        self._pieces += reversed(old)

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


def _taken(pieces: list[tuple[int, str]], length: int) -> list[tuple[int, str]]:
    """So many characters from the front of pieces that stand in reverse."""
    out = []
    while length > 0 and pieces:
        offset, text = pieces.pop()
        if len(text) > length:
            pieces.append((offset + length if offset >= 0 else -1, text[length:]))
            text = text[:length]
        out.append((offset, text))
        length -= len(text)
    return out
