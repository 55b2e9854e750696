"""Splices that make one operation on a JSON document, best first; editing.py proves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
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
    Source,
    Unknown,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.text import flow

_COMMENT = re.compile(r"//[^\r\n]*|/\*[\s\S]*?\*/")


def render(value: object) -> str:
    """One line of JSON. Raises CannotEdit for what JSON cannot hold."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise CannotEdit(f"JSON cannot hold the value: {error}") from None
    if not equal(json.loads(text), value):
        raise CannotEdit("JSON cannot hold the value as it is")
    return text


def candidates(document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
    """Splices that might make `op`, the best first. Raises CannotEdit."""
    if index != 0:
        raise CannotEdit(f"the file has no document {index}")
    root = document.roots[0]
    _refuse_duplicates(document.source, root)
    plans = {SET: _set, DELETE: _delete, RENAME: _rename, INSERT: _insert}
    return plans[op.kind](document.source, root, op)


def _refuse_duplicates(source: Source, root: Node) -> None:
    stack = [root]
    while stack:
        node = stack.pop()
        keys: set[str] = set()
        for pair in node.pairs:
            if pair.key in keys:
                line = source.position(pair.key_node.start).line
                raise CannotEdit(f"the key {pair.key!r} appears twice in one object (line {line})")
            keys.add(pair.key)
            stack.append(pair.value)
        stack.extend(node.items)


def _walk(root: Node, path: tuple[str | int, ...]) -> tuple[Node, tuple[str | int, ...]]:
    """The deepest existing value on the path, and the keys that are missing."""
    node = root
    for number, key in enumerate(path):
        if node.kind == SCALAR and node.value is None:
            return node, path[number:]
        if node.kind != (SEQ if isinstance(key, int) else MAP):
            raise CannotEdit(f"{key!r} does not fit what stands there")
        found = node.at((key,))
        if found is None:
            return node, path[number:]
        node = found
    return node, ()


def _flow(source: Source, node: Node) -> flow.Flow:
    entries = [(pair.key_node.start, pair.value.end) for pair in node.pairs] + [
        (one.start, one.end) for one in node.items
    ]
    return flow.Flow(source.text, node.start + 1, node.end - 1, entries, _COMMENT, source.newline)


def _set(source: Source, root: Node, op: Op) -> Iterator[list[Edit]]:
    node, missing = _walk(root, op.path)
    if not missing:
        if isinstance(node.value, Unknown):
            raise CannotEdit("a number too long to read")
        yield [] if equal(node.plain(), op.value) else [Edit(node.start, node.end, render(op.value))]
        return
    if any(isinstance(key, int) for key in missing):
        raise CannotEdit(f"the array has no item {missing[0]}")
    value = op.value
    for key in reversed(missing[1:]):
        value = {str(key): value}
    if node.kind == SCALAR:
        yield [Edit(node.start, node.end, render({str(missing[0]): value}))]
        return
    new = f"{render(missing[0])}{_colon(source.text, node)}{render(value)}"
    keys = [pair.key for pair in node.pairs]
    at = keys.index(op.after) + 1 if op.after in keys else len(keys)
    for number in [at, *(one for one in range(len(keys), -1, -1) if one != at)]:
        yield from flow.insert(_flow(source, node), number, new)


def _colon(text: str, node: Node) -> str:
    """`: `, or what the object itself puts between its first key and value."""
    if node.pairs:
        first = node.pairs[0]
        between = text[first.key_node.end : first.value.start]
        if between.strip(" ") == ":":
            return between
    return ": "


def _delete(source: Source, root: Node, op: Op) -> Iterator[list[Edit]]:
    node, missing = _walk(root, op.path[:-1])
    key = op.path[-1]
    if missing or node.at((key,)) is None:
        yield []
    elif isinstance(key, int):
        yield from flow.delete(_flow(source, node), key % len(node.items))
    else:
        yield from flow.delete(_flow(source, node), [pair.key for pair in node.pairs].index(key))


def _rename(source: Source, root: Node, op: Op) -> Iterator[list[Edit]]:
    node, missing = _walk(root, op.path[:-1])
    pairs = {} if missing else {pair.key: pair for pair in node.pairs}
    old = pairs.get(str(op.path[-1]))
    if op.new_key in pairs:
        if old is not None and op.new_key != op.path[-1]:
            raise CannotEdit(f"{op.new_key!r} is there already")
        yield []
    elif old is None:
        raise CannotEdit(f"there is no key {op.path[-1]!r}")
    else:
        yield [Edit(old.key_node.start, old.key_node.end, render(op.new_key))]


def _insert(source: Source, root: Node, op: Op) -> Iterator[list[Edit]]:
    node, missing = _walk(root, op.path[:-1])
    at = op.path[-1]
    if not isinstance(at, int) or at < 0:
        raise CannotEdit(f"{at!r} is no place in an array")
    if missing or (node.kind == SCALAR and node.value is None):
        if at:
            raise CannotEdit("the array is missing or empty")
        yield from _set(source, root, Op(SET, op.path[:-1], [op.value]))
    elif node.kind != SEQ or at > len(node.items):
        raise CannotEdit(f"there is no array with a place {at}")
    elif at < len(node.items) and equal(node.items[at].plain(), op.value):
        yield []
    else:
        yield from flow.insert(_flow(source, node), at, render(op.value))
