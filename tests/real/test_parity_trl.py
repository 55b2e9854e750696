"""The parity gate in TRL's GRPOTrainer with rollouts of real vLLM 0.18.1: a few steps of `python -m benchmarks.parity_trl`.

trl comes from the interpreter that VLLM_MIGRATE_TRL names, else from this one; where neither has it, the test skips.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "pinned": "pass",
    "as it comes: raw logprobs": "logprobs-semantics",
    "raw on both sides": "logprobs-semantics",
    "an outcome filter before the gate": "outcome-filter",
    "stale keys and values in the prefix cache": "prefix-caching-default",
}


def test_the_gate_in_a_training_run(vllm_py_0181: str, tmp_path: Path) -> None:
    python = os.environ.get("VLLM_MIGRATE_TRL", sys.executable)
    if subprocess.run([python, "-c", "import trl"], capture_output=True).returncode:
        pytest.skip("no trl: VLLM_MIGRATE_TRL names an interpreter that has it")
    command = [python, "-m", "benchmarks.parity_trl", "--engine", vllm_py_0181, "--steps", "3", "--out", str(tmp_path)]
    done = subprocess.run(
        [*command, "--only", *RUNS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert {one["run"]: one["expected"] for one in found} == dict.fromkeys(RUNS, True)
    for one in found:
        assert RUNS[one["run"]] in (one["alarm"] or "pass")
