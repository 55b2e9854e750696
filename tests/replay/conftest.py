"""Runs made of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.replay.arms import Arm
from benchmarks.replay.gates import Ran
from benchmarks.replay.loop import Run, Started
from benchmarks.replay.product import Reading

PINS = {"logprobs_mode": "processed_logprobs", "enable_prefix_caching": False, "async_scheduling": False}
Make = Callable[..., Ran]


def reading(release: str = "0.18.1", dialect: str = "pipelinerl") -> Reading:
    args = {"max_num_seqs": 64, "dtype": "float32", "gpu_memory_utilization": 0.5}
    sampling = {"temperature": 0.7, "max_tokens": 32}
    loss = {"kind": "gspo", "epsilon_low": 0.02, "epsilon_high": 0.02}
    core = "v0" if release == "0.8.5" else "v1"
    return Reading("conf/gspo.yaml", release, dialect, core, args, sampling, None, loss, (), ())


@pytest.fixture
def read() -> Reading:
    """What vllm-migrate reads in a file that is not there."""
    return reading()


def run(name: str, seed: int, steps: int, **metrics: float) -> Run:
    """A run with the same metrics in each step."""
    line = {"clip_rate": 0.1, "kl": 0.005, "mean_ratio": 1.0, "entropy": 1.5, "reward": 0.5, **metrics}
    lines: list[dict[str, Any]] = [{"step": step, **line} for step in range(steps)]
    for step in range(0, steps, 5):
        lines[step].update(largest_d=metrics.get("largest_d", 1e-5), k3_without_lag=1e-4)
    return Run(name, seed, lines, [f"{seed}-{step}" for step in range(steps)], 1.0)


@pytest.fixture
def ran() -> Make:
    """Makes an arm that ran: by name, with metrics, pins and what its engine reports."""

    def make(
        name: str,
        *,
        seeds: int = 1,
        steps: int = 12,
        release: str = "0.18.1",
        pins: dict[str, Any] | None = None,
        reported: dict[str, Any] | None = None,
        spread: float = 0.0,
        **metrics: float,
    ) -> Ran:
        runs = [run(name, seed, steps, **metrics) for seed in range(seeds)]
        for one in runs:
            for line in one.steps:
                line["clip_rate"] += spread * (one.seed - (seeds - 1) / 2)
        arm = Arm(name, "python", reading(release), pins or {})
        return Ran(arm, Started(f"{release}+cpu", arm.reading.core, reported or {}, 1.0), runs)

    return make


@pytest.fixture
def results(ran: Make) -> dict[str, Ran]:
    """A replay that shows all there is to show."""
    loose = {"logprobs_mode": "raw_logprobs", "enable_prefix_caching": True, "async_scheduling": False}
    bad = {"clip_rate": 0.95, "kl": 0.2, "mean_ratio": 1.3, "largest_d": 2.0}
    made = [
        ran("old", release="0.8.5", seeds=3, spread=0.002),
        ran("as-it-comes", seeds=3, reported=loose, **bad),
        ran("fixed", seeds=3, pins=PINS, reported=dict(PINS), spread=0.002),
        ran("fixed-without-enable_prefix_caching", steps=11, kl=0.03),
        ran("verl-as-it-comes", steps=11, kl=0.03, reported=loose),
        ran("verl-fixed", steps=6, pins={"enable_prefix_caching": False}, reported=dict(PINS)),
        ran("serve-as-it-comes", steps=11, reported=loose, **bad),
        ran("serve-fixed", steps=6, pins=PINS, reported=dict(PINS)),
        ran("old-again", steps=6, release="0.8.5"),
        ran("fixed-again", steps=6),
    ]
    return {one.arm.name: one for one in made}
