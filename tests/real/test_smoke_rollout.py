"""The rollout proof on real vLLM 0.8.5 and 0.18.1 (CPU): known truths, through the command line."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

CONTRACT = ["--set", "temperature=0.7", "--set", "top_p=0.9", "--set", "top_k=20"]
YAML = "dtype: {dtype}\nmax-model-len: 512\nenforce-eager: true\n"


@pytest.fixture(scope="session")
def model(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model with a tokenizer_config that the transformers of both releases read."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    shutil.copytree(tiny_model, folder)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": "PreTrainedTokenizerFast"}))
    return str(folder)


def smoke(*words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON printed, standard error."""
    code = "import sys; from vllm_migrate.cli.main import main; sys.exit(main(['smoke', *sys.argv[1:]]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--output-format", "json"],
        capture_output=True,
        text=True,
        timeout=540,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else {}, done.stderr


@pytest.fixture(scope="session")
def old(vllm_py_085: str, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Recordings of 0.8.5 by dtype."""
    made: dict[str, str] = {}

    def record(dtype: str) -> str:
        if dtype not in made:
            folder = tmp_path_factory.mktemp("old")
            (folder / "serve.yaml").write_text(YAML.format(dtype=dtype))
            made[dtype] = str(folder / "old.jsonl")
            code, found, text = smoke(
                "record",
                str(folder / "serve.yaml"),
                "--python",
                vllm_py_085,
                "--model",
                model,
                *CONTRACT,
                "-o",
                made[dtype],
            )
            assert (code, found.get("engine"), found.get("n_tokens")) == (0, "v0", 1024), text
        return made[dtype]

    return record


def run(config: Path, reference: str, python: str, model: str, *more: str) -> tuple[int, dict[str, Any], str]:
    return smoke("run", str(config), "--reference", reference, "--python", python, "--model", model, *CONTRACT, *more)


PIPELINERL = """\
llm:
  parameters: {max_tokens: 48, temperature: 0.7, top_p: 0.9, top_k: 20}
vllm_config:
  use_v1: false
  vllm_kwargs:
    dtype: float32
    max-model-len: 512
    enforce-eager: ""
"""


def test_a_pipelinerl_config_fails_unfixed_and_passes_after_fix(
    vllm_py_085: str, vllm_py_0181: str, model: Any, tmp_path: Path
) -> None:
    """The whole way: the old release's recording, the file as it is on disk, `fix --write`, the file again."""
    config, reference = tmp_path / "base.yaml", str(tmp_path / "old.jsonl")
    config.write_text(PIPELINERL)
    code, found, text = smoke("record", str(config), "--python", vllm_py_085, "--model", model, "-o", reference)
    assert (code, found.get("engine"), found.get("n_tokens")) == (0, "v0", 1024), text
    words = ("run", str(config), "--reference", reference, "--python", vllm_py_0181, "--model", model)
    code, found, text = smoke(*words)
    told = (code, found.get("verdict"), found.get("layer"), found.get("suspects"))
    assert told == (1, "fail", "semantic", ["logprobs-semantics"]), text
    assert found["columns"] == {"reported": "raw", "sampled": "T+k+p", "claimed": "T+k+p"}
    assert found["metrics"]["mean_ratio"]["value"] == pytest.approx(1.87, abs=0.06)
    assert found["metrics"]["step_mean_ratio"]["value"] == pytest.approx(0.571, abs=0.03)
    fix = subprocess.run(
        [sys.executable, "-c", "from vllm_migrate.cli.main import entry; entry()", "fix", "--write", str(config)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert fix.returncode == 0, fix.stdout + fix.stderr
    assert "processed_logprobs" in config.read_text()
    code, found, text = smoke(*words)
    assert (code, found.get("verdict"), found.get("suspects")) == (0, "pass", []), text
    for name in ("mean_ratio", "step_mean_ratio"):
        assert found["metrics"][name]["value"] == pytest.approx(1.0, abs=1e-4)


def test_bfloat16_passes_at_its_own_margins(old: Any, vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(YAML.format(dtype="bfloat16") + "logprobs-mode: processed_logprobs\n")
    code, found, text = run(config, old("bfloat16"), vllm_py_0181, model, "--dtype", "bfloat16")
    assert (code, found.get("verdict")) == (0, "pass"), (found, text)
    assert any("bf16 tiny model" in note for note in found["notes"])


def test_two_ranks_of_tensor_parallelism_pass(vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    """The options pass through to vLLM's own distributed executor, and its logprobs are those of one rank."""
    config, recording = tmp_path / "serve.yaml", str(tmp_path / "r.jsonl")
    config.write_text(YAML.format(dtype="float32") + "logprobs-mode: processed_logprobs\ntensor-parallel-size: 2\n")
    code, _, text = smoke("record", str(config), "--python", vllm_py_0181, "--model", model, *CONTRACT, "-o", recording)
    assert code == 0, text
    effective = json.loads(Path(recording).read_text().splitlines()[0])["effective"]
    assert (effective["tensor_parallel_size"], effective["distributed_executor_backend"]) == (2, "mp")
    _, found, text = smoke("compare", recording, "--model", model)
    assert found["verdict"] == "pass", (found, text)
    assert found["metrics"]["k3"]["value"] < 1e-10


def test_unequal_head_precision_is_numerics_and_equal_passes(vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    """A float32 engine against a trainer with a bfloat16 head. (A bfloat16 trunk drowns the difference.)"""
    config, recording = tmp_path / "serve.yaml", str(tmp_path / "r.jsonl")
    config.write_text(YAML.format(dtype="float32") + "logprobs-mode: processed_logprobs\n")
    code, _, text = smoke("record", str(config), "--python", vllm_py_0181, "--model", model, *CONTRACT, "-o", recording)
    assert code == 0, text
    verdicts = {}
    for head in ("bfloat16", "float32"):
        _, verdicts[head], text = smoke("compare", recording, "--model", model, "--head-dtype", head)
    unequal = verdicts["bfloat16"]
    assert (unequal["verdict"], unequal["layer"], unequal["suspects"]) == ("fail", "numerics", ["fp32-lm-head"]), (
        unequal
    )
    assert verdicts["float32"]["verdict"] == "pass", verdicts["float32"]


def test_a_t_1_config_gets_a_probe_and_it_is_said(vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    config, recording = tmp_path / "serve.yaml", str(tmp_path / "r.jsonl")
    config.write_text(YAML.format(dtype="float32"))
    for more, verdict in (([], "fail"), (["--set", "logprobs_mode=processed_logprobs"], "pass")):
        code, _, text = smoke("record", str(config), "--python", vllm_py_0181, "--model", model, "-o", recording, *more)
        assert code == 0, text
        _, found, text = smoke("compare", recording, "--model", model)
        assert found["verdict"] == verdict, found
        assert any("a probe at temperature 0.7" in note for note in found["notes"])
    code, _, text = smoke(
        "record", str(config), "--python", vllm_py_0181, "--model", model, "-o", recording, "--no-probe"
    )
    _, found, _ = smoke("compare", recording, "--model", model)
    assert found["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("pins", "pause", "verdict", "said"),
    [
        ("", ["--pause-mode", "keep", "--keep-cache"], "fail", "stale cache"),
        (
            "no-enable-prefix-caching: true\n",
            ["--pause-mode", "keep", "--keep-cache"],
            "pass",
            "old keys and values, as on V0",
        ),
        ("", ["--pause-mode", "keep", "--clear-cache"], "pass", "preempted and recomputed"),
        ("", [], "fail", "aborted"),
    ],
)
def test_updates_in_flight(
    pins: Any, pause: str, verdict: Any, said: Any, vllm_py_0181: str, model: Any, tmp_path: Path
) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(YAML.format(dtype="float32") + "logprobs-mode: processed_logprobs\n" + pins)
    _, found, text = smoke("update", str(config), "--python", vllm_py_0181, "--model", model, *CONTRACT, *pause)
    assert found.get("verdict") == verdict, (found, text)
    assert any(said in note for note in found["notes"]), found["notes"]
    assert found["layer"] == ("weight-update" if verdict == "fail" else None)


def test_a_two_percent_update_shows(vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(YAML.format(dtype="float32") + "logprobs-mode: processed_logprobs\n")
    _, found, text = smoke(
        "update",
        str(config),
        "--python",
        vllm_py_0181,
        "--model",
        model,
        *CONTRACT,
        "--pause-mode",
        "keep",
        "--keep-cache",
        "--perturb",
        "0.02",
    )
    assert (found.get("verdict"), found.get("layer")) == ("fail", "weight-update"), (found, text)


def test_an_update_of_0_8_5_is_clean(vllm_py_085: str, model: Any, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(YAML.format(dtype="float32"))
    _, found, text = smoke("update", str(config), "--python", vllm_py_085, "--model", model, *CONTRACT)
    assert found.get("verdict") == "pass", (found, text)
    assert any("old keys and values, as on V0" in note for note in found["notes"]), found["notes"]


def test_an_option_the_release_refuses_is_an_error_and_no_verdict(
    vllm_py_0181: str, model: Any, tmp_path: Path
) -> None:
    config = tmp_path / "engine.json"
    config.write_text(json.dumps({"engine_args": {"swap_space": 4, "dtype": "float32"}}))
    code, found, text = smoke(
        "record", str(config), "--python", vllm_py_0181, "--model", model, "-o", str(tmp_path / "r.jsonl")
    )
    assert code not in (0, 4)
    assert found == {}
    assert "refuses: swap_space" in text


@pytest.fixture(scope="session")
def server(vllm_py_0181: str, model: Any) -> Iterator[Any]:
    """`vllm serve` of 0.18.1 on loopback; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        vllm_py_0181,
        "-m",
        "vllm.entrypoints.cli.main",
        "serve",
        model,
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--dtype",
        "float32",
        "--max-model-len",
        "512",
        "--enforce-eager",
        "--logprobs-mode",
        "processed_logprobs",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, process.stdout.read()[-3000:] if process.stdout else ""
            try:
                urllib.request.urlopen(url + "/health", timeout=2)
                break
            except OSError:
                time.sleep(1)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def test_a_server_equals_the_offline_worker(server: Any, vllm_py_0181: str, model: Any, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(YAML.format(dtype="float32") + "logprobs-mode: processed_logprobs\n")
    offline, through, own = (str(tmp_path / f"{name}.jsonl") for name in ("offline", "through", "own"))
    few = ["--num-prompts", "8", "--max-tokens", "24"]
    code, _, text = smoke(
        "record", str(config), "--python", vllm_py_0181, "--model", model, *CONTRACT, *few, "-o", offline
    )
    assert code == 0, text
    code, _, text = smoke(
        "record", str(config), "--base-url", server, "--model", model, "--tokens", offline, "-o", through
    )
    assert code == 0, text
    rows = {
        path: [json.loads(line) for line in Path(path).read_text().splitlines()[1:-1]] for path in (offline, through)
    }
    for a, b in zip(rows[offline], rows[through], strict=True):
        assert a["tokens"] == b["tokens"]
        assert a["logprobs"] == pytest.approx(b["logprobs"], abs=1e-4)
    code, _, text = smoke("record", str(config), "--base-url", server, "--model", model, *CONTRACT, "-o", own)
    assert code == 0, text
    _, found, text = smoke("compare", own, "--model", model)
    assert found["verdict"] == "pass", (found, text)


def test_each_pin_taken_away_is_named_or_said_to_be_inert(
    vllm_py_085: str, vllm_py_0181: str, model: Any, tmp_path: Path
) -> None:
    """The command line of a real engine: the mode moves the rollout, asynchronous scheduling is inert on a CPU."""
    config, reference = tmp_path / "serve.yaml", str(tmp_path / "old.jsonl")
    config.write_text(YAML.format(dtype="float32"))
    code, _, text = smoke("record", str(config), "--python", vllm_py_085, "--model", model, "-o", reference, *CONTRACT)
    assert code == 0, text
    config.write_text(config.read_text() + "logprobs-mode: processed_logprobs\nno-async-scheduling: true\n")
    words = ("run", str(config), "--reference", reference, "--python", vllm_py_0181, "--model", model, *CONTRACT)
    code, found, text = smoke(*words, "--ablate")
    assert code == 0, text
    effects = {pin["option"]: (pin["effect"], pin["rollout"]["verdict"]) for pin in found["pins"]}
    assert effects == {"logprobs_mode": ("moves", "fail"), "async_scheduling": ("inert", "pass")}, text
