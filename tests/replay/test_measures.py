"""Intervals and permutation tests against worked examples."""

from __future__ import annotations

import math

import pytest

from benchmarks.replay.loop import Run
from benchmarks.replay.measures import at_step, difference, permutation_p, summary


def test_welch_interval_of_a_worked_example() -> None:
    # means 2 and 5, variances 1 and 1, so t with 4 degrees of freedom: 2.1318 * sqrt(2 / 3)
    found = difference([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])
    assert found.value == pytest.approx(-3.0)
    assert found.half == pytest.approx(2.1318 * math.sqrt(2 / 3), rel=1e-4)
    assert (found.low, found.high) == pytest.approx((-3.0 - found.half, -3.0 + found.half))


def test_unequal_spread_has_fewer_degrees_of_freedom() -> None:
    # one side does not vary: 2 degrees of freedom, t = 2.9200
    found = difference([1.0, 2.0, 3.0], [5.0, 5.0, 5.0])
    assert found.half == pytest.approx(2.9200 * math.sqrt(1 / 3), rel=1e-4)


def test_one_value_has_no_interval() -> None:
    assert difference([1.0], [2.0, 3.0]).half == math.inf


def test_no_spread_at_all() -> None:
    assert difference([1.0, 1.0], [1.0, 1.0]) == (0.0, 0.0)


@pytest.mark.parametrize(("size", "smallest"), [(3, 0.1), (5, 2 / 252)])
def test_the_smallest_p_of_a_permutation_test(size: int, smallest: float) -> None:
    assert permutation_p([1.0] * size, [0.0] * size) == pytest.approx(smallest)


def test_equal_groups_have_p_1() -> None:
    assert permutation_p([1.0, 2.0], [1.0, 2.0]) == 1.0


def test_summaries_leave_the_first_step_out_and_end_with_the_last_five() -> None:
    steps = [{"step": i, "clip_rate": float(i), "reward": float(i)} for i in range(10)]
    run = Run("a", 0, steps, [], 1.0)
    assert summary(run, "clip_rate") == 5.0
    assert summary(run, "reward") == 7.0
    assert math.isnan(summary(run, "kl"))
    assert at_step([run], 3, "reward") == [3.0]
    assert at_step([run], 10, "reward") == []
