"""Which layer moved: the causes are tried in the order of the parity test, each with the evidence for it.

What the data cannot tell apart stays a set, with the measurement that would decide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vllm_migrate.smoke import evidence, semantics
from vllm_migrate.smoke.evidence import Against
from vllm_migrate.smoke.margins import HEAD_RATIO, Margins
from vllm_migrate.smoke.stats import Estimate, Estimates, Outcome, unpaired_ratio
from vllm_migrate.smoke.verdict import Blame

# Suspects that are rules, by their names.
RULES = (
    "logprobs-semantics",
    "sampling-defaults-inherited",
    "min-p-order",
    "v0-sampling-params-dtype",
    "prefix-caching-default",
    "inflight-weight-update",
    "fp32-lm-head",
    "flashinfer-sampler-default",
)
# Suspects that are not rules: faults of the trainer's side or of the data, which no setting of vLLM mends.
NOT_RULES = {
    "trainer-temperature": "the trainer does not divide its logits by the temperature",
    "truncation-bias": "the trainer does not replay top_k, top_p or min_p",
    "token-alignment": "logprobs are shifted relative to the tokens, or the text was tokenised again",
    "chat-template": "the two sides see different prompts: a lost BOS or a different chat template",
    "rope-scaling": "position encoding or context length differ",
    "lora-weights": "a LoRA adapter is missing, stale or a different one",
    "stale-weights": "one side has older weights",
    "moe-routing": "experts are routed differently on the two sides",
    "grammar-dead-end": "a grammar left no token to sample",
    "numeric-noise": "dtype, kernels, batch shapes or parallelism differ",
}

INVALID = {
    "aborted": Blame(
        "weight-update",
        ("inflight-weight-update",),
        ('requests were aborted: pause_generation\'s mode is "abort" unless it is written',),
    ),
    "null-logprob": Blame("semantic", ("logprobs-semantics",), ("tokens came without a logprob",)),
    "unequal-prompt": Blame("semantic", ("chat-template",), ("the two sides saw different prompt tokens",)),
    "dead-end-token-0": Blame("semantic", ("grammar-dead-end",), ("a grammar reached a dead end",)),
}


class Comparison(NamedTuple):
    """What attribution looks at."""

    data: Against
    numbers: Estimates
    gates: dict[str, Outcome]
    margins: Margins
    triple: semantics.Triple | None
    head: Estimate | None


def invalid(kinds: dict[str, int]) -> Blame:
    """Step 1: rows that are no evidence, the most frequent kind first."""
    for kind in sorted(kinds, key=lambda k: -kinds[k]):
        if kind in INVALID:
            return INVALID[kind]
    return Blame()


def attribute(case: Comparison) -> Blame:
    """Steps 2 to 6 for a case that failed, or whose columns disagree."""
    triple = semantics.blame(case.triple) if case.triple and _met(case, case.triple.names[0]) else None
    if not case.numbers.interpretable:
        return _gross(case, triple)
    if triple is not None:
        return triple
    penalty = _penalty(case)
    if penalty is not None:
        return penalty
    if case.gates.get("D") == "fail":  # noise, stale weights and other models leave D at 0
        if case.triple is not None and not _met(case, case.triple.names[0]):
            return _cached(case) or _tail(case) or _gross(case, None)
        return _cached(case) or _law(case)
    if case.gates.get("k3") == "fail" or case.gates.get("k3_ratio") == "fail":
        return _spread(case)
    if case.head is not None and case.head.low > HEAD_RATIO:
        return _head(case.head)
    if case.gates.get("out") == "fail":
        return _outside(case)
    return _law(case)


def _gross(case: Comparison, triple: Blame | None) -> Blame:
    """Step 2: the two models differ too much for D."""
    here = evidence.shifted(case.data, 0)
    for by in (-1, 1):
        if evidence.shifted(case.data, by) < 0.5 * here:
            side = "late" if by > 0 else "early"
            return Blame(
                "semantic", ("token-alignment",), (f"shifted by one token, the logprobs agree: they come one {side}",)
            )
    if triple is not None:
        return triple
    found = _versions(case) or _penalty(case) or _drift(case) or _cached(case)
    return found or Blame(
        "weight-update",
        ("stale-weights", "inflight-weight-update", "lora-weights", "rope-scaling"),
        ("the two sides are different models",),
        "score on the weights before the update, and once without LoRA",
    )


def _drift(case: Comparison) -> Blame | None:
    """A disagreement that falls or grows along the sequence."""
    drift = evidence.drift_by_position(case.data)
    tenths = ", ".join(f"{tenth.value:.2g}" for tenth in evidence.k3_by_decile(case.data))
    along = f"along the sequence (k3 by tenths: {tenths})"
    if drift.low > 1.5:
        return Blame(
            "semantic",
            ("chat-template",),
            (f"the disagreement falls {along}: the two sides saw different prompts, such as a lost BOS",),
            "compare the prompt token ids of both sides",
        )
    if drift.high < 1 / 1.5:
        return Blame(
            "numerics",
            ("rope-scaling",),
            (f"the disagreement grows {along}: positions are encoded differently",),
            "compare rope_theta and rope_scaling of both sides, and score the same tokens with a shorter context",
        )
    return None


def _versions(case: Comparison) -> Blame | None:
    """Sequences of one weight version that agree beside those of another that do not."""
    known = {name: value for name, value in evidence.by_version(case.data).items() if math.isfinite(value.high)}
    if len(known) < 2:
        return None
    best, worst = (pick(known, key=lambda name: known[name].value) for pick in (min, max))
    if unpaired_ratio(known[worst], known[best]).low <= 1.5:
        return None
    return Blame(
        "weight-update",
        ("stale-weights", "inflight-weight-update"),
        (
            f"sequences of weight version {worst} disagree (k3 {known[worst].value:.2g}), "
            f"those of version {best} less ({known[best].value:.2g})",
        ),
        f"score the sequences of version {worst} on that version's weights",
    )


def _met(case: Comparison, column: str) -> bool:
    """Whether the reported logprobs lie within noise of a column; else another model is at work."""
    numbers = Against.column(case.data.rows, column).estimates()
    return numbers is not None and numbers.interpretable and numbers.k3.value < case.margins.k3


def _penalty(case: Comparison) -> Blame | None:
    """A penalty the contract does not know shows on tokens that had occurred before."""
    if case.gates.get("k3") == "pass" and case.gates.get("b") == "pass":
        return None
    found = evidence.seen_and_unseen(case.data)
    if found is None or not (found[0].low > 0 > found[1].high or found[1].low > 0 > found[0].high):
        return None
    seen, fresh = found
    return Blame(
        "semantic",
        ("sampling-defaults-inherited",),
        (
            f"tokens that had occurred before are off by {seen.value:+.3f} nats, the others by {fresh.value:+.3f}: "
            "a penalty that the request did not ask for",
        ),
        "the generation_config.json beside the checkpoint",
    )


def _cached(case: Comparison) -> Blame | None:
    split = evidence.cached_against_fresh(case.data)
    if split is None or unpaired_ratio(*split).low <= 1.5:
        return None
    hit, miss = split
    return Blame(
        "inference-path",
        ("prefix-caching-default",),
        (f"prompts answered from the prefix cache are worse (k3 {hit.value:.2g} against {miss.value:.2g})",),
    )


def _spread(case: Comparison) -> Blame:
    """Steps 5 and 6: the distribution is right but the spread is too large."""
    known = _cached(case) or _versions(case)
    if known is not None:
        return known
    if case.head is not None and case.head.low > HEAD_RATIO:
        return _head(case.head)
    drift = _drift(case)
    if drift is not None:
        return drift
    tail = _tail(case)
    if tail is not None:
        return tail
    return Blame(
        None,
        ("fp32-lm-head", "numeric-noise", "stale-weights", "lora-weights", "rope-scaling"),
        ("the distribution is right but the spread is too large",),
        "score with --head-dtype float32 and bfloat16, record one sequence at a time, and score on the old weights",
    )


def _tail(case: Comparison) -> Blame | None:
    """Few tokens that disagree widely: experts routed differently."""
    share = evidence.heavy_tail(case.data)
    if share > evidence.HEAVY_SHARE and case.margins.name.startswith(("MoE", "bf16", "block", "MXFP8")):
        return Blame(
            "numerics",
            ("moe-routing",),
            (f"one token in a hundred carries {share:.0%} of the disagreement",),
            "replay the rollout's routing in the trainer",
        )
    return None


def _head(ratio: Estimate) -> Blame:
    return Blame(
        "numerics",
        ("fp32-lm-head",),
        (f"the other precision of the trainer's head fits {ratio.value:.1f} times better (k3): the two sides differ",),
    )


def _outside(case: Comparison) -> Blame:
    share = case.numbers.out.value
    return Blame(
        "semantic",
        ("flashinfer-sampler-default", "min-p-order", "sampling-defaults-inherited"),
        (f"{share:.1%} of the tokens are outside the claimed support",),
        "record with --set logprobs_mode=processed_logprobs and compare the recorded supports",
    )


def _law(case: Comparison) -> Blame:
    """Step 4 without a triple to explain it: D or b alone."""
    if case.gates.get("b") == "fail" and case.gates.get("D") == "pass":
        b = case.numbers.b
        flatter = b is not None and b.value < 0
        which = "flatter" if flatter else "sharper"
        return Blame(
            "semantic",
            ("logprobs-semantics", "sampling-defaults-inherited"),
            (
                f"both sides agree on the logprobs, but the tokens were sampled from a {which} distribution than either claims",
            ),
            "score with the sampling contract's columns, to tell a temperature from a penalty",
        )
    return Blame(
        "semantic",
        ("logprobs-semantics", "truncation-bias", "trainer-temperature"),
        ("the reported logprobs are not those of the trainer's distribution",),
        "score the recording with --model, to see which column was reported",
    )
