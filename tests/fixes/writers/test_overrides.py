"""Overrides of a Hydra program, one word each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit, Unknown

ROLLOUT = "actor_rollout_ref.rollout"
RUN = f"python3 -m verl.trainer.main_ppo {ROLLOUT}.name=vllm {ROLLOUT}.max_num_seqs=8 trainer.nnodes=1\n"


@pytest.fixture
def run(tmp_path: Path) -> Changing:
    return Changing(tmp_path, "run.sh", RUN)


def test_set(run: Changing) -> None:
    pin = f"++{ROLLOUT}.engine_kwargs.vllm.no_enable_prefix_caching=True"
    assert run.set("enable_prefix_caching", False) == RUN.replace(" trainer", f" {pin} trainer")
    assert run.read_back()["enable_prefix_caching"] is False


@pytest.mark.parametrize(("value", "text"), [(None, "null"), ([1, 2], "[1, 2]"), ({"a": "b"}, "{a: b}")])
def test_values_are_written_as_hydra_reads_them(run: Changing, value: object, text: str) -> None:
    assert f"engine_kwargs.vllm.override_generation_config={text}" in run.set(
        "override_generation_config", value
    ).replace("'", "")


def test_drop(run: Changing) -> None:
    assert run.drop("max_num_seqs") == RUN.replace(f"{ROLLOUT}.max_num_seqs=8 ", "")
    assert run.read_back()["max_num_seqs"] != 8


def test_respell(run: Changing) -> None:
    text = run.respell("max_num_seqs", "swap_space", 4)
    assert text == RUN.replace(f"{ROLLOUT}.max_num_seqs=8", f"++{ROLLOUT}.engine_kwargs.vllm.swap_space=4")
    assert run.written("max_num_seqs").value == 8, "what was read is left as it is"


def test_without_an_override_of_the_engine_there_is_no_place(tmp_path: Path) -> None:
    conf = "actor_rollout_ref:\n  rollout:\n    name: vllm\n    max_num_seqs: 8\n"
    text = "python3 -m verl.trainer.main_ppo --config-path=. --config-name=mine trainer.nnodes=1\n"
    run = Changing(tmp_path, "run.sh", text, mine_yaml=conf)
    assert run.drop("max_num_seqs") == conf.replace("    max_num_seqs: 8\n", ""), "it stands in the file"


def test_an_undecided_value_is_refused(run: Changing) -> None:
    with pytest.raises(CannotEdit, match="does not decide"):
        run.set("swap_space", Unknown("$N"))
