"""Environment variables that a script sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.fixes.writers.variables import ONLY_DROPPED

KEY = "VLLM_USE_V1"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("export VLLM_USE_V1=1\nvllm serve m --seed 1\n", "vllm serve m --seed 1\n"),
        ("VLLM_USE_V1=1 A=1 vllm serve m --seed 1\n", "A=1 vllm serve m --seed 1\n"),
        ("docker run -e VLLM_USE_V1=1 vllm/vllm-openai --seed 1\n", "docker run vllm/vllm-openai --seed 1\n"),
    ],
)
def test_drop(text: str, left: str, tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", text)
    assert run.drop(KEY) == left
    assert run.read_back()["seed"] == 1


def test_it_is_never_written(tmp_path: Path) -> None:
    run = Changing(tmp_path, "run.sh", "export VLLM_USE_V1=1\nvllm serve m\n")
    writer, written = run.writer(KEY), run.written(KEY)
    with pytest.raises(CannotEdit, match=ONLY_DROPPED):
        writer.respell(written, "env.VLLM_USE_V1", "0")
    with pytest.raises(CannotEdit, match=ONLY_DROPPED):
        writer.set("env.VLLM_USE_V1", "0")


def test_a_program_no_longer_sets_it(tmp_path: Path) -> None:
    text = 'import os\nos.environ["VLLM_USE_V1"] = "1"\nfrom vllm import LLM\nllm = LLM("m")\n'
    program = Changing(tmp_path, "run.py", text)
    assert program.drop("VLLM_USE_V1") == text.replace('os.environ["VLLM_USE_V1"] = "1"\n', "")


def test_what_a_program_sets_by_a_call_is_left_to_people(tmp_path: Path) -> None:
    text = 'import os\nos.environ.setdefault("VLLM_USE_V1", "1")\nfrom vllm import LLM\nllm = LLM("m")\n'
    program = Changing(tmp_path, "run.py", text)
    with pytest.raises(CannotEdit, match="the program sets it"):
        program.drop(KEY)
