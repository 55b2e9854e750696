"""Where everything stands in a TOML file. tomllib says what the values are; this says where they are written.

A table may be written in pieces: `[a.b]` makes an implicit `a`, `x.y = 1` a dotted `x`, `[[t]]` one item of an
array of tables. Every node knows how it is written (`style`) and where a line may be added to it.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import LARGEST_NUMBER, MAP, SCALAR, SEQ, Node, Pair, Source, Unreadable

if TYPE_CHECKING:
    from typing import Any

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 100

TABLE, IMPLICIT, DOTTED, INLINE, ARRAY, TABLES, WORD, DATE = (
    "table", "implicit", "dotted", "inline", "array", "tables", "word", "date",
)  # fmt: skip

COMMENT = re.compile(r"#[^\n\r]*")
_SKIP = re.compile(r"(?:[ \t\r\n]+|#[^\n\r]*+)*+")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n\r]|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n\r]*+'")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*+"{3,5}')
_LONG_LITERAL = re.compile(r"'''(?:[^']|'{1,2}(?!'))*+'{3,5}")
_TOKEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[^\s,\]}#]*|[^\s,\]}#\[{=\"']+")
_DECODE_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Statement(NamedTuple):
    """One `key = value` statement: its start, and the end of its value."""

    start: int
    end: int


class TomlNode(Node):
    """One value of a TOML file.

    `path` are the keys from the root (no item numbers); `section` is the table whose lines hold a dotted one; `last`
    is the end of the last statement written for it (of the header when there is none, 0 for a root without any).
    `keys` are the places each key is written at, headers included; `entries` the statements of its own keys.
    """

    __slots__ = (
        "_children", "_items", "_pairs", "_value", "entries", "header", "header_end", "keys", "last", "path", "section", "style",
        "text",
    )  # fmt: skip

    def __init__(self, style: str, start: int, path: tuple[str, ...] = ()) -> None:
        self.style = style
        self.kind = SCALAR if style in (WORD, DATE) else SEQ if style in (ARRAY, TABLES) else MAP
        self.flow = style in (INLINE, ARRAY)
        self.shared = False
        self.start = self.end = start
        self.path = path
        self.section: TomlNode | None = None
        self.header = self.header_end = -1
        self.last = 0
        self.text = ""
        self.keys: dict[str, list[tuple[int, int]]] = {}
        self.entries: dict[str, Statement] = {}
        self._value: object = None
        self._pairs: list[Pair] = []
        self._children: dict[str, TomlNode] = {}
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

    def get(self, key: str) -> TomlNode | None:
        return self._children.get(key)


class _Part(NamedTuple):
    key: str
    start: int
    end: int


class TomlScanner:
    """Text that tomllib accepts to nodes. Raises Unreadable: syntax where it is lost, too-deep beyond MAX_DEPTH."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text

    def fail(self, at: int, message: str = "not TOML", reason: str = "syntax") -> Unreadable:
        return Unreadable(reason, message, *self.source.position(min(at, len(self.text))))

    def skip(self, at: int, pattern: re.Pattern[str] = _SKIP) -> int:
        match = pattern.match(self.text, at)
        return match.end() if match else at

    def document(self) -> TomlNode:
        root = current = TomlNode(TABLE, 0)
        at = self.skip(0)
        while at < len(self.text):
            if self.text[at] == "[":
                current, at = self.table(root, at)
            else:
                at = self.statement(current, at, 0)
            at = self.skip(at)
        root.end = max(root.last, root.end)
        return root

    # --- headers

    def table(self, root: TomlNode, start: int) -> tuple[TomlNode, int]:
        double = self.text.startswith("[[", start)
        parts, at = self.parts(start + 1 + double)
        if not self.text.startswith("]" * (1 + double), at):
            raise self.fail(at)
        end = at + 1 + double
        node = root
        for part in parts[:-1]:
            node = self.into(node, part, IMPLICIT, start)
        if double:
            tables = self.into(node, parts[-1], TABLES, start, False)
            node = TomlNode(TABLE, start, tables.path)
            tables._items.append(node)
            tables.end = end
        else:
            node = self.into(node, parts[-1], TABLE, start)
            if node.style == IMPLICIT:
                node.style, node.start = TABLE, start
        node.header = start
        node.last = node.end = node.header_end = end
        return node, end

    def into(self, node: TomlNode, part: _Part, style: str, start: int, enter: bool = True) -> TomlNode:
        """The child of that key, made where it is missing; of an array of tables its last item."""
        node.keys.setdefault(part.key, []).append((part.start, part.end))
        found = node.get(part.key)
        if found is None:
            found = TomlNode(style, start, (*node.path, part.key))
            self.add(node, part, found)
        elif enter and found.style == TABLES and isinstance(found.items[-1], TomlNode):
            return found.items[-1]
        if found.kind == SCALAR:
            raise self.fail(part.start)
        return found

    def add(self, node: TomlNode, part: _Part, value: TomlNode) -> None:
        if len(value.path) > MAX_DEPTH:
            raise self.fail(part.start, f"nests deeper than {MAX_DEPTH} levels", "too-deep")
        key = TomlNode(WORD, part.start)
        key.end, key._value, key.text = part.end, part.key, self.text[part.start : part.end]
        node._pairs.append(Pair(part.key, key, value, False))
        node._children[part.key] = value

    # --- keys and statements

    def parts(self, at: int) -> tuple[list[_Part], int]:
        found: list[_Part] = []
        while True:
            at = self.skip(at, _BLANK)
            for pattern in (_BARE, _BASIC, _LITERAL):
                match = pattern.match(self.text, at)
                if match:
                    break
            else:
                raise self.fail(at, "a key was expected")
            found.append(_Part(self.key_text(match.group(), at), at, match.end()))
            at = self.skip(match.end(), _BLANK)
            if self.text[at : at + 1] != ".":
                return found, at
            at += 1

    def key_text(self, written: str, at: int) -> str:
        if written[0] == "'":
            return written[1:-1]
        if written[0] != '"' or "\\" not in written:
            return written.strip('"')
        try:
            return str(tomllib.loads(f"k = {written}")["k"])
        except tomllib.TOMLDecodeError:
            raise self.fail(at) from None

    def statement(self, owner: TomlNode, start: int, depth: int) -> int:
        """`a.b = value` in a table or an inline table."""
        parts, at = self.parts(start)
        if self.text[at : at + 1] != "=":
            raise self.fail(at, "'=' was expected")
        chain = [owner]
        for part in parts[:-1]:
            inner = self.into(chain[-1], part, DOTTED, start)
            inner.section = owner
            chain.append(inner)
        node, last = chain[-1], parts[-1]
        value = self.value(self.skip(at + 1, _BLANK), depth + 1, (*node.path, last.key))
        node.keys.setdefault(last.key, []).append((last.start, last.end))
        node.entries[last.key] = Statement(start, value.end)
        self.add(node, last, value)
        for one in chain:
            one.last = value.end
            one.end = max(one.end, value.end)
        return value.end

    # --- values

    def value(self, at: int, depth: int, path: tuple[str, ...]) -> TomlNode:
        if depth > MAX_DEPTH:
            raise self.fail(at, f"nests deeper than {MAX_DEPTH} levels", "too-deep")
        first = self.text[at : at + 1]
        if first == "[":
            return self.array(at, depth, path)
        if first == "{":
            return self.inline(at, depth, path)
        patterns = {'"': (_LONG_BASIC, _BASIC), "'": (_LONG_LITERAL, _LITERAL)}.get(first, (_TOKEN,))
        for pattern in patterns:
            match = pattern.match(self.text, at)
            if match:
                return self.finish(TomlNode(WORD, at, path), match.end())
        raise self.fail(at, "a value was expected")

    def finish(self, node: TomlNode, end: int) -> TomlNode:
        node.end = end
        node.text = self.text[node.start : end]
        return node

    def array(self, at: int, depth: int, path: tuple[str, ...]) -> TomlNode:
        node = TomlNode(ARRAY, at, path)
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "]":
            item = self.value(at, depth + 1, path)
            node._items.append(item)
            at = self.comma(item.end, "]")
        return self.finish(node, at + 1)

    def inline(self, at: int, depth: int, path: tuple[str, ...]) -> TomlNode:
        node = TomlNode(INLINE, at, path)
        at = self.skip(at + 1)
        while self.text[at : at + 1] != "}":
            at = self.comma(self.statement(node, at, depth), "}")
        return self.finish(node, at + 1)

    def comma(self, at: int, close: str) -> int:
        at = self.skip(at)
        if self.text[at : at + 1] == ",":
            return self.skip(at + 1)
        if self.text[at : at + 1] != close:
            raise self.fail(at, f"',' or '{close}' was expected")
        return at


