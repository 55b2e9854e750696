"""Splices that make one operation on a TOML document, best first; editing.py proves them with tomllib.

Our own splices rather than tomlkit's tree: planning happens in a lint, which must not pay for the import, and a
splice by construction leaves every other byte alone.
"""

from __future__ import annotations

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
    Op,
    Path,
    Source,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.text import flow
from vllm_migrate.documents.toml.document import TomlDocument
from vllm_migrate.documents.toml.scan import (
    ARRAY,
    COMMENT,
    DATE,
    DOTTED,
    IMPLICIT,
    INLINE,
    TABLE,
    TABLES,
    TomlNode,
)

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_REST = re.compile(r"[ \t]*(?:#[^\n\r]*)?")
_BREAK = re.compile(r"\r\n|\n|\r")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x08": "\\b", "\x0c": "\\f"}


def render_string(text: str, literal: bool = False) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise CannotEdit("the value holds a lone surrogate, which TOML cannot write")
    if literal and text.isprintable() and "'" not in text:
        return f"'{text}'"
    out = ""
    for char in text:
        code = ord(char)
        out += _ESCAPES.get(char) or (f"\\u{code:04X}" if code < 32 or code == 127 else char)
    return f'"{out}"'


def render_key(key: object) -> str:
    if not isinstance(key, str):
        raise CannotEdit(f"a key of type {type(key).__name__} cannot be written")
    return key if _BARE.fullmatch(key) else render_string(key)


