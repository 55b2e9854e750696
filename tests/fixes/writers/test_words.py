"""Options of `vllm serve`, in scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit, Unknown

RUN = "vllm serve m --max-num-seqs 8 --seed=1 --port 80\n"


@pytest.fixture
def run(tmp_path: Path) -> Changing:
    return Changing(tmp_path, "run.sh", RUN)


def test_set(run: Changing) -> None:
    assert run.set("enable_prefix_caching", False) == RUN.replace("\n", " --no-enable-prefix-caching\n")
    assert run.read_back()["enable_prefix_caching"] is False


def test_a_new_option_stands_before_the_arguments_of_the_script(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", 'vllm serve m --seed 1 "$@"\n')
    assert run.set("max_num_seqs", 4) == 'vllm serve m --seed 1 --max-num-seqs 4 "$@"\n'


def test_drop(run: Changing) -> None:
    assert run.drop("--max-num-seqs") == "vllm serve m --seed=1 --port 80\n"
    assert "max_num_seqs" not in run.read_back()


@pytest.mark.parametrize(
    ("key", "option", "value", "words"),
    [
        ("--max-num-seqs", "max_model_len", 64, "--max-model-len 64 --seed=1"),
        ("--max-num-seqs", "enforce_eager", True, "--enforce-eager --seed=1"),
        ("--seed", "max_model_len", 64, "--max-num-seqs 8 --max-model-len 64"),
    ],
)
def test_respell(run: Changing, key: str, option: str, value: object, words: str) -> None:
    assert run.respell(key, option, value) == f"vllm serve m {words} --port 80\n"
    assert run.read_back()[option] == value


def test_a_value_that_stays_is_not_written_anew(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", "vllm serve m --max-num-seqs '8' --port 80\n")
    value = run.written("--max-num-seqs").value
    assert run.respell("--max-num-seqs", "max_model_len", value) == "vllm serve m --max-model-len '8' --port 80\n"


def test_an_undecided_value_is_refused(run: Changing) -> None:
    with pytest.raises(CannotEdit, match="comes from outside the file"):
        run.set("max_model_len", Unknown("$LEN"))


def test_values_whose_number_is_not_decided_are_refused(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", "vllm serve m --no-such-option 1 2\n")
    with pytest.raises(CannotEdit, match="how many of the words"):
        run.drop("--no-such-option")
