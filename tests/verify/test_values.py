"""What Python prints of arguments and configurations, read back; what is cut off tells nothing."""

from __future__ import annotations

import pytest

from vllm_migrate.verify.values import Broken, Member, Opaque, mapping, pairs, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("None", None),
        ("-1.5e3", -1500.0),
        ("'a, b}'", "a, b}"),
        ("torch.bfloat16", "bfloat16"),
        ("<CUDAGraphMode.FULL_AND_PIECEWISE: (2, 1)>", Member("FULL_AND_PIECEWISE", [2, 1])),
        ("<function serve at 0x7f00>", Opaque("<function serve at 0x7f00>")),
        ("{'a': {'b': [1, (2,)]}, 'c': {'x'}, \"d\": true}", {"a": {"b": [1, [2]]}, "c": ["x"], "d": True}),
        ("Config(level=3, names=['x'], f=open('f'))", {"level": 3, "names": ["x"], "f": Opaque("open(...)")}),
    ],
)
def test_values(text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize("text", ["{'a': 1", "[1, 2", "{'a' 1}", "", "1 2", "<x", "[" * 60 + "]" * 60])
def test_what_ends_within_a_value_is_none(text: str) -> None:
    with pytest.raises(Broken):
        read(text)


def test_a_mapping_cut_off_is_none() -> None:
    assert mapping("{'model': 'm', 'max_model_len': 40") is None
    assert mapping("Namespace(model='m', seed=None) [repeated 2x across cluster]") == {"model": "m", "seed": None}
    assert mapping("3") is None


def test_the_last_pair_counts_only_with_an_end_of_its_own() -> None:
    line = "model='m', dtype=torch.float16, kv_cache_dtype=auto,  served_model_name=a b, max_seq_len=40960, seed=0"
    assert pairs(line + ", ")["seed"] == 0
    assert "seed" not in pairs(line)
    assert pairs(line)["max_seq_len"] == 40960
    assert "max_seq_len" not in pairs(line[: line.index("960")])
    assert pairs(line)["served_model_name"] == "a b"
    assert pairs("a=1, compilation_config={'mode': 3}") == {"a": 1, "compilation_config": {"mode": 3}}
    assert pairs("a=1, compilation_config={'mode': 3") == {"a": 1}
