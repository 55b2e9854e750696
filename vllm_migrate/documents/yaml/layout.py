"""Where things stand in a YAML file, for its editor: entries, line ends, comments that belong inside, columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from vllm_migrate.documents.interface import MAP, SEQ, CannotEdit, Source
from vllm_migrate.documents.text.patterns import compiled
from vllm_migrate.documents.yaml.nodes import (
    YamlContext,
    YamlEntry,
    YamlNode,
    alias_span,
    content_end,
    is_merge,
    key_text,
)

_BREAKS = "\n\r\x85\u2028\u2029"  # what libyaml takes for a line's end
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_REST = re.compile(f"[ \t]*(?:(?<=[ \t])#[^{_BREAKS}]*)?")
_INNER = re.compile(f"(?:(?:\r\n|[{_BREAKS}])[ \t]*)*(?:\r\n|[{_BREAKS}])( *)#[^{_BREAKS}]*")
_TO_DASH = r"(?:\s|#[^\n\r]*+)*+-"
_COLON = re.compile(r"\s*:")
_ANCHOR = r"\s*&[^\s,\[\]{}]+"
_INDENT_SCAN = 60  # mappings looked at to learn the file's indentation
FLOW_COMMENT = r"(?<=[\s,\[{])#[^\n\r]*"


def entries(node: YamlNode) -> list[YamlEntry]:
    """Own entries of a mapping or sequence, in the file's order. Raises CannotEdit for aliased keys."""
    known = node.context.entries.get(id(node.raw))
    if known is None:
        known = node.context.entries[id(node.raw)] = _entries(node)
    return known


def _entries(node: YamlNode) -> list[YamlEntry]:
    text, low = node.context.text, int(node.raw.start_mark.index)
    found: list[YamlEntry] = []
    if isinstance(node.raw, MappingNode):
        for raw_key, raw in node.raw.value:
            start, end = raw_key.start_mark.index, raw_key.end_mark.index
            if start < low:
                raise CannotEdit("a key of this mapping is an alias")
            low = content_end(raw, end, text)
            found.append(
                YamlEntry("<<" if is_merge(raw_key) else key_text(raw_key, text), raw_key, raw, start, end, low)
            )
    elif isinstance(node.raw, SequenceNode):
        for raw in node.raw.value:
            end = content_end(raw, low, text)
            start = raw.start_mark.index if raw.start_mark.index >= low else alias_span(low, text)[0]
            found.append(YamlEntry("", None, raw, start, low, end))
            low = end
    return found


def own_entry(node: YamlNode, key: str) -> YamlEntry | None:
    for entry in entries(node):
        if entry.key == key and not (entry.raw_key is not None and is_merge(entry.raw_key)):
            return entry
    return None


def child(node: YamlNode, entry: YamlEntry) -> YamlNode:
    if entry.raw_key is not None:
        return node.child(entry.key, entry.raw_key, entry.raw)
    return YamlNode(entry.raw, node.context, entry.low, node.shared)


def line_start(text: str, offset: int) -> int:
    breaks = _BREAKS[:2] if text.isascii() else _BREAKS
    return max(text.rfind(char, 0, offset) for char in breaks) + 1


def line_break(text: str, offset: int) -> str:
    """The line break at `offset`, "" where there is none."""
    match = _BREAK.match(text, offset)
    return match.group() if match else ""


def line_end(text: str, offset: int) -> int:
    """Where the line that `offset` stands on ends."""
    match = _BREAK.search(text, offset)
    return match.start() if match else len(text)


def newline_at(source: Source, offset: int) -> str:
    """What a new line at `offset` ends with: what ends the line there, else the file's newline."""
    found = line_break(source.text, offset)
    return found if found in ("\n", "\r\n", "\r") else source.newline


def line_end_after(text: str, offset: int) -> int | None:
    """End of the line when only blanks and a comment follow `offset`; None when there is more."""
    match = _REST.match(text, offset)
    end = match.end() if match else offset
    return end if end == len(text) or text[end] in _BREAKS else None


def past_inner_comments(text: str, end: int, column: int) -> int:
    """From a line's end past the comment lines below that are indented deeper than `column`."""
    while True:
        match = _INNER.match(text, end)
        if match is None or len(match.group(1)) <= column:
            return end
        end = match.end()


def starts_line(text: str, offset: int) -> bool:
    return not text[line_start(text, offset) : offset].strip(" ")


def last_leaf(raw: yaml.Node, low: int) -> yaml.Node | None:
    """The node a block collection ends with; None when that is an alias."""
    while raw.start_mark.index >= low and isinstance(raw, CollectionNode) and not raw.flow_style and raw.value:
        low = raw.start_mark.index
        last = raw.value[-1]
        if isinstance(last, tuple):
            low = max(low, last[0].end_mark.index)
            raw = last[1]
        else:
            before = raw.value[-2].end_mark.index if len(raw.value) > 1 else low
            low, raw = max(low, before), last
    return raw if raw.start_mark.index >= low else None


