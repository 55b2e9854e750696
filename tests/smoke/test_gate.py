"""Real vLLM's recordings through the parity gate: the columns of the scores stand for a trainer's logprobs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vllm_migrate.parity import Contract, ParityGate
from vllm_migrate.smoke.recording import Recording, read

CONTRACT = Contract(temperature=0.7, top_p=0.9, top_k=20, kind="fp32", lag=0)


def judged(recording: Recording, column: str) -> Any:
    """The gate's verdict where the trainer claims a column of the scores."""
    scores = [row.scores[column] for row in recording.rows]
    return ParityGate(CONTRACT).update(
        step=0,
        token_ids=[row.tokens for row in recording.rows],
        rollout_logprobs=[row.logprobs for row in recording.rows],
        trainer_logprobs=[s.logp for s in scores],
        mask=[[1] * len(row.tokens) for row in recording.rows],
        entropy=[s.entropy for s in scores],
        varentropy=[s.varentropy for s in scores],
    )


@pytest.mark.parametrize(
    ("name", "column", "decision", "suspect"),
    [
        ("0.8.5_v0", "T+k+p", "pass", None),
        ("0.18.1_processed", "T+k+p", "pass", None),
        ("0.18.1_raw", "T+k+p", "fail", "logprobs-semantics"),
        ("0.18.1_raw", "raw", "fail", "logprobs-semantics"),
        ("0.18.1_processed", "T", "fail", "truncation-bias"),
        ("0.18.1_processed", "raw", "fail", "trainer-temperature"),
    ],
)
def test_real_recordings(
    name: str, column: str, decision: str, suspect: str, shared: Path, lab: SimpleNamespace
) -> None:
    verdict = judged(lab.scored(read(shared / f"qwen2-tiny_vllm-{name}.json"), lab.model), column)
    assert verdict.decision == decision, verdict.describe()
    assert suspect in verdict.blame.suspects if suspect else not verdict.blame.suspects
