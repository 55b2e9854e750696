"""Scoring against the torch engine, and against recordings of real vLLM."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.recording import Header, Recording, Row, read
from vllm_migrate.smoke.stats import estimate, median, sums


def distances(recording: Recording, column: str) -> Any:
    pairs = [(a, b) for row in recording.rows for a, b in zip(row.scores[column].logp, row.logprobs, strict=True)]
    return [a - b for a, b in pairs if a is not None], sum(a is None for a, _ in pairs)


def mean_abs(values: Any) -> Any:
    return sum(map(abs, values)) / len(values)


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("qwen2-tiny_vllm-0.8.5_v0", "T+k+p"),
        ("qwen2-tiny_vllm-0.18.1_processed", "T+k+p"),
        ("qwen2-tiny_vllm-0.18.1_raw", "raw"),
    ],
)
def test_real_recordings_are_met_to_the_noise_floor(
    name: str, reported: Any, shared: Path, lab: SimpleNamespace
) -> None:
    recording = lab.scored(read(shared / f"{name}.json"), lab.model)
    x, out = distances(recording, reported)
    assert (len(x), out) == (768, 0)
    assert max(map(abs, x)) < 3e-5


def test_the_known_truth_of_0_8_5(shared: Path, lab: SimpleNamespace) -> None:
    recording = lab.scored(read(shared / "qwen2-tiny_vllm-0.8.5_v0.json"), lab.model)
    x, _ = distances(recording, "raw")
    assert sum(x) / len(x) == pytest.approx(-0.605, abs=1e-3)
    assert sum(map(math.exp, x)) / len(x) == pytest.approx(0.571, abs=1e-3)


@pytest.mark.parametrize(
    ("args", "reported"),
    [
        ({"logprobs_mode": "processed_logprobs"}, "T+k+p"),
        ({"logprobs_mode": "raw_logprobs"}, "raw"),
        ({"order": "v0"}, "T+k+p"),
    ],
)
def test_the_torch_engine_reports_what_its_mode_says(args: Any, reported: Any, lab: SimpleNamespace) -> None:
    recording = lab.scored(lab.run(lab.job(lab.model, count=6, **args)), lab.model)
    x, out = distances(recording, reported)
    assert out == 0
    assert max(map(abs, x)) < 5e-5
    others = {c for row in recording.rows for c in row.scores} - {reported, "T+k+p@replay"}
    assert all(median([abs(v) for v in distances(recording, c)[0]]) > 0.01 for c in others)


def test_the_torch_engine_agrees_with_real_vllm_token_for_token(shared: Path, lab: SimpleNamespace) -> None:
    """Step-scored by the torch engine, the tokens of 0.18.1 get the logprobs vLLM gave them, in both modes."""
    for name in ("raw", "processed"):
        real = read(shared / f"qwen2-tiny_vllm-0.18.1_{name}.json")
        sequences = [{"prompt": r.prompt, "tokens": r.tokens, "contract": "user"} for r in real.rows]
        stepped = lab.run(lab.job(lab.model, mode="step", sequences=sequences, logprobs_mode=f"{name}_logprobs"))
        for ours, theirs in zip(stepped.rows, real.rows, strict=True):
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=5e-5)


@pytest.mark.parametrize(
    "sampling",
    [
        {"min_p": 0.05},
        {"repetition_penalty": 1.3, "presence_penalty": 0.4, "frequency_penalty": 0.2},
        {"top_k": -1},
        {"logit_bias": {7: 5.0}},
    ],
)
@pytest.mark.parametrize("order", ["v0", "v1"])
def test_contracts_are_replayed(sampling: dict[str, Any], order: str, lab: SimpleNamespace) -> None:
    work = lab.job(
        lab.model, sampling={**sampling, "max_tokens": 16}, count=4, order=order, logprobs_mode="processed_logprobs"
    )
    recording = lab.scored(lab.run(work), lab.model)
    claimed = recording.header.score.claimed["user"]
    x, out = distances(recording, claimed)
    assert out == 0
    assert max(map(abs, x)) < 1e-4


def test_entropy_calibrates_the_sampled_law(lab: SimpleNamespace) -> None:
    recording = lab.scored(lab.run(lab.job(lab.model, logprobs_mode="processed_logprobs")), lab.model)
    right = [
        sums(r.scores["T+k+p"].logp, r.logprobs, r.scores["T+k+p"].entropy, r.scores["T+k+p"].varentropy)
        for r in recording.rows
    ]
    wrong = [
        sums(r.scores["raw"].logp, r.logprobs, r.scores["raw"].entropy, r.scores["raw"].varentropy)
        for r in recording.rows
    ]
    b = estimate(right).b
    assert b.low < 0 < b.high
    assert abs(estimate(wrong).b.value) > 0.3


def test_batches_and_chunks_change_nothing(lab: SimpleNamespace) -> None:
    recording = lab.run(lab.job(lab.model, count=5, logprobs_mode="processed_logprobs"))
    whole = lab.scored(recording, lab.model)
    small = lab.scored(recording, lab.model, batch_tokens=1, chunk_logits=4096)
    for a, b in zip(whole.rows, small.rows, strict=True):
        assert list(a.scores) == list(b.scores)
        for name in a.scores:
            assert a.scores[name].logp == pytest.approx(b.scores[name].logp, abs=2e-5)


def test_the_other_head_is_scored_beside_the_claimed_one(lab: SimpleNamespace) -> None:
    """Same float32 trunk on both sides, a bfloat16 head in the engine: scoring with that head meets it."""
    recording = lab.run(lab.job(lab.model, count=6, logprobs_mode="processed_logprobs", head_dtype="bfloat16"))
    unequal = lab.scored(recording, lab.model)
    claimed, other = distances(unequal, "T+k+p")[0], distances(unequal, "T+k+p@other-head")[0]
    assert mean_abs(claimed) > 1e-3 > 10 * mean_abs(other)
    equal = lab.scored(recording, lab.model, head_dtype="bfloat16")
    assert equal.header.score.head_dtype == "bfloat16"
    assert mean_abs(distances(equal, "T+k+p")[0]) < 1e-4


def test_a_stale_prefix_cache_is_reproduced_exactly(shared: Path, lab: SimpleNamespace, tiny_updated: Path) -> None:
    """0.18.1 answered from 256 cached tokens of the old weights; those under the new weights say the same."""
    data = json.loads((shared / "weight-update_0.18.1_prefix-cache-on_keep.json").read_text())
    tokens, logprobs, cached = data["B_after"]
    header = Header(
        engine="v1",
        vllm="0.18.1",
        protocol="update",
        sampling={"user": {"temperature": 0.7, "top_p": 0.9, "top_k": 20}},
    )
    row = Row(prompt=data["prompt"], tokens=tokens, logprobs=logprobs, cached=cached, phase="after")
    found = lab.scored(Recording(header, [row]), lab.model, updated=tiny_updated).rows[0].scores
    assert sum(value is None for value in found["T+k+p"].logp) == 10
    assert found["T+k+p@stale"].logp == pytest.approx(logprobs, abs=5e-5)


def test_a_model_of_another_vocabulary_is_refused(lab: SimpleNamespace) -> None:
    row = Row(prompt=[5000], tokens=[1], logprobs=[-1.0])
    with pytest.raises(UsageError, match="token ids that the model does not have"):
        lab.scored(Recording(Header(), [row]), lab.model)


def test_a_missing_model_is_a_usage_error(lab: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model directory"):
        lab.scored(Recording(Header(), []), tmp_path / "nothing")
