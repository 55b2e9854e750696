"""The progress bar on a real terminal, and its absence everywhere else."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.cli import bar
from vllm_migrate.cli.gate import Gate
from vllm_migrate.cli.main import main
from vllm_migrate.cli.smoke import progress
from vllm_migrate.run.progress import advanced, listening

CALL = [sys.executable, "-c"]
EAGER = (
    "import sys; from vllm_migrate.cli import bar; bar.PATIENCE_S = {}; "
    "from vllm_migrate.cli.main import main; sys.exit(main({!r}))"
)


def on_terminal(patience: float, *words: str) -> tuple[str, str]:
    """Standard output through a pipe, and what a terminal got as standard error."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run([*CALL, EAGER.format(patience, list(words))], stdout=subprocess.PIPE, stderr=slave, env=env)
    os.close(slave)
    seen = b""
    os.set_blocking(master, False)
    try:
        while chunk := os.read(master, 65536):
            seen += chunk
    except OSError:
        pass
    os.close(master)
    return done.stdout.decode(), seen.decode()


@pytest.mark.parametrize("command", ["lint", "fix", "migrate"])
def test_a_long_run_shows_how_far_it_is(command: str, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"s{number}.sh").write_text("vllm serve org/m --swap-space 4\n", encoding="utf-8")
    out, err = on_terminal(0.0, command, "--isolated", str(tmp_path))
    assert "checking files" in err and "3/3" in err
    assert "\\u" not in err and "\x1b[2K" in err  # the terminal's own codes, not their spelling
    assert "checking files" not in out
    assert on_terminal(3600.0, command, "--isolated", str(tmp_path)) == (out, "")


def test_nothing_is_shown_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with bar.progress():
        advanced(1, 2)
    assert capsys.readouterr().err == ""


def test_a_listener_is_told_in_its_context_only() -> None:
    seen: list[tuple[int, int]] = []
    advanced(1, 9)
    with listening(lambda done, total: seen.append((done, total))):
        advanced(2, 9)
    advanced(3, 9)
    assert seen == [(2, 9)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_rollout_shows_how_far_it_is_and_a_worker_writes_no_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Gate(terminal))
    with progress() as watch:
        watch({"kind": "progress", "what": "roll[/out]\x1b]0;title\x07", "done": 1, "total": 2})
    seen = terminal.getvalue()
    assert "roll[/out]" in seen and "\x1b[2K" in seen
    assert "\x1b]0;" not in seen and "\x07" not in seen


WORDS = [
    ["lint", "--isolated", "s.sh"],
    ["fix", "--isolated", "s.sh"],
    ["migrate", "--isolated", "s.sh"],
    ["effective", "s.sh"],
    ["explain", "VM101"],
    ["explain", "swap_space"],
    ["diff", "0.17.0", "0.18.1"],
    ["route", "s.sh"],
    ["rules"],
    ["dialects"],
    ["releases"],
    ["--help"],
    ["lint", "--help"],
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_command_spells_its_own_codes(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.sh").write_text("vllm serve org/m --swap-space 4\n", encoding="utf-8")
    out, err = Terminal(), Terminal()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(bar, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with contextlib.suppress(SystemExit):
        main(words)
    said = out.getvalue() + err.getvalue()
    assert said.strip()
    assert "u001b" not in said
