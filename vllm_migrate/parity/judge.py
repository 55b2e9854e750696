"""From a window to a verdict. Alarms in this order: invalid, D (semantics), b (sampling), k3 (numerics, weights)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from vllm_migrate.parity import blame as causes
from vllm_migrate.parity.budget import Evidence
from vllm_migrate.parity.contract import Contract
from vllm_migrate.parity.tally import Bin, Tally, Window, by_cluster, slope
from vllm_migrate.parity.verdict import Verdict
from vllm_migrate.smoke import margins
from vllm_migrate.smoke.margins import Margins
from vllm_migrate.smoke.stats import (
    Estimate,
    Estimates,
    Levels,
    Outcome,
    ceiling,
    estimate,
    gate,
    gate_d,
    paired,
    share,
    tokens_needed,
    unpaired_ratio,
    wilson,
)
from vllm_migrate.smoke.verdict import DISCLAIMER, Blame, Metric, worst

ALL: tuple[Bin, ...] = ("fresh", "mixed", "stale", "unknown")
UNSAMPLED = 1e-3  # this share of tokens reported as certain that the trainer finds unlikely: they were never sampled
RARE = 20.0  # nats: no token that a vocabulary has is sampled at a surprisal beyond this
START = 10.0  # the spread of tokens that begin a turn may be this many times the ceiling, and 0.1 nat at any rate


class Look(NamedTuple):
    """One look: what it must clear to fail, whether an earlier one passed, and the evidence on k3 with its own in it."""

    step: int
    levels: Levels
    passed_before: bool
    spread: Evidence


class Bins(NamedTuple):
    """Estimates over some bins, with intervals as shown and as a fail must clear them."""

    shown: Estimates
    alarm: Estimates
    capped: Estimate
    tallies: list[Tally]

    @classmethod
    def of(cls, window: Window, kinds: Sequence[Bin], levels: Levels) -> Bins | None:
        """None where these bins hold no token inside the trainer's support."""
        tallies = by_cluster(window, kinds)
        sums = [t.sums for t in tallies]
        if not sum(s.n for s in sums):
            return None
        capped = paired([(t.capped, t.sums.n) for t in tallies], levels.d)
        return cls(estimate(sums), estimate(sums, levels), capped, tallies)


def gather(window: Window, contract: Contract, evidence: Evidence, share: float) -> Evidence:
    """The evidence that k3 lies above its ceiling, with that of a window; invalid rows and lagging tokens add none."""
    clusters = [(tally.capped, tally.sums.n) for tally in by_cluster(window, ("fresh",))]
    if _faults(window, contract) or not clusters:
        return evidence
    return evidence.after(clusters, margins.select(contract.kind, int(window.counts["tokens"])).k3, share)


def judge(window: Window, contract: Contract, look: Look) -> Verdict:
    """The verdict on what was seen since the last look."""
    tokens, sequences = int(window.counts["tokens"]), len(window.ratios)
    faults = _faults(window, contract)
    if faults:
        return Verdict(
            look.step, "invalid", causes.invalid(faults), {}, sequences, tokens, faults, (), _notes_of(faults)
        )
    everything = Bins.of(window, ALL, look.levels)
    if everything is None:
        return Verdict(look.step, "inconclusive", notes=("no token inside the mask is in the trainer's support",))
    fresh = Bins.of(window, ("fresh",), look.levels)
    limits = margins.select(contract.kind, tokens)
    metrics = _gates(everything, fresh, window, contract, limits, look)
    outcomes = {name: metric.gate for name, metric in metrics.items() if metric.gate is not None}
    notes = _notes(window, contract, everything, fresh)
    decision = worst(list(outcomes.values()))
    if decision == "pass" and not contract.greedy and not _control(window):
        decision, notes = "inconclusive", [*notes, "positive control: logprobs shifted by one token do not fail either"]
    found = Blame()
    if decision == "fail":
        case = causes.Observation(
            window, contract, outcomes, everything, fresh or everything, slope(window.counts), look
        )
        found = causes.blame(case)
    elif decision == "inconclusive":
        notes += _needed(metrics, tokens)
    beside, informs = _beside(window, contract, look.levels)
    notes += [f"margins of {limits.name}", DISCLAIMER]
    return Verdict(look.step, decision, found, metrics | beside, sequences, tokens, {}, tuple(informs), tuple(notes))


