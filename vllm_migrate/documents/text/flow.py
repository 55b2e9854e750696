"""Splices inside brackets: flow collections of YAML, objects and arrays of JSON, inline tables and arrays of TOML.

An entry is the span of `value` or `key: value`. One entry a line, trailing commas, comments after a comma and blanks
just inside the brackets are kept as they are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.documents.text.patterns import compiled
from vllm_migrate.documents.text.source import Edit

_BREAK = r"\r\n|[\n\r]"
_LINE_LEAD = r"[ \t]*"


class Flow(NamedTuple):
    """One bracketed collection: offsets of what is inside the brackets, its entries, and the format's comments."""

    text: str
    start: int  # after the opening bracket
    end: int  # at the closing bracket
    entries: list[tuple[int, int]]
    comment: re.Pattern[str]  # matches one comment up to, not including, its line's end
    newline: str


def line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _lead(flow: Flow, entry: tuple[int, int]) -> str | None:
    """Indentation of an entry that starts its own line inside the brackets; None where it shares the line."""
    start = line_start(flow.text, entry[0])
    if start < flow.start:
        return None
    lead = compiled(_LINE_LEAD).match(flow.text, start)
    return lead.group() if lead and lead.end() == entry[0] else None


def _rest(flow: Flow, entry: tuple[int, int]) -> tuple[int, int] | None:
    """(offset of the comma after the entry or -1, offset of its line's end), or None when more stands on the line."""
    text, at, comma = flow.text, entry[1], -1
    while True:
        at = _spaces(text, at)
        match = flow.comment.match(text, at)
        if match and match.end() > at:
            at = match.end()
        elif text[at : at + 1] == "," and comma < 0:
            comma, at = at, at + 1
        else:
            break
    if at >= flow.end or not compiled(_BREAK).match(text, at):
        return None
    return comma, at


def _spaces(text: str, at: int) -> int:
    match = compiled(_LINE_LEAD).match(text, at)
    return match.end() if match else at


def _break(flow: Flow, at: int) -> str:
    match = compiled(_BREAK).match(flow.text, at)
    return match.group() if match else flow.newline


def insert(flow: Flow, at: int, new: str) -> Iterator[list[Edit]]:
    """Ways to make `new` entry number `at`, the one that fits the collection's layout first."""
    entries, text = flow.entries, flow.text
    if not entries:
        inside = text[flow.start : flow.end]
        end = flow.end if not inside.strip() and not compiled(_BREAK).search(inside) and len(inside) < 2 else flow.start
        yield [Edit(flow.start, end, new)]
        return
    if at == 0:
        first = entries[0]
        lead = _lead(flow, first)
        if lead is not None:
            yield [Edit(first[0], first[0], f"{new},{_break_before(flow, first)}{lead}")]
        yield [Edit(first[0], first[0], new + _separator(flow))]
        return
    before = entries[at - 1]
    lead, rest = _lead(flow, before), _rest(flow, before)
    if lead is not None and rest is not None:
        comma, end = rest
        more = at < len(entries) or comma >= 0
        line = f"{_break(flow, end)}{lead}{new}{',' if more else ''}"
        edits = [Edit(end, end, line)]
        if comma < 0:
            edits.insert(0, Edit(before[1], before[1], ","))
        if comma >= 0 or at == len(entries):
            yield _joined(edits)
    lead = _lead_of_flags(flow) if _is_flag(new) else None
    if lead is not None:
        yield [Edit(before[1], before[1], f",{flow.newline}{lead}{new}")]
    yield [Edit(before[1], before[1], _separator(flow) + new)]


def _is_flag(text: str) -> bool:
    return text.lstrip("'\"").startswith("-")


def _lead_of_flags(flow: Flow) -> str | None:
    """Indentation of the flags of an argument list where each one starts its line, but for the first entry."""
    flags = [entry for entry in flow.entries[1:] if _is_flag(flow.text[entry[0] : entry[1]])]
    leads = [_lead(flow, entry) for entry in flags]
    return leads[-1] if leads and None not in leads else None


def _joined(edits: list[Edit]) -> list[Edit]:
    """Two insertions at one offset are one."""
    if len(edits) == 2 and edits[0].start == edits[1].start:
        return [Edit(edits[0].start, edits[1].end, edits[0].text + edits[1].text)]
    return edits


def _break_before(flow: Flow, entry: tuple[int, int]) -> str:
    start = line_start(flow.text, entry[0])
    return "\r\n" if flow.text[max(start - 2, 0) : start] == "\r\n" else flow.text[start - 1 : start] or flow.newline


def _separator(flow: Flow) -> str:
    """`, `, or `,` where the collection is written without blanks."""
    if len(flow.entries) > 1:
        return "," if flow.text[flow.entries[0][1] : flow.entries[1][0]] == "," else ", "
    return ", "


def delete(flow: Flow, at: int) -> Iterator[list[Edit]]:
    """Ways to remove entry `at` with its comma, and its line and comment where it has its own."""
    entries, text = flow.entries, flow.text
    entry = entries[at]
    last = at == len(entries) - 1
    comma = _comma(flow, entry[1], flow.end if last else entries[at + 1][0])
    if comma < 0 and at > 0:
        comma = _comma(flow, entries[at - 1][1], entry[0])
    lead, rest = _lead(flow, entry), _rest(flow, entry)
    if lead is not None and rest is not None:
        start = line_start(text, entry[0])
        after = compiled(_BREAK).match(text, rest[1])
        end = after.end() if after else rest[1]
        yield _with_comma(Edit(start, end, ""), comma)
    if len(entries) == 1:
        start = flow.start if not text[flow.start : entry[0]].strip() else entry[0]
        end = comma + 1 if comma >= 0 and not text[entry[1] : comma].strip() else entry[1]
        yield _with_comma(Edit(start, end, ""), comma)
    elif at > 0 and text[entries[at - 1][1] : entry[0]].strip() == ",":
        yield [Edit(entries[at - 1][1], entry[1], "")]
    elif at == 0 and text[entry[1] : entries[1][0]].strip() == ",":
        yield [Edit(entry[0], entries[1][0], "")]
    yield _with_comma(Edit(entry[0], entry[1], ""), comma)


def _with_comma(edit: Edit, comma: int) -> list[Edit]:
    """The edit, and another for the comma where it does not reach that."""
    if comma < 0 or edit.start <= comma < edit.end:
        return [edit]
    return sorted([edit, Edit(comma, comma + 1, "")])


def _comma(flow: Flow, start: int, end: int) -> int:
    """Offset of the comma between two offsets, comments passed over; -1 where there is none."""
    at = start
    while at < end:
        match = flow.comment.match(flow.text, at)
        if match and match.end() > at:
            at = match.end()
        elif flow.text[at] == ",":
            return at
        else:
            at += 1
    return -1
