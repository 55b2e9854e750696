"""Text to composed YAML nodes, with bounds: PyYAML's C parser where there is one, and nothing an input can blow up.

The composer recurses once a level in C and never resolves or constructs: tags are left as PLAIN or QUOTED, so a value
costs only when it is asked for. What could exhaust the stack or the memory is refused before or right after composing:
nesting, the number of nodes, and what aliases would expand to.
"""

from __future__ import annotations

import re

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.yaml.scalars import PLAIN, QUOTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object

MAX_CHARACTERS = 2_000_000
MAX_NODES = 200_000  # also of what aliases expand to
MAX_DEPTH = 200

_SURE_SIZE = 100_000  # characters: cannot hold more than MAX_NODES nodes
_SURE_FLOW = 48  # brackets: with their pairs and _BLOCK_PREFIX cannot nest deeper than MAX_DEPTH
_STACK_FLOW = 800  # brackets the C composer may recurse through; the pure one has Python's stack only
_BLOCK_PREFIX = re.compile(r"^[ \t?:-]{100}", re.MULTILINE)  # a block level needs a column before its line's text


def _kept(kind: object, value: object, implicit: object) -> str:
    """Stands in for the resolver: whether the reader would resolve the node, decided later."""
    first = implicit[0] if isinstance(implicit, tuple) else implicit
    return PLAIN if first else QUOTED


def _nothing(*args: object) -> None:
    return None


class _PureComposer(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer):
    """PyYAML without libyaml: the same nodes, about ten times slower."""

    resolve = staticmethod(_kept)
    descend_resolver = ascend_resolver = staticmethod(_nothing)

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


C_PARSER = True
try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML built without libyaml
    C_PARSER = False

if TYPE_CHECKING or C_PARSER:

    class _Composer(CParser):
        resolve = staticmethod(_kept)
        descend_resolver = ascend_resolver = staticmethod(_nothing)

else:
    _Composer = _PureComposer


def compose(text: str) -> tuple[list[yaml.Node], frozenset[int]]:
    """The documents of a text, and id() of every node that an alias shows a second time. Raises Unreadable:
    too-large, too-deep, alias-bomb, template, syntax."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    if text.startswith("\ufeff"):
        raise Unreadable("syntax", "a second byte order mark", 1, 1)
    opens = text.count("[") + text.count("{")
    stack = _SURE_FLOW if issubclass(_Composer, yaml.composer.Composer) else _STACK_FLOW
    try:
        exact = len(text) > _SURE_SIZE or opens > stack or _BLOCK_PREFIX.search(text) is not None
        if exact:
            _check_events(text)
        composer = _Composer(text)
        roots: list[yaml.Node] = []
        while composer.check_node():
            root = composer.get_node()
            if root is not None:
                roots.append(root)
    except yaml.YAMLError as error:
        raise _unreadable(text, error) from None
    except (
        ValueError,
        OverflowError,
    ) as error:  # a tag's %-escapes that are not UTF-8, an absurd %YAML version
        raise Unreadable("syntax", str(error)) from None
    if ("*" in text and "&" in text) or (opens > _SURE_FLOW and not exact):
        return roots, survey(roots)
    return roots, frozenset()


def _check_events(text: str) -> None:
    """Depth and number of nodes by the event stream, which builds nothing."""
    parser = _Composer(text)
    depth = count = 0
    while parser.check_event():
        event = parser.get_event()
        if isinstance(event, yaml.NodeEvent):
            count += 1
            if count > MAX_NODES:
                raise Unreadable("too-large", f"more than {MAX_NODES:,} values", *_mark(event.start_mark))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable("too-deep", f"nests deeper than {MAX_DEPTH} levels", *_mark(event.start_mark))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Mark(Protocol):
    line: int
    column: int


def _mark(mark: _Mark | None) -> tuple[int, int]:
    return (0, 0) if mark is None else (mark.line + 1, mark.column + 1)


def _unreadable(text: str, error: yaml.YAMLError) -> Unreadable:
    line = column = 0
    if isinstance(error, yaml.MarkedYAMLError):
        line, column = _mark(error.problem_mark or error.context_mark)
        message = ", ".join(part for part in (error.context, error.problem) if part)
    elif isinstance(error, yaml.reader.ReaderError):
        line, column = _place(text)
        message = str(error.reason)
    else:
        message = str(error)
    if "{{" in text or "{%" in text:
        return Unreadable("template", f"a template, not YAML yet ({message})", line, column)
    # From 0.2.6 on libyaml counts levels itself, and stops before we do.
    reason = "too-deep" if "nesting depth" in message else "syntax"
    return Unreadable(reason, message or "not YAML", line, column)


# Compiled when first needed: a set of this many characters takes milliseconds.
_FORBIDDEN = r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


def _place(text: str) -> tuple[int, int]:
    """Line and column of the first character YAML forbids: a reader's error names a byte, or nothing."""
    match = re.search(_FORBIDDEN, text)
    if match is None:
        return 0, 0
    before = text[: match.start()].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _children(raw: yaml.Node) -> list[yaml.Node]:
    if isinstance(raw, MappingNode):
        return [node for pair in raw.value for node in pair]
    return raw.value if isinstance(raw, SequenceNode) else []


def survey(roots: list[yaml.Node]) -> frozenset[int]:
    """id() of the nodes used more than once. Raises Unreadable when the tree, aliases expanded, is too deep, too
    large or contains itself. Each node is visited once, without recursion."""
    sizes: dict[int, tuple[int, int]] = {}  # id of a collection: (nodes, levels) with aliases expanded
    entered: set[int] = set()
    named: set[int] = set()
    shared: set[int] = set()
    stack = [root for root in reversed(roots) if not isinstance(root, ScalarNode)]
    while stack:
        raw = stack[-1]
        key = id(raw)
        if key in sizes:
            stack.pop()
            continue
        children = _children(raw)
        if key in entered:
            stack.pop()
            sizes[key] = _measure(raw, children, sizes)
            continue
        entered.add(key)
        for child in reversed(children):
            if id(child) in named:
                shared.add(id(child))
            named.add(id(child))
            if isinstance(child, ScalarNode) or id(child) in sizes:
                continue
            if id(child) in entered:  # not measured yet: it is being walked right now
                raise Unreadable("alias-bomb", "an alias stands inside what it names", *_mark(child.start_mark))
            stack.append(child)
    return frozenset(shared)


def _measure(raw: yaml.Node, children: list[yaml.Node], sizes: dict[int, tuple[int, int]]) -> tuple[int, int]:
    nodes, levels = 1 + len(children), 0
    for child in children:
        below = sizes.get(id(child))
        if below is not None:
            nodes, levels = nodes + below[0], max(levels, below[1])
    place = _mark(raw.start_mark)
    if nodes > MAX_NODES:
        raise Unreadable("alias-bomb", f"aliases expand to more than {MAX_NODES:,} values", *place)
    if levels >= MAX_DEPTH:
        raise Unreadable("too-deep", f"nests deeper than {MAX_DEPTH} levels", *place)
    return nodes, levels + 1
