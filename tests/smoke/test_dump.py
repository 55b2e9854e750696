"""Dumps of the user's own trainer."""

from __future__ import annotations

import json
import math

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.compare import compare
from vllm_migrate.smoke.dump import is_dump, read_dump
from vllm_migrate.smoke.errors import RecordingError

LINE = {
    "prompt_ids": [1, 2],
    "output_ids": [3, 4, 5],
    "rollout_logprobs": [-1.0, -2.0, -0.5],
    "trainer_logprobs": [-1.1, -2.0, -0.5],
    "trainer_entropy": [1.0, 1.0, 1.0],
    "trainer_varentropy": [0.5, 0.5, 0.5],
}


def write(tmp_path, *lines) -> str:
    path = tmp_path / "dump.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def test_both_sides_are_read(tmp_path):
    path = write(tmp_path, LINE)
    assert is_dump(path)
    row = read_dump(path).rows[0]
    assert (row.prompt, row.tokens, row.logprobs) == ([1, 2], [3, 4, 5], [-1.0, -2.0, -0.5])
    assert row.scores["trainer"].logp == [-1.1, -2.0, -0.5]
    assert row.scores["trainer"].entropy == [1.0, 1.0, 1.0]


def test_masked_tokens_are_left_out(tmp_path):
    row = read_dump(write(tmp_path, {**LINE, "response_mask": [1, 0, 1]})).rows[0]
    assert (row.tokens, row.logprobs, row.scores["trainer"].logp) == ([3, 5], [-1.0, -0.5], [-1.1, -0.5])
    assert row.scores["trainer"].entropy == [1.0, 1.0]


def test_names_of_frameworks_are_known(tmp_path):
    verl = {"prompts": [1], "responses": [2, 3], "rollout_log_probs": [-1.0, -1.0], "old_log_probs": [-1.0, -1.0]}
    assert read_dump(write(tmp_path, verl)).rows[0].scores["trainer"].logp == [-1.0, -1.0]


def test_nan_and_unequal_lengths_are_counted_and_never_averaged(tmp_path):
    lines = [{**LINE, "trainer_logprobs": [-1.0, math.nan, -1.0]}, {**LINE, "rollout_logprobs": [-1.0]}, LINE]
    verdict = compare(read_dump(write(tmp_path, *lines)))
    assert (verdict.decision, verdict.invalid) == ("invalid", {"nan-logprob": 1, "length-mismatch": 1})


def test_a_recording_is_no_dump(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"kind": "header", "schema": 1}\n')
    assert not is_dump(str(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"output_ids": [1]}, "no trainer_logprobs"),
        ({"trainer_logprobs": [1]}, "no output_ids"),
        ([1], "not an object"),
    ],
)
def test_what_is_missing_is_named(line, message, tmp_path):
    with pytest.raises(RecordingError, match=message):
        read_dump(write(tmp_path, line))


def test_parquet_is_read_or_says_what_it_needs(tmp_path):
    path = tmp_path / "dump.parquet"
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        with pytest.raises(UsageError, match="Parquet needs pyarrow"):
            read_dump(str(path))
        return
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([LINE]), path)
    assert read_dump(str(path)).rows[0].tokens == [3, 4, 5]
