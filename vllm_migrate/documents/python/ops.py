"""Operations on the mappings that calls are (document.py), as changes of their keywords."""

from __future__ import annotations

from vllm_migrate.documents.interface import DELETE, RENAME, SET, CannotEdit, DataDocument, Op
from vllm_migrate.documents.python.calls import CallOp
from vllm_migrate.documents.python.document import PythonData


def call_ops(document: DataDocument, ops: list[Op], index: int) -> list[CallOp]:
    """The changes of call number `index`. Raises CannotEdit where an argument has no name or is an expression."""
    assert isinstance(document, PythonData)
    return [_call_op(document, op, index) for op in ops]


def _call_op(document: PythonData, op: Op, index: int) -> CallOp:
    name, *below = op.path
    if not isinstance(name, str) or op.kind not in (SET, DELETE, RENAME):
        raise CannotEdit("an argument of a call that has no name")
    if not below:
        return CallOp(op.kind, index, name, op.value, op.new_key, op.after)
    found = document.code.calls[index].get(name)
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
