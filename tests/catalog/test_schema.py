"""The JSON Schema of a config file. Its agreement with real parsers is tested in tests/real/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from vllm_migrate.catalog import schema, store

jsonschema = pytest.importorskip("jsonschema")


@pytest.fixture(scope="module")
def validators(cat: store.Catalog) -> dict[str, Any]:
    return {r: jsonschema.Draft202012Validator(schema.schema(cat, r)) for r in ("0.8.5", "0.18.1")}


@pytest.mark.parametrize(
    "text",
    [
        {"enable-prefix-caching": True},
        {"no-enable-prefix-caching": True},
        {"no_enable_prefix_caching": True},
        {"logprobs-mode": "processed_logprobs"},
        {"max-model-len": "32k"},
        {"max-model-len": -1},
        {"seed": "7", "tensor_parallel_size": 2},
        {"hf-overrides": {"a": {"b": 1}}},
        {"hf-overrides.a.b": 1},
        {"compilation-config": {"cudagraph_mode": "FULL"}},
        {"compilation-config.cudagraph_mode": "NONE"},
        {"quantization": None},
        {"middleware": ["a.b"]},
        {"served-model-name": ["a", "b"]},
        {"hf-token": True},
        {},
    ],
)
def test_accepted_at_0_18_1(validators: dict[str, Any], text: dict[str, Any]) -> None:
    assert validators["0.18.1"].is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        {"enable-prefix-caching": False},
        {"enable-prefix-caching": "false"},
        {"enable-prefix-caching": None},
        {"no-enable-prefix-caching": False},
        {"logprobs-mode": "raw"},
        {"swap-space": 4},
        {"disable-log-requests": True},
        {"seed": True},
        {"seed": "seven"},
        {"max-num": 3},
        {"tensor-parallel-size": [1, 2]},
        {"middleware": []},
        {"compilation-config": {"nonsense": 1}},
        {"compilation-config.nonsense": 1},
        {"unknown": False},
        {"enable-prefix-cach": True},  # argparse takes it today, and another option tomorrow
        {"host": "-x"},
        {"help": True},
    ],
)
def test_rejected_at_0_18_1(validators: dict[str, Any], text: dict[str, Any]) -> None:
    assert not validators["0.18.1"].is_valid(text)


def test_what_only_the_other_release_takes(validators: dict[str, Any]) -> None:
    old = validators["0.8.5"]
    assert old.is_valid({"swap-space": 4}) and old.is_valid({"disable-log-requests": True})
    assert not old.is_valid({"logprobs-mode": "raw_logprobs"})
    assert not old.is_valid({"hf-overrides": {"a": 1}})  # its Python text is no JSON
    assert not old.is_valid({"served-model-name.a": 1})


def test_documentation_defaults_and_deprecations(cat: store.Catalog) -> None:
    found = schema.schema(cat, "0.18.1")
    assert found["$schema"].endswith("2020-12/schema")
    assert found["properties"]["gpu-memory-utilization"]["default"] == 0.9
    assert "logprobs" in found["properties"]["logprobs-mode"]["description"]
    assert schema.schema(cat, "0.13.0")["properties"]["disable-log-requests"]["deprecated"] is True


def test_the_schema_of_every_release_is_a_schema(cat: store.Catalog) -> None:
    for release in cat.releases[::6]:
        jsonschema.Draft202012Validator.check_schema(schema.schema(cat, release))


def test_a_misspelt_key_is_a_short_error(validators: dict[str, Any]) -> None:
    (error,) = validators["0.18.1"].iter_errors({"enable-prefix-cachin": True})
    assert "enable-prefix-cachin" in error.message and len(error.message) < 1500


def test_patterns_are_of_ecmascript_too(cat: store.Catalog) -> None:
    """ECMAScript refuses escapes of characters that mean nothing, and has no lookbehind by name."""
    for release in ("0.8.5", "0.13.0", "0.18.1", cat.releases[-1]):
        for pattern in patterns(schema.schema(cat, release)):
            for escape in re.findall(r"\\\\(.)", pattern):
                assert escape in "dDsSwWbBnrt^$\\.*+?()[]{}|/", (release, pattern)


def patterns(found: object) -> Iterator[str]:
    """Every regular expression of a schema."""
    if isinstance(found, dict):
        yield from (value for key, value in found.items() if key == "pattern" and isinstance(value, str))
        yield from found.get("patternProperties", {})
    for inner in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from patterns(inner)
