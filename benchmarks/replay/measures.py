"""Figures of runs: means over seeds, intervals of differences, exact permutation tests. Standard library only."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.replay.loop import Run
from vllm_migrate.smoke.stats import student_t

SETTLED = 5  # optimizer steps at the end over which the last reward and entropy are taken
# Of a run: the mean over all steps but the first, which has no lag, or over the last few.
OVER_STEPS = ("clip_rate", "kl", "mean_ratio", "k3_without_lag")
AT_THE_END = ("reward", "entropy")


class Interval(NamedTuple):
    """An estimate and the half width of its interval; infinite where one side has fewer than two values."""

    value: float
    half: float

    @property
    def low(self) -> float:
        return self.value - self.half

    @property
    def high(self) -> float:
        return self.value + self.half


def summary(run: Run, metric: str) -> float:
    """One figure of a run; nan where no step has the metric."""
    steps = run.steps[-SETTLED:] if metric in AT_THE_END else run.steps[1:]
    values = [step[metric] for step in steps if metric in step]
    return statistics.fmean(values) if values else math.nan


def at_step(runs: Sequence[Run], step: int, metric: str) -> list[float]:
    """The metric at a step in each run that got there and has it."""
    return [run.steps[step][metric] for run in runs if step < len(run.steps) and metric in run.steps[step]]


def difference(a: Sequence[float], b: Sequence[float], level: float = 0.9) -> Interval:
    """mean(a) - mean(b) by Welch, whose degrees of freedom are rounded down."""
    value = statistics.fmean(a) - statistics.fmean(b)
    if min(len(a), len(b)) < 2:
        return Interval(value, math.inf)
    shares = [statistics.variance(side) / len(side) for side in (a, b)]
    if sum(shares) == 0:
        return Interval(value, 0.0)
    freedom = sum(shares) ** 2 / sum(share**2 / (len(side) - 1) for share, side in zip(shares, (a, b), strict=True))
    return Interval(value, student_t(level, max(1, math.floor(freedom))) * math.sqrt(sum(shares)))


def permutation_p(a: Sequence[float], b: Sequence[float]) -> float:
    """The share of all splits whose means differ at least as much: exact, two-sided."""
    pooled = [*a, *b]
    total, observed = sum(pooled), abs(statistics.fmean(a) - statistics.fmean(b))
    count = hits = 0
    for places in itertools.combinations(range(len(pooled)), len(a)):
        left = sum(pooled[place] for place in places)
        count += 1
        hits += abs(left / len(a) - (total - left) / len(b)) >= observed - 1e-12
    return hits / count
