"""Splices that make one operation on a YAML document, best first. Nothing here is trusted: editing.py proves them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

import yaml
from yaml.nodes import ScalarNode

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
    Unknown,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.text import flow
from vllm_migrate.documents.text.patterns import compiled
from vllm_migrate.documents.yaml.block import (
    block_after,
    block_before,
    delete_block_entry,
    insert_block_item,
    nested_lines,
)
from vllm_migrate.documents.yaml.document import YamlDocument
from vllm_migrate.documents.yaml.layout import (
    FLOW_COMMENT,
    after_colon,
    child,
    column,
    entries,
    find_duplicate,
    guard_anchors,
    is_explicit,
    line_end_after,
    line_start,
    newline_at,
    own_entry,
    starts_line,
    step,
)
from vllm_migrate.documents.yaml.nodes import YamlContext, YamlEntry, YamlNode, value_start
from vllm_migrate.documents.yaml.scalars import Style, render, render_pair, render_string

_CAPITAL = re.compile(r":[ \t]+(?:(True|False)|true|false)\b")


def candidates(document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
    """Splices that might make `op` on document `index`, the best first. Raises CannotEdit."""
    assert isinstance(document, YamlDocument)
    if not 0 <= index < max(len(document.trees), 1):
        raise CannotEdit(f"the file has no document {index}")
    root = document.trees[index] if document.trees else None
    return YamlPlanner(document.source, root, document.context).candidates(op)


class Step:
    """A value on the way of a path: its node, its entry in the parent, the parents, whether brackets enclose it."""

    __slots__ = ("entry", "flow", "node", "parents")

    def __init__(self, node: YamlNode, entry: YamlEntry | None, parents: list[YamlNode]) -> None:
        self.node = node
        self.entry = entry
        self.parents = parents
        self.flow = any(parent.flow for parent in parents)


def _not_ours(node: YamlNode) -> CannotEdit:
    """Refuses a tagged value or a template. Messages never hold values: one may be a secret."""
    if node.text.startswith("!"):
        return CannotEdit(f"a value with the explicit tag {node.text.split(None, 1)[0]} is not edited")
    return CannotEdit("a value that a template fills in is not edited")


class YamlPlanner:
    """Plans one operation on one document of a file. `root` is None for a file without any document."""

    def __init__(self, source: Source, root: YamlNode | None, context: YamlContext) -> None:
        self.source = source
        self.text = source.text
        self.root = root
        self.context = context

    def candidates(self, op: Op) -> Iterator[list[Edit]]:
        if self.root is None:
            return self._into_nothing(op)
        twice = self._twice(self.root.raw)
        if twice is not None:
            line = self.source.position(twice[1]).line
            raise CannotEdit(f"the key {twice[0]!r} appears twice in one mapping (line {line})")
        return {SET: self._set, DELETE: self._delete, RENAME: self._rename, INSERT: self._insert}[op.kind](op)

    def _twice(self, root: yaml.Node) -> tuple[str, int] | None:
        known = self.context.twice
        if id(root) not in known:
            known[id(root)] = find_duplicate(root, self.text)
        return known[id(root)]

    # --- walking

    def _walk(self, path: Path) -> tuple[Step, Path]:
        """The deepest existing value on the path, and the keys that are missing. Refuses ways through aliases,
        merges, tags and scalars."""
        assert self.root is not None
        spot = Step(self.root, None, [])
        for number, key in enumerate(path):
            node = spot.node
            if node.kind == SCALAR and node.value is None:
                return spot, path[number:]
            if node.alias and number:
                raise CannotEdit(f"{path[number - 1]!r} is the alias {node.text}: the edit would change its anchor too")
            entry = self._entry(spot, key)
            if entry is None:
                if number + 1 < len(path) and isinstance(key, str) and node.get(key) is not None:
                    raise CannotEdit(f"{key!r} arrives through a merge: the edit would change its anchor too")
                return spot, path[number:]
            spot = Step(child(node, entry), entry, [*spot.parents, node])
        return spot, ()

    def _entry(self, spot: Step, key: str | int) -> YamlEntry | None:
        node = spot.node
        if node.kind == MAP and isinstance(key, str):
            return own_entry(node, key)
        if node.kind == SEQ and isinstance(key, int):
            found = entries(node)
            return found[key] if -len(found) <= key < len(found) else None
        if isinstance(node.value, Unknown):
            raise _not_ours(node)
        what = {MAP: "a mapping", SEQ: "a sequence"}.get(node.kind, "a plain value")
        raise CannotEdit(f"{key!r} was expected to stand in {what}")

    # --- SET

    def _set(self, op: Op) -> Iterator[list[Edit]]:
        spot, missing = self._walk(op.path)
        if not missing:
            yield from self._replace(spot, op.value)
            return
        if any(isinstance(key, int) for key in missing):
            raise CannotEdit(f"the sequence has no item {missing[0]}")
        keys = [str(key) for key in missing]
        node = spot.node
        if node.kind == SCALAR:
            yield from self._fill_null(spot, keys, op.value)
        elif node.flow:
            yield from self._into_flow(node, keys, op.value, op.after)
        else:
            yield from self._into_block(spot, keys, op.value, op.after)

    def _style(self, value: object) -> Style:
        """How a new value is written: switches as most are in the file."""
        if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
            return Style()
        if self.context.capital is None:
            found = [bool(match.group(1)) for match in _CAPITAL.finditer(self.text)]
            self.context.capital = 2 * sum(found) > len(found)
        return Style(capital=self.context.capital)

    def _into_block(self, spot: Step, keys: list[str], value: object, after: str) -> Iterator[list[Edit]]:
        node = spot.node
        found = entries(node)
        here = column(node)
        lines = nested_lines(keys, value, self._style(value), step(spot.parents, node))
        first = [entry for entry in found if entry.key == after] if after else []
        for entry in chain(first, (entry for entry in reversed(found) if entry not in first)):
            edits = block_after(self.source, entry, here, lines)
            if edits:
                yield edits
        yield block_before(self.source, found[0].start, here, lines)

    def _into_flow(self, node: YamlNode, keys: list[str], value: object, after: str) -> Iterator[list[Edit]]:
        found = self._flow_entries(node)
        at = next((number + 1 for number, entry in enumerate(found) if after and entry.key == after), len(found))
        for number in [at, *(one for one in range(len(found), -1, -1) if one != at)]:
            yield from flow.insert(self._flow(node, found), number, self._flow_pair(found, keys, value))

    def _flow_pair(self, found: list[YamlEntry], keys: list[str], value: object) -> str:
        for key in reversed(keys[1:]):
            value = {key: value}
        json = bool(found) and all(isinstance(one.raw_key, ScalarNode) and one.raw_key.style == '"' for one in found)
        return render_pair(keys[0], value, Style(quote='"') if json else self._style(value))

    def _flow_entries(self, node: YamlNode) -> list[YamlEntry]:
        found = entries(node)
        if any(is_explicit(self.text, entry) for entry in found):
            raise CannotEdit("an explicit `? key` entry")
        return found

    def _flow(self, node: YamlNode, found: list[YamlEntry]) -> flow.Flow:
        spans = [(entry.start, entry.end) for entry in found]
        if self.text[node.start : node.start + 1] not in ("{", "["):
            raise CannotEdit("a pair without its own brackets")
        return flow.Flow(self.text, node.start + 1, node.end - 1, spans, compiled(FLOW_COMMENT), self.source.newline)

    def _fill_null(self, spot: Step, keys: list[str], value: object) -> Iterator[list[Edit]]:
        """Children for `key:`, `key: null`, an empty item or an empty document."""
        node, entry = spot.node, spot.entry
        if self._is_tagged(node):
            raise CannotEdit("an explicit tag")
        whole: object = value
        for key in reversed(keys):
            whole = {key: whole}
        written = node.start < node.end
        if entry is None:
            yield from self._fill_root(node, keys, value)
        elif entry.raw_key is not None and not spot.flow and not node.alias:
            colon = after_colon(self.text, entry)
            line_end = line_end_after(self.text, node.end if written else colon)
            if line_end is not None and line_start(self.text, node.end) == line_start(self.text, entry.start):
                here = column(spot.parents[-1])
                deeper = here + step(spot.parents[:-1], spot.parents[-1])
                lines = nested_lines(keys, value, self._style(value), step(spot.parents[:-1], spot.parents[-1]))
                newline = newline_at(self.source, line_end)
                new = "".join(f"{newline}{' ' * deeper}{line}" for line in lines)
                edits = [Edit(colon, node.end, "")] if written else []
                yield [*edits, Edit(line_end, line_end, new)]
        yield self._write_over(spot, render(whole, self._style(whole), spot.flow))

    def _fill_root(self, node: YamlNode, keys: list[str], value: object) -> Iterator[list[Edit]]:
        newline = self.source.newline
        lines = newline.join(nested_lines(keys, value, self._style(value), 2))
        if node.start < node.end:
            if starts_line(self.text, node.start):
                yield [Edit(node.start, node.end, lines)]
            return
        at = node.start
        if at == line_start(self.text, at):
            yield [Edit(at, at, lines + newline)]
        else:
            yield [Edit(at, at, newline + lines)]

    def _into_nothing(self, op: Op) -> Iterator[list[Edit]]:
        """A file without any document: empty, or comments only."""
        if op.kind == DELETE:
            yield []
            return
        keys = [str(key) for key in op.path]
        value = op.value
        if op.kind == INSERT and op.path[-1] == 0 and len(keys) > 1:
            keys, value = keys[:-1], [value]
        elif op.kind != SET:
            raise CannotEdit("the file holds no data")
        if any(isinstance(key, int) for key in op.path[: len(keys)]):
            raise CannotEdit("the file holds no data")
        text, newline = self.text, self.source.newline
        lines = newline.join(nested_lines(keys, value, self._style(value), 2))
        lead = newline if text and line_start(text, len(text)) != len(text) else ""
        yield [Edit(len(text), len(text), f"{lead}{lines}{newline}")]

    # --- replacing a value

    def _is_tagged(self, node: YamlNode) -> bool:
        return self.text[node.start : node.start + 1] == "!" or isinstance(node.value, Unknown)

    def _replace(self, spot: Step, value: object) -> Iterator[list[Edit]]:
        node = spot.node
        if self._is_tagged(node) and not node.alias:
            raise _not_ours(node)
        if equal(node.plain(), value):
            yield []
            return
        style = self._style(value)
        if isinstance(value, str) and node.style in ("'", '"') and not node.alias:
            style = Style(quote=node.style)
        elif isinstance(value, bool) and isinstance(node.value, bool):
            style = Style(capital=node.text[:1].isupper())
        new = render(value, style, spot.flow)
        if node.kind != SCALAR and not node.flow and not node.alias:
            yield from self._replace_block(spot, new)
        else:
            yield self._write_over(spot, new)

    def _write_over(self, spot: Step, new: str) -> list[Edit]:
        """Put `new` where a scalar, a flow collection, an alias or nothing stands."""
        node, text = spot.node, self.text
        if node.alias:
            return [Edit(node.start, node.end, new)]
        guard_anchors(node.raw, self.context, False)
        start = node.start
        if node.style in ("|", ">") and "#" in text[start : node.end].split("\n", 1)[0]:
            raise CannotEdit("a block scalar with a comment on its first line")
        if start < node.end:
            return [Edit(start, node.end, new)]
        at = node.end
        before = text[at - 1 : at]
        if spot.entry is not None and spot.entry.raw_key is not None and text[spot.entry.low : at].strip()[:1] != ":":
            return [Edit(at, at, ": " + new)]
        return [Edit(at, at, new if not before or before.isspace() else " " + new)]

    def _replace_block(self, spot: Step, new: str) -> Iterator[list[Edit]]:
        node, entry, text = spot.node, spot.entry, self.text
        guard_anchors(node.raw, self.context, False)
        if entry is not None and entry.raw_key is not None:
            colon = after_colon(text, entry)
            line_end = line_end_after(text, colon)
            if line_end is not None and line_end < node.start:
                yield [Edit(colon, colon, " " + new), Edit(line_end, node.end, "")]
        elif entry is not None:
            yield [Edit(node.start, node.end, new)]

    # --- DELETE

    def _delete(self, op: Op) -> Iterator[list[Edit]]:
        spot, missing = self._walk(op.path[:-1])
        if missing:
            yield []
            return
        node, key = spot.node, op.path[-1]
        if node.kind == SCALAR and node.value is None:
            yield []
            return
        entry = self._entry(spot, key)
        if entry is None:
            if isinstance(key, str) and node.get(key) is not None:
                raise CannotEdit(f"{key!r} arrives through a merge")
            yield []
            return
        if node.alias:
            raise CannotEdit(f"the alias {node.text}: the edit would change its anchor too")
        if isinstance(key, str):
            self._refuse_merged(node, key)
        if not entry.alias:
            guard_anchors(entry.raw, self.context, True)
        found = entries(node)
        if node.flow:
            yield from flow.delete(self._flow(node, self._flow_entries(node)), found.index(entry))
        else:
            yield from delete_block_entry(self.source, node, spot.entry, found, found.index(entry))

    def _refuse_merged(self, node: YamlNode, key: str) -> None:
        if node.merges and any(pair.merged and pair.key == key for pair in node.pairs):
            raise CannotEdit(f"a merge would bring {key!r} back")

    # --- RENAME

    def _rename(self, op: Op) -> Iterator[list[Edit]]:
        spot, missing = self._walk(op.path[:-1])
        old, node = op.path[-1], spot.node
        if missing or node.kind != MAP or not isinstance(old, str):
            raise CannotEdit(f"there is no key {old!r}")
        if node.alias:
            raise CannotEdit(f"the alias {node.text}: the edit would change its anchor too")
        entry, taken = own_entry(node, old), own_entry(node, op.new_key)
        if entry is None and taken is not None:
            yield []
            return
        if entry is None or not isinstance(entry.raw_key, ScalarNode):
            raise CannotEdit(f"there is no key {old!r} of this mapping's own")
        self._refuse_merged(node, old)
        if taken is not None and old != op.new_key:
            raise CannotEdit(f"{op.new_key!r} is there already")
        start, end = value_start(entry.raw_key, self.text), entry.raw_key.end_mark.index
        if start == end or self.text[start] == "!":
            raise CannotEdit(f"the key {old!r} is empty or tagged")
        quote = entry.raw_key.style if entry.raw_key.style in ("'", '"') else ""
        yield (
            [Edit(start, end, render_string(op.new_key, node.flow or spot.flow, quote))] if old != op.new_key else []
        )

    # --- INSERT

    def _insert(self, op: Op) -> Iterator[list[Edit]]:
        spot, missing = self._walk(op.path[:-1])
        at, node = op.path[-1], spot.node
        if not isinstance(at, int) or at < 0:
            raise CannotEdit(f"{at!r} is no place in a sequence")
        if missing or (node.kind == SCALAR and node.value is None):
            if at:
                raise CannotEdit("the sequence is missing or empty")
            yield from self._set(Op(SET, op.path[:-1], [op.value]))
            return
        if node.kind != SEQ:
            raise CannotEdit("not a sequence")
        if node.alias:
            raise CannotEdit(f"the alias {node.text}: the edit would change its anchor too")
        found = entries(node)
        if at > len(found):
            raise CannotEdit(f"the sequence has {len(found)} items")
        if at < len(found) and equal(child(node, found[at]).plain(), op.value):
            yield []
            return
        style = self._style(op.value)
        quotes = {getattr(one, "style", "") for one in node.items}
        if isinstance(op.value, str) and len(quotes) == 1 and quotes <= {"'", '"'}:
            style = Style(quote=quotes.pop())
        if node.flow:
            yield from flow.insert(self._flow(node, found), at, render(op.value, style, True))
        else:
            yield from insert_block_item(self.source, node, found, at, op.value, style)
