"""JSON files, with comments and trailing commas: `parse_json`, and the document it returns.

The reader is our own (spans, comments); the proof reads with the standard library after comments and trailing
commas are blanked out. Errors: Unreadable, and those of plan and prove.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.documents.editing import EditableDocument
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    MAP,
    RENAME,
    SCALAR,
    SEQ,
    SET,
    CannotEdit,
    Edit,
    Node,
    Op,
    Pair,
    Source,
    Unknown,
    Unreadable,
)
from vllm_migrate.documents.oracle import Box, Written, equal, from_plain
from vllm_migrate.documents.yaml import flow

if TYPE_CHECKING:
    from typing import Self

__all__ = ["JsonDocument", "parse_json"]

MAX_CHARACTERS = 2_000_000
MAX_NODES = 200_000
MAX_DEPTH = 200

_COMMENT = re.compile(r"//[^\r\n]*|/\*[\s\S]*?\*/")
_SKIP = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*+|/\*[\s\S]*?\*/)*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null|-?Infinity|NaN")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "NaN": float("nan")}
_WORDS |= {"Infinity": float("inf"), "-Infinity": float("-inf")}
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\r\n]*+|/\*[\s\S]*?\*/')
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*[\]}])')


class JsonNode(Node):
    """One value of a JSON file. `text` is what stands in the file."""

    __slots__ = ("_items", "_pairs", "_value", "text")

    def __init__(self, kind: str, start: int) -> None:
        self.kind = kind
        self.start = self.end = start
        self.flow = kind != SCALAR
        self.shared = False
        self.text = ""
        self._value: object = None
        self._pairs: list[Pair] = []
        self._items: list[Node] = []

    @property
    def value(self) -> object:
        return self._value

    @property
    def pairs(self) -> list[Pair]:
        return self._pairs

    @property
    def items(self) -> list[Node]:
        return self._items


class _Reader:
    """Text to nodes. Recursion is bounded by MAX_DEPTH."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.count = 0

    def fail(self, at: int, message: str, reason: str = "syntax") -> Unreadable:
        if reason == "syntax" and ("{{" in self.text or "{%" in self.text):
            reason = "template"
        line, column = self.source.position(min(at, len(self.text)))
        return Unreadable(reason, message, line, column)

    def skip(self, at: int) -> int:
        match = _SKIP.match(self.text, at)
        return match.end() if match else at

    def document(self) -> JsonNode:
        root = self.value(self.skip(0), 0)
        end = self.skip(root.end)
        if end != len(self.text):
            raise self.fail(end, "something follows the value")
        return root

    def value(self, at: int, depth: int) -> JsonNode:
        self.count += 1
        if self.count > MAX_NODES:
            raise self.fail(at, f"more than {MAX_NODES:,} values", "too-large")
        if depth > MAX_DEPTH:
            raise self.fail(at, f"nests deeper than {MAX_DEPTH} levels", "too-deep")
        first = self.text[at : at + 1]
        if first == "{":
            return self.mapping(at, depth)
        if first == "[":
            return self.sequence(at, depth)
        if first == '"':
            return self.string(at)
        return self.word(at)

    def finish(self, node: JsonNode, end: int) -> JsonNode:
        node.end = end
        node.text = self.text[node.start : end]
        return node

    def string(self, at: int) -> JsonNode:
        match = _STRING.match(self.text, at)
        if match is None:
            raise self.fail(at, "a string that does not end or holds what it must not")
        node = self.finish(JsonNode(SCALAR, at), match.end())
        node._value = json.loads(match.group())
        return node

    def word(self, at: int) -> JsonNode:
        match = _WORD.match(self.text, at) or _NUMBER.match(self.text, at)
        if match is None or self.text[match.end() : match.end() + 1].isalnum():
            raise self.fail(at, "a value was expected")
        node = self.finish(JsonNode(SCALAR, at), match.end())
        text = match.group()
        if text in _WORDS:
            node._value = _WORDS[text]
        elif match.group(1) or match.group(2):
            node._value = float(text)
        else:
            node._value = int(text) if len(text) < 400 else Unknown(text)
        return node

    def mapping(self, at: int, depth: int) -> JsonNode:
        node = JsonNode(MAP, at)
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "}":
            key = self.string(at) if self.text[at : at + 1] == '"' else None
            if key is None:
                raise self.fail(at, "a key in double quotes was expected")
            at = self.skip(key.end)
            if self.text[at : at + 1] != ":":
                raise self.fail(at, "':' was expected")
            value = self.value(self.skip(at + 1), depth + 1)
            node._pairs.append(Pair(str(key.value), key, value, False))
            at = self.comma(value.end, "}")
        return self.finish(node, at + 1)

    def sequence(self, at: int, depth: int) -> JsonNode:
        node = JsonNode(SEQ, at)
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "]":
            value = self.value(at, depth + 1)
            node._items.append(value)
            at = self.comma(value.end, "]")
        return self.finish(node, at + 1)

    def comma(self, at: int, close: str) -> int:
        at = self.skip(at)
        if self.text[at : at + 1] == ",":
            return self.skip(at + 1)
        if self.text[at : at + 1] != close:
            raise self.fail(at, f"',' or '{close}' was expected")
        return at


class JsonDocument(EditableDocument):
    """A JSON file: one root."""

    __slots__ = ()

    def __init__(self, source: Source, root: JsonNode) -> None:
        self.source = source
        self.roots = [root]

    def candidates(self, op: Op, index: int) -> Iterator[list[Edit]]:
        if index != 0:
            raise CannotEdit(f"the file has no document {index}")
        return _plan(self, op)

    def reparse(self, source: Source) -> Self:
        return type(self)(source, _Reader(source).document())

    def boxes(self) -> list[Box]:
        bare = _STRING_OR_COMMENT.sub(lambda m: m.group() if m.group()[0] == '"' else " ", self.source.text)
        bare = _TRAILING_COMMA.sub(lambda m: m.group(1) or "", bare)
        return [from_plain(json.loads(bare, object_pairs_hook=_unique, parse_int=_parse_int))]

    def read(self, written: Written) -> object:
        return written.text  # never asked: boxes hold values


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Duplicate keys, each under a name of its own."""
    out: dict[str, object] = {}
    for number, (key, value) in enumerate(pairs):
        out[key if key not in out else f"{key}\0{number}"] = value
    return out


def _parse_int(text: str) -> object:
    return int(text) if len(text) < 400 else Unknown(text)


def parse_json(source: Source) -> JsonDocument:
    """A JSON file with spans. Raises Unreadable: too-large, too-deep, template, syntax."""
    if len(source.text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    if source.text.count(",") > MAX_NODES:
        raise Unreadable("too-large", f"more than {MAX_NODES:,} values")
    return JsonDocument(source, _Reader(source).document())


# --- planning


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


def _plan(document: JsonDocument, op: Op) -> Iterator[list[Edit]]:
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
                raise CannotEdit(f"the key {pair.key!r} stands twice in one object (line {line})")
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
