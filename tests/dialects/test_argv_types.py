"""Converters of arguments, by the names the catalog has for them."""

from __future__ import annotations

import pytest

from vllm_migrate.dialects.argv_types import Refused, adapter, convert


@pytest.mark.parametrize(
    ("kind", "text", "want"),
    [
        ("int", " 1_024 ", 1024),
        ("optional_int", "None", None),
        ("optional_int", "", None),
        ("optional_str", "none", "none"),
        ("bool", "False", True),
        ("float", "1e-3", 0.001),
        ("human_readable_int", "4k", 4000),
        ("human_readable_int", "4K", 4096),
        ("human_readable_int", " 1.5k", 1500),
        ("human_readable_int", "7", 7),
        ("human_readable_int_or_auto", "AUTO", -1),
        ("union_dict_and_str", ' {"a": 1}\n', {"a": 1}),
        ("union_dict_and_str", "{", "{"),
        ("union_dict_and_str", "a.b", "a.b"),
        ("optional_json_or_kvs", "Image=2, video=1", {"image": 2, "video": 1}),
        ("optional_json_or_kvs", '{"image": 2}', {"image": 2}),
        ("lambda s: s.lower().replace('-', '_')", "Deep-GEMM", "deep_gemm"),
        ("CompilationConfig.from_cli", "3", {"level": 3}),
        ("CompilationConfig.from_cli", "{'use_inductor': False}", {"use_inductor": False}),
        ("KVTransferConfig.from_cli", '{"kv_role": "kv_both"}', {"kv_role": "kv_both"}),
        ("dataclass:CompilationConfig", '{"mode": 3}', {"mode": 3}),
    ],
)
def test_taken(kind: str, text: str, want: object) -> None:
    got = convert(text, kind)
    assert got == want and type(got) is type(want)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "1.0"),
        ("float", "x"),
        ("human_readable_int", "1.5K"),
        ("human_readable_int", "1.k"),
        ("human_readable_int", "k"),
        ("human_readable_int", "-1k"),
        ("human_readable_int", "4096.0"),
        ("human_readable_int_or_auto", "1e3"),
        ("json", "{'a': 1}"),
        ("union_dict_and_str", "{'a': 1}"),
        ("json_or_kvs", "image"),
        ("json_or_kvs", "image=x"),
        ("json_or_kvs", "a=1,a=2"),
        ("CompilationConfig.from_cli", '{"use_inductor": false}'),
        ("KVTransferConfig.from_cli", "{'kv_role': 'kv_both'}"),
        ("dataclass:CompilationConfig", "3"),
        ("dataclass:CompilationConfig", "{'mode': 3}"),
    ],
)
def test_refused(kind: str, text: str) -> None:
    with pytest.raises(Refused):
        convert(text, kind)


def test_a_mapping_stands_for_its_json() -> None:
    assert convert({"a": 1}, "union_dict_and_str") == {"a": 1}
    assert convert({"a": 1}, "str") == '{"a": 1}'
    for kind in ("int", "human_readable_int"):
        with pytest.raises(Refused):
            convert({"a": 1}, kind)


def test_adapters() -> None:
    assert adapter("a=b") == {"name": "a", "path": "b"}
    assert adapter('{"name": "a", "path": "b"}') == {"name": "a", "path": "b"}
    for wrong in ("a", "a=b=c", "[1]"):
        with pytest.raises(Refused):
            adapter(wrong)
