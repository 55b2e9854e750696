"""Proof of edits in Python calls: the edited text has the old tree, with the intended keywords."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from vllm_migrate.documents.interface import (
    DELETE,
    RENAME,
    DataDocument,
    Edit,
    Op,
    ProofFailed,
    Source,
    Unknown,
    Unreadable,
    apply_edits,
)
from vllm_migrate.documents.python.calls import CallOp, PythonDocument
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.documents.python.mappings import apply_to_dict, outer_dicts
from vllm_migrate.documents.python.ops import call_ops
from vllm_migrate.documents.python.syntax import iter_calls, parse_tree
from vllm_migrate.documents.python.unpacked import NOTHING, Unpacked, unpacked


def prove_mappings(document: DataDocument, edits: list[Edit], ops: Mapping[int, list[Op]]) -> PythonData:
    """The document after `edits` of calls, and of dicts behind them, by number. Raises ProofFailed."""
    assert isinstance(document, PythonData)
    calls = len(document.code.calls)
    after, expected = _trees(document.code, edits)
    changes = [op for index, those in ops.items() if index < calls for op in call_ops(document, those, index)]
    inner = {index - calls: those for index, those in ops.items() if index >= calls}
    dicts = list(outer_dicts(expected)) if inner else []
    _apply_all(expected, changes)
    try:
        for index, those in inner.items():
            for op in those:
                apply_to_dict(dicts[index], op)
    except (SyntaxError, ValueError) as error:
        raise ProofFailed(f"not an expression: {error}") from None
    return PythonData(_compared(after, expected))


def prove(document: PythonDocument, edits: list[Edit], ops: list[CallOp]) -> PythonDocument:
    """The document of the edited text. Raises ProofFailed unless its tree is the old one with `ops` made on it."""
    after, expected = _trees(document, edits)
    _apply_all(expected, ops)
    return _compared(after, expected)


def _apply_all(expected: ast.Module, ops: list[CallOp]) -> None:
    calls = list(iter_calls(expected)) if ops else []
    brought: dict[int, Unpacked] | None = None
    for op in ops:
        if brought is None and calls[op.call].keywords:
            brought = unpacked(expected)
        if _apply(calls[op.call], op, brought or {}):
            brought = None


def _trees(document: PythonDocument, edits: list[Edit]) -> tuple[PythonDocument, ast.Module]:
    """The document of the edited text, and a tree of the old one to make the changes on."""
    source = document.source
    try:
        text = apply_edits(source.text, edits)
        tree, expected = parse_tree(text), parse_tree(source.text)
    except (ValueError, Unreadable) as error:
        raise ProofFailed(str(error)) from None
    return PythonDocument(Source(source.path, source.encode(text), text, source.bom, source.newline), tree), expected


def _compared(after: PythonDocument, expected: ast.Module) -> PythonDocument:
    if not same_tree(after.tree, expected):
        raise ProofFailed("the edited file is not the old one with the intended keywords")
    return after


def _apply(call: ast.Call, op: CallOp, brought: dict[int, Unpacked]) -> bool:
    """The change made on the tree, whether in a dict behind `**`; the order of keywords does not count (see same_tree)."""
    stars = [brought.get(id(keyword.value), NOTHING) for keyword in call.keywords if keyword.arg is None]
    owners = [known.entries[op.name].owner for known in stars if op.name in known.entries]
    if owners and not any(keyword.arg == op.name for keyword in call.keywords):
        if owners[-1] is None:
            raise ProofFailed(f"{op.name} stands in no dict literal")
        if isinstance(owners[-1], ast.Call):
            _apply(owners[-1], op, {})
        else:
            apply_to_dict(owners[-1], Op(op.kind, (op.name,), op.value, op.new_name))
        return True
    named = [keyword for keyword in call.keywords if keyword.arg == op.name]
    if op.kind == DELETE:
        call.keywords = [keyword for keyword in call.keywords if keyword.arg != op.name]
    elif op.kind == RENAME:
        for keyword in named:
            keyword.arg = op.new_name
    else:
        try:
            value = ast.parse(op.value.text if isinstance(op.value, Unknown) else repr(op.value), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ProofFailed(f"not an expression: {error}") from None
        for keyword in named:
            keyword.value = value
        if not named:
            call.keywords.append(ast.keyword(arg=op.name, value=value))
    return False


def same_tree(a: ast.AST, b: ast.AST) -> bool:
    """Equal trees but for positions; keywords of a call compare by name, `**x` by place. Without recursion."""
    stack: list[tuple[object, object]] = [(a, b)]
    while stack:
        left, right = stack.pop()
        if type(left) is not type(right):
            return False
        if isinstance(left, ast.AST) and isinstance(right, ast.AST):
            for name in left._fields:
                one, two = getattr(left, name, None), getattr(right, name, None)
                if name == "keywords" and isinstance(one, list) and isinstance(two, list):
                    one, two = sorted(one, key=_by_name), sorted(two, key=_by_name)
                stack.append((one, two))
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            stack += zip(left, right, strict=True)
        elif repr(left) != repr(right):  # tells 1 from True and 0.0 from -0.0
            return False
    return True


def _by_name(keyword: ast.keyword) -> str:
    return keyword.arg or ""
