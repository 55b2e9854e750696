"""The in-flight weight update probe: what is asked of the engine, and what its rows say.

A long prompt is sent twice, the weights are replaced while another request runs, then the long prompt is sent again
beside one the engine has not seen. All of it is scored on the old weights, on the new ones, and on new weights over
the keys and values of the old ones (a prefix cache that outlived the update).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import read_bytes
from vllm_migrate.smoke import semantics
from vllm_migrate.smoke.compare import CompareOptions, margins_for, measure
from vllm_migrate.smoke.errors import missing_extra
from vllm_migrate.smoke.evidence import Against
from vllm_migrate.smoke.margins import Margins
from vllm_migrate.smoke.recording import Header, Recording, Row, valid
from vllm_migrate.smoke.score import OLD, STALE, SWITCHED
from vllm_migrate.smoke.stats import gate_d
from vllm_migrate.smoke.verdict import DISCLAIMER, Blame, Decision, Metric, SmokeVerdict, worst

# vLLM's own defaults of pause_generation, used where the config says nothing.
PAUSE_DEFAULTS: dict[str, Any] = {"mode": "abort", "clear_cache": True}
SMALLEST = 0.02
SUSPECTS = ("prefix-caching-default", "inflight-weight-update")


class Probe(NamedTuple):
    """Sizes of the probe, in tokens; `prompt` must span two blocks of the prefix cache (128 each on CPU)."""

    prompts: int = 8
    prompt: int = 300
    tokens: int = 32
    inflight: int = 160
    switch_after: int = 40


def job_fields(probe: Probe, weights: str, pause: dict[str, Any], vocabulary: int, seed: int) -> dict[str, Any]:
    """The `update` part of a job."""
    generator = random.Random(seed)

    def draw(length: int) -> list[int]:
        return [generator.randrange(3, vocabulary) for _ in range(length)]

    return {
        "weights": weights,
        "pause": pause,
        "max_tokens": probe.tokens,
        "inflight_tokens": probe.inflight,
        "switch_after": probe.switch_after,
        "prompts": [draw(probe.prompt) for _ in range(probe.prompts)],
        "others": [draw(64) for _ in range(probe.prompts)],
        "inflight": draw(64),
    }


def perturb(model: str, out: str, amount: float, seed: int) -> str:
    """Writes the checkpoint `model` with every weight times 1 + amount * normal noise; shard by shard. Returns
    `out`.
    """
    if amount < SMALLEST:
        raise UsageError(
            f"an update of {amount:.1%} cannot be told from bfloat16 noise", remedy="perturb by 2 % or more"
        )
    try:
        import torch
        from safetensors.torch import load_file, save_file
    except ImportError:
        raise missing_extra("torch and safetensors") from None
    shards = sorted(path for path in Path(model).glob("*.safetensors") if path.is_file())
    if not shards:
        raise UsageError(f"no safetensors in {model}", remedy="--model DIR, a local checkpoint")
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    for extra in Path(model).iterdir():
        if extra.is_file() and extra.suffix in (".json", ".txt", ".model"):
            (target / extra.name).write_bytes(read_bytes(str(extra)))
    for index, shard in enumerate(shards):
        generator = torch.Generator().manual_seed(seed + index)
        tensors = load_file(shard)
        for name in sorted(tensors):
            weight = tensors[name]
            if weight.is_floating_point():
                noise = torch.randn(weight.shape, generator=generator)
                tensors[name] = (weight.float() * (1 + amount * noise)).to(weight.dtype)
        save_file(tensors, target / shard.name, metadata={"format": "pt"})
    return out


class Fit(NamedTuple):
    """Mean |x| per token (cut off at 1, a token outside counting as 1) under each set of weights."""

    new: float
    old: float
    stale: float | None
    switched: float | None

    @property
    def best(self) -> str:
        known = {name: value for name, value in self._asdict().items() if value is not None}
        return min(known, key=lambda name: known[name])


def fit(rows: Sequence[Row], column: str) -> Fit:
    """How well rows fit the new weights, the old ones, and each mixture that was scored."""

    def far(suffix: str) -> float | None:
        if not all(column + suffix in (row.scores or {}) for row in rows):
            return None
        data = Against.column(rows, column + suffix)
        distance = sum(min(1.0, abs(x)) for i in range(len(rows)) for x in data.x(i)) + data.outside()
        return distance / sum(len(row.tokens) for row in rows)

    new, old = far(""), far(OLD)
    assert new is not None and old is not None
    return Fit(new, old, far(STALE), far(SWITCHED))


def judge_update(a: Recording, options: CompareOptions) -> SmokeVerdict:
    """The verdict on an update recording scored on both sets of weights."""
    if a.header.score is None or a.header.score.updated_model is None:
        raise UsageError(
            "an update recording is scored on the old and on the new weights",
            remedy="vllm-migrate smoke score REC --model OLD --updated-model NEW",
        )
    phases = {
        name: [r for r in a.rows if r.phase == name] for name in ("before", "cached", "inflight", "after", "other")
    }
    rows, kinds = valid([r for r in a.rows if r.phase != "inflight"])
    columns: dict[str, str | None] = {"reported": None, "sampled": None, "claimed": None}
    if kinds or not phases["after"] or not phases["other"] or not phases["before"]:
        blame = Blame(
            "weight-update", ("inflight-weight-update",), ("the engine gave no clean rows around the update",)
        )
        tokens = sum(len(r.tokens) for r in rows)
        return SmokeVerdict("invalid", blame, {}, columns, len(rows), tokens, kinds or {"empty-recording": 1})
    base = [row.model_copy(update={"scores": _only_old(row)}) for row in phases["before"] + phases["cached"]]
    column = semantics.reported(base, semantics.laws(base)).name
    columns |= {"reported": column, "claimed": column}
    after = phases["after"] + phases["other"]
    data = Against.column(after, column)
    numbers = data.estimates()
    limits = margins_for(a.header, sum(len(r.tokens) for r in after), options)
    metrics: dict[str, Metric] = {}
    decision: Decision = "fail"
    if numbers is not None:
        metrics = measure(numbers, limits)
        metrics["b"] = metrics["b"]._replace(gate=None) if "b" in metrics else Metric(0.0, 0.0, 0.0)
        metrics["D"] = metrics["D"]._replace(gate=gate_d(numbers, limits.d))
        decision = worst([m.gate for m in metrics.values() if m.gate])
    found, notes = _blame(phases, column, a.header)
    running, more = _inflight(phases["inflight"], column)
    control = _control(phases["before"] + phases["cached"], column, limits)
    if decision == "fail" and found is None:
        found = Blame(
            "weight-update", SUSPECTS, ("what the engine reports after the update does not match the new weights",)
        )
    if running is not None:
        decision, found = worst([decision, "fail"]), found or running
    if not control:
        decision = worst([decision, "inconclusive"])
        notes.append("positive control: the old weights do not fail, so the update is too small to be seen")
    tokens = sum(len(r.tokens) for r in rows)
    blame = found if decision == "fail" and found is not None else Blame()
    return SmokeVerdict(decision, blame, metrics, columns, len(rows), tokens, {}, (*notes, *more, DISCLAIMER))


def _only_old(row: Row) -> dict[str, Any]:
    assert row.scores is not None
    return {name.removesuffix(OLD): column for name, column in row.scores.items() if name.endswith(OLD)}


def _control(before: Sequence[Row], column: str, limits: Margins) -> bool:
    """Whether rows from before the update fail against the new weights, as they must."""
    numbers = Against.column(before, column).estimates()
    return numbers is None or "fail" in {metric.gate for metric in measure(numbers, limits).values()}


def _blame(phases: dict[str, list[Row]], column: str, header: Header) -> tuple[Blame | None, list[str]]:
    """Stale cache, lost update, or nothing, from which weights fit the rows after the update."""
    again, fresh = fit(phases["after"], column), fit(phases["other"], column)
    cached = sum(row.cached or 0 for row in phases["after"])
    pause = header.update.get("pause", {})
    notes = [
        f"pause_generation({', '.join(f'{k}={v!r}' for k, v in pause.items())}), "
        f"{cached} cached tokens in the prompts sent again"
    ]
    if fresh.best == "old" and again.best in ("old", "stale"):
        return Blame(
            "weight-update",
            ("inflight-weight-update",),
            (f"lost update: the engine answers from the old weights (|d| {fresh.old:.2g} against {fresh.new:.2g})",),
        ), notes
    if again.best != "new" and fresh.best == "new":
        how = f"{again.stale:.2g}" if again.stale is not None else f"{again.old:.2g}"
        return Blame(
            "weight-update",
            SUSPECTS,
            (
                f"stale cache: the prompts sent again were answered from keys and values of the old weights "
                f"(|d| {how} to those, {again.new:.2g} to the new weights)",
            ),
        ), notes
    return None, notes


def _inflight(rows: Sequence[Row], column: str) -> tuple[Blame | None, list[str]]:
    """What became of the request that was running."""
    if not rows:
        return None, ["no request was in flight"]
    row = rows[0]
    if row.finish in ("abort", "aborted"):
        return Blame(
            "weight-update",
            ("inflight-weight-update",),
            (f"aborted: the running request ended after {len(row.tokens)} tokens",),
        ), []
    if not row.scores or not row.switch or row.switch >= len(row.tokens):
        return None, ["the running request finished before the weights changed"]
    found = fit(rows[:1], column)
    outcomes = {
        "old": "the running request kept the old weights to its end",
        "stale": "the running request continued with its old keys and values, as on V0",
        "switched": "the running request was preempted and recomputed under the new weights",
        "new": "the running request matches the new weights throughout",
    }[found.best]
    notes = [f"{outcomes} (the weights changed after {row.switch} of its {len(row.tokens)} tokens)"]
    if row.versions:
        first = next((i for i, version in enumerate(row.versions) if version != row.versions[0]), len(row.versions))
        labels = " and ".join(dict.fromkeys(map(str, row.versions)))
        notes.append(f"the engine labels its tokens {labels}: the first {first} are of {row.versions[0]}")
    return None, notes
