"""The YAML that most configuration files are written in, read line by line: block mappings and sequences of plain,
quoted and short flow values, each on one line, with comments.

`scan` gives the blocks of such a text, or None for a text with anything else in it (anchors, tags, values over several
lines, tabs, keys written twice, whatever is wrong): that one is for the parser. Where it gives blocks, they are what
the parser would give: the same nodes, tags, values, styles and marks (tests/documents/test_yaml_lines.py compares).
Composed nodes are made from a block when they are asked for; most never are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from vllm_migrate.documents.patterns import compiled

if TYPE_CHECKING:
    from yaml.error import Mark as YamlMark

# What stands for the tag of a node that has none; NUL cannot occur in YAML, so no explicit tag is equal.
PLAIN, QUOTED = "\0plain", "\0quoted"

MAX_CHARACTERS = 100_000
MAX_LEVELS = 40

# A value in brackets that is read here: names, numbers and quoted texts without escapes, no brackets within.
_ATOM = r"""(?:(?:[\w./]|-(?=[\w.]))[\w./+@%=~$-]*|"[^"\\\n]*"|'[^'\n]*')"""
_PAIR = rf"[\w./][\w./+@-]*: +{_ATOM}"
# A plain value: no ": " and no " #" within. It may end in blanks, which are not its own.
_VALUE = (
    r"(?:[\w./$~+<(\\=;^]|-(?=[\w./$-]))[^\n:#]*(?:(?::(?=\S)|(?<=[^ ])#)[^\n:#]*)*"
    r"""|"[^"\\\n]*" *|'[^'\n]*' *"""
    rf"|\[ *(?:{_ATOM} *(?:, *{_ATOM} *)*)?\] *|\{{ *(?:{_PAIR} *(?:, *{_PAIR} *)*)?\}} *"
)
_KEY = r"[\w/$](?:[\w/.@+$ -]{0,200}[\w/.@+$-])?"
# Indentation, dashes, key, blanks behind its colon, value.
_LINE = re.compile(rf"( *)((?:- +)*(?:-$)?)(?:({_KEY}):(?= |$)( *))?({_VALUE})?(?:(?<![^ ])#.*)?")
_FLOW_ITEM = rf"(?:([\w./][\w./+@-]*): +)?({_ATOM})"


class Mark:
    """A place in a text, as PyYAML's marks are."""

    __slots__ = ("_text", "index")

    def __init__(self, index: int, text: str) -> None:
        self.index = index
        self._text = text

    @property
    def line(self) -> int:
        return self._text.count("\n", 0, self.index)

    @property
    def column(self) -> int:
        return self.index - self._text.rfind("\n", 0, self.index) - 1


def mark(index: int, text: str) -> YamlMark:
    """A place as PyYAML's nodes have it."""
    return Mark(index, text)  # type: ignore[return-value]


# One entry of a block: the key ("" for an item), where the key or the dash starts, where the value starts (after the
# colon or dash where there is none), and the value: None, the text on its line, or a block.
Row = tuple[str, int, int, "str | Block | None"]


class Block:
    """A block mapping or sequence. kind: map, seq, or bare: a sequence whose dashes stand in the column of the mapping
    around it. end: where the next thing begins, as the parser marks it. rows: its entries; keys: their numbers."""

    __slots__ = ("column", "end", "keys", "kind", "node", "rows", "start", "text")

    def __init__(self, kind: str, column: int, start: int, text: str) -> None:
        self.kind = kind
        self.column = column
        self.start = start
        self.end = 0
        self.text = text
        self.rows: list[Row] = []
        self.keys: dict[str, int] = {}
        self.node: CollectionNode | None = None


def scan(text: str) -> list[Block] | None:
    """The block at the root of each document of a text; None where the text is not for this reader."""
    if len(text) > MAX_CHARACTERS or not text.replace("\n", "").isprintable():
        return None
    scanner = _Scanner(text)
    return scanner.roots if scanner.read() else None


# What a line says: column of its first character, dashes, key, offset of its value, the value. None: not for us.
Line = tuple[int, str, str, int, str]
_NOTHING: Line = (-1, "", "", 0, "")
# Files of a project repeat each other's lines.
REMEMBERED = 8_000
_known: dict[str, Line | None] = {"": _NOTHING}


def _read(line: str) -> Line | None:
    """A line taken apart."""
    match = _LINE.fullmatch(line)
    if match is None:
        parsed: Line | None = None
    else:
        dashes, key, value = match[2], match[3] or "", match[5] or ""
        column = match.end(1)
        after = match.end(4) if value and key else match.end(3) + 1 if key else match.end(2)
        parsed = (column, dashes, key, after, value) if dashes or key or value else _NOTHING
        if value[:1] == "{" and not _distinct(value):
            parsed = None
    if len(_known) < REMEMBERED:
        _known[line] = parsed
    return parsed