def after_colon(text: str, entry: YamlEntry) -> int:
    """Offset after the entry's `:` and, where its value has one, the anchor. Raises CannotEdit for `? key` entries."""
    match = _COLON.match(text, entry.low)
    if match is None or is_explicit(text, entry):
        raise CannotEdit("an explicit `? key` entry")
    end = match.end()
    if not entry.alias and text[entry.raw.start_mark.index : entry.raw.start_mark.index + 1] == "&":
        anchor = compiled(_ANCHOR).match(text, end)
        end = anchor.end() if anchor else end
    return end


def is_explicit(text: str, entry: YamlEntry) -> bool:
    at = entry.start - 1
    while at >= 0 and text[at] in " \t\n\r":
        at -= 1
    return at >= 0 and text[at] == "?" and text[at + 1 : at + 2] in " \t\n\r"  # also at the end of the text


def column(node: YamlNode) -> int:
    """Column, from 0, of the keys of a block mapping or the dashes of a block sequence."""
    if node.kind == SEQ:
        start = dash(node, entries(node), 0)
        return start - line_start(node.context.text, start)
    for entry in entries(node):
        if entry.raw_key is not None and not is_explicit(node.context.text, entry):
            return int(entry.raw_key.start_mark.column)
    raise CannotEdit("explicit `? key` entries only")


def dash(node: YamlNode, found: list[YamlEntry], index: int) -> int:
    """Offset of the `-` of item `index` of a block sequence."""
    text = node.context.text
    match = compiled(_TO_DASH).match(text, found[index - 1].end if index else node.start)
    if match is None:
        raise CannotEdit("the dash of an item was not found")
    return match.end() - 1


def step(parents: list[YamlNode], node: YamlNode) -> int:
    """Columns one level of mapping is indented by: here, else anywhere in the file, else 2."""
    if parents and all(one.kind == MAP and not one.flow for one in (parents[-1], node)) and entries(node):
        here = column(node) - column(parents[-1])
        if here > 0:
            return here
    root = parents[0] if parents else node
    return next(_steps(root.raw), 2)


def _steps(root: yaml.Node) -> Iterator[int]:
    stack, seen = [root], 0
    while stack and seen < _INDENT_SCAN:
        raw = stack.pop()
        seen += 1
        if not isinstance(raw, CollectionNode) or raw.flow_style:
            continue
        for item in raw.value:
            value = item[1] if isinstance(item, tuple) else item
            if not isinstance(value, CollectionNode) or value.flow_style:
                continue
            if isinstance(item, tuple) and isinstance(value, MappingNode) and value.value:
                width = value.value[0][0].start_mark.column - item[0].start_mark.column
                if width > 0:
                    yield int(width)
            stack.append(value)


def guard_anchors(raw: yaml.Node, context: YamlContext, itself: bool) -> None:
    """Raise CannotEdit when a node to be removed holds an anchor that is used elsewhere."""
    if not context.shared:
        return
    stack = [raw]
    while stack:
        node = stack.pop()
        inside = node.start_mark.index >= raw.start_mark.index
        if id(node) in context.shared and inside and (itself or node is not raw):
            raise CannotEdit("it holds an anchor that is used elsewhere")
        if isinstance(node, MappingNode):
            stack.extend(part for pair in node.value for part in pair)
        elif isinstance(node, SequenceNode):
            stack.extend(node.value)


def find_duplicate(root: yaml.Node, text: str) -> tuple[str, int] | None:
    """The first key that stands twice in one mapping, and its offset."""
    stack, seen = [root], {id(root)}
    while stack:
        raw = stack.pop()
        if isinstance(raw, ScalarNode):
            continue
        items = raw.value
        if isinstance(raw, MappingNode):
            if len({key_text(key, text) for key, _ in items}) < len(items) and (again := _again(items, text)):
                return again
            items = [value for _, value in items]
        for item in items:
            if type(item) is not ScalarNode and id(item) not in seen:
                seen.add(id(item))
                stack.append(item)
    return None


def _again(pairs: list[tuple[yaml.Node, yaml.Node]], text: str) -> tuple[str, int] | None:
    """The first key that another one of the mapping has the name of; `<<` may stand twice."""
    keys: set[str] = set()
    for raw_key, _ in pairs:
        key = key_text(raw_key, text)
        if key in keys and not is_merge(raw_key):
            return key, int(raw_key.start_mark.index)
        keys.add(key)
    return None