def _faults(window: Window, contract: Contract) -> dict[str, int]:
    """Sequences that are no evidence, by kind, and what makes the rest none."""
    counts = window.counts
    found = {name.removeprefix("fault:"): int(n) for name, n in counts.items() if name.startswith("fault:") and n}
    tokens = int(counts["tokens"])
    certain = contract.greedy or contract.top_k == 1
    if not certain and wilson(int(counts["unsampled"]), tokens).low > UNSAMPLED:
        found["unsampled-token"] = int(counts["unsampled"])
    if contract.group_size:
        short = sum(len(sequences) % contract.group_size > 0 for sequences in window.members.values())
        found |= {"short-group": short} if short else {}
    return found


def _gates(
    everything: Bins, fresh: Bins | None, window: Window, contract: Contract, limits: Margins, look: Look
) -> dict[str, Metric]:
    """Every gate. D holds under any staleness; b and k3 are calibrated for fresh tokens: over others they may pass, since
    lag only adds to them, and cannot fail.
    """
    law = everything if everything.shown.interpretable or fresh is None else fresh
    base = fresh or everything
    found = {"k3": Metric.of(base.shown.k3, limits.k3, _spread(base.shown.k3, limits.k3, look.spread))}
    if not contract.greedy:  # the likeliest token is no sample: neither D nor b means anything
        outcome = _two(gate_d(law.shown, limits.d), gate_d(law.alarm, limits.d))
        found = {"D": Metric.of(law.shown.d, limits.d, outcome), **found}
        if base.shown.b is not None and base.alarm.b is not None:
            outcome = _two(gate(base.shown.b, limits.b), _sharper_or_flatter(base, limits.b, look.levels))
            found["b"] = Metric.of(base.shown.b, limits.b, outcome)
    out = everything.shown.out
    found["out"] = Metric.of(out, limits.out, _two(share(out, limits.out), share(everything.alarm.out, limits.out)))
    start = paired(window.starts.values(), look.levels.d)
    limit = max(0.1, START * limits.k3)
    if window.starts:
        found["k3_start"] = Metric.of(start, limit, "fail" if start.low > limit else "pass")
    if fresh is None:
        for name in ("b", "k3", "k3_start"):
            if name in found and found[name].gate == "fail":
                found[name] = found[name]._replace(gate="inconclusive")
    return found


def _two(shown: Outcome, alarm: Outcome) -> Outcome:
    """A pass by the intervals that are shown, a fail only by those of the error budget."""
    if alarm == "fail":
        return "fail"
    return "inconclusive" if shown == "fail" else shown


def _sharper_or_flatter(base: Bins, margin: float, levels: Levels) -> Outcome:
    """b's gate. Its interval is a normal one, and where the policy is nearly certain, all of its variance may lie in rare
    tokens of which a look has none, or one too many. Those alone stay within RARE times the log of 1 / P(false alarm).
    """
    assert base.alarm.b is not None
    surprise = abs(math.fsum(tally.sums.c for tally in base.tallies))
    few = surprise <= RARE * math.log(1 / (1 - levels.d))
    outcome = gate(base.alarm.b, margin)
    return "inconclusive" if few and outcome == "fail" else outcome


def _spread(shown: Estimate, limit: float, evidence: Evidence) -> Outcome:
    """A pass by the interval of this look, a fail only by the evidence. That is of the capped k3, which lies below k3, so
    that a fail of it is one of k3, and hangs on no single token.
    """
    return _two(ceiling(shown, limit), "fail" if evidence.enough else "inconclusive")


def _control(window: Window) -> bool:
    """The positive control: logprobs moved by one token must disagree."""
    counts = window.counts
    moved, still = counts["moved_x"] / max(1, counts["moved"]), counts["still_x"] / max(1, counts["still"])
    return moved > 3 * still + 1e-6


