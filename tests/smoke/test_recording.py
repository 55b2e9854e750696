"""Recordings on disk, and the rows that are no evidence."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.smoke.errors import RecordingError
from vllm_migrate.smoke.recording import Header, Row, Scores, defect, read, stream, valid, write


def row(**fields: Any) -> Row:
    return Row(**{"prompt": [5, 6], "tokens": [1, 2], "logprobs": [-1.0, -2.0], **fields})


def test_a_recording_comes_back_as_it_went(tmp_path: Path) -> None:
    header = Header(vllm="0.18.1", engine="v1", sampling={"user": {"temperature": 0.7, "logit_bias": {7: -1.0}}})
    rows = [row(logprobs=[-1.0, -math.inf], support=[[1, 2], []]), row(scores={"raw": Scores(logp=[-0.5, None])})]
    assert write(tmp_path / "r.jsonl", header, rows) == 2
    back = read(tmp_path / "r.jsonl")
    assert back.header.model_dump(exclude={"sampling"}) == header.model_dump(exclude={"sampling"})
    assert back.header.contract("user").logit_bias == {7: -1.0}
    assert back.rows == rows
    assert [p.name for p in tmp_path.iterdir()] == ["r.jsonl"]


def test_every_line_is_plain_json(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", Header(), [row(logprobs=[math.nan, -math.inf])])
    for line in (tmp_path / "r.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("nonsense\n", "not JSON"),
        ('{"kind": "row"}\n', "does not start with"),
        ('{"kind": "header", "schema": 99}\n', "schema 99"),
        ("[1]\n", "not an object"),
        ('{"kind": "header", "schema": 1}\n{"kind": "row", "prompt": [1], "tokens": "x", "logprobs": []}\n', "tokens"),
        ('{"kind": "header", "schema": 1}\n{"kind": "end", "rows": 3}\n', "promises 3 rows"),
        ('{"kind": "header", "schema": 1}\n', "cut off"),
        ('{"kind": "header", "schema": 1, "sampling": {"user": {"top_p": "x"}}}\n', ":1: sampling.user.top_p: "),
        ('{"kind": "header", "schema": 1}\n{"kind":\n', ":2 is not JSON"),
    ],
)
def test_what_is_no_recording_says_so(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=message):
        read(tmp_path / "r.jsonl")


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot read"):
        read(tmp_path / "none.jsonl")


def test_rows_stream(tmp_path: Path) -> None:
    write(tmp_path / "r.jsonl", Header(), (row() for _ in range(3)))
    _, rows = stream(tmp_path / "r.jsonl")
    assert next(rows).tokens == [1, 2]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, None),
        ({"finish": "abort"}, "aborted"),
        ({"tokens": [], "logprobs": []}, "empty"),
        ({"logprobs": [-1.0]}, "length-mismatch"),
        ({"logprobs": [-1.0, None]}, "null-logprob"),
        ({"logprobs": [-1.0, math.nan]}, "nan-logprob"),
        ({"logprobs": [-1.0, -9999.0]}, "impossible-logprob"),
        ({"logprobs": [-1.0, 3.2]}, "impossible-logprob"),
        ({"tokens": [1, -5]}, "impossible-token"),
        ({"versions": [1]}, "length-mismatch"),
        ({"advantages": [0.5, 0.5, 0.5]}, "length-mismatch"),
        ({"seen_prompt": [6]}, "unequal-prompt"),
        ({"seen_prompt": [5, 6]}, None),
        ({"tokens": [9, 0, 0, 0, 0], "logprobs": [-1.0, 0.0, 0.0, 0.0, 0.0]}, "dead-end-token-0"),
        ({"scores": {"raw": Scores(logp=[-1.0])}}, "length-mismatch"),
    ],
)
def test_defects(fields: dict[str, Any], kind: str) -> None:
    assert defect(row(**fields)) == kind


def test_defects_are_counted_by_kind() -> None:
    good, kinds = valid([row(), row(finish="abort"), row(finish="abort"), row(tokens=[], logprobs=[])])
    assert len(good) == 1
    assert kinds == {"aborted": 2, "empty": 1}


def test_the_plain_format_of_older_recordings_is_read(shared: Path) -> None:
    recording = read(shared / "qwen2-tiny_vllm-0.8.5_v0.json")
    assert (recording.header.engine, recording.header.order, len(recording.rows)) == ("v0", "v0", 16)
