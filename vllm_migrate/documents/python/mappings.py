"""Changes of dict literals: the same operations as on a mapping of any other file, planned and made on the tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import DELETE, RENAME, SET, CannotEdit, Edit, Op, Path, Unknown
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.python.elements import Change, Elements
from vllm_migrate.documents.python.literals import render

if TYPE_CHECKING:
    from vllm_migrate.documents.python.calls import PythonDocument


def outer_dicts(tree: ast.AST) -> Iterator[ast.Dict]:
    """The dict literals that are in no other one, in the order of the text."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Dict):
            yield node
        else:
            stack += reversed(list(ast.iter_child_nodes(node)))


def place_of(node: ast.Dict, key: str | int) -> int | None:
    """The number of the last entry of a key."""
    found = [at for at, one in enumerate(node.keys) if isinstance(one, ast.Constant) and one.value == key]
    return found[-1] if found else None


def dict_edits(document: PythonDocument, node: ast.Dict, ops: list[Op], quote: str) -> list[Edit]:
    """Edits that make `ops` on a dict literal. Raises CannotEdit."""
    edits: list[Edit] = []
    changes: dict[int, tuple[ast.Dict, dict[int, Change]]] = {}
    renamed = {(*op.path[:-1], op.new_key): op.path for op in ops if op.kind == RENAME}
    for op in ops:
        owner, rest = _owner(node, renamed.get(op.path, op.path) if op.kind == SET else op.path)
        at = place_of(owner, rest[0])
        _, wanted = changes.setdefault(id(owner), (owner, {}))
        if op.kind == SET and (at is None or len(rest) > 1):
            if at is not None:
                raise CannotEdit(f"{rest[0]} is built by an expression")
            if None in owner.keys:
                raise CannotEdit("the dict includes another one, which may have the same key")
            last = len(owner.keys) - 1
            known = wanted.get(last, Change())
            text = f"{render(str(rest[0]), quote)}: {render(nested(rest[1:], op.value), quote)}"
            wanted[last] = known._replace(behind=(*known.behind, text))
        elif at is None:
            raise CannotEdit(f"the dict has no {rest[0]}")
        elif op.kind == SET:
            if not equal(document.value(owner.values[at]), op.value):
                edits.append(Edit(*document.span(owner.values[at]), render(op.value, quote)))
        elif op.kind == DELETE:
            wanted[at] = wanted.get(at, Change())._replace(instead="")
        elif op.kind == RENAME:
            key = owner.keys[at]
            assert key is not None
            edits.append(Edit(*document.span(key), render(op.new_key, quote)))
        else:
            raise CannotEdit(f"no such change: {op.kind}")
    for owner, wanted in changes.values():
        if wanted:
            edits += _elements(document, owner).edits(wanted)
    return edits


def _elements(document: PythonDocument, node: ast.Dict) -> Elements:
    spans = [
        (document.span(value if key is None else key)[0], document.span(value)[1])
        for key, value in zip(node.keys, node.values, strict=True)
    ]
    return Elements(document.source.text, *document.span(node), spans)


def _owner(node: ast.Dict, path: Path) -> tuple[ast.Dict, Path]:
    """The innermost dict literal on a path, and what is left of the path there."""
    while len(path) > 1:
        at = place_of(node, path[0])
        below = node.values[at] if at is not None else None
        if not isinstance(below, ast.Dict):
            break
        node, path = below, path[1:]
    return node, path


def nested(path: Path, value: object) -> object:
    """A value below the keys of a path."""
    for key in reversed(path):
        value = {key: value}
    return value


def apply_to_dict(node: ast.Dict, op: Op) -> None:
    """The change made on the tree, for the proof. Raises ValueError, SyntaxError for what is no expression."""
    owner, rest = _owner(node, op.path)
    at = place_of(owner, rest[0])
    if op.kind == DELETE and at is not None:
        del owner.keys[at], owner.values[at]
    elif op.kind == RENAME and at is not None:
        owner.keys[at] = ast.Constant(op.new_key)
    else:
        value = nested(rest[1:], op.value)
        tree = ast.parse(value.text if isinstance(value, Unknown) else repr(value), mode="eval").body
        if at is None:
            owner.keys.append(ast.Constant(rest[0]))
            owner.values.append(tree)
        else:
            owner.values[at] = tree
