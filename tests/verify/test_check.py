"""A configuration beside a record: what is the same, what differs and why, which findings a run confirms or refutes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.verify.conftest import CONFIG
from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.run.settings import Options
from vllm_migrate.verify.check import Sources, verify
from vllm_migrate.verify.compare import alike
from vllm_migrate.verify.model import Setting, Verified


def recorded(folder: Path, env: dict[str, str] | None = None, **changes: dict[str, Any]) -> str:
    """A record of CONFIG with changes by part; its path."""
    config = copy.deepcopy(CONFIG)
    for part, values in changes.items():
        config[part].update(values)
    line = {
        "schema": 1,
        "stage": "created",
        "pid": 1,
        "release": "0.18.1",
        "core": "v1",
        "config": config,
        "env": env or {},
    }
    path = folder / "record.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps({**line, "stage": "started"}) + "\nnot a line of ours\n")
    return str(path)


def compared(serve: Path, record: str, **options: Any) -> Verified:
    (found,) = verify(Options((serve.name,), gpu="h100", **options), Sources(record=record))
    return found


def setting(found: Verified, option: str) -> Setting:
    return next(one for one in found.settings if one.option == option)


def test_the_same_engine(serve: Path) -> None:
    found = compared(serve, recorded(serve.parent))
    assert found.differing == ()
    assert (setting(found, "max_num_seqs").verdict, setting(found, "max_num_seqs").origin) == ("same", "serve.yaml:5")
    assert setting(found, "generation_config").verdict == "not-told"


def test_a_false_that_is_dropped_is_confirmed_and_refuted(serve: Path) -> None:
    found = setting(compared(serve, recorded(serve.parent)), "enable_prefix_caching")
    assert (found.verdict, found.running) == ("same", True) and "VM301" in found.confirms
    other = recorded(serve.parent, cache_config={"enable_prefix_caching": False})
    found = setting(compared(serve, other), "enable_prefix_caching")
    assert found.verdict == "differs" and "VM301" in found.refutes


def test_a_wrapper_that_overrides_is_named(serve: Path) -> None:
    record = recorded(
        serve.parent, scheduler_config={"max_num_seqs": 64}, model_config={"logprobs_mode": "processed_logprobs"}
    )
    found = compared(serve, record)
    assert {one.option: one.running for one in found.differing} == {
        "max_num_seqs": 64,
        "logprobs_mode": "processed_logprobs",
    }
    (found,) = verify(Options((serve.name,), from_engine="v0"), Sources(record=record))
    assert "VM401" in setting(found, "logprobs_mode").refutes


def test_a_variable_of_the_environment_is_named(serve: Path) -> None:
    env = {"VLLM_BATCH_INVARIANT": "1", "VLLM_SERVER_DEV_MODE": "1", "VLLM_NOT_OURS": "1"}
    found = compared(serve, recorded(serve.parent, env))
    assert [one.option for one in found.differing] == ["env.VLLM_BATCH_INVARIANT"]


def test_what_the_files_leave_open_is_settled(serve: Path) -> None:
    (found,) = verify(Options((str(serve),)), Sources(record=recorded(serve.parent)))
    one = setting(found, "max_num_batched_tokens")
    assert one.open and one.verdict == "same" and "GPU" in one.depends_on
    other = recorded(serve.parent, scheduler_config={"max_num_batched_tokens": 999})
    (found,) = verify(Options((str(serve),)), Sources(record=other))
    assert setting(found, "max_num_batched_tokens").verdict == "differs"


@pytest.mark.parametrize(
    ("written", "running", "equal"),
    [
        ("half", "float16", True),
        ("2k", 2000, True),
        ("2K", 2048, True),
        (None, False, True),
        (0, False, False),
        (1, True, False),
        (None, 0, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ('{"a": 1}', {"a": 1}, True),
        ([1, 2], (1, 2), True),
        ([1, 2], [1], False),
        ("FLASH_ATTN", "flash_attn", True),
        ("0.9", 0.9, True),
    ],
)
def test_values_that_mean_the_same(written: object, running: object, equal: bool) -> None:
    assert alike(written, running) is equal


def test_mistakes_say_what_to_do(serve: Path, tmp_path: Path) -> None:
    options = Options((str(serve),))
    with pytest.raises(UsageError, match="nothing to compare"):
        verify(options, Sources())
    with pytest.raises(UsageError, match="no engine 'judge'"):
        verify(options, Sources(record=recorded(tmp_path)), "judge")
    with pytest.raises(UsageError, match="no line from the recorder"):
        verify(options, Sources(record=str(serve)))
    (tmp_path / "other.yaml").write_text("a: 1\n")
    with pytest.raises(UsageError, match="no vLLM engine"):
        verify(Options((str(tmp_path / "other.yaml"),)), Sources(record=recorded(tmp_path)))


def test_the_command(serve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = recorded(serve.parent, scheduler_config={"max_num_seqs": 64})
    words = ["verify", "serve.yaml", "--record", record, "--gpu", "h100"]
    assert main(words) == 1
    out = capsys.readouterr().out
    assert "differs  max_num_seqs: runs with 64, the files have 16" in out and "serve.yaml:5" in out
    assert "pause_generation" in out and "prefix cache cleared at the last update: not reported" in out
    assert main([*words, "--output-format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    (engine,) = report["engines"]
    keys = {"option", "written", "running", "verdict", "source", "confirms", "refutes"}
    assert report["schema"] == 1 and all(keys <= set(one) for one in engine["settings"])
    assert main(["verify", "serve.yaml", "--record", recorded(serve.parent), "--gpu", "h100", "--all"]) == 0
    assert main(["verify", "serve.yaml", "--record", "nowhere"]) == 2
    assert main(["verify", "serve.yaml", "--log", "nowhere"]) == 2


# Lines whose values no configuration can have, before those of a start.
ODD = (
    "INFO non-default args: {'max_num_seqs': inf, 'gpu_memory_utilization': nan}",
    "INFO non-default args: {'max_num_seqs': 1e999999}",
    f"INFO non-default args: {{'max_num_seqs': {'9' * 6000}}}",
    f"INFO non-default args: {{'model': '{'9' * 6000}', 'max_model_len': '{'9' * 400}k'}}",
    f"INFO non-default args: {{'model': '{'[' * 100_000}', 'compilation_config': '{'{' * 100_000}'}}",
    f"INFO Chunked prefill is enabled with max_num_batched_tokens={'9' * 6000}.",
    f"INFO Using max model len {'9' * 6000}",
    f"INFO Using default chat sampling params from model: {{'temperature': {'9' * 6000}}}",
    "INFO non-default args: " + "{'a': " * 50_000,
    "INFO args: Namespace(" + "a=dict(" * 9_000,
    "INFO non-default args: {'model': " + "<" * 100_000,
    "INFO vLLM API server version 0.18.1 \x00\ufffd\x1b[31m",
)


@pytest.mark.parametrize("line", ODD, ids=lambda line: line[:40])
def test_a_log_with_what_no_configuration_can_have(
    serve: Path, tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd.log").write_text(line + "\n", encoding="utf-8", errors="replace")
    assert main(["verify", serve.name, "--log", "odd.log", "--to", "0.18.1", "--output-format", "json"]) in (0, 1)
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["engines"][0]["release"] == "0.18.1"


def test_the_arguments_of_another_program_are_none_of_vllms(
    serve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its line must not stand for a complete one, by which everything left out has vLLM's default."""
    (tmp_path / "other.log").write_text(
        "INFO non-default args: {'lr': 0.1, 'epochs': 3}\nINFO args: Namespace(seed=1)\n"
    )
    main(["verify", serve.name, "--log", "other.log", "--to", "0.18.1", "--output-format", "json"])
    told = [
        one for one in json.loads(capsys.readouterr().out)["engines"][0]["settings"] if one["verdict"] != "not-told"
    ]
    assert {one["option"] for one in told} <= {"engine"}


