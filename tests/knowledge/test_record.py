"""Records of compiled fields."""

from __future__ import annotations

import pytest

from vllm_migrate.knowledge.expr import Condition
from vllm_migrate.knowledge.records import Case, Evidence, Key, Rule


def test_fields_are_read_from_json_or_have_their_defaults() -> None:
    key = Key.decoded({"to": "seed", "values": {"x": 1}, "when": ["name", "role"]})
    assert (key.to, key.values, key.unread, key.invert) == ("seed", {"x": 1}, "", False)
    assert isinstance(key.when, Condition) and key.when.code == ["name", "role"]
    assert key.when is key.when, "made once"


def test_records_inside_records() -> None:
    rule = Rule.decoded({"code": "VM199", "also": [{"code": "VM198", "at": ["a", "b"]}]})
    assert rule.also[0].at == ("a", "b")
    with pytest.raises(AttributeError, match="title"):
        print(rule.title)


def test_records_are_compared_by_their_fields_and_never_change() -> None:
    assert Evidence("0.8.5", line=3) == Evidence.decoded({"release": "0.8.5", "line": 3})
    assert Evidence("0.8.5") != Evidence("0.8.4")
    case = Case()
    with pytest.raises(AttributeError):
        case.because = "x"  # type: ignore[misc]
