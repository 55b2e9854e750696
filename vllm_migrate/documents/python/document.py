"""A Python module as a data document: each call is a mapping of its keywords, `roots[i]` being call number i.

`LLM(model="m", seed=0)` reads like `{model: m, seed: 0}`, so that whatever can be said of a mapping in a file of another
kind can be said of it. Literals are values, everything else is Unknown. What `**kwargs` brings from a dict literal nearby is
a key like any other; other `**` and positional arguments are no keys. After the calls come the module's dict literals.
A dict literal among the keywords is a mapping below; an edit in it writes the keyword's whole value anew.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import overload

from vllm_migrate.documents.interface import MAP, SCALAR, SEQ, DataDocument, Node, Pair, Source
from vllm_migrate.documents.python.calls import Call, PythonDocument, parse_python
from vllm_migrate.documents.python.unpacked import Entry


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


class EntryNode(ValueNode):
    """A value that a branch decides: it is there, but not decided."""

    __slots__ = ("_value",)

    def __init__(self, document: PythonDocument, entry: Entry) -> None:
        super().__init__(document, entry.value)
        self.kind = SCALAR
        self._value = document.entry_value(entry)

    @property
    def value(self) -> object:
        return self._value


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
        document = self._document
        out = _keywords(document, self.call.node)
        for entry in self.call.entries.values():
            start, end = document.span(entry.name)
            value = ValueNode(document, entry.value) if entry.sure else EntryNode(document, entry)
            name = NameNode(start, start + len(entry.key) if isinstance(entry.name, ast.keyword) else end)
            out.append(Pair(entry.key, name, value, False))
        return out


class CallNodes(Sequence[Node]):
    """The calls of a module as nodes, then its dict literals, each made when asked for: of most modules few are."""

    def __init__(self, code: PythonDocument) -> None:
        self._code = code
        self._made: dict[int, CallNode] = {}

    def __len__(self) -> int:
        return len(self._code.calls) + len(self._code.dicts)

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Node]: ...
    def __getitem__(self, index: int | slice) -> Node | Sequence[Node]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        calls = self._code.calls
        if index >= len(calls):
            return ValueNode(self._code, self._code.dicts[index - len(calls)])
        call = calls[index]
        node = self._made.get(call.index)
        if node is None:
            node = self._made[call.index] = CallNode(self._code, call)
        return node


class PythonData(DataDocument):
    """See the module. `code` has what else stands in the file."""

    __slots__ = ("code",)
    carrier = "python"

    def __init__(self, code: PythonDocument) -> None:
        self.code = code
        self.source = code.source
        self.roots = CallNodes(code)

    def forget(self) -> None:
        self.roots = []
        self.code.forget()


def parse_python_data(source: Source) -> PythonData:
    """Raises Unreadable as `parse_python` does."""
    return PythonData(parse_python(source))