def scan(source: Source) -> TomlNode:
    """The root of a TOML file, with spans and values. Raises Unreadable: too-large, too-deep, template, syntax."""
    if len(source.text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    lost: Unreadable | None = None
    root = None
    try:
        root = TomlScanner(source).document()
    except Unreadable as error:
        if error.reason != "syntax":
            raise
        lost = error
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(source, str(error)) from None
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; nesting the scanner lost
        raise Unreadable("syntax", str(error) or "not TOML") from None
    if root is None:
        raise lost or Unreadable("syntax", "not TOML")
    _assign(root, data, source)
    return root


def _unreadable(source: Source, message: str) -> Unreadable:
    template = "{{" in source.text or "{%" in source.text
    place = _DECODE_PLACE.search(message)
    line, column = 0, 0
    if place is not None:
        message = message[: place.start()]
        line, column = (int(place[1]), int(place[2])) if place[1] else source.position(len(source.text))
    return Unreadable("template" if template else "syntax", message, line, column)


def _assign(node: TomlNode, data: Any, source: Source) -> None:
    """Give every node tomllib's value; dates, times and numbers that no setting has stay as written."""
    if isinstance(data, dict) and node.kind == MAP and {pair.key for pair in node.pairs} == data.keys():
        for pair in node.pairs:
            if isinstance(pair.value, TomlNode):
                _assign(pair.value, data[pair.key], source)
    elif isinstance(data, list) and node.kind == SEQ and len(node.items) == len(data):
        for item, value in zip(node.items, data, strict=True):
            if isinstance(item, TomlNode):
                _assign(item, value, source)
    elif node.kind == SCALAR and not isinstance(data, dict | list):
        if isinstance(data, str | float) or (isinstance(data, int) and abs(data) <= LARGEST_NUMBER):
            node._value = data
        else:
            node.style, node._value = DATE, node.text
    else:
        raise Unreadable("syntax", "the places of this file's values were not found", *source.position(node.start))
