"""prime-rl: TOML in two layouts, each with its own place for a pin."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.dialects.reading import Reading

NEW = '[orchestrator]\nbatch_size = 8\n\n[inference.vllm]\nmodel = "a/b"  # small\nmax-num-seqs = 256\nenforce_eager = false\n'
OLD = (
    '[trainer]\n\n[inference]\nenable_prefix_caching = false\n\n[inference.model]\nname = "a/b"\nmax_model_len = 2048\n'
)


def test_arguments_by_their_own_names(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rl.toml": NEW}, source="0.14.0", target="0.27.1")
    arrives = reading.arrives("0.27.1")
    assert arrives["max_num_seqs"] == 256 and arrives["enforce_eager"] is False
    assert arrives["logprobs_mode"] == "processed_logprobs"


def test_the_older_layout(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rl.toml": OLD}, target="0.18.1")
    arrives = reading.arrives("0.18.1")
    assert arrives["enable_prefix_caching"] is False and arrives["max_model_len"] == 2048


def test_a_pin_in_the_table_it_belongs_to(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rl.toml": NEW})
    reading.fix()
    after = tomllib.loads(reading.text("rl.toml"))
    assert after["inference"]["vllm"]["async_scheduling"] is False
    assert "# small" in reading.text("rl.toml")


def test_a_pin_in_the_older_layout(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rl.toml": OLD}, frameworks={"prime-rl": "0.5.0"})
    reading.fix()
    after = tomllib.loads(reading.text("rl.toml"))
    assert after["inference"]["vllm_extra"] == {"async_scheduling": False}
    assert after["inference"]["model"] == tomllib.loads(OLD)["inference"]["model"]


def test_before_0_5_nothing_else_passes(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rl.toml": OLD}, source="0.12.0", target="0.14.0", frameworks={"prime-rl": "0.4.0"})
    assert all("prime-rl before v0.5" in why for _, why in reading.fix().refused)
    assert reading.text("rl.toml") == OLD


def test_a_file_for_the_server_alone(tmp_path: Path) -> None:
    text = '[deployment]\ntype = "single_node"\n\n[vllm]\nmodel = "a/b"\n'
    reading = Reading(tmp_path, {"infer.toml": text})
    assert reading.engine.site_path == "inference"
    reading.fix()
    assert tomllib.loads(reading.text("infer.toml"))["vllm"] == {"model": "a/b", "async_scheduling": False}


@pytest.mark.parametrize(
    "text",
    [
        '[project]\nname = "x"\n',
        "[tool.inference]\nvllm = true\n",
        '[model]\nname = "a"\n[trainer]\nlr = 1.0\n',
        "[inference]\nx = 1\n",
    ],
)
def test_other_toml_is_silent(text: str, tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"pyproject.toml": text}).engines


def test_files_in_the_order_of_the_command_and_its_flags(tmp_path: Path) -> None:
    script = "#!/bin/bash\nuv run rl @ base.toml @ over.toml --inference.vllm.max-num-seqs 16 --output-dir out\n"
    over = "[inference.vllm]\nmax-num-seqs = 32\nenforce_eager = true\n"
    files = {"run.sh": script, "base.toml": NEW, "over.toml": over}
    reading = Reading(tmp_path, files)
    engine = reading.engines[0]
    assert Path(engine.file.path).name == "run.sh"
    assert [Path(file.path).name for file in engine.files] == ["base.toml", "over.toml", "run.sh"]
    values = {written.key.replace("-", "_"): written.value for written in engine.options}
    assert values["max_num_seqs"] == 16 and values["enforce_eager"] is True
    reading.fix()
    assert tomllib.loads(reading.text("base.toml"))["inference"]["vllm"]["async_scheduling"] is False
    assert reading.text("run.sh") == script


def test_a_script_without_such_files_is_silent(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": 'echo mail me @ home.toml\ngit log @ -- "$X"\n'})
    assert not reading.engines


def test_a_flag_of_the_server_arrives(tmp_path: Path) -> None:
    """The table becomes attributes of the server's parsed arguments, so it may hold more than engine arguments."""
    reading = Reading(tmp_path, {"rl.toml": NEW + 'tool_call_parser = "hermes"\n'}, source="0.14.0", target="0.27.1")
    assert reading.arrives("0.27.1")["tool_call_parser"] == "hermes"
    assert not reading.diagnostics("0.27.1")
