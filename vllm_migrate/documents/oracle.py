"""The judge of edits: what the operations make of the data, worked out without looking at the text.

A document becomes boxes (mutable, so that an alias shows what is done to its anchor), the operations are made on the
boxes, and the boxes of the edited text must be the same. It shares no code with the planners.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import DELETE, INSERT, RENAME, SET, Op, ProofFailed

if TYPE_CHECKING:
    from typing import TypeAlias


class ScalarText(NamedTuple):
    """A scalar of the file: its tag or style, and its text. Untouched scalars are compared as written."""

    tag: str
    text: str


class OddKey(NamedTuple):
    """A key that is no string or not the first of its name: its text, and what sets it apart."""

    text: str
    why: str


class Literal(NamedTuple):
    """A scalar that an operation wrote, or that the format's own parser returned."""

    value: object


class Alias(NamedTuple):
    """Stands where `*name` is written."""

    target: Box


Key = str | OddKey
Data: TypeAlias = "dict[Key, Box] | list[Box] | ScalarText | Literal | Alias"
Read = Callable[[ScalarText], object]


class Unopened:
    """A subtree of the file that no operation has looked into yet."""

    __slots__ = ()

    def open(self) -> Data:
        raise NotImplementedError

    def same_as(self, other: Unopened) -> bool:
        """Whether the two subtrees hold the same, found without opening them."""
        raise NotImplementedError


class Box:
    """A mapping, a sequence, a scalar, or an alias of another box. `tag`: an explicit tag of a collection."""

    __slots__ = ("_data", "tag")

    def __init__(self, data: Data | Unopened, tag: str = "") -> None:
        self._data = data
        self.tag = tag

    @property
    def data(self) -> Data:
        if isinstance(self._data, Unopened):
            self._data = self._data.open()
        return self._data

    @data.setter
    def data(self, data: Data) -> None:
        self._data = data

    def unopened(self) -> Unopened | None:
        return self._data if isinstance(self._data, Unopened) else None

    def real(self) -> Box:
        box = self
        while isinstance(box._data, Alias):
            box = box._data.target
        return box


def from_plain(value: object) -> Box:
    """Boxes of dicts, lists and scalars."""
    if isinstance(value, dict):
        return Box({str(key): from_plain(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return Box([from_plain(item) for item in value])
    return Box(Literal(value))


def equal(a: object, b: object) -> bool:
    """Same type and value: True is not 1, 1 is not 1.0, nan is nan. Mappings compare without order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)


def same(expected: Box, actual: Box, read: Read, seen: set[tuple[int, int]]) -> bool:
    """Whether two boxes hold the same data, with keys in the same kinds; `seen` are pairs found equal before."""
    expected, actual = expected.real(), actual.real()
    pair = (id(expected), id(actual))
    if pair in seen:
        return True
    untouched, other = expected.unopened(), actual.unopened()
    if untouched is not None and other is not None:
        return untouched.same_as(other)
    a, b = expected.data, actual.data
    if expected.tag != actual.tag:
        return False
    if isinstance(a, dict):
        result = isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k], read, seen) for k in a)
    elif isinstance(a, list):
        result = (
            isinstance(b, list) and len(a) == len(b) and all(same(x, y, read, seen) for x, y in zip(a, b, strict=True))
        )
    elif isinstance(a, ScalarText) and isinstance(b, ScalarText):
        result = a == b
    else:
        result = isinstance(b, ScalarText | Literal) and equal(_value(a, read), _value(b, read))
    if result:
        seen.add(pair)
    return result


def _value(data: object, read: Read) -> object:
    if isinstance(data, ScalarText):
        return read(data)
    return data.value if isinstance(data, Literal) else data


def apply(root: Box, ops: list[Op], read: Read) -> None:
    """Make the operations on the boxes, one after the other. Raises ProofFailed where the data cannot take one."""
    for op in ops:
        if not op.path:
            raise ProofFailed("an operation needs a path")
        _OPS[op.kind](root, op, read)


def _find(mapping: dict[Key, Box], key: str) -> Key | None:
    if key in mapping:
        return key
    return next((k for k in mapping if isinstance(k, OddKey) and k.text == key and k.why != "merge"), None)


def _is_null(box: Box, read: Read) -> bool:
    return isinstance(box.data, ScalarText | Literal) and _value(box.data, read) is None


def _descend(box: Box, key: str | int, create: bool, read: Read) -> Box | None:
    box = box.real()
    if isinstance(key, int):
        if isinstance(box.data, list) and -len(box.data) <= key < len(box.data):
            return box.data[key]
        return None
    if create and _is_null(box, read):
        box.data = {}
    if not isinstance(box.data, dict):
        return None
    found = _find(box.data, key)
    if found is not None:
        return box.data[found]
    if not create:
        return None
    box.data[key] = Box(Literal(None))
    return box.data[key]


def _parent(root: Box, op: Op, create: bool, read: Read) -> Box | None:
    box: Box | None = root
    for key in op.path[:-1]:
        if box is not None:
            box = _descend(box, key, create, read)
    return box


def _set(root: Box, op: Op, read: Read) -> None:
    parent = _parent(root, op, True, read)
    box = None if parent is None else _descend(parent, op.path[-1], True, read)
    if box is None:
        raise ProofFailed(f"there is no place for {op.path[-1]!r}")
    if isinstance(box.data, Alias) and same(from_plain(op.value), box, read, set()):
        return
    box.data = from_plain(op.value).data


def _delete(root: Box, op: Op, read: Read) -> None:
    parent = _parent(root, op, False, read)
    key = op.path[-1]
    if parent is None:
        return
    data = parent.real().data
    if isinstance(data, dict) and isinstance(key, str):
        found = _find(data, key)
        if found is not None:
            del data[found]
    elif isinstance(data, list) and isinstance(key, int) and -len(data) <= key < len(data):
        del data[key]


def _rename(root: Box, op: Op, read: Read) -> None:
    parent = _parent(root, op, False, read)
    old = op.path[-1]
    if parent is None or not isinstance(parent.real().data, dict) or not isinstance(old, str):
        raise ProofFailed(f"there is no key {old!r}")
    box = parent.real()
    data = box.data
    if isinstance(data, dict):
        found, taken = _find(data, old), _find(data, op.new_key)
        if taken is not None and (found is None or found == taken):
            return
        if found is None or taken is not None:
            raise ProofFailed(f"{old!r} cannot become {op.new_key!r}")
        box.data = {(op.new_key if key == found else key): value for key, value in data.items()}


def _insert(root: Box, op: Op, read: Read) -> None:
    parent = _parent(root, op, True, read)
    at = op.path[-1]
    if parent is None or not isinstance(at, int):
        raise ProofFailed("there is no sequence to insert into")
    box = parent.real()
    if _is_null(box, read):
        box.data = []
    if not isinstance(box.data, list) or not 0 <= at <= len(box.data):
        raise ProofFailed(f"there is no sequence with a place {at}")
    new = from_plain(op.value)
    if at < len(box.data) and same(new, box.data[at], read, set()):
        return
    box.data.insert(at, new)


_OPS: dict[str, Callable[[Box, Op, Read], None]] = {
    SET: _set,
    DELETE: _delete,
    RENAME: _rename,
    INSERT: _insert,
}