def _beside(window: Window, contract: Contract, levels: Levels) -> tuple[dict[str, Metric], list[Blame]]:
    """What informs: clips, effective samples, confident disagreements, the bins and turns."""
    counts = window.counts
    tokens, sequences = int(counts["tokens"]), len(window.ratios)
    of = sequences if contract.per_sequence else tokens
    found = {
        "clip_low": Metric.of(wilson(int(counts["clip_low"]), of), contract.epsilon[0]),
        "clip_high": Metric.of(wilson(int(counts["clip_high"]), of), contract.epsilon[1]),
        "confident": Metric.of(wilson(int(counts["confident"]), tokens)),
    }
    estimates = {kind: Bins.of(window, (kind,), levels) for kind in ALL}
    found |= {f"k3_{kind}": Metric.of(bins.shown.k3) for kind, bins in estimates.items() if bins is not None}
    whole = Bins.of(window, ALL, levels)
    assert whole is not None
    single = {"ess": whole.shown.ess, "ess_sequence": _sequence_ess(window), "mean_abs_x": whole.shown.mean_abs}
    if counts["later_turns"]:
        single["k3_later_turns"] = counts["later_turns_k3"] / counts["later_turns"]
    found |= {name: Metric(value, value, value) for name, value in single.items()}
    fresh, mixed = estimates["fresh"], estimates["mixed"]
    informs = []
    if fresh is not None and mixed is not None and _worse(mixed, fresh):
        informs.append(causes.stale_cache(mixed.capped, fresh.capped))
    return found, informs


def _worse(mixed: Bins, fresh: Bins) -> bool:
    """Whether tokens after an update within their sequence disagree by more than the others of the same weights."""
    difference = mixed.capped.value - fresh.capped.value - math.hypot(mixed.capped.half, fresh.capped.half)
    return difference > 0 and not unpaired_ratio(mixed.capped, fresh.capped).value <= margins.SPREAD_RATIO


def _sequence_ess(window: Window) -> float:
    """Effective share of sequences, when each is weighted by its whole ratio."""
    logs = [x for x, _ in window.ratios.values()]
    if not logs:
        return 0.0
    top = max(logs)
    weights = [math.exp(x - top) for x in logs]
    return sum(weights) ** 2 / (len(weights) * sum(w * w for w in weights))


def _notes_of(faults: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"{kind}: {n} ({causes.FAULTS[kind]})" for kind, n in faults.items())


def _notes(window: Window, contract: Contract, everything: Bins, fresh: Bins | None) -> list[str]:
    counts = window.counts
    found = []
    if contract.greedy:
        found.append("greedy: nothing is sampled, so D and b mean nothing and only the spread is judged")
    elif contract.blind:
        found.append(
            "at T = 1 without truncation raw and processed logprobs are the same: a pass says nothing about T != 1"
        )
    if everything.shown.b is None and not contract.greedy:
        what = "sampling parameters that both sides miss" if contract.blind else "raw on both sides"
        found.append(f"cannot see {what}: give the entropy (and varentropy) of the trainer's distribution")
    if fresh is None:
        found.append("lag and mismatch cannot be separated: no token is known to come from the weights that score it")
    if not everything.shown.interpretable:
        shown = everything.shown
        found.append(
            f"D cannot be estimated: the two sides differ too much (ESS/n {shown.ess:.2f}, k3 {shown.k3.value:.2g})"
        )
    if counts["equal"] == counts["tokens"]:
        found.append(
            "every logprob is the same number on both sides: bitwise equal engines, or the same tensor given twice"
        )
    if counts["masked"]:
        found.append(
            f"{int(counts['masked'])} sequences have no token inside the mask: if their outcome decided that, D is biased"
        )
    if counts["unread"]:
        found.append(f"{int(counts['unread'])} sequences were skipped, by position only, to limit the cost")
    if counts["end_left_out"]:
        found.append(
            f"the mask leaves out the stop token of {int(counts['end_left_out'])} sequences: it was sampled and belongs inside"
        )
    if not window.members:
        found.append(
            "no prompt groups: intervals are computed over sequences, and a filter by outcome before the gate is not detected"
        )
    return found


def _needed(metrics: dict[str, Metric], tokens: int) -> list[str]:
    wanted = [
        tokens_needed(Estimate(metric.value, metric.low, metric.high), metric.margin, tokens)
        for name, metric in metrics.items()
        if metric.gate == "inconclusive" and metric.margin and name in ("D", "b", "k3")
    ]
    found = [n for n in wanted if n is not None]
    return [f"about {max(found)} tokens between two checks would decide"] if found else []
