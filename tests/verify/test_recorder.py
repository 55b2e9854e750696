"""The recorder inside a vLLM made for the test: found by its entry points, off unless asked, never in the way of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.verify import python, record
from vllm_migrate.verify.recorder import plain

FAKE = {
    "vllm/__init__.py": "",
    "vllm/envs.py": "VLLM_USE_V1 = True\nenvironment_variables = {'VLLM_USE_V1': None}\n",
    "vllm/engine/__init__.py": "",
    "vllm/engine/arg_utils.py": (
        "class Mode:\n    pass\n"
        "class ModelConfig:\n"
        "    def __init__(self, args):\n"
        "        self.max_model_len = args.max_model_len or 4096\n"
        "        self.logprobs_mode = 'raw_logprobs'\n"
        "        self.hf_token = 'hf_secretsecretsecret'\n"
        "        self.hook = print\n"
        "class VllmConfig:\n"
        "    def __init__(self, args):\n"
        "        self.model_config = ModelConfig(args)\n"
        "        self.lora_config = None\n"
        "class EngineArgs:\n"
        "    def __init__(self, model='m', max_model_len=None):\n"
        "        self.model, self.max_model_len = model, max_model_len\n"
        "    def create_engine_config(self, usage_context=None):\n"
        "        return VllmConfig(self)\n"
    ),
    "vllm/platforms.py": "class current_platform:\n    pass\n",
    "vllm/v1/__init__.py": "",
    "vllm/v1/metrics/__init__.py": "",
    "vllm/v1/metrics/loggers.py": (
        "from abc import ABC, abstractmethod\n"
        "class StatLoggerBase(ABC):\n"
        "    @abstractmethod\n    def __init__(self, vllm_config, engine_index=0): ...\n"
        "    @abstractmethod\n    def record(self): ...\n"
        "    @abstractmethod\n    def log_engine_initialized(self): ...\n"
        "    @abstractmethod\n    def added_later(self): ...\n"
    ),
    "vllm-0.18.1+cpu.dist-info/METADATA": "Metadata-Version: 2.1\nName: vllm\nVersion: 0.18.1+cpu\n",
}
# What vLLM does with its plugins, in the order in which a server does.
RUN = """
from importlib.metadata import entry_points
for point in entry_points(group="vllm.general_plugins"):
    point.load()()
from vllm.engine.arg_utils import EngineArgs
config = EngineArgs(max_model_len=512).create_engine_config()
loaded = []
for point in entry_points(group="vllm.stat_logger_plugins"):
    try:
        loaded.append(point.load())
    except Exception as error:
        print("not loaded:", error)
from vllm.v1.metrics.loggers import StatLoggerBase
for one in loaded:
    assert issubclass(one, StatLoggerBase)
    logger = one(config, 0)
    logger.record(None, mm_cache_stats=None, engine_idx=0)
    logger.log_engine_initialized()
print("ran", config.model_config.max_model_len, len(loaded))
"""


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    for path, text in FAKE.items():
        file = tmp_path / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert main(["recorder", str(tmp_path / "rec")]) == 0
    return tmp_path


def started(fake: Path, **env: str) -> str:
    path = os.pathsep.join((str(fake / "site"), str(fake / "rec")))
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, env={"PYTHONPATH": path, **env}, capture_output=True, text=True, check=True)
    return done.stdout


def test_it_writes_what_was_made_and_what_started(fake: Path) -> None:
    path = fake / "record.jsonl"
    out = started(fake, VLLM_MIGRATE_RECORD=str(path), VLLM_API_KEY="secret", VLLM_USE_V1="1")
    assert "ran 512 1" in out
    created, begun = map(json.loads, path.read_text().splitlines())
    assert (created["stage"], begun["stage"], created["release"], created["core"]) == (
        "created",
        "started",
        "0.18.1+cpu",
        "v1",
    )
    assert created["config"]["model_config"]["max_model_len"] == 512
    assert created["config"]["model_config"]["hook"] == {"object": "builtin_function_or_method"}
    assert created["arguments"] == {"model": "m", "max_model_len": 512} and begun["arguments"] is None
    assert "secret" not in path.read_text() and created["env"]["VLLM_USE_V1"] == "1"
    (found,) = record.running(str(path))
    assert (found.reported["max_model_len"].value, found.reported["logprobs_mode"].value) == (512, "raw_logprobs")


def test_it_is_off_unless_asked(fake: Path) -> None:
    out = started(fake)
    assert "not loaded: the recorder is off" in out and "ran 512 0" in out
    assert sorted(path.name for path in fake.iterdir()) == ["rec", "site"]


def test_a_file_that_cannot_be_written_stops_no_run(fake: Path) -> None:
    assert "ran 512 1" in started(fake, VLLM_MIGRATE_RECORD=str(fake / "no" / "record.jsonl"))


def test_one_import_will_do(fake: Path) -> None:
    code = (
        "import vllm_migrate_recorder as recorder\nfrom vllm.engine.arg_utils import EngineArgs\n"
        "recorder.record(EngineArgs(max_model_len=7).create_engine_config(), 'r.jsonl')\n"
    )
    path = os.pathsep.join((str(fake / "site"), str(fake / "rec")))
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": path}, cwd=fake, check=True)
    assert record.running(str(fake / "r.jsonl"))[0].reported["max_model_len"].value == 7


def test_values_that_json_does_not_have() -> None:
    assert plain({"a": {1, 2}, "b": (1,), "c": float("inf"), "d": object(), 5: int}) == {
        "a": [1, 2],
        "b": [1],
        "c": "inf",
        "d": {"object": "object"},
        "5": "builtins.int",
    }
    deep: list[object] = []
    deep.append(deep)
    assert "object" in json.dumps(plain(deep))
    assert plain({"hf_token": "x", "tokenizer": "t", "max_token": 3}) == {
        "hf_token": "***",
        "tokenizer": "t",
        "max_token": 3,
    }


def test_an_interpreter_says_what_it_would_make(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(fake / "venv", symlinks=True)
    (packages,) = (fake / "venv" / "lib").glob("python*/site-packages")
    (packages / "fake.pth").write_text(f"{fake / 'site'}\n{fake / 'rec'}\n")
    script = fake / "venv" / "bin" / "python"
    found = python.running(str(script), {"model": "m", "max_model_len": 9}, {"VLLM_USE_V1": "1"})
    assert found.release == "0.18.1" and found.reported["max_model_len"].value == 9
    assert any("vllm_migrate_recorder" in note for note in found.notes)
    found = python.running(str(script), {"model": "m", "unknown": 1}, {})
    assert any("unexpected keyword" in note for note in found.notes) and not found.reported
    for command, message in (
        (sys.executable, "has no vLLM"),
        ("/bin/false", "did not answer"),
        ("/nowhere", "cannot start"),
    ):
        with pytest.raises(UsageError, match=message):
            python.running(command, {}, {})


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert main(["recorder", str(tmp_path / "file")]) == 2
