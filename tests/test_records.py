"""The light NamedTuple is in use what typing's is."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from vllm_migrate.records import NamedTuple


class Light(NamedTuple):
    name: str
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        return self.end - self.start


class Heavy(typing.NamedTuple):
    name: str
    start: int = 0
    end: int = 0


@pytest.mark.parametrize("kind", [Light, Heavy])
def test_in_use(kind: type[Light]) -> None:
    one = kind("a", end=4)
    name, start, end = one
    assert (name, start, end) == ("a", 0, 4) == (one.name, one.start, one.end)
    assert one._replace(start=1) == kind("a", 1, 4)
    assert one._asdict() == {"name": "a", "start": 0, "end": 4}
    assert sorted([kind("b"), kind("a", 2), kind("a", 1)]) == [kind("a", 1), kind("a", 2), kind("b")]
    assert len({kind("a"), kind("a")}) == 1
    assert repr(one) == f"{kind.__name__}(name='a', start=0, end=4)"
    assert copy.deepcopy(one) == one == pickle.loads(pickle.dumps(one))
    assert kind._fields == ("name", "start", "end")


@pytest.mark.parametrize("kind", [Light, Heavy])
def test_mistakes(kind: type[Light]) -> None:
    for values, named in (((), {}), (("a", 1, 2, 3), {}), (("a",), {"other": 1}), (("a",), {"name": "b"})):
        with pytest.raises(TypeError):
            kind(*values, **named)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="other"):
        kind("a")._replace(other=1)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        kind("a").name = "b"  # type: ignore[misc]


def test_methods_and_properties_stay() -> None:
    assert Light("a", 1, 5).size == 4
