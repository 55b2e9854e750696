"""The arms of the pause policies, and their table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.replay import advice
from benchmarks.replay.arms import Arm, Interpreter, Renderer
from benchmarks.replay.gates import Ran

LAGS = (64, 128)


@pytest.fixture
def arms(tmp_path: Path) -> dict[str, Arm]:
    renderer = Renderer(tmp_path / "configs", Interpreter("a", "0.8.5"), Interpreter("b", "0.18.1"), "gspo")
    return {arm.name: arm for arm in advice.arms(renderer.fixed(), LAGS)}


def test_every_policy_with_and_without_the_prefix_cache_at_every_lag(arms: dict[str, Arm]) -> None:
    kinds = ("keep-keep-the-cache", "keep-clear-the-cache", "abort")
    wanted = {f"{kind}-prefix-{cache}-{lag}" for kind in kinds for cache in ("on", "off") for lag in LAGS}
    assert set(arms) == wanted | {"bare-update-prefix-off-64"}


def test_an_arm_varies_the_pause_and_what_is_in_flight_alone(arms: dict[str, Arm]) -> None:
    job = arms["keep-clear-the-cache-prefix-on-128"].job("model")
    assert job["pause"] == {"mode": "keep", "clear_cache": True}
    assert job["groups_in_flight"] == 16
    args = job["engine_args"]
    assert args["enable_prefix_caching"] is True and args["logprobs_mode"] == "processed_logprobs"
    assert args["max_num_batched_tokens"] >= 256 * 192  # a recompute is one step


def test_each_name_is_read_back(arms: dict[str, Arm]) -> None:
    for name, arm in arms.items():
        policy, cache, in_flight = advice._factors(name)
        assert arm.reading.pause == advice.POLICIES[policy]
        assert arm.reading.engine_args["enable_prefix_caching"] is (cache == "on")
        assert str(arm.reading.engine_args["max_num_seqs"]) == in_flight


def test_the_table_has_every_arm_and_its_contrasts(arms: dict[str, Arm], ran: Any) -> None:
    results: dict[str, Ran] = {}
    for name in arms:
        made = ran(name, seeds=2, spread=0.01, thrown_away=0, engine_cpu_s=1.0, lag=0.5)
        results[name] = made
    text = advice.table(results, LAGS, 1.0)
    assert sum(line.startswith(("| 64 |", "| 128 |")) for line in text.splitlines()) == 13 + 4 * (6 + 5)
    assert "64 in flight, cleared: prefix cache on and off, 24 of 24 steps identical." in text
