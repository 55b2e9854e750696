"""A fix as lines for people: `- ` what goes, `+ ` what comes, as they stand in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import Edit, apply_edits

if TYPE_CHECKING:
    from vllm_migrate.dialects.tree import File


def preview(edits_of: dict[File, list[Edit]]) -> list[tuple[str, str]]:
    """Signs and lines of the edits of each file."""
    out: list[tuple[str, str]] = []
    for file, edits in edits_of.items():
        text = file.source.text
        lines = _whole_lines(text, edits[0]) if len(edits_of) == len(edits) == 1 else None
        if lines is not None:
            return lines
        for start, end, group in _blocks(text, sorted(edits)):
            moved = [Edit(edit.start - start, edit.end - start, edit.text) for edit in group]
            out += _changed(text[start:end], apply_edits(text[start:end], moved))
    return out


def _whole_lines(text: str, edit: Edit) -> list[tuple[str, str]] | None:
    """What an edit that adds lines below one, or takes out one line, shows; None for any other."""
    start, end, new = edit
    if start == end and new[:1] == "\n" and text[end : end + 1] in ("\n", ""):
        return [("+", line.rstrip("\r")) for line in new[1:].split("\n") if line.strip()]
    if start < end and not new and text[start - 1 : start] in ("\n", "") and text.find("\n", start) == end - 1:
        line = text[start : end - 1]
        return [("-", line.rstrip("\r"))] if line.strip() else []
    return None


def _blocks(text: str, edits: list[Edit]) -> list[tuple[int, int, list[Edit]]]:
    """Edits with the whole lines around them; edits that touch the same lines together."""
    out: list[tuple[int, int, list[Edit]]] = []
    for edit in edits:
        start = text.rfind("\n", 0, edit.start) + 1
        end = text.find("\n", edit.end)
        end = len(text) if end < 0 else end
        if out and start <= out[-1][1]:
            first, last, group = out[-1]
            out[-1] = (first, max(last, end), [*group, edit])
        else:
            out.append((start, end, [edit]))
    return out


def _changed(before: str, after: str) -> list[tuple[str, str]]:
    old, new = before.split("\n"), after.split("\n")
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    lines = [("-", line) for line in old] + [("+", line) for line in new]
    return [(sign, line.rstrip("\r")) for sign, line in lines if line.strip()]


def places(lines: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """Where each line of a preview differs from the one it replaces or that replaces it, as wide in both; (0, 0): nowhere."""
    out = [(0, 0)] * len(lines)
    at = 0
    while at < len(lines):
        middle = _run(lines, at, "-")
        end = _run(lines, middle, "+")
        old, new = range(at, middle), range(middle, end)
        for i, j in zip(old, new, strict=True) if len(old) == len(new) else _alike(lines, old, new):
            out[i] = out[j] = _difference(lines[i][1], lines[j][1])
        at = max(end, at + 1)
    return out


def _run(lines: list[tuple[str, str]], at: int, sign: str) -> int:
    while at < len(lines) and lines[at][0] == sign:
        at += 1
    return at


def _alike(lines: list[tuple[str, str]], old: range, new: range) -> list[tuple[int, int]]:
    """Lines that go with the one that comes and differs least, where their numbers differ."""

    def width(i: int, j: int) -> int:
        start, end = _difference(lines[i][1], lines[j][1])
        return end - start

    return [(min(old, key=lambda i: width(i, j)), j) for j in new] if old else []


def _difference(old: str, new: str) -> tuple[int, int]:
    """The place of what two lines do not share at their start and end, as wide as the longer of the two."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    same = 0
    while same < shorter - start and old[-1 - same] == new[-1 - same]:
        same += 1
    return start, max(len(old), len(new)) - same
