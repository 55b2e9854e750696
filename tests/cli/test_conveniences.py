"""What a call prints besides findings: help, what was meant, files, settings, and again at every change."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

CONFIG = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "base.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("words", ["", "lint", "fix", "rules", "smoke", "smoke record", "catalog add"])
def test_short_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "-h"]) == 0
    short = capsys.readouterr().out
    assert main([*words.split(), "--help"]) == 0
    assert short == capsys.readouterr().out != ""


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("lnt .", "did you mean lint?"),
        ("smoke recrod x", "did you mean record?"),
        ("lint bsae.yaml", "did you mean base.yaml?"),
        ("lint ./bsae.yaml", "did you mean ./base.yaml?"),
        ("lint --outptu-format json", "did you mean --output-format"),
        ("lint --select prefix-cachng-default .", "did you mean prefix-caching-default"),
        ("explain prefix-cachng-default", "did you mean prefix-caching-default"),
        ("explain swap_spce", "did you mean swap_space"),
        ("explain vm1011", "VM101"),
        ("lint --statistics --output-format json .", "--statistics has no json format"),
        ("explain VM999", "help: `vllm-migrate rules` lists the rules"),
        ("lint --select VM999", "help: `vllm-migrate rules` lists them"),
        ("lint --fail-on nevr", "did you mean never?"),
        ("lint --to 0.18.11 .", "0.18.1"),
        ("diff 0.8.5 0.18.1 --kind remvoed", "did you mean removed"),
        ("diff 0.8.5 0.18.1 --layer semantc", "did you mean semantic?"),
        ("diff 0.8.5 0.18.1 --option swap-spce", "did you mean swap_space?"),
        ("schema lnt", "did you mean lint?"),
        ("schema 0.18.1 --dialect vrel", "did you mean verl"),
        ("dialects pipelinrl", "did you mean pipelinerl?"),
        ("dialects --output-format jsn", "did you mean json?"),
        ("rules --output-format jsn", "did you mean json?"),
        ("releases --output-format jsn", "did you mean json?"),
        ("explain VM101 --output-format htm", "did you mean html?"),
        ("lint --gpu h10 .", "did you mean h100"),
        ("lint --config bsae.yaml .", "did you mean base.yaml?"),
        ("lint --baseline bsae.yaml .", "did you mean base.yaml?"),
        ("lint --diff bsae.yaml .", "did you mean base.yaml?"),
        ("catalog remvoe 0.34.0", "remove"),
        ("smoke run base.yaml --refrence x", "did you mean --reference"),
        ("migrate --ptach x .", "did you mean --patch?"),
        ("lock --chek", "did you mean --check"),
        ("verify base.yaml --sever x", "did you mean --server?"),
        ("doctor --pyhton x", "did you mean --python"),
    ],
)
def test_what_was_meant(words: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 2
    assert meant in capsys.readouterr().err


def test_what_nothing_is_like(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["frobnicate"]) == 2
    assert "`vllm-migrate --help` lists the commands" in capsys.readouterr().err
    assert main(["lint", "frobnicate"]) == 2
    assert "a PATH is a file, a folder, or - for standard input" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--exit-zero"], ["--fail-on", "never"]])
def test_exit_zero(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "."]) == 1
    found = capsys.readouterr().out
    assert main(["lint", ".", *words]) == 0
    assert capsys.readouterr().out == found
    (Path.cwd() / "empty").mkdir()
    assert main(["lint", "empty", *words]) == 3
    assert main(["lint", "absent", *words]) == 2


def test_show_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".gitignore").write_text("ignored.yaml\n")
    (folder / "ignored.yaml").write_text(CONFIG)
    (folder / "a.sh").write_text("true\n")
    assert main(["lint", "--show-files", "."]) == 0
    assert capsys.readouterr().out.split() == ["a.sh", "base.yaml"]
    assert main(["lint", "--show-files", "--exclude", "*.sh", "--exclude", "*.yaml", "."]) == 3


def test_show_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "vllm-migrate.toml").write_text(
        'from = "0.8.5"\ngpu = "h100"\nselect = ["VM1", "VM2"]\nexclude = ["old/"]\n[severity]\nVM101 = "error"\n'
    )
    assert main(["lint", "--show-settings", "--to", "0.18.1", "--select", "VM3", "--exclude", "new/", "."]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "configuration: vllm-migrate.toml",
        "root: .",
        'paths: ["."]',
        "from: 0.8.5  # vllm-migrate.toml:1",
        "to: 0.18.1  # --to",
        'select: ["VM3"]  # --select',
        'exclude: ["old/", "new/"]  # --exclude',
        "gpu: h100  # vllm-migrate.toml:2",
        'severity: {"VM101": "error"}  # vllm-migrate.toml',
        "fail-on: warning  # the default",
    ]


def test_watch(folder: Path) -> None:
    """A change, a new file, and a configuration that is wrong for a while; Ctrl+C ends with 0."""
    words = [sys.executable, "-u", "-m", "vllm_migrate", "lint", "--watch", "--output-format", "concise", "."]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONUNBUFFERED": "1"}
    # A suite that was started in the background ignores SIGINT, and so would what it starts.
    attend = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=attend,
    ) as process:
        assert process.stdout is not None

        def until(wanted: str) -> list[str]:
            lines: list[str] = []
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if line.startswith(wanted):
                    return lines
            raise AssertionError(f"no {wanted} in {lines}")

        try:
            assert any(line.startswith("base.yaml:4") for line in until("watching"))
            (folder / "base.yaml").write_text(CONFIG.replace("    num-scheduler-steps: 1\n", "    dtype: bfloat16\n"))
            assert not any("VM203" in line for line in until("watching"))
            (folder / "other.yaml").write_text(CONFIG)
            assert any(line.startswith("other.yaml:4") for line in until("watching"))
            (folder / "vllm-migrate.toml").write_text("selct = 1\n")
            until("error")
            (folder / "vllm-migrate.toml").write_text('select = ["VM203"]\n')
            assert any("VM203" in line for line in until("watching"))
        finally:
            process.send_signal(signal.SIGINT)
            process.stdout.read()
    assert process.returncode == 0


def test_watch_needs_files() -> None:
    assert main(["lint", "--watch", "-"]) == 2
    assert main(["lint", "--watch", "absent"]) == 2


def test_hooks_name_files_that_hold_no_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "values.yaml").write_text("replicas: 1\n")
    main(["lint", "--isolated", "values.yaml"])
    assert "VM901" in capsys.readouterr().out
    assert main(["lint", "--isolated", "--quiet-unrecognised", "--fail-on", "info", "values.yaml"]) == 0
    assert "VM901" not in capsys.readouterr().out


def test_common_habits_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-V"]) == 0 and capsys.readouterr().out.startswith("vllm-migrate ")
    assert main(["help", "lint"]) == 0 and capsys.readouterr().out.startswith("Usage: vllm-migrate lint")
    assert main(["lint", "--fix", "."]) == 2
    assert "vllm-migrate fix PATH shows the edits; --write writes them" in capsys.readouterr().err


def test_help_fits_the_terminal_and_cuts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for columns in (60, 80, 140):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERMINAL_WIDTH", str(columns))
        for words in (["--help"], ["lint", "--help"]):
            assert main(words) == 0
            text = capsys.readouterr().out
            assert "..." not in text.replace("[PATH]...", "").replace("[ARGS]...", "").replace(", ...)", "")
            assert max(map(len, text.splitlines())) <= max(columns, 80)


def test_no_color_leaves_no_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bold and dim are styles, too. Asked of the console, since nothing here is a terminal."""
    from vllm_migrate.cli.terminal import console

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for value in ("", "1"):
        monkeypatch.setenv("NO_COLOR", value)
        made = console()
        with made.capture() as caught:
            made.print("a", style="bold")
        assert ("\x1b[" in caught.get()) == (value == "")
