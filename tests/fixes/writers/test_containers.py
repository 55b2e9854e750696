"""The same changes where the command stands inside a YAML file: in lists of a container, in a string."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.fixes.carriers import writer_of
from vllm_migrate.fixes.plan import edits_of

HEAD = "services:\n  vllm:\n    image: vllm/vllm-openai:v0.8.5\n"
LIST = HEAD + "    command:\n      - --model=m\n      - --max-num-seqs\n      - '8'  # few\n"
TEXT = HEAD + "    command: --model m --max-num-seqs 8 --seed 1\n"


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        (LIST, LIST + "      - --no-enable-prefix-caching\n"),
        (TEXT, TEXT.replace("1\n", "1 --no-enable-prefix-caching\n")),
    ],
)
def test_set(text: str, changed: str, tmp_path: Path) -> None:
    compose = Changing(tmp_path, "compose.yaml", text)
    assert compose.set("enable_prefix_caching", False) == changed
    assert compose.read_back()["enable_prefix_caching"] is False


@pytest.mark.parametrize(
    ("text", "changed"),
    [(LIST, HEAD + "    command:\n      - --model=m\n"), (TEXT, TEXT.replace(" --max-num-seqs 8", ""))],
)
def test_drop(text: str, changed: str, tmp_path: Path) -> None:
    compose = Changing(tmp_path, "compose.yaml", text)
    assert compose.drop("--max-num-seqs") == changed
    assert "max_num_seqs" not in compose.read_back()


@pytest.mark.parametrize("text", [LIST, TEXT])
def test_respell(text: str, tmp_path: Path) -> None:
    compose = Changing(tmp_path, "compose.yaml", text)
    changed = compose.respell("--max-num-seqs", "max_model_len", 64)
    assert "--max-model-len" in changed and "--max-num-seqs" not in changed
    assert compose.read_back()["max_model_len"] == 64


def test_a_variable_of_the_container_goes(tmp_path: Path) -> None:
    compose = Changing(tmp_path, "compose.yaml", LIST + "    environment:\n      VLLM_USE_V1: '1'\n      KEPT: x\n")
    assert compose.drop("VLLM_USE_V1") == LIST + "    environment:\n      KEPT: x\n"


def test_what_an_anchor_shares_is_refused(tmp_path: Path) -> None:
    text = TEXT.replace("  vllm:", "  vllm: &one") + "  other: *one\n"
    compose = Changing(tmp_path, "compose.yaml", text)
    engine = compose.reading.engines[0]
    with pytest.raises(CannotEdit, match="anchor"):
        edits_of(writer_of(engine, None).set("enable_prefix_caching", False))
