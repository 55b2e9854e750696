"""What `effective` prints and its JSON contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

ROLLOUT = """\
llm:
  parameters:
    temperature: 0.7
vllm_config:
  use_v1: false
  vllm_kwargs:
    dtype: bfloat16
    num-scheduler-steps: 1
    max-model-len: 4096
"""


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert main(["effective", *argv]) in (0, None)
    return capsys.readouterr().out


@pytest.fixture
def rollout(tmp_path: Path) -> str:
    path = tmp_path / "conf" / "base.yaml"
    path.parent.mkdir()
    path.write_text(ROLLOUT, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("width", [80, 140])
def test_a_table_that_fits(
    rollout: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = [line.rstrip() for line in run(capsys, rollout).splitlines()]
    assert all(len(line) <= width for line in lines if rollout not in line)
    cells = {line.split()[0]: line.split()[1:] for line in lines if line}
    by_itself = ["r"] if width == 80 else ["run", "time"]
    assert cells["engine"] == ["v0", ":5" if width == 80 else "line", *([] if width == 80 else ["5"]), "v1", *by_itself]
    assert cells["logprobs_mode"] == ["processed_logprobs", *by_itself, "raw_logprobs", *by_itself]
    assert cells["num_scheduler_steps"][-1] == "rejected"
    assert cells["optimization_level"][0] == "-"
    assert "dtype" not in cells and "unchanged settings hidden" in " ".join(lines)


def test_changed_rows_come_first(
    rollout: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    lines = run(capsys, rollout, "--all").splitlines()
    heads = [line.split("  ")[0] for line in lines]
    assert heads.index("changes") < heads.index("logprobs_mode") < heads.index("stays") < heads.index("dtype")
    assert len({line.index("0.18.1") for line in lines if line.startswith("changes")}) == 1


def test_what_is_not_known_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "serve.sh"
    path.write_text("vllm serve Qwen/Qwen2.5-7B --kv-cache-dtype fp8\n", encoding="utf-8")
    out = run(capsys, str(path))
    assert "v0 or v1 ?" in " ".join(out.split())
    assert out.partition("\n  core: ")[2].partition("\n")[2].count("whether the device runs") == 1
    told = run(capsys, str(path), "--gpu", "h100", "--all")
    assert "whether the device runs" not in told
    assert [line.split()[1] for line in told.splitlines() if line.startswith("max_num_seqs")] == ["1024"]


@pytest.mark.parametrize(
    ("command", "tokens"),
    [
        ("vllm serve {model}", (8192, 8192)),
        ("python -m vllm.entrypoints.openai.api_server --model {model}", (8192, 8192)),
    ],
)
def test_the_entry_point_decides(
    command: str, tokens: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(
        json.dumps({"model_type": "qwen2", "torch_dtype": "float32", "max_position_embeddings": 32768}),
        encoding="utf-8",
    )
    path = tmp_path / "run.sh"
    path.write_text(command.format(model=model) + "\n", encoding="utf-8")
    told = ("--gpu", "h100", "--model-config", str(model), "--output-format", "json")
    settings = only(run(capsys, str(path), *told))
    assert values(settings, "max_num_batched_tokens") == tokens
    assert values(settings, "dtype") == ("float16", "bfloat16")
    assert values(settings, "max_model_len") == (32768, 32768)


def test_from_engine_settles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.sh"
    path.write_text("vllm serve Qwen/Qwen2.5-7B\n", encoding="utf-8")
    settings = only(run(capsys, str(path), "--from-engine", "v0", "--output-format", "json"))
    assert settings["engine"]["from"] == {"value": "v0", "origin": "--from-engine", "depends_on": None}
    assert values(settings, "enable_prefix_caching") == (False, True)


def test_the_json_contract(rollout: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(run(capsys, rollout, "--output-format", "json"))
    assert list(answer) == ["schema", "from", "to", "engines"]
    assert (answer["schema"], answer["from"], answer["to"]) == (1, "0.8.5", "0.18.1")
    (engine,) = answer["engines"]
    assert list(engine) == ["path", "id", "role", "dialect", "project", "from", "to", "situation", "settings"]
    assert (engine["path"], engine["role"], engine["dialect"]) == (rollout, "rl_rollout", "pipelinerl")
    for setting in engine["settings"]:
        assert list(setting) == ["option", "from", "to"]
        assert list(setting["from"]) == list(setting["to"]) == ["value", "origin", "depends_on"]
    settings = {setting["option"]: setting for setting in engine["settings"]}
    assert settings["dtype"]["to"] == {"value": "bfloat16", "origin": f"{rollout}:7", "depends_on": None}
    assert settings["max_num_seqs"]["to"]["value"] is None or settings["max_num_seqs"]["to"]["depends_on"]
    # What differs comes first.
    names = list(settings)
    assert names.index("logprobs_mode") < names.index("dtype")


def only(text: str) -> dict[str, dict[str, dict[str, object]]]:
    (engine,) = json.loads(text)["engines"]
    return {setting["option"]: setting for setting in engine["settings"]}


def values(settings: dict[str, dict[str, dict[str, object]]], option: str) -> tuple[object, object]:
    return settings[option]["from"]["value"], settings[option]["to"]["value"]


def settings(capsys: pytest.CaptureFixture[str], path: Path, text: str, *more: str) -> dict[str, dict[str, object]]:
    """What `effective` says in JSON of each option of the one engine of a file, at the target release."""
    path.write_text(text, encoding="utf-8")
    (engine,) = json.loads(run(capsys, str(path), "--output-format", "json", *more))["engines"]
    return {setting["option"]: setting["to"] for setting in engine["settings"]}


def test_what_may_be_is_listed_flat_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "serve.py"
    text = 'from vllm import AsyncEngineArgs\nAsyncEngineArgs(model="m", dtype="bfloat16", max_num_seqs=64)\n'
    assert settings(capsys, path, text)["max_num_batched_tokens"]["value"] is None
    assert "Undetermined" not in run(capsys, str(path), "--all")


def test_what_a_program_computes_is_told_as_its_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "serve.py"
    text = (
        "from vllm import LLM\n"
        'LLM(model="m", tensor_parallel_size=TP, cudagraph_capture_sizes=[1, N], '
        'speculative_config={"model": DRAFT, "num_speculative_tokens": 3})\n'
    )
    found = settings(capsys, path, text)
    assert found["tensor_parallel_size"]["value"] is None
    assert found["tensor_parallel_size"]["depends_on"] == "the value of tensor_parallel_size (TP)"
    assert found["speculative_config"]["value"] == {"model": "DRAFT", "num_speculative_tokens": 3}
    assert found["speculative_config"]["depends_on"] == "the value of speculative_config.model (DRAFT)"
    assert found["cudagraph_capture_sizes"]["value"] == [1, "N"]
    assert found["cudagraph_capture_sizes"]["depends_on"] == "the value of cudagraph_capture_sizes (N)"
    lines = {line.split()[0]: line for line in run(capsys, str(path), "--all").splitlines() if line}
    assert "unset" not in lines["tensor_parallel_size"]
    assert '{"model": "DRAFT", "num_speculative_tokens": 3} ?' in lines["speculative_config"]
    assert '[1, "N"] ?' in lines["cudagraph_capture_sizes"]


def test_a_secret_is_hidden_in_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "abcdef0123456789"
    path = tmp_path / "serve.sh"
    path.write_text(f"vllm serve m --api-key {secret}\n", encoding="utf-8")
    assert secret not in run(capsys, str(path), "--output-format", "json")


def test_what_kwargs_may_set_is_not_certain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    path = tmp_path / "serve.py"
    call = 'from vllm import LLM\nLLM(model="m", max_num_seqs=4{})\n'
    found = settings(capsys, path, call.format(", **kw"), "--from-engine", "v0")
    assert found["enable_prefix_caching"]["value"] is True
    assert found["enable_prefix_caching"]["depends_on"] == "whether **kw sets it"
    assert found["max_num_seqs"]["depends_on"] is None and found["engine"]["depends_on"] is None
    heads = [line.split("  ")[0] for line in run(capsys, str(path), "--from-engine", "v0").splitlines()]
    assert heads.index("may change") < heads.index("enable_prefix_caching")
    certain = settings(capsys, path, call.format(""), "--from-engine", "v0")
    assert certain["enable_prefix_caching"] == {**found["enable_prefix_caching"], "depends_on": None}


def test_what_a_parent_that_was_not_found_may_set_is_not_certain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "conf" / "child.yaml"
    path.parent.mkdir()
    found = settings(capsys, path, "defaults:\n  - gone\n  - _self_\n" + ROLLOUT, "--from-engine", "v0")
    assert found["enable_prefix_caching"]["depends_on"] == "whether a parent that was not found (gone) sets it"
    assert found["max_model_len"] == {**found["max_model_len"], "value": 4096, "depends_on": None}
