"""Which proof fits a recording, or two: an update, samples by themselves or against a reference, a trainer's dump."""

from __future__ import annotations

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.compare import CompareOptions, judge_claims, judge_joined, judge_samples, refused
from vllm_migrate.smoke.recording import Recording
from vllm_migrate.smoke.update import judge_update
from vllm_migrate.smoke.verdict import SmokeVerdict


def compare(a: Recording, b: Recording | None = None, options: CompareOptions | None = None) -> SmokeVerdict:
    """The verdict on recording `a`; `b` is a reference run, a step scoring of `a`'s tokens, or a trainer's dump."""
    chosen = options or CompareOptions()
    if "prompt_logprobs" in (a.header.protocol, b.header.protocol if b else ""):
        return refused(
            "prompt_logprobs are raw in V1 and processed in V0: they prove nothing across releases",
            a,
            "run `vllm-migrate smoke record`, which records sampled tokens",
        )
    if a.header.protocol == "update":
        return judge_update(a, chosen)
    if a.header.protocol == "step" and b is not None and b.header.protocol != "step":
        a, b = b, a
    if b is not None and b.header.protocol in ("step", "dump"):
        return judge_joined(a, b, chosen)
    if a.header.protocol == "dump":
        return judge_claims(a, chosen)
    if a.header.score is None:
        raise UsageError(
            "this recording has no scores and there is nothing to compare it with",
            remedy="vllm-migrate smoke score REC --model DIR, or a step scoring of its tokens",
        )
    return judge_samples(a, b, chosen)
