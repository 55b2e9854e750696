"""`lint --stale-pins`: settings without which the engine runs the same, over generated options, values and carriers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load
from vllm_migrate.cli.main import main
from vllm_migrate.documents.disk import Memory
from vllm_migrate.report.finding import Finding
from vllm_migrate.run.lint import lint
from vllm_migrate.run.settings import Options

TARGET = "0.18.1"
# Options with a plain default, each with a value that is another.
PINS = {
    "gpu_memory_utilization": 0.5,
    "tensor_parallel_size": 2,
    "seed": 7,
    "disable_cascade_attn": False,
    "tokenizer_mode": "slow",
    "trust_remote_code": True,
    "swap_space": 8,
    "enable_lora": True,
    "max_logprobs": 5,
    "logprobs_mode": "processed_logprobs",
    "block_size": 32,
    "enforce_eager": True,
}


def default_of(option: str) -> object:
    facts = load().get("engine", option, TARGET)
    return facts.default if facts is not None else None


def written(option: str, value: object) -> Iterator[tuple[str, str]]:
    """One setting in each carrier; a plain false does not arrive from a file of `vllm serve`, nor do flags have values."""
    flag = option.replace("_", "-")
    switch = f"--{flag}" if value is True else f"--no-{flag}" if value is False else f"--{flag} {value}"
    yield "serve.sh", f"vllm serve m --max-model-len 8192 {switch}\n"
    if value is False:
        yield "serve.yaml", f"model: m\nmax-model-len: 8192\nno-{flag}: true\n"
    else:
        yield "serve.yaml", f"model: m\nmax-model-len: 8192\n{flag}: {str(value).lower() if value is True else value}\n"
    yield "serve.py", f"from vllm import LLM\nllm = LLM(model='m', max_model_len=8192, {option}={value!r})\n"


def stale(files: dict[str, str], source: str = TARGET) -> list[Finding]:
    options = Options(tuple(files), source=source, target=TARGET, isolated=True, extend_select=("stale-pin",))
    report, _ = lint(options, disk=Memory(files))
    return [finding for finding in report.findings if finding.name == "stale-pin"]


def cases() -> Iterator[object]:
    for option, other in PINS.items():
        default = default_of(option)
        if default is None:
            continue
        for value, idle in ((default, True), (other, False)):
            for path, text in written(option, value):
                yield pytest.param(path, text, option, idle, id=f"{option}-{value}-{path}")


@pytest.mark.parametrize(("path", "text", "option", "idle"), list(cases()))
def test_what_is_the_default_is_stale_and_nothing_else(path: str, text: str, option: str, idle: bool) -> None:
    found = [finding.option for finding in stale({path: text})]
    assert found == ([option] if idle else [])


def test_most_options_have_such_a_default() -> None:
    assert sum(default_of(option) is not None for option in PINS) >= 9


def test_a_variable_that_is_not_read_any_more() -> None:
    (found,) = stale({"serve.sh": "export VLLM_USE_V1=1\nvllm serve m --max-model-len 8192\n"})
    assert "does not read it" in found.message
    assert not stale({"serve.sh": "export VLLM_LOGGING_LEVEL=DEBUG\nvllm serve m --max-model-len 8192\n"})


def test_what_the_source_still_needs_is_not_dropped() -> None:
    files = {"serve.yaml": "model: m\nmax-model-len: 8192\ndisable-cascade-attn: true\n"}
    (before,), (now,) = stale(files, "0.10.2"), stale(files)
    assert before.fix is None and "0.10.2" in before.advice
    assert now.fix is not None and now.fix.edits and now.fix.safety == "review"


def test_it_has_to_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("serve.yaml").write_text("model: m\nmax-model-len: 8192\nseed: 0\ngpu-memory-utilization: 0.9\n")
    call = ["--isolated", "--from", TARGET]
    assert main(["lint", *call, "--output-format", "concise", "."]) == 0
    assert "VM309" not in capsys.readouterr().out
    assert main(["lint", *call, "--output-format", "concise", "--stale-pins", "."]) == 0
    assert capsys.readouterr().out.count("VM309") == 2
    assert main(["fix", *call, "--select", "stale-pin", "--unsafe", "--write", "."]) == 0
    assert Path("serve.yaml").read_text() == "model: m\nmax-model-len: 8192\n"
    assert main(["lint", *call, "--select", "stale-pin", "--output-format", "concise", "."]) == 0
    assert "VM309" not in capsys.readouterr().out.splitlines()[-1]
