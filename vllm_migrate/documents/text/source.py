"""What all carriers share: a file's text and where its lines begin, edits of it, and the errors of reading and editing.

Offsets count code points of `Source.text` (no BOM, newlines as found).

Errors: Unreadable (the file cannot be parsed: one VM9xx finding), CannotEdit (no safe splice exists: the
fix is shown as advice), ProofFailed (the edited text does not read back as intended: never written).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from vllm_migrate.documents.text.secrets import note


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


class Source:
    """One file as read: `data` are its bytes, `text` its decoded text without BOM.

    Lines end at \\n, \\r\\n or \\r only, never at the other Unicode line breaks.
    """

    __slots__ = ("_blank", "_starts", "bom", "data", "newline", "path", "text")

    def __init__(self, path: str, data: bytes, text: str, bom: bool, newline: str) -> None:
        self.path = path
        self.data = data
        self.text = text
        self.bom = bom
        self.newline = newline
        self._starts: list[int] | None = None
        self._blank: str | None = None

    @property
    def blank(self) -> str:
        """The text with a blank for everything but its line ends."""
        if self._blank is None:
            lines = self.text.split("\n")
            self._blank = "\n".join(
                " " * len(line) if "\r" not in line else "".join(c if c == "\r" else " " for c in line)
                for line in lines
            )
        return self._blank

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

    def on_file(self, offset: int) -> int:
        """The offset in the file on disk: another one where this text is a part of it."""
        return offset

    def cell(self, offset: int) -> tuple[int, int, int]:
        """Of a notebook, the cell, and line and column in it, all from 1; zeros elsewhere."""
        return 0, 0, 0

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
    note(path, text)
    newline = "\r\n" if "\r\n" in text else "\n"
    return Source(path, data, text, bom, newline)


def apply_edits(text: str, edits: list[Edit]) -> str:
    """The text with all edits made, those of one place in their order. Edits must not overlap; ValueError if they do."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise ValueError(f"overlapping edits at {edit.start}")
        parts.append(text[at : edit.start])
        parts.append(edit.text)
        at = edit.end
    parts.append(text[at:])
    return "".join(parts)


def edited(source: Source, edits: list[Edit]) -> Source:
    """The source after `edits`, in the same encoding. ValueError when edits overlap or the text cannot be encoded."""
    text = apply_edits(source.text, edits)
    return Source(source.path, source.encode(text), text, source.bom, source.newline)


def check_untouched(before: str, after: str, edits: list[Edit]) -> None:
    """Raises ProofFailed unless `after` is `before` but for the edits."""
    at = shift = 0
    for edit in sorted(edits):
        if before[at : edit.start] != after[at + shift : edit.start + shift]:
            raise ProofFailed("text outside the edits changed")
        at, shift = edit.end, shift + len(edit.text) - (edit.end - edit.start)
    if before[at:] != after[at + shift :]:
        raise ProofFailed("text outside the edits changed")
