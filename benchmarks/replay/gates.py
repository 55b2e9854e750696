"""What a replay must show, and whether it did."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.replay.arms import AS_IT_COMES, DIALECTS, FIXED, OLD, PREFIX, Arm, without
from benchmarks.replay.loop import Run, Started
from benchmarks.replay.measures import at_step, difference, summary

PASSED, FAILED, NOT_RUN, INERT = "passed", "failed", "not run", "inert"
EXACT = 2.4e-5  # nats a token: the largest difference of float32 logprobs between two correct implementations
STALE_STEP = 10
STALE_FACTOR = 3.0
CLIPPED = {"gspo": 0.9, "ppo": 0.7, "grpo": 0.7}  # of sequences; of tokens, at PPO's wider clip
MARGIN = 0.05  # of the gap between the file as it comes and the old release
REPEATED = 6  # steps of a rerun
AGAIN = "-again"  # ends the name of a rerun


class Gate(NamedTuple):
    """One demand: its name, the arm it is about, how it ended, and the figure in words."""

    name: str
    arm: str
    status: str
    text: str


class Ran(NamedTuple):
    """An arm that ran: as rendered, as its engine reports itself, and its runs."""

    arm: Arm
    started: Started
    runs: list[Run]


Results = Mapping[str, Ran]


def judge(results: Results, quick: bool) -> list[Gate]:
    """Every gate of a replay."""
    fixed = [name for name in (FIXED, *(f"{source}-{FIXED}" for source in DIALECTS)) if name in results]
    gates = [exact(results[name]) for name in (OLD, *fixed)]
    gates.append(leaves(results[AS_IT_COMES]))
    gates.append(stale(results.get(without(PREFIX)), results[FIXED], without(PREFIX)))
    gates.append(equivalent(results, quick))
    gates += [repeats(ran, results[name.removesuffix(AGAIN)]) for name, ran in results.items() if name.endswith(AGAIN)]
    for source in DIALECTS:
        if f"{source}-{FIXED}" in results:
            gates.append(same_as(results[f"{source}-{FIXED}"], results[FIXED]))
            gates.append(stale(results.get(f"{source}-{AS_IT_COMES}"), results[FIXED], f"{source}-{AS_IT_COMES}"))
    for name in fixed:
        gates += arrived(results[name], results[name.replace(FIXED, AS_IT_COMES)])
    return gates


def failed(gates: Sequence[Gate]) -> bool:
    return any(gate.status == FAILED for gate in gates)


def _gate(name: str, arm: str, good: bool, text: str) -> Gate:
    return Gate(name, arm, PASSED if good else FAILED, text)


def exact(ran: Ran) -> Gate:
    """Before the first update the trainer and the engine mean the same by a logprob, to float32's precision."""
    largest = max(at_step(ran.runs, 0, "largest_d"))
    text = f"step 0, largest difference {largest:.1e}, at most {EXACT:.1e}"
    return _gate("step 0 exact", ran.arm.name, largest <= EXACT, text)


def leaves(ran: Ran) -> Gate:
    """The file as it comes clips from the first step on, with nothing learned yet."""
    clip = statistics.fmean(at_step(ran.runs, 0, "clip_rate"))
    limit = CLIPPED[ran.arm.loss["kind"]]
    text = f"step 0, clip rate {clip:.3f}, more than {limit}"
    return _gate("as it comes clips at once", ran.arm.name, clip > limit, text)


def stale(ran: Ran | None, fixed: Ran, name: str) -> Gate:
    """Without the pin, keys and values of old weights are read again after an update, and KL shows it."""
    title = "KL shows what the fix removes"
    if ran is None:
        return Gate(title, name, FAILED, f"the fix writes no {PREFIX} to take away")
    seeds = {run.seed for run in ran.runs}
    alike = [run for run in fixed.runs if run.seed in seeds]
    ours, theirs = (at_step(runs, STALE_STEP, "kl") for runs in (ran.runs, alike))
    if not ours or not theirs:
        return Gate(title, name, NOT_RUN, f"fewer than {STALE_STEP + 1} steps")
    a, b = statistics.fmean(ours), statistics.fmean(theirs)
    text = f"step {STALE_STEP}, KL {a:.4f} against {b:.4f} fixed, more than {STALE_FACTOR:g} times"
    return _gate(title, name, a > STALE_FACTOR * b, text)


def equivalent(results: Results, quick: bool) -> Gate:
    """The fixed file clips as the old release did: the interval of the difference lies within a share of the gap."""
    name = "fixed clips as before"
    sides = {arm: [summary(run, "clip_rate") for run in results[arm].runs] for arm in (OLD, AS_IT_COMES, FIXED)}
    if quick or min(map(len, sides.values())) < 2:
        return Gate(name, FIXED, NOT_RUN, "an interval needs two seeds and more, at full length")
    gap = statistics.fmean(sides[AS_IT_COMES]) - statistics.fmean(sides[OLD])
    found = difference(sides[FIXED], sides[OLD])
    limit = MARGIN * abs(gap)
    text = f"clip rate {found.value:+.4f}, 90 % interval {found.low:+.4f} to {found.high:+.4f}, within +-{limit:.4f}"
    return _gate(name, FIXED, -limit < found.low and found.high < limit, text)


def repeats(again: Ran, first: Ran) -> Gate:
    """A run with a new engine and a new trainer gives the same tokens and the same logprobs, bit by bit."""
    return _identical("a rerun is identical", again, first, f"the first {REPEATED} steps of a rerun")


def same_as(ran: Ran, main: Ran) -> Gate:
    """The fix of another framework's file leads to the same run, bit by bit."""
    return _identical(
        "the dialect does not matter", ran, main, f"the first {REPEATED} steps and those of {main.arm.name}"
    )


def _identical(name: str, a: Ran, b: Ran, what: str) -> Gate:
    pairs = [(x, y) for x in a.runs for y in b.runs if x.seed == y.seed]
    equal = sum(p == q for x, y in pairs for p, q in zip(x.digests[:REPEATED], y.digests[:REPEATED], strict=True))
    total = REPEATED * len(pairs)
    return _gate(name, a.arm.name, bool(pairs) and equal == total, f"{what}: {equal} of {total} identical")


def arrived(fixed: Ran, as_it_comes: Ran) -> list[Gate]:
    """Of each pin, what the engine itself reports. Inert: it reports the same without the pin, so nothing was shown."""
    out = []
    for option, wanted in fixed.arm.pins.items():
        got, otherwise = (ran.started.reported.get(option) for ran in (fixed, as_it_comes))
        text = f"{option}: wanted {show(wanted)}, the engine reports {show(got)}"
        if not matches(wanted, got):
            status = FAILED
        elif matches(got, otherwise):
            status, text = INERT, f"{text}, and without the fix as well: this platform decides it"
        else:
            status, text = PASSED, f"{text}, without the fix {show(otherwise)}"
        out.append(Gate("the pin arrives", fixed.arm.name, status, text))
    return out


def matches(wanted: Any, got: Any) -> bool:
    """Whether two values of an option are one; an enum reports its text, and a flag that is not set may be None."""
    if isinstance(wanted, bool) or isinstance(got, bool):
        return bool(wanted) == bool(got)
    return str(wanted) == str(got)


def show(value: Any) -> str:
    return {True: "true", False: "false", None: "nothing"}.get(value, str(value)) if _plain(value) else str(value)


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool)
