"""Keys of a mapping in a file, and those of a `--config` file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fixes.writers.changing import Changing
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.fixes.writers.files import ConfigWriter, FileWriter

SERVE = "model: m\nmax-model-len: 8192  # long\nseed: 1\n"


@pytest.fixture
def serve(tmp_path: Path) -> Changing:
    found = Changing(tmp_path, "serve.yaml", SERVE)
    assert type(found.writer()) is FileWriter
    return found


def test_set(serve: Changing) -> None:
    assert serve.set("enable_prefix_caching", False) == SERVE + "no-enable-prefix-caching: true\n"
    assert serve.read_back()["enable_prefix_caching"] is False


def test_drop(serve: Changing) -> None:
    assert serve.drop("seed") == "model: m\nmax-model-len: 8192  # long\n"
    assert "seed" not in serve.read_back()


def test_respell(serve: Changing) -> None:
    assert serve.respell("max-model-len", "max_num_seqs", 8) == "model: m\nmax-num-seqs: 8  # long\nseed: 1\n"
    assert serve.read_back()["max_num_seqs"] == 8


def test_a_key_that_only_changes_its_name_keeps_its_value_as_it_stands(tmp_path: Path) -> None:
    serve = Changing(tmp_path, "serve.yaml", "model: m\nmax-model-len: 0x20\n")
    value = serve.written("max-model-len").value
    assert serve.respell("max-model-len", "max_num_seqs", value) == "model: m\nmax-num-seqs: 0x20\n"


def test_what_stands_under_an_anchor_is_refused(tmp_path: Path) -> None:
    text = "shared: &k\n  dtype: bfloat16\nvllm_config:\n  use_v1: true\n  vllm_kwargs: *k\n"
    shared = Changing(tmp_path, "base.yaml", text)
    with pytest.raises(CannotEdit, match="anchor"):
        shared.drop("dtype")
    with pytest.raises(CannotEdit, match="anchor"):
        shared.set("seed", 1)


def test_a_configuration_file_of_a_command(tmp_path: Path) -> None:
    command = Changing(tmp_path, "run.sh", "vllm serve --config serve.yaml\n", serve_yaml=SERVE)
    assert type(command.writer("seed")) is ConfigWriter
    text = command.respell("seed", "enable_prefix_caching", False)
    assert text == "model: m\nmax-model-len: 8192  # long\nno-enable-prefix-caching: true\n"
    assert command.read_back()["enable_prefix_caching"] is False
