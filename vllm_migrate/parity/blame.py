"""Which layer moved, by the names of the smoke proof's suspects; what the data cannot tell apart stays a set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.parity.contract import Contract
from vllm_migrate.parity.tally import Window
from vllm_migrate.smoke.stats import Estimate, Outcome, paired, ratio
from vllm_migrate.smoke.verdict import Blame

if TYPE_CHECKING:
    from vllm_migrate.parity.judge import Bins, Look

# Suspects that the smoke proof does not know: faults of what was handed to the gate.
OWN = {
    "loss-mask": "the mask keeps tokens the engine did not sample: tool output, forced or padded ones",
    "outcome-filter": "sequences were dropped by their outcome before the gate saw them",
    "same-tensor": "the same tensor was given for both sides",
    "version-counting": "weight versions and the trainer's are counted differently",
}
FAULTS = {
    "missing-logprobs": "no logprobs at all on one side",
    "null-logprob": "tokens without a logprob",
    "nan-logprob": "tokens with NaN for a logprob",
    "impossible-logprob": "above 0, or -9999, which a server writes for a missing one",
    "trainer-logprob": "the trainer's logprob is NaN or above 0",
    "impossible-entropy": "the trainer's entropy is below 0 or no number",
    "impossible-token": "what is no token id inside the mask",
    "unequal-tokens": "the scored ids are not those the engine returned",
    "length-mismatch": "columns of different lengths",
    "boundaries": "cu_seqlens that do not fit the packed row",
    "malformed": "columns that are no rows of numbers, or ids and versions that do not fit them: a warning says which",
    "same-tensor": OWN["same-tensor"],
    "shifted-by-one": "shifted by one token inside their own boundaries, the logprobs agree",
    "unsampled-token": "tokens reported as certain that the trainer finds unlikely: " + OWN["loss-mask"],
    "short-group": OWN["outcome-filter"],
    "version-ahead": "a rollout's weights are newer than the trainer's: " + OWN["version-counting"],
}
ONE_SIDED = 0.9  # from this share of moved tokens on one side on, the ratios are one-sided


class Observation(NamedTuple):
    """What attribution looks at; `base` are the fresh tokens where there are some."""

    window: Window
    contract: Contract
    gates: dict[str, Outcome]
    everything: Bins
    base: Bins
    slope: float
    look: Look


def invalid(faults: dict[str, int]) -> Blame:
    """The first of the faults, in the order of the list above."""
    kind = next(kind for kind in FAULTS if kind in faults)
    why = (f"{faults[kind]} x {kind}: {FAULTS[kind]}",)
    if kind == "shifted-by-one":
        return Blame("semantic", ("token-alignment",), why, "check the shift of labels against logits, and cu_seqlens")
    if kind == "unsampled-token":
        return Blame(
            "semantic", ("loss-mask",), why, "mask what the engine did not sample; a missing logprob is not 0.0"
        )
    if kind == "short-group":
        return Blame(None, ("outcome-filter",), why, "call the gate before filters by outcome, length or truncation")
    if kind == "boundaries":
        return Blame("semantic", ("token-alignment",), why, "give those of the whole packed row, from 0 to its end")
    if kind == "unequal-tokens":
        return Blame("semantic", ("token-alignment",), why, "train on the ids the engine returned, not on text")
    if kind == "version-ahead":
        return Blame(None, ("version-counting",), why, "give trainer_version, counted the same way as weight_version")
    if kind == "same-tensor":
        return Blame(None, ("same-tensor",), why, "give the trainer's own forward pass, not the rollout's logprobs")
    if "logprob" in kind and kind != "trainer-logprob":
        return Blame("semantic", ("logprobs-semantics",), why, "ask the engine for logprobs of every sampled token")
    return Blame(None, (), why)


def blame(case: Observation) -> Blame:
    """The first alarm's cause: D, b, then the spread."""
    gates = case.gates
    gross = not case.everything.shown.interpretable
    if gates.get("D") == "fail" or gross or (gates.get("k3") == "fail" and gates.get("D") == "inconclusive"):
        known = _reported(case, gross)
        if known is not None:
            return known
    if gates.get("D") == "fail":
        return _law(case)
    if gates.get("b") == "fail":
        return _sampling(case)
    if gates.get("k3_start") == "fail" and gates.get("k3") != "fail":
        return _start()
    if gates.get("k3") == "fail" or gross:
        return _spread(case)
    if gates.get("k3_start") == "fail":
        return _start()
    return Blame(
        "semantic",
        ("truncation-bias", "min-p-order", "sampling-defaults-inherited"),
        (f"{case.everything.shown.out.value:.1%} of the tokens are outside the trainer's support",),
        "compare top_k, top_p and min_p of both sides",
    )