def render(value: object) -> str:
    """A value on one line. Raises CannotEdit for None, which TOML has not, and for other types."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise CannotEdit("the value is an integer of more than 64 bits")
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return render_string(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(render, value)) + "]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{render_key(key)} = {render(item)}" for key, item in value.items())
        return "{ " + pairs + " }" if pairs else "{}"
    what = "TOML has no null" if value is None else f"a value of type {type(value).__name__} cannot be written"
    raise CannotEdit(what)


def candidates(document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
    """Splices that might make `op`, the best first. Raises CannotEdit."""
    assert isinstance(document, TomlDocument)
    if index != 0:
        raise CannotEdit(f"the file has no document {index}")
    return TomlPlanner(document.source, document.tree).candidates(op)


class TomlPlanner:
    """Plans one operation on a TOML file."""

    def __init__(self, source: Source, root: TomlNode) -> None:
        self.source = source
        self.text = source.text
        self.root = root

    def candidates(self, op: Op) -> Iterator[list[Edit]]:
        return {SET: self._set, DELETE: self._delete, RENAME: self._rename, INSERT: self._insert}[op.kind](op)

    def _walk(self, path: Path) -> tuple[TomlNode, Path]:
        """The deepest existing value on the path, and the keys that are missing."""
        node = self.root
        for number, key in enumerate(path):
            if node.kind != (SEQ if isinstance(key, int) else MAP):
                raise CannotEdit(f"{key!r} does not fit what stands there")
            found = node.at((key,))
            if not isinstance(found, TomlNode):
                return node, path[number:]
            node = found
        return node, ()

    # --- SET

    def _set(self, op: Op) -> Iterator[list[Edit]]:
        node, missing = self._walk(op.path)
        if not missing:
            yield self._replace(node, op.value)
            return
        if any(isinstance(key, int) for key in missing):
            raise CannotEdit(f"the array has no item {missing[0]}")
        keys = [str(key) for key in missing]
        if node.style == INLINE:
            yield from self._into_inline(node, keys, op.value, op.after)
        elif node.style == DOTTED:
            yield self._dotted(node, keys, op.value, op.after)
        elif len(keys) > 1:
            yield self._section(node, keys, op.value)
            if node.style == TABLE:
                yield self._line(node, ".".join(map(render_key, keys)), op.value, op.after)
        elif node.style == IMPLICIT:
            yield self._before(_first_header(node), ".".join(map(render_key, node.path)), keys[0], op.value)
        else:
            yield self._line(node, render_key(keys[0]), op.value, op.after)

    def _replace(self, node: TomlNode, value: object) -> list[Edit]:
        if node.style != DATE and equal(node.plain(), value):
            return []
        if node.style in (TABLE, IMPLICIT, DOTTED, TABLES):
            raise CannotEdit("a table of several lines is not replaced")
        if isinstance(value, str):
            return [Edit(node.start, node.end, render_string(value, node.text[:1] == "'"))]
        return [Edit(node.start, node.end, render(value))]

    def _into_inline(self, node: TomlNode, keys: list[str], value: object, after: str) -> Iterator[list[Edit]]:
        for key in reversed(keys[1:]):
            value = {key: value}
        new = f"{render_key(keys[0])} = {render(value)}"
        found = self._flow(node)
        ends = [entry[1] for entry in found.entries]
        beside = node.entries.get(after)
        at = ends.index(beside.end) + 1 if beside is not None else len(ends)
        inside = self.text[node.start + 1 : node.end - 1]
        if not ends and not inside.strip():
            yield [Edit(node.start + 1, node.end - 1, f" {new} ")]
        else:
            yield from flow.insert(found, at, new)

    def _flow(self, node: TomlNode) -> flow.Flow:
        spans = [(item.start, item.end) for item in node.items] or sorted(_statements(node))
        return flow.Flow(self.text, node.start + 1, node.end - 1, spans, COMMENT, self.source.newline)

    def _dotted(self, node: TomlNode, keys: list[str], value: object, after: str) -> list[Edit]:
        """One more `prefix.key = value` after the last of that prefix."""
        section = node.section
        if section is None or section.style == INLINE:
            raise CannotEdit("a dotted key inside an inline table")
        beside = node.entries.get(after)
        key = ".".join(map(render_key, (*node.path[len(section.path) :], *keys)))
        return self._add_line(beside.end if beside is not None else node.last, section, key, value)

    def _line(self, node: TomlNode, key: str, value: object, after: str) -> list[Edit]:
        """`key = value` after a sibling, after the last statement or after the header."""
        if node.style != TABLE:
            raise CannotEdit("not a table")
        beside = node.entries.get(after)
        if beside is not None or node.last:
            return self._add_line(beside.end if beside is not None else node.last, node, key, value)
        first = _first_header(node)
        if first >= 0:
            return self._before(first, "", key, value)
        return self._at_the_end(f"{key} = {render(value)}")

    def _add_line(self, offset: int, section: TomlNode, key: str, value: object) -> list[Edit]:
        end = self._line_end(offset)
        return [
            Edit(end, end, f"{self._newline(end)}{self._indent(section)}{key}{self._equals(section)}{render(value)}")
        ]

    def _section(self, node: TomlNode, keys: list[str], value: object) -> list[Edit]:
        """A header of its own after everything that is this table's."""
        path = ".".join(map(render_key, (*node.path, *keys[:-1])))
        end = _extent(node)
        if not end:
            return self._at_the_end(f"[{path}]{self.source.newline}{render_key(keys[-1])} = {render(value)}")
        end = self._line_end(end)
        newline = self._newline(end)
        new = f"{newline}{newline}[{path}]{newline}{render_key(keys[-1])} = {render(value)}"
        return [Edit(end, end, new)]

    def _before(self, header: int, name: str, key: str, value: object) -> list[Edit]:
        """Lines above a header and the comment that belongs to it; a comment that opens the file stays first."""
        text = self.text
        at = own = flow.line_start(text, header)
        while at > 0:
            above = flow.line_start(text, len(text[:at].removesuffix("\n").removesuffix("\r")))
            if text[above:at].lstrip(" \t")[:1] != "#":
                break
            at = above
        at = at or own
        newline = self._newline(self._line_end(self._header_end(header)))
        lead = f"[{name}]{newline}" if name else ""
        return [Edit(at, at, f"{lead}{render_key(key)} = {render(value)}{newline}{newline}")]

    def _header_end(self, header: int) -> int:
        stack = [self.root]
        while stack:
            node = stack.pop()
            if node.header == header:
                return node.header_end
            stack.extend(_tables(node))
        return header

    def _at_the_end(self, lines: str) -> list[Edit]:
        text, newline = self.text, self.source.newline
        lead = newline if text and text[-1] not in "\r\n" else ""
        return [Edit(len(text), len(text), f"{lead}{lines}{newline}")]

    def _line_end(self, offset: int) -> int:
        match = _REST.match(self.text, offset)
        end = match.end() if match else offset
        if end < len(self.text) and not _BREAK.match(self.text, end):
            raise CannotEdit("something else stands on the line")
        return end

    def _newline(self, offset: int) -> str:
        match = _BREAK.match(self.text, offset)
        return match.group() if match else self.source.newline

    def _indent(self, section: TomlNode) -> str:
        """Indentation of the section's statements, else of its header."""
        starts = [entry[0] for entry in sorted(_statements(section))] or [max(section.header, 0)]
        lead = self.text[flow.line_start(self.text, starts[0]) : starts[0]]
        return lead if not lead.strip() else ""

    def _equals(self, section: TomlNode) -> str:
        """`=` where the section is written without blanks around it, else ` = `."""
        tight = [
            self.text[pair.key_node.end : pair.value.start] == "="
            for pair in section.pairs
            if pair.key in section.entries
        ]
        return "=" if tight and all(tight) else " = "

    # --- DELETE, RENAME, INSERT

    def _delete(self, op: Op) -> Iterator[list[Edit]]:
        node, missing = self._walk(op.path[:-1])
        key = op.path[-1]
        if missing or node.kind == SCALAR or node.at((key,)) is None:
            yield []
        elif isinstance(key, int):
            if node.style == TABLES:
                raise CannotEdit("an item of an array of tables")
            yield from flow.delete(self._flow(node), key % len(node.items))
        elif key in node.entries:
            yield from self._delete_statement(node, node.entries[key])
        else:
            yield self._delete_table(node, node.get(key))

    def _delete_statement(self, node: TomlNode, entry: tuple[int, int]) -> Iterator[list[Edit]]:
        section = node.section if node.style == DOTTED else node
        if node.style == DOTTED and section is not None and len(node.pairs) == 1:
            key = ".".join(map(render_key, node.path[len(section.path) :]))
            yield [Edit(entry[0], entry[1], f"{key} = {{}}")]
        elif section is not None and section.style == INLINE:
            found = self._flow(section)
            yield from flow.delete(found, found.entries.index((entry[0], entry[1])))
        else:
            yield self._delete_lines(entry[0], entry[1])

    def _delete_lines(self, start: int, end: int) -> list[Edit]:
        start, end = flow.line_start(self.text, start), self._line_end(end)
        match = _BREAK.match(self.text, end)
        if match is None and start:
            start = len(self.text[:start].removesuffix("\n").removesuffix("\r"))
        return [Edit(start, match.end() if match else end, "")]

    def _delete_table(self, node: TomlNode, table: TomlNode | None) -> list[Edit]:
        if table is None or table.style != TABLE or table.header < 0 or any(True for _ in _tables(table)):
            raise CannotEdit("it is written in several places")
        if node.style == IMPLICIT and len(node.pairs) == 1:
            raise CannotEdit("its table exists by this header only")
        return self._delete_lines(table.header, table.last)

    def _rename(self, op: Op) -> Iterator[list[Edit]]:
        node, missing = self._walk(op.path[:-1])
        old, new = str(op.path[-1]), op.new_key
        if missing or node.kind != MAP:
            raise CannotEdit(f"there is no key {old!r}")
        if node.get(new) is not None:
            if node.get(old) is not None and old != new:
                raise CannotEdit(f"{new!r} is there already")
            yield []
        elif node.get(old) is None:
            raise CannotEdit(f"there is no key {old!r}")
        else:
            yield [Edit(start, end, render_key(new)) for start, end in sorted(node.keys[old])]

    def _insert(self, op: Op) -> Iterator[list[Edit]]:
        node, missing = self._walk(op.path[:-1])
        at = op.path[-1]
        if not isinstance(at, int) or at < 0:
            raise CannotEdit(f"{at!r} is no place in an array")
        if missing:
            if at:
                raise CannotEdit("the array is missing")
            yield from self._set(Op(SET, op.path[:-1], [op.value]))
        elif node.style != ARRAY or at > len(node.items):
            raise CannotEdit(f"there is no array with a place {at}")
        elif at < len(node.items) and equal(node.items[at].plain(), op.value):
            yield []
        else:
            yield from flow.insert(self._flow(node), at, render(op.value))


def _statements(node: TomlNode) -> Iterator[tuple[int, int]]:
    """Statements of a table, those of its dotted keys included."""
    for entry in node.entries.values():
        yield entry.start, entry.end
    for pair in node.pairs:
        if isinstance(pair.value, TomlNode) and pair.value.style == DOTTED:
            yield from _statements(pair.value)


def _tables(node: TomlNode) -> Iterator[TomlNode]:
    """Tables below this one that have, or lead to, headers of their own."""
    for pair in node.pairs:
        value = pair.value
        if isinstance(value, TomlNode):
            if value.style in (TABLE, IMPLICIT):
                yield value
            elif value.style == TABLES:
                yield from (item for item in value.items if isinstance(item, TomlNode))


def _first_header(node: TomlNode) -> int:
    """The first header below a table; -1 where there is none."""
    found = [one.header if one.header >= 0 else _first_header(one) for one in _tables(node)]
    return min((one for one in found if one >= 0), default=-1)


def _extent(node: TomlNode) -> int:
    """The end of the last statement or header of a table and of all tables below it."""
    return max([node.last, *map(_extent, _tables(node))])
