"""A Python module as a data document: each call is a mapping of its keywords, `roots[i]` being call number i.

`LLM(model="m", seed=0)` reads like `{model: m, seed: 0}`, so that whatever can be said of a mapping in a file of another
kind can be said of it. Literals are values, everything else is Unknown; `**kwargs` and positional arguments are no keys.
A dict literal among the keywords is a mapping below; an edit in it writes the keyword's whole value anew.
"""

from __future__ import annotations

import ast

from vllm_migrate.documents.interface import (
    DELETE,
    MAP,
    RENAME,
    SCALAR,
    SEQ,
    SET,
    CannotEdit,
    DataDocument,
    Edit,
    Node,
    Op,
    Pair,
    Source,
)
from vllm_migrate.documents.python.calls import Call, CallOp, PythonDocument, parse_python


class ValueNode(Node):
    """The value of a keyword, or a value inside it."""

    __slots__ = ("_document", "_expression")

    def __init__(self, document: PythonDocument, expression: ast.expr) -> None:
        self._document = document
        self._expression = expression
        self.start, self.end = document.span(expression)
        self.flow, self.shared = True, False
        value = document.value(expression)
        self.kind = MAP if _is_mapping(expression, value) else SEQ if isinstance(value, (list, tuple)) else SCALAR

    @property
    def value(self) -> object:
        return self._document.value(self._expression)

    @property
    def pairs(self) -> list[Pair]:
        node, out = self._expression, list[Pair]()
        if isinstance(node, ast.Dict) and self.kind == MAP:
            for key, value in zip(node.keys, node.values, strict=True):
                assert isinstance(key, ast.Constant)
                out.append(
                    Pair(str(key.value), ValueNode(self._document, key), ValueNode(self._document, value), False)
                )
        elif isinstance(node, ast.Call) and self.kind == MAP:
            out.extend(_keywords(self._document, node))
        return out

    @property
    def items(self) -> list[Node]:
        node = self._expression
        return [ValueNode(self._document, item) for item in node.elts] if isinstance(node, ast.List | ast.Tuple) else []


def _is_mapping(expression: ast.expr, value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return not isinstance(expression, ast.Dict) or all(isinstance(key, ast.Constant) for key in expression.keys)


def _keywords(document: PythonDocument, node: ast.Call) -> list[Pair]:
    out: list[Pair] = []
    for keyword in node.keywords:
        if keyword.arg is not None:
            start, _ = document.span(keyword)
            out.append(
                Pair(keyword.arg, NameNode(start, start + len(keyword.arg)), ValueNode(document, keyword.value), False)
            )
    return out


class NameNode(Node):
    """The name of a keyword."""

    __slots__ = ()

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end, self.kind, self.flow, self.shared = start, end, SCALAR, True, False


class CallNode(Node):
    """A call as a mapping of its keywords. Its place is the callee's name."""

    __slots__ = ("_document", "call")

    def __init__(self, document: PythonDocument, call: Call) -> None:
        self._document = document
        self.call = call
        self.start, self.end = document.span(call.node.func)
        self.kind, self.flow, self.shared = MAP, True, False

    @property
    def pairs(self) -> list[Pair]:
        return _keywords(self._document, self.call.node)


class PythonData(DataDocument):
    """See the module. `code` has what else stands in the file."""

    __slots__ = ("code",)

    def __init__(self, code: PythonDocument) -> None:
        self.code = code
        self.source = code.source
        self.roots = [CallNode(code, call) for call in code.calls]

    def forget(self) -> None:
        self.roots = []
        self.code.forget()

    def plan(self, ops: list[Op], index: int = 0) -> list[Edit]:
        return self.code.plan(self._call_ops(ops, index))

    def prove(self, ops: list[Op], edits: list[Edit], index: int = 0) -> PythonData:
        return PythonData(self.code.prove(self._call_ops(ops, index), edits))

    def _call_ops(self, ops: list[Op], index: int) -> list[CallOp]:
        return [self._call_op(op, index) for op in ops]

    def _call_op(self, op: Op, index: int) -> CallOp:
        name, *below = op.path
        if not isinstance(name, str) or op.kind not in (SET, DELETE, RENAME):
            raise CannotEdit("an argument of a call that has no name")
        if not below:
            return CallOp(op.kind, index, name, op.value, op.new_key, op.after)
        found = self.code.calls[index].get(name)
        if op.kind != SET or (found is not None and not isinstance(found.value, dict)):
            raise CannotEdit(f"{name} is built by an expression")
        return CallOp(
            SET,
            index,
            name,
            _with(dict(found.value) if found and isinstance(found.value, dict) else {}, list(below), op.value),
        )


def _with(value: dict[object, object], path: list[str | int], new: object) -> dict[object, object]:
    """The mapping with `new` at a path below it."""
    key, *below = path
    inner = value.get(key)
    if below and inner is not None and not isinstance(inner, dict):
        raise CannotEdit(f"{key} is no mapping")
    return {**value, key: _with(dict(inner) if isinstance(inner, dict) else {}, below, new) if below else new}


def parse_python_data(source: Source) -> PythonData:
    """Raises Unreadable as `parse_python` does."""
    return PythonData(parse_python(source))