class _Scanner:
    """Blocks from lines. stack: the blocks that are open, the innermost last."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.roots: list[Block] = []
        self.stack: list[Block] = []
        self.explicit = False  # the document has begun with `---`, and nothing of it was read yet

    def read(self) -> bool:
        """Read all lines; False where one does not fit."""
        at, known = 0, _known
        top: Block | None = None
        waits = False  # the last entry of `top` has no value yet, and may get a block
        for line in self.text.split("\n"):
            parsed = known.get(line) or _read(line)
            if parsed is None:
                return False
            start = at
            at += len(line) + 1
            column, dashes, key, after, value = parsed
            if column < 0:
                continue
            if top is None or column != top.column or waits or not key or dashes or top.kind != "map":
                if not dashes and not key:
                    if not self._begins(line, start):
                        return False
                    top, waits = None, False
                    continue
                top = self._open(top, waits, column, dashes, start + column)
                if top is None:
                    return False
                if dashes:
                    top = self._items(top, dashes, start + column, bool(key))
                    if top is None:
                        return False
                    if not key:
                        waits = not value
                        if value:
                            mark = top.rows[-1][1]
                            top.rows[-1] = ("", mark, start + after, value)
                        continue
                    column += len(dashes)
            keys, rows = top.keys, top.rows
            number = len(rows)
            if keys.setdefault(key, number) != number:
                return False
            waits = not value
            rows.append((key, start + column, start + after, value or None))
        for block in self.stack:
            block.end = len(self.text)
        return not self.explicit

    def _begins(self, line: str, start: int) -> bool:
        """Whether a line without key or dash begins a document; the one before ends there."""
        if line != "---" or self.explicit:
            return False
        for block in self.stack:
            block.end = start
        self.stack.clear()
        self.explicit = True
        return True

    def _open(self, top: Block | None, waits: bool, column: int, dashes: str, mark: int) -> Block | None:
        """The block that a key or a dash in this column belongs to, those inside it closed; None where it fits nowhere."""
        stack = self.stack
        while top is not None and (top.column > column or (top.column == column and top.kind == "bare" and not dashes)):
            top.end = mark
            stack.pop()
            top, waits = (stack[-1] if stack else None), False
        if top is None:
            if self.roots and not self.explicit:
                return None
            self.explicit = False
            top = Block("seq" if dashes else "map", column, mark, self.text)
            self.roots.append(top)
            stack.append(top)
            return top
        if waits and column > top.column:
            return self._nest(top, "seq" if dashes else "map", column, mark)
        if waits and dashes and top.kind == "map":
            return self._nest(top, "bare", column, mark)
        return top if column == top.column and (top.kind == "map") is not bool(dashes) else None

    def _nest(self, outer: Block, kind: str, column: int, mark: int) -> Block | None:
        """A new block as the value of the last entry of `outer`; None where that is too deep."""
        block = Block(kind, column, mark, self.text)
        key, start, _, _ = outer.rows[-1]
        outer.rows[-1] = (key, start, mark, block)
        self.stack.append(block)
        return block if len(self.stack) < MAX_LEVELS else None

    def _items(self, top: Block, dashes: str, mark: int, keyed: bool) -> Block | None:
        """An item for every dash, each in the one before; the innermost block, a mapping where a key follows."""
        block: Block | None = top
        at, last = 0, dashes.rfind("-")
        while True:
            top.rows.append(("", mark + at, mark + at + 1, None))
            then = dashes.find("-", at + 1) if at < last else len(dashes) if keyed else -1
            if then < 0:
                return block
            block = self._nest(top, "map" if at == last else "seq", top.column + then - at, mark + then)
            if block is None or at == last:
                return block
            top, at = block, then


def _distinct(flow: str) -> bool:
    """Whether no key of a mapping in braces stands twice."""
    keys = [match[1] for match in compiled(_FLOW_ITEM).finditer(flow)]
    return len(keys) == len(set(keys))


def composed(block: Block) -> CollectionNode:
    """The node of a block, the same each time."""
    if block.node is None:
        kind = _Map if block.kind == "map" else _Seq
        block.node = kind(block)
    return block.node


def _value_node(start: int, content: str | Block | None, text: str) -> Node:
    if isinstance(content, Block):
        return composed(content)
    return scalar(start, content, text)


def scalar(start: int, content: str | None, text: str) -> Node:
    """The node of a value that stands on one line, blanks behind it left out."""
    if content is None:
        place = mark(start, text)
        return ScalarNode(PLAIN, "", place, place, "")
    value = content.rstrip(" ")
    end = mark(start + len(value), text)
    first = value[0]
    if first in "\"'":
        return ScalarNode(QUOTED, value[1:-1], mark(start, text), end, first)
    if first in "[{":
        return _flow(value, start, text, end)
    return ScalarNode(PLAIN, value, mark(start, text), end, "")


def _flow(value: str, start: int, text: str, end: YamlMark) -> CollectionNode:
    found = compiled(_FLOW_ITEM).finditer(value)
    if value[0] == "[":
        items = [scalar(start + match.start(2), match[2], text) for match in found]
        return SequenceNode(PLAIN, items, mark(start, text), end, True)
    pairs = [
        (scalar(start + match.start(1), match[1], text), scalar(start + match.start(2), match[2], text))
        for match in found
    ]
    return MappingNode(PLAIN, pairs, mark(start, text), end, True)


class _Lazy(CollectionNode):
    """A composed node of a block; its children are made when first asked for."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.tag = PLAIN
        self.flow_style = False
        self.start_mark = mark(block.start, block.text)
        self.end_mark = mark(block.end, block.text)
        self.comment = self.anchor = None

    def __getattr__(self, name: str) -> object:
        if name != "value":
            raise AttributeError(name)
        self.value = self._children(self.block)
        return self.value

    def _children(self, block: Block) -> list[object]:
        raise NotImplementedError


class _Map(_Lazy, MappingNode):
    def _children(self, block: Block) -> list[object]:
        text = block.text
        return [
            (
                ScalarNode(PLAIN, key, mark(at, text), mark(at + len(key), text), ""),
                _value_node(start, content, text),
            )
            for key, at, start, content in block.rows
        ]


class _Seq(_Lazy, SequenceNode):
    def _children(self, block: Block) -> list[object]:
        return [_value_node(start, content, block.text) for _, _, start, content in block.rows]
