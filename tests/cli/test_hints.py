"""Every command that a report prints runs as it is printed, whatever options the report was made with."""

from __future__ import annotations

import io
import random
import re
import shlex
import sys
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

CONFIG = "vllm_config:\n  use_v1: false\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    disable-log-requests: ''\n"
SCRIPT = "vllm serve org/m --swap-space 8 --max-model-len 8192\n"
FILES = {"conf/base.yaml": CONFIG, "my conf/a b.yaml": CONFIG, "-odd/serve.sh": SCRIPT, "it's/serve.sh": SCRIPT}
OPTIONS = (
    ("--from", "0.8.5"),
    ("--to", "0.17.0"),
    ("--from-engine", "v1"),
    ("--from-engine", "v0"),
    ("--gpu", "h100"),
    ("--model-config", "model folder"),
    ("--select", "VM1,VM2"),
    ("--select", "VM2", "--select", "VM3"),
    ("--ignore", "VM101,logprobs-semantics"),
    ("--extend-select", "VM1"),
    ("--exclude", "*.toml,old things/"),
    ("--config", "other's.toml"),
    ("--isolated",),
    ("--allow-outside", "/tmp"),
    ("--all",),
    ("--no-cache",),
    ("--fail-on", "error"),
    ("--exit-zero",),
    ("--quiet-unrecognised",),
    ("--jobs", "1"),
    ("--baseline", "known.json"),
    ("--diff", "changed.diff"),
)
PATHS: tuple[list[str], ...] = (
    ["conf"],
    ["my conf"],
    ["it's", "conf/base.yaml"],
    [],
    ["--", "-odd"],
    ["-", "--stdin-filename", "x y.sh"],
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "model folder").mkdir()
    (tmp_path / "model folder/config.json").write_text('{"torch_dtype": "bfloat16"}')
    (tmp_path / "other's.toml").write_text('exclude = ["archive/"]\n')
    (tmp_path / "known.json").write_text('{"schema": 1, "entries": []}')
    lines = "".join(f"+{line}\n" for line in CONFIG.splitlines())
    (tmp_path / "changed.diff").write_text(f"--- /dev/null\n+++ b/conf/base.yaml\n@@ -0,0 +1,5 @@\n{lines}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")


def _calls() -> list[list[str]]:
    """Option sets: each option by itself, then drawn ones together; each with other PATHs."""
    draw = random.Random(18)
    sets = [[option] for option in OPTIONS] + [draw.sample(OPTIONS, 4) for _ in range(18)]
    calls = []
    for number, chosen in enumerate(sets):
        names = [option[0] for option in chosen]
        words = [word for option in chosen if names.count(option[0]) == 1 or option[0] == "--select" for word in option]
        calls.append([*words, *PATHS[number % len(PATHS)]])
    return calls


def _run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SCRIPT.encode())))
    code = main(words)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize("words", _calls(), ids=" ".join)
def test_printed_commands_run(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _run(["lint", *words], monkeypatch, capsys)
    assert code in (0, 1), err
    hints = re.findall(r"(?m)^  (vllm-migrate .*?)(?:  .*)?$", out)
    assert hints or "Nothing to report" in out or "No vLLM engine" in out
    for hint in hints:
        code, shown, err = _run(shlex.split(hint)[1:], monkeypatch, capsys)
        assert code in (0, 1), (hint, err)
        assert shown, hint
        if " fix " in hint:  # the whole change is proved there, which may take a fix back
            assert (code == 1 and "\n+++ " in f"\n{shown}") or "\nnot fixed: " in shown, (hint, shown)