def _reported(case: Observation, gross: bool) -> Blame | None:
    """What the shape of the ratios shows of the law that was reported. Where that was the law that was sampled, the
    trainer's logprobs lie lower on average, by the divergence; other weights flatten the slope, and only raw ones raise x.
    """
    t, slope, counts = case.contract.temperature, case.slope, case.window.counts
    mean = paired([(tally.sums.x, tally.sums.n) for tally in case.base.tallies], case.look.levels.d)
    raw = "logprobs_mode: processed_logprobs"
    if t != 1.0 and abs(slope - 1 / t) < abs(slope - 1) and mean.value > 0:
        why = f"the trainer's logprobs on the reported ones have slope {slope:.2f}, and 1/T is {1 / t:.2f}: the engine returned raw ones"
        return Blame("semantic", ("logprobs-semantics",), (why,), raw)
    side = counts["below"] / max(1, counts["below"] + counts["above"])
    if case.contract.truncates and max(side, 1 - side) > ONE_SIDED:
        if side > ONE_SIDED:
            why = f"{side:.0%} of the ratios are below 1: the engine renormalises over its truncated support"
            forgets = t != 1.0 and case.gates.get("b") != "pass"
            suspects = ("truncation-bias", "trainer-temperature") if forgets else ("truncation-bias",)
            return Blame("semantic", suspects, (why,), "replay top_k, top_p, min_p and the temperature in the trainer")
        why = f"{1 - side:.0%} of the ratios are above 1: the engine returned logprobs before truncation"
        return Blame("semantic", ("logprobs-semantics",), (why,), raw)
    if gross and mean.low > 0:
        why = f"the reported logprobs are lower than the trainer's ({mean.value:.2g} nats), which those of a sampled distribution never are"
        return Blame("semantic", ("logprobs-semantics",), (why,), raw)
    return None


def _law(case: Observation) -> Blame:
    """D fails: what was reported is not the law the trainer claims."""
    suspects = ["logprobs-semantics", "truncation-bias", "trainer-temperature"]
    decide = "score a recording of this engine: vllm-migrate smoke record, score, compare"
    if case.window.counts["masked"] or not case.window.members:
        suspects.append("outcome-filter")
        decide += "; and call the gate before any filter"
    suspects.append("loss-mask")
    d = case.everything.shown.d.value
    return Blame(
        "semantic",
        tuple(suspects),
        (f"the reported logprobs are not those of the trainer's distribution (D {d:+.3g})",),
        decide,
    )


def _sampling(case: Observation) -> Blame:
    """b fails: the tokens were not drawn from the law that is claimed."""
    b = case.base.shown.b
    value = b.value if b is not None else 0.0
    which = "sharper" if value > 0 else "flatter"
    why = f"the tokens were sampled from a {which} distribution than the trainer's (b {value:+.3f})"
    t = case.contract.temperature
    if case.gates.get("k3") == "fail":
        if (t < 1) == (value > 0) and t != 1:
            return Blame("semantic", ("trainer-temperature",), (why,), "divide the trainer's logits by the temperature")
        return Blame(
            "semantic", ("loss-mask", "sampling-defaults-inherited"), (why,), "mask what the engine did not sample"
        )
    raw = not case.contract.blind and (value > 0 or t > 1)
    reasons = (f"both sides agree on the logprobs, and {why}",)
    if raw:
        decide = (
            "logprobs_mode: processed_logprobs in the engine, and the same temperature and truncation in the trainer"
        )
        return Blame("semantic", ("logprobs-semantics", "sampling-defaults-inherited"), reasons, decide)
    suspects = ("sampling-defaults-inherited", "loss-mask")
    return Blame("semantic", suspects, reasons, "compare generation_config.json, and mask what was not sampled")


def _start() -> Blame:
    return Blame(
        "semantic",
        ("token-alignment", "chat-template"),
        ("the disagreement is on the tokens that begin a sequence or a turn",),
        "check cu_seqlens and position ids at the boundaries, and the prompt ids of both sides",
    )


def _spread(case: Observation) -> Blame:
    """The law is right and the spread too large; what passed before has changed by an update."""
    value = case.base.capped.value
    why = f"the spread is too large (k3 {value:.2g} nats, each token capped at 1)"
    drift = ratio([(t.first, t.last) for t in case.base.tallies if t.sums.n >= 10])
    if case.look.passed_before:
        return _update(why, drift.low > 1.5)
    if drift.low > 1.5:
        what = "it falls along the sequence: the two sides saw different prompts"
        return Blame("semantic", ("chat-template",), (why, what), "compare the prompt token ids of both sides")
    if drift.high < 1 / 1.5:
        what = "it grows along the sequence: positions are encoded differently"
        return Blame("numerics", ("rope-scaling",), (why, what), "compare rope_theta and rope_scaling of both sides")
    suspects = ["fp32-lm-head", "numeric-noise", "stale-weights", "lora-weights", "rope-scaling"]
    if "b" not in case.gates and case.contract.temperature != 1.0:
        suspects.append("trainer-temperature")
    return Blame("numerics", tuple(suspects), (why,), "vllm-migrate smoke run scores with both precisions of the head")


def _update(why: str, falls: bool) -> Blame:
    """What an update has broken, since earlier checks passed."""
    if falls:
        what = (
            "earlier checks passed, and it falls along the sequence: keys and values of the prompt are of older weights"
        )
        stale = ("prefix-caching-default", "inflight-weight-update", "stale-weights")
        return Blame(
            "weight-update", stale, (why, what), "switch prefix caching off, or clear the cache at each update"
        )
    moved = ("stale-weights", "inflight-weight-update", "prefix-caching-default", "lora-weights", "moe-routing")
    what = "earlier checks passed: the engine's weights, or its keys and values, are not the trainer's"
    return Blame("weight-update", moved, (why, what), "score the same tokens with the weights before the update")


def stale_cache(mixed: Estimate, fresh: Estimate) -> Blame:
    """Informs: tokens after an update within their sequence are worse than other tokens of the same weights."""
    return Blame(
        "weight-update",
        ("inflight-weight-update", "prefix-caching-default"),
        (
            f"after an update within the sequence k3 is {mixed.value:.2g}, otherwise {fresh.value:.2g}: "
            "keys and values of the older weights are still in use",
        ),
        "clear the cache when the weights change",
    )
