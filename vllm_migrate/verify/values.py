"""Values as Python prints them: what a log shows of arguments and configurations, read back.

Nothing is evaluated. What has no value that a reader could know (`<function f at 0x7f>`) is an `Opaque`.
"""

from __future__ import annotations

import ast
import math
import re
from typing import NamedTuple

DEEPEST = 40
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+|inf|nan)(?=[\s,)}\]:]|\Z)")
_STRING = re.compile(r"[bBrRuU]?(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_KEY = re.compile(r"\s*([A-Za-z_]\w*)=")
_NEXT = re.compile(r",\s+(?:[A-Za-z_]\w*=|\Z)")
_OPENS = ("{", "[", "(", "<", "'", '"')
_CUT = ("...", "\u2026")
_WORDS = {"None": None, "null": None, "True": True, "true": True, "False": False, "false": False}


class Opaque(NamedTuple):
    """What was printed of a value that cannot be known from it."""

    text: str


class Member(NamedTuple):
    """A member of an enumeration, `<CompilationMode.VLLM_COMPILE: 3>`."""

    name: str
    value: object


class Broken(ValueError):
    """The text ends within a value, or is none."""


def read(text: str) -> object:
    """The value that a text is, all of it. Raises Broken."""
    reader = _Reader(text)
    value = reader.value(0)
    if text[reader.at :].strip():
        raise Broken(text[reader.at :][:40])
    return value


def mapping(text: str) -> dict[str, object] | None:
    """The mapping or Namespace at the start of a text; None where it is none, or is cut off."""
    try:
        value = _Reader(text.strip()).value(0)
    except Broken:
        return None
    return value if isinstance(value, dict) else None


def pairs(text: str) -> dict[str, object]:
    """`key=value, key=value, ...` as far as it can be read; a value in plain words ends before the next key.

    The last value counts only with an end of its own, a bracket or a quote: the line may be cut off within it.
    """
    reader, found = _Reader(text), {}
    while (key := _KEY.match(text, reader.at)) is not None:
        reader.at = key.end()
        try:
            value = reader.value(0, plain=True)
        except Broken:
            break
        reader.space()
        more = text[reader.at : reader.at + 1] == ","
        if more or reader.closed:
            found[key[1]] = value
        if not more:
            break
        reader.at += 1
    return found


def _number(text: str) -> object:
    """A number that JSON can hold, too; of any other, nothing is known."""
    if re.fullmatch(r"[-+]?\d{1,40}", text):
        return int(text)
    value = float(text)
    return value if math.isfinite(value) else Opaque(text)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.closed = False  # whether the last value had an end of its own

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def value(self, depth: int, plain: bool = False) -> object:
        """The value that begins here. `plain`: words without quotes are text up to the next `, key=`."""
        if depth > DEEPEST:
            raise Broken("too deep")
        self.space()
        head = self.text[self.at : self.at + 1]
        self.closed = False
        value = self._value(head, depth, plain)
        self.closed = self.closed or head in _OPENS
        return value

    def _value(self, head: str, depth: int, plain: bool) -> object:
        if head == "{":
            return self._braces(depth)
        if head in ("[", "("):
            return self._items("]" if head == "[" else ")", depth)
        if head == "<":
            return self._angle()
        if (string := _STRING.match(self.text, self.at)) is not None:
            return self._string(string[0])
        return self._words(depth, plain)

    def _string(self, text: str) -> object:
        self.at += len(text)
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return Opaque(text)

    def _braces(self, depth: int) -> object:
        self.at += 1
        found: dict[str, object] = {}
        items: list[object] = []
        while not self._closed("}"):
            key = self.value(depth + 1)
            self.space()
            if self.text[self.at : self.at + 1] == ":":
                self.at += 1
                found[str(key)] = self.value(depth + 1)
            else:
                items.append(key)
            self._comma("}")
        return items if items and not found else found

    def _items(self, end: str, depth: int) -> list[object]:
        self.at += 1
        found = []
        while not self._closed(end):
            found.append(self.value(depth + 1))
            self._comma(end)
        return found

    def _closed(self, end: str) -> bool:
        self.space()
        if self.at >= len(self.text):
            raise Broken("cut off")
        if self.text[self.at] != end:
            return False
        self.at += 1
        return True

    def _comma(self, end: str) -> None:
        self.space()
        if self.text[self.at : self.at + 1] == ",":
            self.at += 1
        elif self.text[self.at : self.at + 1] != end:
            raise Broken(self.text[self.at :][:40])

    def _angle(self) -> object:
        """`<Enum.NAME: value>`, or anything else between angle brackets."""
        start, open_ = self.at, 0
        for at in range(start, len(self.text)):
            open_ += {"<": 1, ">": -1}.get(self.text[at], 0)
            if open_ == 0:
                self.at = at + 1
                text = self.text[start : self.at]
                member = re.fullmatch(r"<\w+\.(\w+): (.*)>", text, re.DOTALL)
                if member is None:
                    return Opaque(text)
                try:
                    return Member(member[1], read(member[2]))
                except Broken:
                    return Member(member[1], Opaque(member[2]))
        raise Broken("cut off")

    def _words(self, depth: int, plain: bool) -> object:
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            return _number(number[0].replace("_", ""))
        name = _NAME.match(self.text, self.at)
        after = self.text[name.end() : name.end() + 1] if name is not None else ""
        if name is not None and after == "(":
            return self._call(name[0], name.end(), depth)
        if name is not None and (after in (",", ")", "}", "]", "") or after.isspace()):
            if name[0] in _WORDS and not (plain and after.isspace()):
                self.at = name.end()
                return _WORDS[name[0]]
            if not plain:
                self.at = name.end()
                return name[0].removeprefix("torch.")
        return self._bare(plain)

    def _call(self, name: str, end: int, depth: int) -> object:
        """`Namespace(a=1)` and `CompilationConfig(...)` are their fields, `dict(...)` too; other calls have none to read."""
        self.at = end + 1
        found: dict[str, object] = {}
        opaque = False
        while not self._closed(")"):
            key = _KEY.match(self.text, self.at)
            if key is not None:
                self.at = key.end()
                found[key[1]] = self.value(depth + 1)
            else:
                opaque = True
                self.value(depth + 1)
            self._comma(")")
        self.closed = True
        return Opaque(f"{name}(...)") if opaque else found

    def _bare(self, plain: bool) -> object:
        if plain:
            stop = _NEXT.search(self.text, self.at)
            end = stop.start() if stop is not None else len(self.text.rstrip().rstrip(","))
        else:
            match = re.compile(r"[^,)}\]:]*").match(self.text, self.at)
            end = match.end() if match is not None else self.at
        word = self.text[self.at : end].strip()
        if not word:
            raise Broken("no value")
        self.at = end
        return Opaque(word) if any(cut in word for cut in (*_CUT, "\\", "'", '"')) else word.removeprefix("torch.")