@pytest.mark.parametrize(
    "change",
    [
        *(
            {name: value}
            for name in ("pid", "stage", "release", "core", "env", "sampling")
            for value in ([1], {"a": 1}, 7, None)
        ),
        {"config": {"cache_config": {"swap_space_bytes": 1e308, "gpu_memory_utilization": "x"}}},
        {"config": {"a": {"b": [1]}, "model_config": [3]}},
    ],
    ids=str,
)
def test_a_record_that_somebody_edited(
    serve: Path, tmp_path: Path, change: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path)
    lines = [{**json.loads(line), **change} for line in Path(path).read_text().splitlines()[:2]]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main(["verify", serve.name, "--record", path, "--to", "0.18.1", "--output-format", "json"]) in (0, 1)
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "line", ["", "[" * 100_000, '{"schema": 1, "config": ' + "[" * 100_000, "\x00", '{"schema": 2, "config": {}}']
)
def test_what_is_no_record(serve: Path, tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.jsonl").write_text(line + "\n")
    assert main(["verify", serve.name, "--record", "no.jsonl"]) == 2
    assert "no line from the recorder" in capsys.readouterr().err


def test_a_release_that_is_none_is_refused(serve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", serve.name, "--record", recorded(tmp_path), "--to", "zzz"]) == 2
    assert "zzz is not in the catalog" in capsys.readouterr().err


def test_a_false_behind_a_flag_that_is_on_all_the_same_differs(serve: Path, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "actor:\n  llm_max_rollouts: 16\nvllm_config:\n  use_v1: false\n  vllm_kwargs:\n    enable-prefix-caching: false\n"
    )
    (found,) = verify(Options(("base.yaml",), gpu="h100"), Sources(record=recorded(tmp_path)))
    caching = setting(found, "enable_prefix_caching")
    assert (caching.written, caching.running, caching.verdict) == (False, True, "differs")
    assert caching.origin == "base.yaml:6" and "VM302" in caching.confirms
