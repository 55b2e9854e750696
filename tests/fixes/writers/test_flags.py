"""Flags of a framework's own command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit

SWIFT = "swift rlhf --rlhf_type grpo --use_vllm true --vllm_mode colocate"
OPENRLHF = "python3 -m openrlhf.cli.train_ppo_ray --vllm.num_engines 4 --vllm.enforce_eager --seed 1\n"


def test_set(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", SWIFT + "\n")
    assert run.set("enable_prefix_caching", False) == SWIFT + " --vllm_enable_prefix_caching false\n"
    assert run.read_back()["enable_prefix_caching"] is False


def test_a_key_of_a_mapping_joins_the_others(tmp_path: Path) -> None:
    text = SWIFT + " --vllm_engine_kwargs '{\"seed\": 1}' --seed 1\n"
    run = Changing(tmp_path, "run.sh", text)
    assert run.set("swap_space", 2) == text.replace('"seed": 1}', '"seed": 1, "swap_space": 2}')
    assert run.read_back()["seed"] == 1


def test_drop(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", SWIFT + " --vllm_max_model_len 4096 --seed 1\n")
    assert run.drop("vllm_max_model_len") == SWIFT + " --seed 1\n"
    assert "max_model_len" not in run.read_back()


def test_respell(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", SWIFT + " --vllm_max_model_len 4096 --seed 1\n")
    assert run.respell("vllm_max_model_len", "enforce_eager", True) == SWIFT + " --vllm_enforce_eager true --seed 1\n"
    assert run.read_back()["enforce_eager"] is True


def test_a_flag_whose_absence_is_false_is_a_word_alone(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", OPENRLHF)
    text = run.set("enable_prefix_caching", True)
    assert "--vllm.enable_prefix_caching" in text.split() and "true" not in text
    assert run.read_back()["enable_prefix_caching"] is True


def test_what_has_no_flag_is_refused(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", OPENRLHF)
    with pytest.raises(CannotEdit, match="OpenRLHF has no flag for it"):
        run.set("enable_prefix_caching", False)
