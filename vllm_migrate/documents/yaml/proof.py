"""What a YAML file holds, as the boxes that an edit's proof compares."""

from __future__ import annotations

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from vllm_migrate.documents.interface import DataDocument, Source
from vllm_migrate.documents.oracle import Alias, Box, Data, Key, OddKey, ScalarText, Unopened
from vllm_migrate.documents.yaml.document import YamlDocument, parse_yaml
from vllm_migrate.documents.yaml.nodes import is_merge, key_text
from vllm_migrate.documents.yaml.scalars import PLAIN, QUOTED, read_plain, read_tagged


def reparse(document: DataDocument, source: Source) -> YamlDocument:
    """The document of another text, its scalars read in the same way. Raises Unreadable."""
    assert isinstance(document, YamlDocument)
    return parse_yaml(source, document.context.omegaconf)


def boxes(document: DataDocument) -> list[Box]:
    """Fresh boxes of every document of the file."""
    assert isinstance(document, YamlDocument)
    text = document.source.text
    if document.context.shared:
        return [_box(tree.raw, text, {}) for tree in document.trees]
    return [Box(_Raw(tree.raw, text), _tag(tree.raw)) for tree in document.trees]


def read(document: DataDocument, written: ScalarText) -> object:
    """The value of a scalar."""
    assert isinstance(document, YamlDocument)
    if written.tag == PLAIN:
        return read_plain(written.text, document.context.omegaconf)
    return written.text if written.tag == QUOTED else read_tagged(written.tag, written.text, written.text)


class _Raw(Unopened):
    """A composed subtree in a file without aliases."""

    __slots__ = ("raw", "text")

    def __init__(self, raw: yaml.Node, text: str) -> None:
        self.raw = raw
        self.text = text

    def open(self) -> Data:
        raw, text = self.raw, self.text
        if isinstance(raw, ScalarNode):
            return ScalarText(raw.tag, raw.value)
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
        box = Box(ScalarText(raw.tag, raw.value))
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
        seen.setdefault(id(raw_key), Box(ScalarText(str(raw_key.tag), str(raw_key.value))))
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
