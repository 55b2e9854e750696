"""engine_config_cases.json is what the releases resolve, and says what our rules rest on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.oracles import engine_table
from tests.real.oracles.client import RELEASES

TABLE = {case["id"]: case for case in engine_table.load()}


@pytest.mark.parametrize("release", RELEASES)
def test_table_is_what_the_release_resolves(vllm_pythons: dict[str, str], tiny_model: str, release: str) -> None:
    # 0.8.5 builds the choices of --guided-decoding-backend from a set of two Literals: they depend on the hash seed.
    kept = [case for case in TABLE.values() if not (release == "0.8.5" and case["id"].startswith("guided"))]
    measured = engine_table.measure(kept, {release: vllm_pythons[release]}, tiny_model)
    differing = []
    for case, now in zip(kept, measured, strict=True):
        if without_message(case[release]) != without_message(now[release]):
            differing.append((case["id"], case[release], now[release]))
    assert differing == []


def without_message(outcome: dict[str, Any]) -> object:
    return outcome.get("resolved") or outcome["error"]["type"]


# (case, value, at 0.8.5, at 0.18.1), None where the release has no such value
DEFAULTS = [
    ("bare server", "engine", "v1", "v1"),
    ("bare server", "async_scheduling", None, True),
    ("bare server", "disable_cascade_attn", False, True),
    ("bare server", "seed", None, 0),
    ("bare server", "logprobs_mode", None, "raw_logprobs"),
    ("V0 by environment", "engine", "v0", "v1"),
    ("V0 by environment", "enable_prefix_caching", None, True),
    ("V0 by environment", "enable_chunked_prefill", False, True),
    ("float32", "engine", "v0", "v1"),
    ("auto, float32 checkpoint", "dtype", "float16", "bfloat16"),
    ("ngram speculation", "async_scheduling", None, False),
    ("executor ray", "async_scheduling", None, False),
    ("bare server on A100", "max_num_seqs", 1024, 256),
]


@pytest.mark.parametrize(("case", "name", "before", "after"), DEFAULTS)
def test_defaults_that_rules_rest_on(case: str, name: str, before: object, after: object) -> None:
    assert [TABLE[case][release]["resolved"].get(name) for release in RELEASES] == [before, after]
