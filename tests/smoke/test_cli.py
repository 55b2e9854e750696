"""The commands end to end on the torch engine: exit codes, JSON, what a user reads."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from tests.smoke.processes import ends
from vllm_migrate.cli.app import build
from vllm_migrate.cli.smoke import COMMANDS, OPTIONS
from vllm_migrate.errors import UsageError, VllmMigrateError
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.smoke import attribute, semantics, update

CONTRACT = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}


def smoke(*words: Any) -> Any:
    result = CliRunner().invoke(build(), ["smoke", *map(str, words)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def config(lab: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Engine configs in JSON by logprobs mode and contract."""
    folder = tmp_path_factory.mktemp("config")

    def make(name: str, sampling: Any = None, **args: Any) -> Any:
        path = folder / f"{name}.json"
        given = {
            "engine_args": {"model": str(lab.model), **args},
            "sampling": CONTRACT if sampling is None else sampling,
        }
        path.write_text(json.dumps(given))
        return path

    return make


@pytest.fixture(scope="module")
def reference(config: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recording as 0.8.5 on V0 makes it."""
    path = tmp_path_factory.mktemp("reference") / "old.jsonl"
    result = smoke("record", config("old", order="v0"), "--backend", "torch", "-o", path)
    assert result.exit_code == 0
    assert "16 sequences, 1024 tokens" in result.stdout
    return path


def test_record_score_compare(reference: Path, lab: SimpleNamespace, tmp_path: Path) -> None:
    scored = tmp_path / "scored.jsonl"
    assert smoke("score", reference, "--model", lab.model, "-o", scored).exit_code == 0
    result = smoke("compare", scored)
    assert result.exit_code == 0
    assert result.stdout.startswith("PASS\n")
    assert "This does not show that training curves will match." in result.stdout
    found = json.loads(smoke("compare", reference, "--model", lab.model, "--output-format", "json").stdout)
    assert found["verdict"] == "pass"


def test_run_fails_unfixed_and_passes_with_the_pin(
    reference: Path, config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path
) -> None:
    words = ("--backend", "torch", "--reference", reference, "--model", lab.model)
    wrong = smoke("run", config("new"), *words)
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("FAIL  layer: semantic  suspect: logprobs-semantics\n")
    right = smoke(
        "run",
        config("pinned", logprobs_mode="processed_logprobs"),
        *words,
        "--output-format",
        "json",
        "-o",
        tmp_path / "o.jsonl",
    )
    found = json.loads(right.stdout)
    assert (right.exit_code, found["verdict"]) == (0, "pass")
    assert found["metrics"]["step_mean_ratio"]["value"] == pytest.approx(1.0, abs=1e-4)
    assert (tmp_path / "o.jsonl").exists()


def test_no_number_is_cut_short(reference: Path, lab: SimpleNamespace) -> None:
    """At the width of a pipe, the names and numbers of the longest table are whole; only meanings are shortened."""
    out = smoke("compare", reference, "--model", lab.model, "--claims", "raw", "--length", "4096").stdout
    lines = [line for line in out.splitlines() if line.startswith(("D ", "k3 ", "b ", "clip_", "mean_"))]
    assert len(lines) > 8
    assert any(line.startswith("clip_sequence_high_at_length ") for line in lines)
    assert not any("…" in line[:80] for line in lines)


def test_run_adds_a_probe_at_t_1(config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    smoke("record", config("old1", sampling={"temperature": 1.0}, order="v0"), "--backend", "torch", "-o", old)
    result = smoke(
        "run",
        config("new1", sampling={"temperature": 1.0}),
        "--backend",
        "torch",
        "--reference",
        old,
        "--model",
        lab.model,
    )
    assert result.exit_code == 1
    assert "a probe at temperature 0.7, top_p 0.9, top_k 20 was added" in result.stdout


def test_step_scoring_needs_no_trainer(reference: Path, config: Callable[..., Path], tmp_path: Path) -> None:
    step = tmp_path / "step.jsonl"
    smoke("record", config("stepper"), "--backend", "torch", "--tokens", reference, "-o", step)
    result = smoke("compare", reference, step, "--output-format", "json")
    found = json.loads(result.stdout)
    assert (result.exit_code, found["layer"], found["suspects"]) == (1, "semantic", ["logprobs-semantics"])
    assert found["columns"]["claimed"] == "step"


def test_update(config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path) -> None:
    pinned = config("updating", logprobs_mode="processed_logprobs", enable_prefix_caching=True)
    words = ("update", pinned, "--backend", "torch", "--num-prompts", "4", "--pause-mode", "keep")
    stale = smoke(*words, "--keep-cache")
    assert (stale.exit_code, "stale cache" in stale.stdout) == (1, True)
    clean = smoke(*words, "--keep-cache", "--set", "enable_prefix_caching=false", "--output-format", "json")
    assert (clean.exit_code, json.loads(clean.stdout)["verdict"]) == (0, "pass")


def test_inconclusive_exits_with_4(config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    smoke("record", config("greedy", sampling={"temperature": 0.0}), "--backend", "torch", "--no-probe", "-o", few)
    result = smoke("compare", few, "--model", lab.model)
    assert result.exit_code == 4
    assert "refused as evidence" in result.stdout


def test_worker_prints_the_worker_file() -> None:
    text = smoke("worker").stdout
    assert text.startswith('"""The rollout worker')
    compile(text, "worker.py", "exec")


def test_a_worker_that_is_run_by_hand(config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path) -> None:
    """The job goes out as a file and what the worker printed comes back; here the torch engine takes the job."""
    path, job, lines = config("far", logprobs_mode="processed_logprobs"), tmp_path / "job.json", tmp_path / "lines.txt"
    said = smoke("record", path, "--job", job).stdout
    assert said.startswith(f"python worker.py {job} > lines.txt")
    command = [sys.executable, "-m", "vllm_migrate.smoke.backends.torch_engine", str(job)]
    lines.write_text("INFO starting\n" + subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    recording = tmp_path / "r.jsonl"
    assert smoke("record", path, "--lines", lines, "-o", recording).stdout.startswith(f"{recording}: 16 sequences")
    assert smoke("compare", recording, "--model", lab.model).exit_code == 0
    lines.write_text(lines.read_text()[:-100])
    with pytest.raises(VllmMigrateError, match=r"does not follow the protocol|holds no whole recording"):
        smoke("record", path, "--lines", lines, "-o", recording)
    with pytest.raises(VllmMigrateError, match="cannot read /no/such/lines"):
        smoke("record", path, "--lines", "/no/such/lines", "-o", recording)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("record", "{config}"), "no engine named"),
        (("record", "{config}", "--job", "/no/such/folder/job.json"), "cannot write"),
        (("compare", "{recording}"), "no scores"),
        (("score", "{recording}"), "no model to score with"),
        (("compare", "{recording}", "--epsilon", "x"), "epsilon"),
        (("compare", "{recording}", "--margins", "int3"), "no margins"),
        (("compare", "/no/such/file"), "cannot read"),
        (("compare", "{recording}", "{recording}"), "A and B are the same file"),
        (("compare", "{recording}", "--model", "{model}", "--head-dtype", "zz"), "no dtype 'zz'"),
        (("compare", "{recording}", "--model", "{model}", "--dtype", "int3"), "no dtype 'int3'"),
        (("compare", "{recording}", "--model", "{model}", "--claims", "zz"), "no column 'zz'"),
        (("score", "{recording}", "--model", "/no/such/folder"), "no model directory at /no/such/folder"),
        (("score", "{recording}", "--model", "{folder}"), "cannot load the model in"),
        (("record", "/no/such/file", "--python", sys.executable), "no file"),
        (("record", "{folder}", "--python", sys.executable), "is a folder"),
        (("record", "{config}", "--backend", "torch", "--set", "temperature=hot"), "temperature='hot'"),
        (("record", "{config}", "--backend", "torch", "--set", "hot"), "not option=value"),
        (("record", "{config}", "--backend", "torch", "--prompts", "/no/such/file"), "cannot read prompts"),
        (("record", "{config}", "--backend", "torch", "-o", "/no/such/folder/r.jsonl"), "cannot write"),
        (("record", "{config}", "--python", "a", "--base-url", "b"), "two engines named: --python and --base-url"),
    ],
)
def test_usage_errors_say_what_to_write(
    words: list[str], message: str, config: Callable[..., Path], reference: Path, lab: SimpleNamespace, tmp_path: Path
) -> None:
    named = {"{config}": config("plain"), "{recording}": reference, "{model}": lab.model, "{folder}": tmp_path}
    with pytest.raises(VllmMigrateError, match=message) as error:
        smoke(*(named.get(word, word) for word in words))
    assert error.value.remedy


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_engine_and_no_file(
    number: int, config: Callable[..., Path], tmp_path: Path
) -> None:
    """The stand-in for an interpreter answers that it has no vLLM, then hangs as an engine that starts."""
    python, pidfile = tmp_path / "python", tmp_path / "pid"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\necho $$ > {pidfile}\nexec sleep 60\n')
    python.chmod(0o755)
    code = "import sys; from vllm_migrate.cli.main import entry; entry()"
    command = [sys.executable, "-c", code, "smoke", "record", str(config("hung")), "--python", str(python)]
    # A suite that was started in the background ignores SIGINT, and so would what it starts.
    attend = functools.partial(signal.signal, number, signal.SIG_DFL)
    command += ["-o", str(tmp_path / "r.jsonl")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=attend) as process:
        while not (pidfile.exists() and pidfile.read_text().strip()):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)  # it listens by now
        process.send_signal(number)
        assert "interrupted" in process.communicate(timeout=30)[1]
    assert process.returncode == 2
    assert ends(int(pidfile.read_text()))
    assert not list(tmp_path.glob("*r.jsonl*"))


