"""Places of findings and edits as the protocol counts them: from 0, columns in the units that client and server agreed on."""

from __future__ import annotations

import re

from lsprotocol.types import Position, PositionEncodingKind, Range

from vllm_migrate.report.finding import Region

NEWLINE = re.compile(r"\r\n|\r|\n")


class Lines:
    """The lines of a text, which the protocol breaks at \\n, \\r\\n and \\r."""

    def __init__(self, text: str, encoding: PositionEncodingKind | str = PositionEncodingKind.Utf16) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in NEWLINE.finditer(text))]
        self._encoding = str(getattr(encoding, "value", encoding))

    def line(self, number: int) -> str:
        """A line (from 0) without its end; "" past the last."""
        if number >= len(self.starts):
            return ""
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        return self.text[self.starts[number] : end].rstrip("\r\n")

    def range(self, region: Region) -> Range:
        return Range(
            self.position(region.line, region.column),
            self.position(region.end_line, region.end_column),
        )

    def position(self, line: int, column: int) -> Position:
        """The protocol's position of a line and a column in code points, both from 1."""
        before = self.line(line - 1)[: column - 1]
        return Position(line - 1, max(len(before), 0) if before.isascii() else self._units(before))

    def offset(self, position: Position) -> int:
        """The offset, in code points, of a position of the protocol."""
        if position.line >= len(self.starts):
            return len(self.text)
        line, units, at = self.line(position.line), position.character, 0
        if line.isascii():
            at = min(units, len(line))
        else:
            while at < len(line) and units > 0:
                units -= self._units(line[at])
                at += 1
        return self.starts[position.line] + at

    def holds(self, region: Region, position: Position) -> bool:
        """Whether a position stands in a region, or at its end."""
        found = self.range(region)
        at = (position.line, position.character)
        return (found.start.line, found.start.character) <= at <= (found.end.line, found.end.character)

    def whole_line(self, number: int) -> Range:
        """A line (from 0) without its indentation."""
        text = self.line(number)
        start = self.position(number + 1, len(text) - len(text.lstrip()) + 1)
        return Range(start, self.position(number + 1, len(text) + 1))

    def _units(self, text: str) -> int:
        if self._encoding == PositionEncodingKind.Utf8.value:
            return len(text.encode("utf-8", "surrogatepass"))
        if self._encoding == PositionEncodingKind.Utf32.value:
            return len(text)
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
