"""Lines of files before a change and after it: a list of things to do has those of one side only."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, apply_edits


class _Side:
    """One text: where its lines begin, and where the edits are in it, with their length there."""

    def __init__(self, text: str, edits: list[tuple[int, int]]) -> None:
        self.text = text
        self.starts = [0, *accumulate(len(line) + 1 for line in text.split("\n")[:-1])]
        self.edits = edits

    def line(self, at: int) -> int:
        return bisect_right(self.starts, at)

    def of_line(self, line: int) -> int:
        """Where what a line says begins."""
        start = self.starts[min(line, len(self.starts)) - 1]
        end = self.text.find("\n", start)
        written = self.text[start : end if end >= 0 else len(self.text)]
        return start + len(written) - len(written.lstrip())


class Lines:
    """edits: by file, those of the change."""

    def __init__(self, edits: Mapping[File, list[Edit]]) -> None:
        self._sides = {os.path.normpath(file.path): _sides(file.source.text, each) for file, each in edits.items()}

    def before(self, path: str, line: int) -> int:
        """The line before the change for one after it."""
        sides = self._sides.get(os.path.normpath(path))
        return line if sides is None or line < 1 else _carried(sides[1], sides[0], line)

    def after(self, path: str, line: int) -> int:
        """The line after the change for one before it."""
        sides = self._sides.get(os.path.normpath(path))
        return line if sides is None or line < 1 else _carried(sides[0], sides[1], line)


NO_LINES = Lines({})


def _sides(text: str, edits: list[Edit]) -> tuple[_Side, _Side]:
    here, there, moved = [], [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        here.append((edit.start, edit.end - edit.start))
        there.append((edit.start + moved, len(edit.text)))
        moved += len(edit.text) - (edit.end - edit.start)
    return _Side(text, here), _Side(apply_edits(text, edits), there)


def _carried(side: _Side, other: _Side, line: int) -> int:
    """The line of `other` that has what a line of `side` says; for one that the change removes, where it was."""
    at = side.of_line(line)
    moved = 0
    for (start, length), (there, other_length) in zip(side.edits, other.edits, strict=True):
        if at < start:
            break
        if at < start + length:
            return other.line(min(there + min(at - start, other_length), max(len(other.text) - 1, 0)))
        moved += other_length - length
    return other.line(at + moved)
