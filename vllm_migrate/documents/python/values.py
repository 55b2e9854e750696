"""What expressions say that need no running: dotted names, and numbers that are computed from numbers."""

from __future__ import annotations

import ast

from vllm_migrate.documents.interface import LARGEST_NUMBER

MAX_DEPTH = 50


def dotted_name(node: ast.expr) -> str:
    """`a.b`, `a().b`, `a[].b`; what is no name shows as `?`."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and parts:
            parts.append("()")
            node = node.func
        elif isinstance(node, ast.Subscript) and parts:
            parts.append("[]")
            node = node.value
        else:
            parts.append(node.id if isinstance(node, ast.Name) else "?")
            break
    return ".".join(reversed(parts)).replace(".()", "()").replace(".[]", "[]")


def without_brackets(dotted: str) -> str:
    """The names of a chain alone."""
    return dotted.replace("()", "").replace("[]", "")


def number(node: ast.expr, depth: int) -> int | float | None:
    """`-1`, `8 * 1024`, `2**20`: numbers joined by + - * / // **, while they stay small."""
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or value > LARGEST_NUMBER:
            return None
        return value
    if depth > MAX_DEPTH:
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        found = number(node.operand, depth + 1)
        return -found if found is not None and isinstance(node.op, ast.USub) else found
    if not isinstance(node, ast.BinOp):
        return None
    left, right = number(node.left, depth + 1), number(node.right, depth + 1)
    if left is None or right is None or max(abs(left), abs(right)) > 1e15:
        return None
    return _combined(node.op, left, right)


def _combined(op: ast.operator, left: int | float, right: int | float) -> int | float | None:
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    if isinstance(op, ast.Mult):
        return left * right
    if isinstance(op, ast.Div | ast.FloorDiv) and right:
        return left / right if isinstance(op, ast.Div) else left // right
    if isinstance(op, ast.Pow) and 0 <= right <= 64 and abs(left) <= 1000 and isinstance(right, int):
        power = left**right
        return power if isinstance(power, int | float) else None
    return None
