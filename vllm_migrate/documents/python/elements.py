"""Edits of what stands between the brackets of a list, tuple or dict literal, in the literal's own style."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from vllm_migrate.documents.interface import Edit

_SKIP = re.compile(r"(?:[ \t\f\r\n]|\\\r?\n|#[^\r\n]*)*")
_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?=\r|\n|\Z)")
_LINE_END = re.compile(r"\r\n|\r|\n|\Z")


class Change(NamedTuple):
    """What becomes of one element: None while it stays, its new source, or "" where it goes; and what follows it."""

    instead: str | None = None
    behind: tuple[str, ...] = ()


class Elements:
    """Where the elements of one literal stand, parentheses around them included."""

    def __init__(self, text: str, start: int, end: int, spans: list[tuple[int, int]]) -> None:
        """start, end: of the literal with its brackets; spans: of its elements."""
        self.text = text
        self.open = start + (text[start] in "[({")
        self.close = end - (self.open > start)
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.commas: list[int] = []  # offset of the comma after each element; -1 for none
        low = self.open
        for _, stop in spans:
            self.starts.append(self._skip(low))
            at = self._skip(stop)
            while at < self.close and text[at] == ")":
                stop = at + 1
                at = self._skip(stop)
            self.ends.append(stop)
            self.commas.append(at if at < self.close and text[at] == "," else -1)
            low = at + 1

    def edits(self, changes: Mapping[int, Change]) -> list[Edit]:
        """Edits that make changes, by the number of the element; -1 is before the first."""
        gone = sorted(at for at, change in changes.items() if change.instead == "" and not change.behind)
        out = [self._deleted(first, last) for first, last in _runs(gone)]
        for at, change in changes.items():
            if change.instead == "" and change.behind:  # what is new takes the place of what goes
                out.append(Edit(self.starts[at], self.ends[at], ", ".join(change.behind)))
                continue
            if change.instead:
                out.append(Edit(self.starts[at], self.ends[at], change.instead))
            if change.behind:
                out.append(self._inserted(at, ", ".join(change.behind)))
        return out

    def _skip(self, at: int) -> int:
        found = _SKIP.match(self.text, at)
        return found.end() if found else at

    def _line_start(self, at: int) -> int:
        return max(self.text.rfind("\n", 0, at), self.text.rfind("\r", 0, at)) + 1

    def _leads(self, at: int) -> bool:
        return not self.text[self._line_start(at) : at].strip(" \t\f")

    def _behind(self, at: int) -> int:
        """The end of an element with its comma."""
        return max(self.ends[at], self.commas[at] + 1)

    def _inserted(self, at: int, text: str) -> Edit:
        """New elements behind one, on a line of their own where the lines of the literal begin with elements."""
        if at < 0:
            return Edit(self.open, self.open, f"{text}, " if self.starts else text)
        rest = _REST.match(self.text, self._behind(at))
        line = self._line_start(self.starts[at])
        indent = self.text[line : len(self.text) - len(self.text[line:].lstrip(" \t"))]
        if rest is None or not any(self._leads(start) and start >= line for start in self.starts):
            return Edit(self.ends[at], self.ends[at], ", " + text)
        newline = "\r\n" if "\r\n" in self.text else "\n"
        if self.commas[at] < 0:
            return Edit(self.ends[at], self.ends[at], f",{newline}{indent}{text}")
        return Edit(rest.end(), rest.end(), f"{newline}{indent}{text},")

    def _deleted(self, first: int, last: int) -> Edit:
        rest = _REST.match(self.text, self._behind(last))
        if self._leads(self.starts[first]) and rest is not None:
            end = _LINE_END.match(self.text, rest.end())
            return Edit(self._line_start(self.starts[first]), end.end() if end else rest.end(), "")
        if last + 1 < len(self.starts):
            return Edit(self.starts[first], self.starts[last + 1], "")
        if first:
            return Edit(self.ends[first - 1], self.ends[last], "")
        return Edit(self.starts[first], self._behind(last), "")


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as (first, last)."""
    out: list[tuple[int, int]] = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1] = (out[-1][0], number)
        else:
            out.append((number, number))
    return out
