"""Compile the text of a condition into the nested lists that `expr.evaluate` runs. Build time only."""

from __future__ import annotations

import ast

from vllm_migrate.errors import VllmMigrateError

_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "==",
    ast.IsNot: "!=",
}


class BadCondition(VllmMigrateError):
    """A condition in a rule file that is not of the language."""


def compile_expr(text: object, predicates: dict[str, object] | None = None) -> object:
    """Nested lists of a condition. `predicates` are named conditions, put in place by name.

    Booleans, numbers and None stand for themselves. Raises BadCondition with the text.
    """
    if not isinstance(text, str):
        return text
    # `from` is a Python keyword; the field reads `from.engine`, so it is parsed under another name.
    source = _escape_from(text)
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        raise BadCondition(f"not a condition: {text!r} ({error.msg})") from None
    return _Compiler(text, predicates or {}).visit(tree)


def _escape_from(text: str) -> str:
    out, i = [], 0
    while i < len(text):
        if text.startswith("from.", i) and (i == 0 or not (text[i - 1].isalnum() or text[i - 1] in "_.'\"")):
            out.append("from_.")
            i += 5
        else:
            out.append(text[i])
            i += 1
    return "".join(out).strip()


class _Compiler:
    def __init__(self, text: str, predicates: dict[str, object]) -> None:
        self.text = text
        self.predicates = predicates

    def visit(self, node: ast.expr) -> object:
        if isinstance(node, ast.Constant):
            if node.value is None or isinstance(node.value, (bool, int, float, str)):
                return node.value
        elif isinstance(node, (ast.Name, ast.Attribute)):
            return self._name(node)
        elif isinstance(node, (ast.List, ast.Tuple)):
            return ["list", *[self.visit(item) for item in node.elts]]
        elif isinstance(node, ast.BoolOp):
            return ["and" if isinstance(node.op, ast.And) else "or", *[self.visit(v) for v in node.values]]
        elif isinstance(node, ast.UnaryOp):
            return self._unary(node)
        elif isinstance(node, ast.Compare) and len(node.ops) == 1:
            return [_COMPARE[type(node.ops[0])], self.visit(node.left), self.visit(node.comparators[0])]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return ["+", self.visit(node.left), self.visit(node.right)]
        elif isinstance(node, ast.IfExp):
            return ["if", self.visit(node.test), self.visit(node.body), self.visit(node.orelse)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            arguments = [self.visit(argument) for argument in node.args]
            if node.func.id == "surely" and len(arguments) == 1:
                return ["surely", *arguments]
            return ["call", node.func.id, *arguments]
        raise BadCondition(f"not of the condition language: {ast.unparse(node)!r} in {self.text!r}")

    def _unary(self, node: ast.UnaryOp) -> object:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return ["not", value]
        if isinstance(node.op, ast.USub) and isinstance(value, (int, float)):
            return -value
        raise BadCondition(f"not of the condition language: {ast.unparse(node)!r} in {self.text!r}")

    def _name(self, node: ast.expr) -> object:
        parts: list[str] = []
        at: ast.expr = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if not isinstance(at, ast.Name):
            raise BadCondition(f"not a name: {ast.unparse(node)!r} in {self.text!r}")
        parts.append("from" if at.id == "from_" else at.id)
        dotted = ".".join(reversed(parts))
        if dotted in self.predicates:
            return self.predicates[dotted]
        return ["name", dotted]
