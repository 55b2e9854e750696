"""Splices that make one operation on a Dockerfile; editing.py proves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.documents.dockerfile.document import RAW, Dockerfile
from vllm_migrate.documents.interface import DELETE, INSERT, SEQ, SET, CannotEdit, DataDocument, Edit, Node, Op
from vllm_migrate.documents.json.edit import render
from vllm_migrate.documents.text import flow

if TYPE_CHECKING:
    from vllm_migrate.documents.dockerfile.document import Instruction

_PLAIN = re.compile(r"[\w.,:/@%+=-]+\Z")
_NO_COMMENT = re.compile(r"(?!)")


def candidates(document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
    """Splices that might make `op`, the best first. Raises CannotEdit."""
    assert isinstance(document, Dockerfile)
    root = document.roots[index]
    node = root.at(op.path)
    if len(op.path) == 2 and op.path[0] == "env":
        return _variable(document, root, op)
    holder = root.at(op.path[:-1])
    if holder is not None and holder.kind == SEQ and isinstance(op.path[-1], int) and op.path[0] != "scripts":
        return _argument(document, holder, op.path[-1], op)
    if op.kind == SET and node is not None and getattr(node, "style", "") == RAW:
        same = node.value == op.value
        return iter([[] if same else [Edit(node.start, node.end, str(op.value))]])
    if op.kind == SET and op.path == ("command",) and (node is None or node.plain() == op.value):
        return _arguments(document, root, op) if node is None else iter([[]])
    raise CannotEdit("the Dockerfile has no place for it")


def _argument(document: Dockerfile, holder: Node, number: int, op: Op) -> Iterator[list[Edit]]:
    """An element of the exec form."""
    text = document.source.text
    start, end = holder.start + 1, holder.end - 1
    blank = text[:start] + text[start:end].replace("\\\n", " \n") + text[end:]
    entries = [(item.start, item.end) for item in holder.items]
    array = flow.Flow(blank, start, end, entries, _NO_COMMENT, document.source.newline)
    there = number < len(entries)
    if op.kind == SET and there:
        same = holder.items[number].value == op.value
        yield [] if same else [Edit(*entries[number], render(str(op.value)))]
    elif op.kind == DELETE:
        yield from (_joined(edits) for edits in flow.delete(array, number)) if there else [[]]
    elif op.kind == INSERT and number <= len(entries):
        if there and holder.items[number].value == op.value:
            yield []
        yield from (_joined(edits) for edits in flow.insert(array, number, render(str(op.value))))
    else:
        raise CannotEdit(f"the instruction has no argument {number}")


def _joined(edits: list[Edit]) -> list[Edit]:
    """New line ends inside an instruction are continued."""
    return [edit._replace(text=re.sub(r"[ \t]*\n", " \\\\\n", edit.text)) for edit in edits]


def _variable(document: Dockerfile, root: Node, op: Op) -> Iterator[list[Edit]]:
    """A variable of an ENV, or a new ENV."""
    env = root.get("env")
    found = [pair for pair in env.pairs if pair.key == op.path[1]] if env is not None else []
    if len(found) > 1:
        raise CannotEdit(f"{op.path[1]} is set twice")
    if not found and op.kind == DELETE:
        yield []
        return
    if not found:
        raise CannotEdit(f"{op.path[1]} is set elsewhere")
    pair = found[0]
    if op.kind == SET:
        if not isinstance(op.value, str) or not _PLAIN.match(op.value):
            raise CannotEdit("the value needs quotes that the Dockerfile's own form may not take")
        same = pair.value.value == op.value
        yield [] if same else [Edit(pair.value.start, pair.value.end, op.value)]
        return
    if op.kind != DELETE:
        raise CannotEdit("a variable is set or removed")
    holder = next(each for each in document.instructions if each.start <= pair.key_node.start < each.end)
    others = [p for p in env.pairs if p is not pair and holder.start <= p.key_node.start < holder.end] if env else []
    yield [_without(document.source.text, holder, pair.key_node.start, pair.value.end, bool(others))]


def _without(text: str, holder: Instruction, start: int, end: int, others: bool) -> Edit:
    """An ENV without one of its entries, or no ENV at all."""
    if not others:
        return Edit(holder.start, min(holder.end + 1, len(text)), "")
    behind = re.compile(r"(?:[ \t]|\\\r?\n)+(?=\S)").match(text, end)
    if behind is not None and behind.end() <= holder.end:
        return Edit(start, behind.end(), "")
    before = re.compile(r"(?:[ \t]|\\\r?\n)+\Z").search(text, holder.start, start)
    return Edit(before.start() if before is not None else start, end, "")


def _arguments(document: Dockerfile, root: Node, op: Op) -> Iterator[list[Edit]]:
    """A CMD for a container that has only its entrypoint, or its image's."""
    if not isinstance(op.value, list):
        raise CannotEdit("arguments are a list")
    behind = root.get("entrypoint") or root.get("image")
    assert behind is not None
    holder = next(each for each in document.instructions if each.start <= behind.start <= each.end)
    newline = document.source.newline
    lead = "" if holder.end < len(document.source.text) else newline
    at = min(holder.end + 1, len(document.source.text))
    yield [Edit(at, at, f"{lead}CMD {render(op.value)}{newline}")]