# The options that the words of the house promise, by command.
ENGINE = (
    "--python --base-url --engine --model --from --to --output -o --num-prompts --max-tokens --seed --dtype --timeout"
)
PROMISED = {
    "record": f"{ENGINE} --output-format --set --prompts --fixed --tokens",
    "score": "--model --dtype --head-dtype --output -o --output-format",
    "compare": "--model --dtype --head-dtype --output-format",
    "run": f"{ENGINE} --reference --head-dtype --output-format --set --prompts --fixed",
    "update": f"{ENGINE.replace('--base-url ', '')} --head-dtype --output-format --set --fixed",
    "worker": "",
}


@pytest.mark.parametrize("name", PROMISED)
def test_the_promised_options_are_there(name: str) -> None:
    command = COMMANDS[name]
    options = {word for option in command.options for word in (option.name, option.off, option.short)}
    assert set(PROMISED[name].split()) <= options
    defaults = {option.destination: option.default for option in command.options}
    assert defaults.get("num_prompts", 16) == 16
    assert defaults.get("output_format", "text") == "text"


def test_every_option_is_taken_by_a_command() -> None:
    """The table holds no option that nothing takes, and the same word means the same thing everywhere."""
    taken = {option.destination: option.name for command in COMMANDS.values() for option in command.options}
    assert taken == {field: option.name for field, option in OPTIONS.items()}


