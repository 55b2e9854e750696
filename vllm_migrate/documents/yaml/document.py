"""YAML files: `parse_yaml`, and the document it returns. Errors: Unreadable, and those of its plan and prove."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from vllm_migrate.documents.editing import EditableDocument
from vllm_migrate.documents.interface import CannotEdit, Edit, Op, Source
from vllm_migrate.documents.oracle import Alias, Box, Data, Key, OddKey, Unopened, Written
from vllm_migrate.documents.yaml.compose import C_PARSER, compose
from vllm_migrate.documents.yaml.nodes import Context, YamlNode, is_merge, key_text
from vllm_migrate.documents.yaml.scalars import PLAIN, QUOTED, read_plain, read_tagged

if TYPE_CHECKING:
    from typing import Self

__all__ = ["C_PARSER", "YamlDocument", "parse_yaml"]


class YamlDocument(EditableDocument):
    """A YAML file. `omegaconf`: scalars read as OmegaConf reads them (`1e-6` is a float)."""

    __slots__ = ("context", "trees")

    def __init__(self, source: Source, context: Context, trees: list[YamlNode]) -> None:
        self.source = source
        self.context = context
        self.trees = trees
        self.roots = list(trees)

    def read_as_omegaconf(self) -> None:
        self.context.omegaconf = True

    def candidates(self, op: Op, index: int) -> Iterator[list[Edit]]:
        from vllm_migrate.documents.yaml.edit import Planner  # a run without findings plans nothing

        if not 0 <= index < max(len(self.trees), 1):
            raise CannotEdit(f"the file has no document {index}")
        return Planner(self.source, self.trees[index] if self.trees else None, self.context).candidates(op)

    def reparse(self, source: Source) -> Self:
        context, trees = _parse(source, self.context.omegaconf)
        return type(self)(source, context, trees)

    def boxes(self) -> list[Box]:
        text = self.source.text
        if self.context.shared:
            return [_box(tree.raw, text, {}) for tree in self.trees]
        return [Box(_Raw(tree.raw, text), _tag(tree.raw)) for tree in self.trees]

    def read(self, written: Written) -> object:
        if written.tag == PLAIN:
            return read_plain(written.text, self.context.omegaconf)
        return written.text if written.tag == QUOTED else read_tagged(written.tag, written.text, written.text)


def _parse(source: Source, omegaconf: bool) -> tuple[Context, list[YamlNode]]:
    raws, shared = compose(source.text)
    context = Context(source.text, omegaconf, shared)
    return context, [YamlNode(raw, context) for raw in raws]


def parse_yaml(source: Source, omegaconf: bool = False) -> YamlDocument:
    """The documents of a YAML file. Raises Unreadable: too-large, too-deep, alias-bomb, template, syntax."""
    context, trees = _parse(source, omegaconf)
    return YamlDocument(source, context, trees)


class _Raw(Unopened):
    """A composed subtree in a file without aliases."""

    __slots__ = ("raw", "text")

    def __init__(self, raw: yaml.Node, text: str) -> None:
        self.raw = raw
        self.text = text

    def open(self) -> Data:
        raw, text = self.raw, self.text
        if isinstance(raw, ScalarNode):
            return Written(raw.tag, raw.value)
        if isinstance(raw, SequenceNode):
            return [Box(_Raw(item, text), _tag(item)) for item in raw.value]
        data: dict[Key, Box] = {}
        for number, (raw_key, value) in enumerate(raw.value):
            data[_key(raw_key, text, number, data)] = Box(_Raw(value, text), _tag(value))
        return data

    def same_as(self, other: Unopened) -> bool:
        return isinstance(other, _Raw) and _same(self.raw, other.raw)


def _same(a: yaml.Node, b: yaml.Node) -> bool:
    if a.tag != b.tag:
        return False
    one, other = a.value, b.value
    if type(one) is str or type(other) is str:
        return bool(one == other)
    if isinstance(a, MappingNode) is not isinstance(b, MappingNode) or len(one) != len(other):
        return False
    if isinstance(a, MappingNode):
        return all(_same(x[0], y[0]) and _same(x[1], y[1]) for x, y in zip(one, other, strict=True))
    return all(map(_same, one, other))


def _tag(raw: yaml.Node) -> str:
    """An explicit tag of a collection, else ""."""
    return "" if isinstance(raw, ScalarNode) or raw.tag in (PLAIN, QUOTED) else str(raw.tag)


def _box(raw: yaml.Node, text: str, seen: dict[int, Box]) -> Box:
    """Boxes of a composed tree with aliases, all opened. Depth and size were bounded when it was composed."""
    known = seen.get(id(raw))
    if known is not None:
        return Box(Alias(known))
    if isinstance(raw, ScalarNode):
        box = Box(Written(raw.tag, raw.value))
    elif isinstance(raw, SequenceNode):
        box = Box([_box(item, text, seen) for item in raw.value], _tag(raw))
    else:
        box = Box(_mapping(raw, text, seen), _tag(raw))
    seen[id(raw)] = box
    return box


def _mapping(raw: yaml.Node, text: str, seen: dict[int, Box]) -> dict[Key, Box]:
    data: dict[Key, Box] = {}
    for number, (raw_key, value) in enumerate(raw.value):
        data[_key(raw_key, text, number, data)] = _box(value, text, seen)
        seen.setdefault(id(raw_key), Box(Written(str(raw_key.tag), str(raw_key.value))))
    return data


def _key(raw: yaml.Node, text: str, number: int, taken: dict[Key, Box]) -> Key:
    if is_merge(raw):
        key: Key = OddKey("<<", "merge")
    elif isinstance(raw, ScalarNode) and raw.tag in (PLAIN, QUOTED):
        is_string = raw.tag == QUOTED or isinstance(read_plain(raw.value), str)
        key = raw.value if is_string else OddKey(raw.value, "plain")
    else:
        key = OddKey(key_text(raw, text), str(raw.tag) if isinstance(raw, ScalarNode | MappingNode) else "sequence")
    return key if key not in taken else OddKey(key_text(raw, text), f"again {number}")
