"""Whether an expression is a list of lists or a list of numbers, as far as the function around it shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MANY, ONE, UNKNOWN = "many", "one", ""
MAX_STEPS = 8
# Methods of a tokenizer that give the ids of one text.
_OF_ONE = frozenset(("encode", "convert_tokens_to_ids"))


def shape_of(node: ast.expr, tree: ast.Module, steps: int = MAX_STEPS) -> str:
    """MANY for a list of lists, ONE for a list of numbers, UNKNOWN where that is not plain."""
    if steps == 0:
        return UNKNOWN
    if isinstance(node, ast.List | ast.Tuple):
        return _agreed(_item(item) for item in node.elts)
    if isinstance(node, ast.ListComp):
        return _item(node.elt)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mult):
        sides = {shape_of(side, tree, steps - 1) for side in (node.left, node.right)} - {UNKNOWN}
        return sides.pop() if len(sides) == 1 else UNKNOWN
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ONE if node.func.attr in _OF_ONE else UNKNOWN
    if isinstance(node, ast.Name):
        return _agreed(shape for shape in _of_name(node, tree, steps))
    return UNKNOWN


def _item(node: ast.expr) -> str:
    """The shape of a list with such an item."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return ONE
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return ONE if node.func.id == "int" else MANY if node.func.id == "list" else UNKNOWN
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return MANY if node.func.attr in (*_OF_ONE, "tolist") else UNKNOWN
    return MANY if isinstance(node, ast.List | ast.ListComp) else UNKNOWN


def _of_name(name: ast.Name, tree: ast.Module, steps: int) -> Iterator[str]:
    """What each assignment of a name, and each `append` to it, in the innermost function that has any shows of it."""
    inside = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) and _holds(f, name)]
    body: ast.AST = min(inside, key=lambda f: (f.end_lineno or 0) - f.lineno, default=tree)
    for node in ast.walk(body):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            empty = isinstance(node.value, ast.List) and not node.value.elts
            if any(_is(target, name) for target in targets) and node.value is not None and not empty:
                yield shape_of(node.value, tree, steps - 1)
        elif _binds(node, name):
            yield UNKNOWN
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is(node.func.value, name):
            if node.func.attr == "append" and len(node.args) == 1:
                yield _item(node.args[0]) or (MANY if shape_of(node.args[0], tree, steps - 1) == ONE else UNKNOWN)
            elif node.func.attr in ("extend", "insert"):
                yield UNKNOWN


def _binds(node: ast.AST, name: ast.Name) -> bool:
    """Whether a parameter or a loop gives the name its value."""
    if isinstance(node, ast.arg):
        return node.arg == name.id
    return isinstance(node, ast.For | ast.comprehension) and _is(node.target, name)


def _holds(function: ast.FunctionDef | ast.AsyncFunctionDef, node: ast.expr) -> bool:
    return function.lineno <= node.lineno <= (function.end_lineno or 0)


def _is(node: ast.expr, name: ast.Name) -> bool:
    return isinstance(node, ast.Name) and node.id == name.id


def _agreed(shapes: Iterator[str]) -> str:
    found = set(shapes)
    return found.pop() if len(found) == 1 else UNKNOWN
