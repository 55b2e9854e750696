"""Dumps of the user's own trainer."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.dump import NAMES, is_dump, read_dump
from vllm_migrate.smoke.errors import RecordingError
from vllm_migrate.smoke.judge import compare

LINE = {
    "prompt_ids": [1, 2],
    "output_ids": [3, 4, 5],
    "rollout_logprobs": [-1.0, -2.0, -0.5],
    "trainer_logprobs": [-1.1, -2.0, -0.5],
    "trainer_entropy": [1.0, 1.0, 1.0],
    "trainer_varentropy": [0.5, 0.5, 0.5],
}


def write(tmp_path: Path, *lines: Any) -> str:
    path = tmp_path / "dump.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return str(path)


def test_both_sides_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, LINE)
    assert is_dump(path)
    row = read_dump(path).rows[0]
    assert (row.prompt, row.tokens, row.logprobs) == ([1, 2], [3, 4, 5], [-1.0, -2.0, -0.5])
    assert row.scores["trainer"].logp == [-1.1, -2.0, -0.5]
    assert row.scores["trainer"].entropy == [1.0, 1.0, 1.0]


def test_masked_tokens_are_left_out(tmp_path: Path) -> None:
    row = read_dump(write(tmp_path, {**LINE, "response_mask": [1, 0, 1]})).rows[0]
    assert (row.tokens, row.logprobs, row.scores["trainer"].logp) == ([3, 5], [-1.0, -0.5], [-1.1, -0.5])
    assert row.scores["trainer"].entropy == [1.0, 1.0]


def test_names_of_frameworks_are_known(tmp_path: Path) -> None:
    verl = {"prompts": [1], "responses": [2, 3], "rollout_log_probs": [-1.0, -1.0], "old_log_probs": [-1.0, -1.0]}
    assert read_dump(write(tmp_path, verl)).rows[0].scores["trainer"].logp == [-1.0, -1.0]


def test_nan_and_unequal_lengths_are_counted_and_never_averaged(tmp_path: Path) -> None:
    lines = [{**LINE, "trainer_logprobs": [-1.0, math.nan, -1.0]}, {**LINE, "rollout_logprobs": [-1.0]}, LINE]
    verdict = compare(read_dump(write(tmp_path, *lines)))
    assert (verdict.decision, verdict.invalid) == ("invalid", {"nan-logprob": 1, "length-mismatch": 1})


def test_a_recording_is_no_dump(tmp_path: Path) -> None:
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
def test_what_is_missing_is_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=message):
        read_dump(write(tmp_path, line))


def test_the_page_names_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "smoke.md").read_text()
    assert not [name for names in NAMES.values() for name in names if f"`{name}`" not in page]


def test_advantages_and_versions_are_one_a_token_or_one_a_sequence(tmp_path: Path) -> None:
    lines = [
        {**LINE, "advantages": [0.5, -0.5, 0.0], "weight_versions": [7, 7, 8]},
        {**LINE, "advantage": -2.0, "weight_version": "step-7", "response_mask": [1, 0, 1]},
        {**LINE, "weight_version_start": 3, "weight_version_end": 3},
        {**LINE, "weight_version_start": 3, "weight_version_end": 4},
    ]
    found = read_dump(write(tmp_path, *lines)).rows
    assert [row.advantages for row in found] == [[0.5, -0.5, 0.0], [-2.0, -2.0], None, None]
    assert [row.versions for row in found] == [[7, 7, 8], ["step-7", "step-7"], [3, 3, 3], [3, 3, 4]]
    assert [row.mixed for row in found] == [True, False, False, True]


def test_a_mask_without_the_stop_token_is_said(tmp_path: Path) -> None:
    stopped = {**LINE, "finish_reason": "stop", "response_mask": [1, 1, 0]}
    kept = {**LINE, "finish_reason": "stop", "response_mask": [0, 1, 1]}
    (note,) = read_dump(write(tmp_path, stopped, kept, LINE)).header.notes
    assert note == "the loss mask leaves out the last token of 1 sequences that ended with a stop token"


def test_a_dump_without_the_rollouts_side_says_so(tmp_path: Path) -> None:
    bare = {name: value for name, value in LINE.items() if name != "rollout_logprobs"}
    with pytest.raises(UsageError, match="has no rollout logprobs") as error:
        compare(read_dump(write(tmp_path, bare, bare)))
    assert "rollout_log_probs" in error.value.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no sequences"),
        ("\n\n", "has no sequences"),
        (json.dumps(LINE) + "\n{half", ":2 is not JSON"),
        (json.dumps({**LINE, "trainer_logprobs": ["x", 1, 2]}), ":1: could not convert"),
        (json.dumps({**LINE, "output_ids": ["a", "b", "c"]}), ":1: invalid literal"),
        (json.dumps({**LINE, "prompt_ids": ["a"]}), ":1: 1 validation error"),
    ],
)
def test_a_broken_line_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text(text)
    with pytest.raises(RecordingError, match=message):
        read_dump(str(path))


@pytest.fixture
def parquet() -> Any:
    pytest.importorskip("pyarrow")
    import pyarrow
    import pyarrow.parquet

    def write(path: Path, lines: Any) -> str:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), path)
        return str(path)

    return write


def test_parquet_says_the_same_as_json_lines(parquet: Callable[..., str], tmp_path: Path) -> None:
    """More sequences than a batch, with every kind of column."""
    lines = [
        {
            **LINE,
            "prompt_ids": [i],
            "advantages": [float(i), -1.0, 0.0],
            "weight_version": i % 2,
            "loss_mask": [1, 0, 1],
        }
        for i in range(150)
    ]
    path = parquet(tmp_path / "dump.parquet", lines)
    assert is_dump(path)
    found, wanted = read_dump(path), read_dump(write(tmp_path, *lines))
    assert found.rows == wanted.rows
    assert compare(found).json() == compare(wanted).json()


def test_parquet_that_is_none_says_so(parquet: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_text("nonsense")
    with pytest.raises(RecordingError, match=r"no\.parquet is not Parquet"):
        read_dump(str(tmp_path / "no.parquet"))
    with pytest.raises(RecordingError, match="cannot read"):
        read_dump(str(tmp_path / "missing.parquet"))
    with pytest.raises(RecordingError, match=r"dump.parquet:1: no trainer_logprobs \(it holds output_ids, text\)"):
        read_dump(parquet(tmp_path / "dump.parquet", [{"output_ids": [1], "text": "a"}]))


def test_without_pyarrow_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="needs pyarrow, which is not installed here") as error:
        read_dump(str(tmp_path / "dump.parquet"))
    assert error.value.remedy == "pip install pyarrow, or write the dump as JSON Lines"


def agreeing(prompts: int, tokens: int, copies: int = 1, wrong: float = 0.0) -> list[dict[str, Any]]:
    """Rows whose two sides differ by a little noise of mean ratio 1, and by `wrong` nats; each prompt `copies` times."""
    draw = random.Random(prompts * tokens)
    lines = []
    for prompt in range(prompts):
        rollout = [-draw.uniform(0.1, 3.0) for _ in range(tokens)]
        trainer = [value + draw.gauss(-5e-5, 0.01) + wrong for value in rollout]
        line = {"prompt_ids": [prompt], "output_ids": [draw.randrange(9999) for _ in range(tokens)]}
        lines += [{**line, "rollout_logprobs": rollout, "trainer_logprobs": trainer}] * copies
    return lines


@pytest.mark.parametrize(
    ("lines", "decision", "wanted"),
    [
        (agreeing(1, 3, 2), "inconclusive", 43),
        (agreeing(2, 128), "inconclusive", 8),
        (agreeing(2, 500, 32), "inconclusive", 8),  # 64 sequences, and two prompts
        (agreeing(7, 600), "inconclusive", 8),
        (agreeing(20, 4), "inconclusive", 32),
        (agreeing(8, 48), "pass", None),
        (agreeing(16, 24), "pass", None),
        (agreeing(64, 64), "pass", None),
        (agreeing(16, 24, 4), "pass", None),
        (agreeing(4, 60, wrong=0.4), "fail", None),  # a large fault needs few
    ],
)
def test_a_pass_needs_the_prompts_and_tokens_that_the_margins_hold_for(
    lines: list[dict[str, Any]], decision: str, wanted: int | None, tmp_path: Path
) -> None:
    verdict = compare(read_dump(write(tmp_path, *lines)))
    assert verdict.decision == decision, verdict
    found = [note for note in verdict.notes if note.startswith("too few for a verdict")]
    assert [f"{wanted} sequences, each of another prompt" in note for note in found] == ([True] if wanted else [])
    assert (verdict.tokens_needed is not None) == bool(wanted)


def test_copies_of_a_row_under_other_prompts_show_no_variance(tmp_path: Path) -> None:
    """Two equal clusters have an interval without width: no fail, however far it lies from the margin."""
    row = agreeing(1, 30, wrong=0.4)[0]
    verdict = compare(read_dump(write(tmp_path, *({**row, "prompt_ids": [i]} for i in range(5)))))
    assert verdict.decision == "inconclusive" and "5 sequences of 5 prompts" in " ".join(verdict.notes)
