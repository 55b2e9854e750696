"""JSON files, with comments and trailing commas: `parse_json`, and the document it returns."""

from __future__ import annotations

import json
import re

from vllm_migrate.documents.interface import (
    MAP,
    SCALAR,
    SEQ,
    DataDocument,
    Node,
    Pair,
    Source,
    Unknown,
    Unreadable,
)

__all__ = ["JsonDocument", "parse_json"]

MAX_CHARACTERS = 2_000_000
MAX_NODES = 200_000
MAX_DEPTH = 200

_SKIP = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*+|/\*[\s\S]*?\*/)*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD = re.compile(r"true|false|null|-?Infinity|NaN")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "NaN": float("nan")}
_WORDS |= {"Infinity": float("inf"), "-Infinity": float("-inf")}


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
    def style(self) -> str:
        """The quote around a text, as of a YAML scalar."""
        return '"' if self.text.startswith('"') else ""

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


class JsonDocument(DataDocument):
    """A JSON file: one root."""

    __slots__ = ()
    carrier = "json"

    def __init__(self, source: Source, root: JsonNode) -> None:
        self.source = source
        self.roots = [root]


def parse_json(source: Source) -> JsonDocument:
    """A JSON file with spans. Raises Unreadable: too-large, too-deep, template, syntax."""
    if len(source.text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    if source.text.count(",") > MAX_NODES:
        raise Unreadable("too-large", f"more than {MAX_NODES:,} values")
    return JsonDocument(source, _Reader(source).document())