def test_what_the_loss_says_reaches_the_preview(
    config: Callable[..., Path], lab: SimpleNamespace, tmp_path: Path
) -> None:
    """The config's own epsilons and response length, through the recording's header."""
    path = config("lossy", logprobs_mode="processed_logprobs")
    path.write_text(json.dumps({**json.loads(path.read_text()), "loss": {"epsilon_low": 0.02, "epsilon_high": 0.03}}))
    recording = tmp_path / "r.jsonl"
    words = ("--backend", "torch", "-o", recording, "--num-prompts", "4", "--set", "sampling.max_tokens=900")
    assert smoke("record", path, *words).exit_code == 0
    plain = ("compare", recording, "--model", lab.model, "--output-format", "json")
    found = json.loads(smoke(*plain).stdout)["metrics"]
    assert (found["clip_token_low"]["margin"], found["clip_token_high"]["margin"]) == (0.02, 0.03)
    assert "clip_sequence_low_at_length" in found
    found = json.loads(smoke(*plain, "--epsilon", "0.1", "--sequence-epsilon", "1e-3", "--length", "512").stdout)
    assert (found["metrics"]["clip_token_low"]["margin"], found["metrics"]["clip_sequence_high"]["margin"]) == (
        0.1,
        1e-3,
    )
    assert any("responses of 512 tokens" in note for note in found["notes"])


def test_nothing_of_torch_is_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, vllm_migrate.cli.smoke, vllm_migrate.smoke.commands, vllm_migrate.smoke.compare, "
        "vllm_migrate.smoke.score, "
        "vllm_migrate.smoke.backends.vllm_worker, vllm_migrate.smoke.backends.torch_engine; "
        "print([m for m in ('torch', 'transformers', 'vllm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_without_torch_the_remedy_is_said(
    reference: Path, lab: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError) as error:
        smoke("score", reference, "--model", lab.model)
    assert 'pip install "vllm-migrate[smoke]"' in error.value.remedy


def test_every_suspect_is_a_rules_name_or_explained() -> None:
    """The names that attribution uses, read from its source, are those it declares; each fault of no rule says what it is."""
    used = set()
    for module in (attribute, semantics, update):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Blame" and len(node.args) > 1:
                used |= {leaf.value for leaf in ast.walk(node.args[1]) if isinstance(leaf, ast.Constant)}
    assert used > {"logprobs-semantics", "fp32-lm-head", "stale-weights"}
    assert used <= set(attribute.RULES) | set(attribute.NOT_RULES)
    assert not set(attribute.RULES) & set(attribute.NOT_RULES)
    rules = {rule.name for rule in load_knowledge().rules}
    assert set(attribute.RULES) <= rules
    assert not set(attribute.NOT_RULES) & rules
