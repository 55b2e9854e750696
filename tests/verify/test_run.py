"""The folders that runs leave: W&B, Hydra, prime-rl's configurations and job logs, judged like configurations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.verify.test_log import NEW, OLD
from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.library import fix, lint
from vllm_migrate.run.settings import Options
from vllm_migrate.verify import runs
from vllm_migrate.verify.check import Sources, verify
from vllm_migrate.verify.run import read, running

VERL = """actor_rollout_ref:
  hybrid_engine: true
  rollout:
    name: vllm
    temperature: {temperature}
    enforce_eager: true
    max_num_seqs: {seqs}
    engine_kwargs: {{vllm: {{}}}}
  model: {{path: m}}
trainer: {{n_gpus_per_node: 8}}
"""
WANDB = """_wandb:
    value: {{cli_version: 0.19.1}}
actor_rollout_ref:
    desc: null
    value:
        hybrid_engine: true
        rollout:
            name: vllm
            temperature: {temperature}
            enforce_eager: true
            max_num_seqs: {seqs}
            engine_kwargs: {{vllm: {{}}}}
        model: {{path: m}}
trainer:
    value: {{n_gpus_per_node: 8}}
"""
PRIME = """[server]
port = 8000

[parallel]
tp = 2
dp = 1

[model]
name = "m"
dtype = "bfloat16"
enforce_eager = false
max_model_len = 4096
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(folder: Path, path: str, text: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def wandb(folder: Path, temperature: float = 0.7, seqs: int = 64, release: str = "0.10.1") -> str:
    put(folder, "wandb/run-1/files/config.yaml", WANDB.format(temperature=temperature, seqs=seqs))
    put(folder, "wandb/run-1/files/requirements.txt", f"torch==2.7.1\nvllm=={release}\n")
    return "wandb/run-1"


def hydra(folder: Path, temperature: float = 1.0, seqs: int = 64) -> str:
    put(folder, "outputs/1/.hydra/config.yaml", VERL.format(temperature=temperature, seqs=seqs))
    put(folder, "outputs/1/.hydra/overrides.yaml", "- trainer.n_gpus_per_node=8\n")
    return "outputs/1"


def test_records_are_judged_where_they_are_named_and_never_written(here: Path) -> None:
    paths = {"wandb": wandb(here), "outputs": hydra(here)}
    for folder, path in paths.items():
        for named in (folder, path):
            report = lint([named], from_="0.8.5", to="0.18.1", from_engine="v0")
            found = [finding for finding in report.findings if finding.code == "VM102"]
            assert len(found) == 1 and found[0].line > 2 and found[0].path.endswith("config.yaml"), named
    assert lint(["."], from_="0.8.5", to="0.18.1").files == 0
    plan = fix(["wandb", "outputs"], from_="0.8.5", to="0.18.1", from_engine="v0", unsafe=True)
    assert plan.diff == "" and any("records a finished run" in reason for _, reason in plan.plan.refused)


def test_a_configuration_beside_a_run(here: Path) -> None:
    put(here, "conf.yaml", VERL.format(temperature=1.0, seqs=128))
    (found,) = verify(Options(("conf.yaml",)), Sources(run=wandb(here)))
    assert found.release == "0.10.1"
    assert {one.option: (one.written, one.running) for one in found.differing} == {
        "max_num_seqs": (128, 64),
        "sampling.temperature": (1.0, 0.7),
    }


def test_a_flat_configuration_of_an_older_wandb(here: Path) -> None:
    keys = {"use_vllm": "true", "vllm_mode": "colocate", "vllm_gpu_memory_utilization": "0.3", "num_generations": "8"}
    text = "wandb_version: 1\n\n" + "".join(f"{key}:\n  desc: null\n  value: {value}\n" for key, value in keys.items())
    put(here, "wandb/run-2/files/config.yaml", text)
    put(
        here, "conf.yaml", "use_vllm: true\nvllm_mode: colocate\nvllm_gpu_memory_utilization: 0.5\nnum_generations: 8\n"
    )
    (found,) = verify(Options(("conf.yaml",)), Sources(run="wandb", target="0.10.2"))
    (one,) = found.differing
    assert (one.option, one.written, one.running) == ("gpu_memory_utilization", 0.5, 0.3)
    assert one.source.endswith("config.yaml:11")


# What verl wrote into `.hydra/config.yaml` in May 2025; W&B recorded the same run as of vLLM 0.8.2.
EARLY = """actor_rollout_ref:
  hybrid_engine: true
  model: {path: m}
  rollout:
    name: vllm
    temperature: 1.0
    prompt_length: ${data.max_prompt_length}
    dtype: bfloat16
    ignore_eos: false
    free_cache_engine: true
    load_format: dummy_dtensor
    tensor_model_parallel_size: 2
    max_num_batched_tokens: 5120
    max_model_len: null
    'n': 8
    engine_kwargs: {swap_space: null}
data: {max_prompt_length: 1024}
"""


def test_a_run_of_a_release_before_the_catalog(here: Path) -> None:
    put(here, "conf.yaml", EARLY)
    path = wandb(here, temperature=1.0, release="0.8.2")
    put(here, "wandb/run-1/files/config.yaml", "_wandb:\n    value: {}\n" + wrapped(EARLY))
    with pytest.raises(UsageError) as caught:
        verify(Options(("conf.yaml",)), Sources(run=path))
    assert "0.8.2 is not in the catalog" in str(caught.value) and "--to" in str(caught.value.remedy)
    (found,) = verify(Options(("conf.yaml",)), Sources(run=path, target="0.8.5"))
    assert (found.release, found.release_why, found.differing) == ("0.8.5", "--to", ())
    values = {one.option: one.running for one in found.settings}
    # dummy_dtensor is verl's own word; the engine gets `dummy`.
    assert (values["load_format"], values["max_num_batched_tokens"]) == ("dummy", 5120)


def wrapped(text: str) -> str:
    """A configuration as W&B writes it: each key's value under `value`."""
    lines = []
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        if line.startswith(" "):
            lines.append("  " + line)
        else:
            lines += [f"{key}:", f"  value:{rest}"]
    return "\n".join(lines) + "\n"


def test_the_logs_of_a_run(here: Path) -> None:
    put(here, "job/serve.log", "".join(NEW))
    put(here, "job/other.log", "nothing of ours\n")
    (found,) = running("job", None)
    assert found.source == "log" and found.release == "0.18.1" and found.reported["max_num_seqs"].value == 64
    put(here, "job/old/worker.out", "".join(OLD))
    assert {one.release for one in running("job", None)} == {"0.8.5", "0.18.1"}


def test_prime_rl_writes_what_it_resolved(here: Path) -> None:
    put(here, "outputs/configs/inference.toml", PRIME)
    (found,) = running("outputs", "0.18.1")
    assert (found.reported["tensor_parallel_size"].value, found.reported["max_model_len"].value) == (2, 4096)
    assert found.reported["enforce_eager"].value is False
    # Since 2026-08 it writes JSON.
    resolved = {
        "server": {"port": 8000},
        "router": None,
        "vllm": {"model": "m", "max_num_seqs": 64, "enforce_eager": True},
    }
    put(here, "later/configs/inference.json", json.dumps(resolved))
    (found,) = running("later", "0.26.0")
    assert (found.reported["max_num_seqs"].value, found.reported["enforce_eager"].value) == (64, True)


def test_two_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = hydra(here), wandb(here, seqs=32)
    first, second = (runs.side(path, "0.10.1", None) for path in (good, bad))
    moved = {one.option: (one.layer, one.first, one.second) for one in runs.moved(first, second)}
    assert moved == {
        "sampling.temperature": ("semantic", 1.0, 0.7),
        "max_num_seqs": ("inference-path", 64, 32),
    }
    assert main(["diff", "--runs", good, bad, "--to", "0.9.2", "--output-format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [one["release"] for one in report["runs"]] == ["0.9.2", "0.10.1"]
    assert report["changes"][0]["option"] in ("vllm", "sampling.temperature")
    for output in ("text", "markdown"):
        assert main(["diff", "--runs", good, bad, "--to", "0.9.2", "--output-format", output]) == 0
        assert "max_num_seqs" in capsys.readouterr().out


def test_what_a_folder_does_not_tell(here: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        running("nowhere", None)
    (here / "empty").mkdir()
    with pytest.raises(UsageError, match="no engine configuration"):
        running("empty", None)
    with pytest.raises(UsageError, match="does not show the release"):
        running(hydra(here), None)
    assert running(hydra(here), "0.8.5")[0].release == ""


def test_two_logs_of_one_run_that_differ_say_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = "INFO 1 [core.py:1] Initializing a V1 LLM engine (v0.10.2) with config: model='m', dtype=torch.bfloat16, seed={}, x=[]\n"
    for name, seeds in (("one", (1, 2)), ("two", (3, 3))):
        for at, seed in enumerate(seeds):
            put(here / name, f"{at}.log", line.format(seed))
    assert main(["diff", "--runs", "one", "two"]) == 0
    assert "seed" not in capsys.readouterr().out
    assert main(["diff", "--runs", "one", "two", "--to", "0.1"]) == 2
    assert "not in the catalog" in capsys.readouterr().err


def test_requirements_that_powershell_wrote(here: Path) -> None:
    folder = wandb(here)
    text = "torch==2.7.0\r\nvllm==0.10.1\r\n"
    Path(folder, "files", "requirements.txt").write_bytes(text.encode("utf-16"))
    assert read(folder).release == "0.10.1"
