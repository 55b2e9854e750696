"""YAML nodes: thin views of PyYAML's composed nodes, made only for what is visited.

Marks are PyYAML's with its surprises taken out: a block collection ends with its last leaf (not after the comments
and blank lines that follow), a block scalar with its text, an anchor is not part of a value, and an alias stands
where `*name` is written. Merges (`<<`) are expanded after a mapping's own keys.
"""

from __future__ import annotations

from typing import NamedTuple

import yaml
from yaml.nodes import CollectionNode, MappingNode, ScalarNode, SequenceNode

from vllm_migrate.documents.interface import MAP, SCALAR, SEQ, Keyed, Node, Pair, Unknown
from vllm_migrate.documents.text.patterns import compiled
from vllm_migrate.documents.yaml.scalars import PLAIN, QUOTED, read_plain, read_tagged

_COLLECTION_TAGS = (PLAIN, QUOTED, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_ALIAS = r"(?:[\s:,?\[{-]|#[^\n\r]*+)*+(\*[^\s,\[\]{}]+)"
_ANCHOR = r"&[^\s,\[\]{}]*"
_BLOCK = ("|", ">")
_SPACE = r"(?:\s|#[^\n\r]*+)*+"


class YamlEntry(NamedTuple):
    """One own pair of a mapping (`<<` included) or one item of a sequence; `low`: before it the value cannot start."""

    key: str
    raw_key: yaml.Node | None
    raw: yaml.Node
    start: int  # of the key, of the item; of `*name` for an alias
    low: int
    end: int  # of the value's text

    @property
    def alias(self) -> bool:
        return bool(self.raw.start_mark.index < self.low)


class YamlContext:
    """What all nodes of one file share: its text, how scalars are read, which nodes are used more than once."""

    __slots__ = ("capital", "entries", "omegaconf", "shared", "text", "twice")

    def __init__(self, text: str, omegaconf: bool, shared: frozenset[int]) -> None:
        self.text = text
        self.omegaconf = omegaconf
        self.shared = shared  # id() of composed nodes
        self.capital: bool | None = None  # whether most switches are written True and False; None: nobody asked
        # What the editor has found out, by id() of the composed node: entries of collections, a key that stands twice.
        self.entries: dict[int, list[YamlEntry]] = {}
        self.twice: dict[int, tuple[str, int] | None] = {}


def is_template(raw: yaml.Node, text: str) -> bool:
    """`key: {{ value }}` parses as a mapping in a mapping; it is a template's hole."""
    if not isinstance(raw, MappingNode) or not raw.flow_style or len(raw.value) != 1:
        return False
    key = raw.value[0][0]
    return isinstance(key, MappingNode) and text.startswith("{{", raw.start_mark.index)


def is_merge(key: yaml.Node) -> bool:
    return isinstance(key, ScalarNode) and key.value == "<<" and key.tag == PLAIN


def key_text(raw: yaml.Node, text: str) -> str:
    if isinstance(raw, ScalarNode):
        return str(raw.value)
    return text[raw.start_mark.index : raw.end_mark.index]


def value_start(raw: yaml.Node, text: str) -> int:
    """Where the value itself starts, after an anchor. A tag, and what follows it, belongs to the value."""
    start: int = raw.start_mark.index
    if text[start : start + 1] == "&" and start < raw.end_mark.index:
        anchor = compiled(_ANCHOR).match(text, start)
        if anchor:
            start = anchor.end()
            space = compiled(_SPACE).match(text, start)
            if space and space.end() < raw.end_mark.index:
                start = space.end()
    return start


def alias_span(low: int, text: str) -> tuple[int, int]:
    """Where `*name` stands, searched from offset `low`, the end of the key or of the item before."""
    match = compiled(_ALIAS).match(text, low)
    return match.span(1) if match else (low, low)


def content_end(raw: yaml.Node, low: int, text: str) -> int:
    """End of a node's text: of the last leaf for block collections. A node that starts before `low` is an alias."""
    if raw.start_mark.index < low:
        return alias_span(low, text)[1]
    end: int = raw.end_mark.index
    if isinstance(raw, ScalarNode) and raw.style in ("|", ">"):
        start = raw.start_mark.index
        return start + len(text[start:end].rstrip())
    if not isinstance(raw, CollectionNode) or raw.flow_style or not raw.value:
        return end
    last = raw.value[-1]
    if isinstance(last, tuple):
        key, value = last
        return content_end(value, content_end(key, _low(raw, text), text), text)
    return content_end(last, _low(raw, text), text)


def _low(raw: yaml.Node, text: str) -> int:
    """The offset before which the last child of a block collection cannot start, unless it is an alias.

    The end mark of the sibling before is a block collection's own, past the comments that follow it: still
    before the last child, so aliases are told apart; their text is searched from there.
    """
    start: int = raw.start_mark.index
    if len(raw.value) < 2:
        return start
    before = raw.value[-2]
    node = before[1] if isinstance(before, tuple) else before
    end: int = node.end_mark.index
    return max(start, end)


class YamlNode(Node):
    """One value of a YAML document. `raw` is the composed node, `alias` whether it is written as `*name`."""

    __slots__ = ("_cache", "_items", "_pairs", "alias", "context", "raw")

    def __init__(self, raw: yaml.Node, context: YamlContext, low: int = 0, shared: bool = False) -> None:
        self.raw = raw
        self.context = context
        self.shared = shared or id(raw) in context.shared
        self._pairs: list[Pair] | None = None
        self._items: list[Node] | None = None
        self._cache: dict[str, YamlNode] | None = None
        self.alias = self.flow = False
        self.kind = SCALAR
        text = context.text
        start: int = raw.start_mark.index
        if type(raw) is ScalarNode and not self.shared and raw.style not in _BLOCK and text[start : start + 1] != "&":
            self.start, self.end = start, raw.end_mark.index  # nine of ten nodes
            return
        self.alias = self.shared and start < low
        if self.alias:
            self.start, self.end = alias_span(low, text)
        else:
            self.start = value_start(raw, text)
            self.end = content_end(raw, 0, text)
        if isinstance(raw, CollectionNode) and raw.tag in _COLLECTION_TAGS and not is_template(raw, text):
            self.flow = bool(raw.flow_style)
            self.kind = MAP if isinstance(raw, MappingNode) else SEQ

    @property
    def style(self) -> str:
        """How a scalar is quoted: '' (plain), ', ", | or >."""
        return (self.raw.style or "") if isinstance(self.raw, ScalarNode) else ""

    @property
    def text(self) -> str:
        """What stands in the file, as written."""
        return self.context.text[self.start : self.end]

    @property
    def value(self) -> object:
        raw = self.raw
        if self.kind != SCALAR:
            return None
        if isinstance(raw, ScalarNode):
            if raw.tag == PLAIN:
                return read_plain(raw.value, self.context.omegaconf)
            if raw.tag == QUOTED:
                return str(raw.value)
            return read_tagged(raw.tag, raw.value, self.text)
        return Unknown(self.text)

    @property
    def pairs(self) -> list[Pair]:
        if self._pairs is None:
            self._pairs = self._own_pairs() if self.kind == MAP else []
        return self._pairs

    @property
    def items(self) -> list[Node]:
        if self._items is None:
            self._items = []
            if self.kind == SEQ:
                low: int = self.raw.start_mark.index
                for child in self.raw.value:
                    node = YamlNode(child, self.context, low, self.shared)
                    low = max(low, node.end)
                    self._items.append(node)
        return self._items

    def child(self, key: str, raw_key: yaml.Node, raw: yaml.Node) -> YamlNode:
        """The value of an own key, the same object each time."""
        if self._cache is None:
            self._cache = {}
        node = self._cache.get(key)
        if node is None or node.raw is not raw:
            node = self._cache[key] = YamlNode(raw, self.context, raw_key.end_mark.index, self.shared)
        return node

    @property
    def merges(self) -> bool:
        """Whether a `<<` brings in pairs."""
        return isinstance(self.raw, MappingNode) and any(is_merge(raw_key) for raw_key, _ in self.raw.value)

    def keyed(self) -> list[Keyed]:
        if self.kind != MAP or self._pairs is not None or self.context.shared or self.merges:
            return super().keyed()
        text = self.context.text
        out: list[Keyed] = []
        for raw_key, raw in self.raw.value:
            key = key_text(raw_key, text)
            end = content_end(raw_key, 0, text)
            out.append((key, value_start(raw_key, text), end, self.child(key, raw_key, raw), False))
        return out

    def _own_pairs(self) -> list[Pair]:
        pairs: list[Pair] = []
        merges: list[yaml.Node] = []
        context, text = self.context, self.context.text
        low: int = self.raw.start_mark.index
        for raw_key, raw in self.raw.value:
            key_node = YamlNode(raw_key, context, low, self.shared)
            if is_merge(raw_key):
                merges.append(raw)
                low = max(low, content_end(raw, key_node.end, text)) if context.shared else key_node.end
                continue
            key = key_text(raw_key, text)
            if key_node.alias:  # the marks of an aliased key are elsewhere
                node = YamlNode(raw, context, key_node.end, self.shared)
            else:
                node = self.child(key, raw_key, raw)
            low = max(low, node.end)
            pairs.append(Pair(key, key_node, node, False))
        if merges:
            pairs.extend(self._merged(merges))
        return pairs

    def _merged(self, merges: list[yaml.Node]) -> list[Pair]:
        """Pairs that come in through `<<`, each key once, the winner of YAML's merge first: a later `<<` beats an
        earlier one, in a list of mappings the first one that has the key wins (SafeConstructor.flatten_mapping)."""
        pairs: dict[str, Pair] = {}
        for raw in reversed(merges):
            sources = raw.value if isinstance(raw, SequenceNode) else [raw]
            for source in sources:
                if not isinstance(source, MappingNode):
                    continue
                node = YamlNode(source, self.context, 0, True)
                own: dict[str, Pair] = {}
                for pair in node.pairs:
                    if not (pair.merged and pair.key in own):
                        own[pair.key] = pair
                for key, pair in own.items():
                    pairs.setdefault(key, Pair(key, pair.key_node, pair.value, True))
        return list(pairs.values())

    def get(self, key: str) -> Node | None:
        if self.kind != MAP:
            return None
        if self._pairs is not None or self.context.shared:
            return super().get(key)
        text = self.context.text
        for raw_key, raw in reversed(self.raw.value):
            if key_text(raw_key, text) == key and not is_merge(raw_key):
                return self.child(key, raw_key, raw)
        # An inline merge, `<<: {a: 1}`, needs no alias.
        return super().get(key) if self.merges else None

    def plain(self) -> object:
        if self.kind == SCALAR or self.context.shared:
            return super().plain()
        return _plain(self.raw, self.context)


def _plain(raw: yaml.Node, context: YamlContext) -> object:
    """What Node.plain gives, without a view for every value; merges and templates take the long way."""
    if isinstance(raw, ScalarNode) and raw.tag in (PLAIN, QUOTED):
        return read_plain(raw.value, context.omegaconf) if raw.tag == PLAIN else str(raw.value)
    if isinstance(raw, SequenceNode) and raw.tag in _COLLECTION_TAGS:
        return [_plain(item, context) for item in raw.value]
    usual = raw.tag in _COLLECTION_TAGS and not is_template(raw, context.text)
    if isinstance(raw, MappingNode) and usual and not any(is_merge(key) for key, _ in raw.value):
        return {key_text(key, context.text): _plain(value, context) for key, value in raw.value}
    return Node.plain(YamlNode(raw, context))
