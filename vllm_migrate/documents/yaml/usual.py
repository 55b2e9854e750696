"""The edits that most fixes are, found at once in a text that was read by lines: a value replaced, a line taken out, a
line put below the last one of its mapping. They are what the planner of yaml_edit.py would find first (a test compares
them on random documents); None where the case is not that plain, and the planner is to be asked.
"""

from __future__ import annotations

import re

from vllm_migrate.documents.interface import DELETE, MAP, SET, Edit, Op
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.yaml.layout import line_end_after, past_inner_comments
from vllm_migrate.documents.yaml.nodes import BlockNode, Context, LineScalar
from vllm_migrate.documents.yaml.scalars import Style, render, render_string

_CAPITAL = re.compile(r":[ \t]+(?:(True|False)|true|false)\b")


def style_of(value: object, context: Context) -> Style:
    """How a new value is written: switches as most are in the file."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return Style()
    if context.capital is None:
        found = [bool(match.group(1)) for match in _CAPITAL.finditer(context.text)]
        context.capital = 2 * sum(found) > len(found)
    return Style(capital=context.capital)


def usual_edit(op: Op, root: BlockNode) -> list[Edit] | None:
    """The splice that makes one operation, empty where it is made already. Raises CannotEdit for a value that cannot be
    written."""
    key = op.path[-1]
    if op.kind not in (SET, DELETE) or op.after or not isinstance(key, str):
        return None
    node = root
    for step in op.path[:-1]:
        below = node.at((step,))
        if not isinstance(below, BlockNode):
            return None
        node = below
    if node.kind != MAP:
        return None
    number = node.block.keys.get(key)
    if op.kind == DELETE:
        return [] if number is None else _taken_out(node, number)
    if number is None:
        return _put_below(node, key, op.value)
    value = node.nth(number)
    return _replaced(value, op.value) if isinstance(value, LineScalar) and value.start < value.end else None


def _replaced(node: LineScalar, value: object) -> list[Edit]:
    if equal(node.value, value):
        return []
    style = style_of(value, node.context)
    if isinstance(value, str) and node.style:
        style = Style(quote=node.style)
    elif isinstance(value, bool) and isinstance(node.value, bool):
        style = Style(capital=node.text[:1].isupper())
    return [Edit(node.start, node.end, render(value, style))]


def _taken_out(node: BlockNode, number: int) -> list[Edit] | None:
    text, value = node.context.text, node.nth(number)
    start = node.block.rows[number][1]
    line = text.rfind("\n", 0, start) + 1
    if not isinstance(value, LineScalar) or len(node.block.rows) == 1 or text[line:start].strip(" "):
        return None
    end = line_end_after(text, value.end)
    return [Edit(line, end + 1, "")] if end is not None and end < len(text) else None


def _put_below(node: BlockNode, key: str, value: object) -> list[Edit] | None:
    text, last = node.context.text, node.nth(len(node.block.rows) - 1)
    found = line_end_after(text, last.end) if isinstance(last, LineScalar) else None
    if found is None:
        return None
    column = node.block.column
    end = past_inner_comments(text, found, column)
    line = f"{render_string(key)}: {render(value, style_of(value, node.context))}"
    return [Edit(end, end, f"\n{' ' * column}{line}")]
