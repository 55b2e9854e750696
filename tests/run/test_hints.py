"""What a lint proposes to run next does what it says: over options, standard input and several engines."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vllm_migrate.cli.main import main

SERVE = "model: m\nmax-model-len: 8192\ndisable-log-requests: true\nswap-space: 4\n"
SCRIPT = "vllm serve a --swap-space 4 --max-model-len 8192\nvllm serve b --disable-log-requests --max-model-len 8192\n"
CALLS = [
    [],
    ["--select", "arg-disable-log-requests"],
    ["--ignore", "VM202"],
    ["--select", "VM2", "--ignore", "VM204,VM202"],
    ["--extend-select", "stale-pin", "--select", "VM2"],
    ["--from", "0.10.2", "--to", "0.18.1"],
    ["--exclude", "serve.yaml"],
    ["--gpu", "h100", "--from-engine", "v1"],
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("serve.yaml").write_text(SERVE)
    Path("run.sh").write_text(SCRIPT)
    return tmp_path


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_the_commands_fix_what_the_report_shows(
    call: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["lint", "--isolated", *call, "."])
    text = capsys.readouterr().out
    commands = re.findall(r"^  vllm-migrate (fix .*?)(?:   *\S.*)?$", text, re.MULTILINE)
    shown = set(re.findall(r"^(?:error|warning|info) (VM\d+)", text, re.MULTILINE))
    for command in commands:
        words = shlex.split(command)
        assert "--isolated" in words and all(word in words for word in call)
        main(words)
        out = capsys.readouterr().out
        # What only informs has no heading of its own in the report, and may wait for --unsafe.
        made = re.sub(r"^\d+ more with --unsafe.*$", "", out, flags=re.MULTILINE)
        assert set(re.findall(r"\bVM\d+\b", made)) <= shown
        assert "would change" in out


def test_standard_input_has_no_file_to_write(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(SERVE.encode())))
        code = main(list(words))
        return code, capsys.readouterr().out

    _, text = again("lint", "--isolated", "--stdin-filename", "serve.yaml", "-")
    (command,) = re.findall(r"^  vllm-migrate (fix (?!--unsafe).*?)(?:   *\S.*)?$", text, re.MULTILINE)
    assert "--write" not in text
    code, out = again(*shlex.split(command))
    assert code == 1 and "name a file instead of -" in out
    assert again(*shlex.split(command), "--write")[0] == 2


def test_each_engine_of_a_file_is_fixed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--isolated", "--write", "run.sh"]) == 0
    assert Path("run.sh").read_text() == "vllm serve a --max-model-len 8192\nvllm serve b --max-model-len 8192\n"
    assert main(["fix", "--isolated", "--check", "run.sh"]) == 0
