"""Each gate passes on a replay that shows its point, and fails on one that does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.replay import gates
from benchmarks.replay.gates import FAILED, INERT, NOT_RUN, PASSED, Ran, judge

Make = Callable[..., Ran]
Results = dict[str, Ran]


def status(results: Results, name: str, arm: str, quick: bool = False) -> list[str]:
    return [gate.status for gate in judge(results, quick) if gate.name == name and gate.arm == arm]


def with_steps(ran: Ran, **metrics: float) -> Ran:
    runs = [run._replace(steps=[{**line, **metrics} for line in run.steps]) for run in ran.runs]
    return ran._replace(runs=runs)


def reporting(ran: Ran, **reported: Any) -> Ran:
    return ran._replace(started=ran.started._replace(reported={**ran.started.reported, **reported}))


def test_a_replay_that_shows_everything_fails_no_gate(results: Results) -> None:
    assert not gates.failed(judge(results, quick=False))


def test_every_gate_is_asked(results: Results) -> None:
    names = {gate.name for gate in judge(results, quick=False)}
    assert names == {
        "step 0 exact",
        "as it comes clips at once",
        "KL shows what the fix removes",
        "fixed clips as before",
        "a rerun is identical",
        "the dialect does not matter",
        "the pin arrives",
    }


@pytest.mark.parametrize("arm", ["old", "fixed", "verl-fixed", "serve-fixed"])
def test_a_difference_at_step_0_fails(results: Results, arm: str) -> None:
    results[arm] = with_steps(results[arm], largest_d=2.5e-5)
    assert status(results, "step 0 exact", arm) == [FAILED]


def test_as_it_comes_that_hardly_clips_fails(results: Results) -> None:
    results["as-it-comes"] = with_steps(results["as-it-comes"], clip_rate=0.9)
    assert status(results, "as it comes clips at once", "as-it-comes") == [FAILED]


def test_stale_keys_that_kl_does_not_show_fail(results: Results) -> None:
    arm = "fixed-without-enable_prefix_caching"
    results[arm] = with_steps(results[arm], kl=0.015)
    assert status(results, "KL shows what the fix removes", arm) == [FAILED]


def test_a_fixed_arm_that_is_stale_itself_fails(results: Results) -> None:
    results["fixed"] = with_steps(results["fixed"], kl=0.03)
    assert status(results, "KL shows what the fix removes", "fixed-without-enable_prefix_caching") == [FAILED]


def test_a_fix_without_the_pin_of_prefix_caching_fails(results: Results) -> None:
    del results["fixed-without-enable_prefix_caching"]
    assert status(results, "KL shows what the fix removes", "fixed-without-enable_prefix_caching") == [FAILED]


def test_a_run_that_ends_before_the_step_shows_nothing(results: Results) -> None:
    arm = "fixed-without-enable_prefix_caching"
    short = [run._replace(steps=run.steps[:10]) for run in results[arm].runs]
    results[arm] = results[arm]._replace(runs=short)
    assert status(results, "KL shows what the fix removes", arm) == [NOT_RUN]


@pytest.mark.parametrize(("shift", "wanted"), [(0.0, PASSED), (0.03, PASSED), (0.05, FAILED), (-0.05, FAILED)])
def test_the_interval_must_lie_inside_the_margin(results: Results, shift: float, wanted: str) -> None:
    runs = [
        r._replace(steps=[{**s, "clip_rate": s["clip_rate"] + shift} for s in r.steps]) for r in results["fixed"].runs
    ]
    results["fixed"] = results["fixed"]._replace(runs=runs)
    assert status(results, "fixed clips as before", "fixed") == [wanted]


def test_a_wide_interval_around_no_difference_fails(results: Results, ran: Make) -> None:
    results["fixed"] = ran("fixed", seeds=3, pins={}, spread=0.08)
    assert status(results, "fixed clips as before", "fixed") == [FAILED]


def test_quick_has_no_interval(results: Results) -> None:
    assert status(results, "fixed clips as before", "fixed", quick=True) == [NOT_RUN]


def test_one_other_token_in_a_rerun_fails(results: Results) -> None:
    (run,) = results["fixed-again"].runs
    results["fixed-again"] = results["fixed-again"]._replace(runs=[run._replace(digests=[*run.digests[:5], "other"])])
    assert status(results, "a rerun is identical", "fixed-again") == [FAILED]


def test_a_rerun_of_another_seed_is_no_rerun(results: Results) -> None:
    (run,) = results["fixed-again"].runs
    results["fixed-again"] = results["fixed-again"]._replace(runs=[run._replace(seed=7)])
    assert status(results, "a rerun is identical", "fixed-again") == [FAILED]


def test_another_run_from_another_dialect_fails(results: Results) -> None:
    (run,) = results["verl-fixed"].runs
    results["verl-fixed"] = results["verl-fixed"]._replace(runs=[run._replace(digests=["x"] * 6)])
    assert status(results, "the dialect does not matter", "verl-fixed") == [FAILED]


def test_a_pin_without_effect_on_this_platform_is_inert(results: Results) -> None:
    found = {
        g.text.partition(":")[0]: g.status
        for g in judge(results, quick=True)
        if g.arm == "fixed" and "arrives" in g.name
    }
    assert found == {"logprobs_mode": PASSED, "enable_prefix_caching": PASSED, "async_scheduling": INERT}


@pytest.mark.parametrize(
    ("option", "got"), [("logprobs_mode", "raw_logprobs"), ("enable_prefix_caching", True), ("async_scheduling", True)]
)
def test_a_pin_that_does_not_arrive_fails(results: Results, option: str, got: object) -> None:
    results["fixed"] = reporting(results["fixed"], **{option: got})
    assert FAILED in status(results, "the pin arrives", "fixed")


def test_an_option_that_the_engine_does_not_report_fails(results: Results) -> None:
    del results["fixed"].started.reported["logprobs_mode"]
    assert FAILED in status(results, "the pin arrives", "fixed")


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        (False, None, True),
        (False, True, False),
        (True, None, False),
        ("a", "a", True),
        (1, "1", True),
        ("a", None, False),
    ],
)
def test_values_match(wanted: object, got: object, same: bool) -> None:
    assert gates.matches(wanted, got) is same
