"""Splices of whole lines: entries of block mappings and sequences, added and removed in the file's own layout."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.nodes import ScalarNode

from vllm_migrate.documents.interface import MAP, CannotEdit, Edit, Source
from vllm_migrate.documents.text.patterns import compiled
from vllm_migrate.documents.yaml.layout import (
    after_colon,
    child,
    column,
    dash,
    is_explicit,
    last_leaf,
    line_break,
    line_end,
    line_end_after,
    line_start,
    newline_at,
    past_inner_comments,
    starts_line,
)
from vllm_migrate.documents.yaml.nodes import YamlEntry, YamlNode
from vllm_migrate.documents.yaml.scalars import Style, render, render_string

_HEADER = r"(?:[&!]\S*\s+)*[|>]([-+0-9]*)"


def nested_lines(keys: list[str], value: object, style: Style, width: int) -> list[str]:
    """`a:`, `  b:`, `    c: value`: one line a key, relative to the column of the first."""
    lines = [f"{' ' * (width * level)}{render_string(key)}:" for level, key in enumerate(keys)]
    lines[-1] += " " + render(value, style)
    return lines


def block_after(source: Source, entry: YamlEntry, indent: int, lines: list[str]) -> list[Edit]:
    """Insert lines at column `indent` after an entry and all that is its own; [] where that is not safe."""
    text = source.text
    leaf = last_leaf(entry.raw, entry.low)
    if isinstance(leaf, ScalarNode) and leaf.style in ("|", ">"):
        end = _after_block_scalar(text, leaf, entry.end)
        if end is None:
            return []
        if end > entry.end:  # right after the blank lines that a `|+` keeps
            newline = newline_at(source, end - len(_break_before(text, end)))
            return [Edit(end, end, "".join(f"{' ' * indent}{line}{newline}" for line in lines))]
    else:
        found = line_end_after(text, entry.end)
        if found is None:
            return []
        end = past_inner_comments(text, found, indent)
    newline = newline_at(source, end)
    return [Edit(end, end, "".join(f"{newline}{' ' * indent}{line}" for line in lines))]


def _after_block_scalar(text: str, leaf: yaml.ScalarNode, end: int) -> int | None:
    """Where a line may follow a block scalar without changing it: the end of its last line of text, or for `|+`
    the start of the line after all it keeps."""
    mark: int = leaf.end_mark.index
    chomp = _chomp(text, leaf)
    if chomp == "+":
        return mark if mark == line_start(text, mark) else None
    if text[end:mark].strip("\r\n"):
        return None  # blanks that are part of the text
    return end if chomp == "-" or line_break(text, end) else None


def _chomp(text: str, leaf: yaml.Node) -> str:
    """`+`, `-` or nothing: what a block scalar does with the line breaks at its end."""
    match = compiled(_HEADER).match(text, leaf.start_mark.index)
    return match.group(1).strip("0123456789") if match else ""


def _break_before(text: str, offset: int) -> str:
    if text[max(offset - 2, 0) : offset] == "\r\n":
        return "\r\n"
    return text[offset - 1 : offset]


def block_before(source: Source, start: int, indent: int, lines: list[str]) -> list[Edit]:
    """Insert lines before an entry that starts at `start`; comments above it stay above the new lines."""
    text = source.text
    newline = newline_at(source, line_end(text, start))
    return [Edit(start, start, "".join(f"{line}{newline}{' ' * indent}" for line in lines))]


def delete_block_entry(
    source: Source, node: YamlNode, parent: YamlEntry | None, found: list[YamlEntry], index: int
) -> Iterator[list[Edit]]:
    """Remove entry `index` of a block collection with its lines; the last one leaves `{}` or `[]`."""
    text, entry = source.text, found[index]
    if node.kind == MAP and is_explicit(text, entry):
        raise CannotEdit("an explicit `? key` entry")
    start = entry.start if node.kind == MAP else dash(node, found, index)
    end = _entry_end(text, entry, start - line_start(text, start))
    if len(found) == 1:
        yield from _empty(source, node, parent, start, end)
    elif starts_line(text, start):
        before = last_leaf(found[index - 1].raw, found[index - 1].low) if index else None
        scalar = before if isinstance(before, ScalarNode) and before.style in ("|", ">") else None
        if scalar is not None and past_inner_comments(text, end, start - line_start(text, start)) != end:
            raise CannotEdit("the block scalar above would take in the comment below")
        yield from _delete_lines(text, line_start(text, start), end, scalar)
    elif index + 1 < len(found):
        following = found[1].start if node.kind == MAP else dash(node, found, 1)
        if not text[end:following].strip():
            yield [Edit(start, following, "")]
        blanks = start
        while text[blanks - 1 : blanks] in (" ", "\t"):
            blanks -= 1
        if text[blanks - 1 : blanks] == "-":
            yield [Edit(blanks, end, "")]


def _entry_end(text: str, entry: YamlEntry, indent: int) -> int:
    """End of the last line of an entry, with its trailing comment and the comments indented below it."""
    leaf = last_leaf(entry.raw, entry.low)
    if isinstance(leaf, ScalarNode) and leaf.style in ("|", ">"):
        mark: int = leaf.end_mark.index
        if _chomp(text, leaf) == "+" and line_start(text, mark) == mark:
            return mark - len(_break_before(text, mark))
        return entry.end if not text[entry.end : mark].strip("\r\n") else mark - len(_break_before(text, mark))
    end = line_end_after(text, entry.end)
    if end is None:
        raise CannotEdit("something else stands on the line")
    return end if isinstance(entry.raw, ScalarNode) or entry.alias else past_inner_comments(text, end, indent)


def _delete_lines(text: str, start: int, end: int, before: yaml.Node | None = None) -> Iterator[list[Edit]]:
    """Remove whole lines. `before` is a block scalar that ends right above: it must not gain or lose line breaks."""
    newline = line_break(text, end)
    if newline:
        following = end + len(newline)
        if before is not None and _chomp(text, before) == "+" and _is_blank_line(text, following):
            raise CannotEdit("the block scalar above would take in the blank lines below")
        yield [Edit(start, following, "")]
        return
    # The last line of a file without a final newline: the line before takes its place.
    if before is None:
        yield [Edit(start - len(_break_before(text, start)), end, "")]
    yield [Edit(start, end, "")]


def _is_blank_line(text: str, offset: int) -> bool:
    while text[offset : offset + 1] in (" ", "\t"):
        offset += 1
    return bool(line_break(text, offset))


def _empty(source: Source, node: YamlNode, parent: YamlEntry | None, start: int, end: int) -> Iterator[list[Edit]]:
    text = source.text
    brackets = "{}" if node.kind == MAP else "[]"
    if parent is not None and parent.raw_key is not None and not parent.alias:
        colon = after_colon(text, parent)
        line_end = line_end_after(text, colon)
        if line_end is not None and line_end < start:
            for lines in _delete_lines(text, line_start(text, start), end):
                yield [Edit(colon, colon, " " + brackets), *lines]
    yield [Edit(start, end, brackets)]


def insert_block_item(
    source: Source, node: YamlNode, found: list[YamlEntry], at: int, value: object, style: Style
) -> Iterator[list[Edit]]:
    """Insert an item into a block sequence; a mapping goes in block style where its siblings do."""
    text, indent = source.text, column(node)
    lines = _item_lines(node, found, value, style)
    if at > 0:
        edits = block_after(source, found[at - 1], indent, lines)
        if edits:
            yield edits
    if at < len(found):
        yield block_before(source, dash(node, found, at), indent, lines)
    elif text and not found:
        raise CannotEdit("an empty block sequence")


def _item_lines(node: YamlNode, found: list[YamlEntry], value: object, style: Style) -> list[str]:
    first = child(node, found[0]) if found else None
    if isinstance(value, dict) and value and first is not None and first.kind == MAP and not first.flow:
        pairs = [f"{render_string(str(key))}: {render(item, style)}" for key, item in value.items()]
        return [("  " if number else "- ") + pair for number, pair in enumerate(pairs)]
    return ["- " + render(value, style)]
