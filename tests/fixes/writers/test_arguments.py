"""Items of a list of arguments inside a mapping, as the production stack's chart has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit, Unknown

HEAD = (
    "servingEngineSpec:\n  modelSpec:\n    - name: a\n      modelURL: a/b\n      vllmConfig:\n        dtype: bfloat16\n"
)
LIST = HEAD + "        extraArgs:\n          - --seed=3\n          - --max-num-seqs\n          - '8'  # few\n"


@pytest.fixture
def chart(tmp_path: Path) -> Changing:
    return Changing(tmp_path, "values.yaml", LIST)


def test_set(chart: Changing) -> None:
    assert chart.set("logprobs_mode", "raw_logprobs") == LIST + "          - --logprobs-mode=raw_logprobs\n"
    assert chart.read_back()["logprobs_mode"] == "raw_logprobs"


def test_a_key_of_the_chart_is_no_argument(chart: Changing) -> None:
    text = chart.set("max_model_len", 4096)
    assert "        maxModelLen: 4096\n" in text
    assert chart.read_back()["max_model_len"] == 4096


def test_the_list_is_made_when_there_is_none(tmp_path: Path) -> None:
    chart = Changing(tmp_path, "values.yaml", HEAD)
    chart.set("enable_expert_parallel", False)
    assert chart.read_back()["enable_expert_parallel"] is False


def test_drop(chart: Changing) -> None:
    assert chart.drop("--max-num-seqs") == HEAD + "        extraArgs:\n          - --seed=3\n"
    assert "max_num_seqs" not in chart.read_back()


def test_a_key_is_dropped_as_in_any_file(chart: Changing) -> None:
    assert "dtype" not in chart.drop("vllmConfig.dtype")
    assert chart.read_back()["seed"] == 3


def test_respell(chart: Changing) -> None:
    text = chart.respell("--max-num-seqs", "max_num_batched_tokens", 2048)
    assert text == HEAD + "        extraArgs:\n          - --seed=3\n          - --max-num-batched-tokens=2048\n"
    assert chart.read_back()["max_num_batched_tokens"] == 2048


def test_an_undecided_value_is_refused(chart: Changing) -> None:
    with pytest.raises(CannotEdit, match="comes from outside the file"):
        chart.set("logprobs_mode", Unknown("$MODE"))
