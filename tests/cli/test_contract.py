"""The contracts of the design, one by one, from outside: exit codes, JSON keys, the first line, what is never written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONF = "vllm_config:\n  use_v1: true\n  vllm_kwargs:\n    num-scheduler-steps: 1\n    max_model_len: 20000\n"
CLEAN = "hello: world\n"
FINDING = {
    *("code", "name", "severity", "layer", "path", "line", "column", "end_line", "end_column", "engine", "option"),
    *("old", "new", "message", "depends_on", "fix", "fingerprint"),
    *("kind", "project", "from", "to", "why", "advice", "url", "children"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    (tmp_path / "a.yaml").write_text(CONF)
    (tmp_path / "clean.yaml").write_text(CLEAN)
    (tmp_path / "empty").mkdir()
    return tmp_path


def run(*words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vllm_migrate", *words]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("lint a.yaml", 1),
        ("lint .", 1),
        ("lint clean.yaml", 0),
        ("lint --fail-on never a.yaml", 0),
        ("lint --fail-on error --ignore VM4 --ignore VM2 a.yaml", 0),
        ("lint --fail-on info clean.yaml", 1),
        ("lint empty", 3),
        ("fix empty", 3),
        ("lint nowhere", 2),
        ("lint --nonsense", 2),
        ("lint --from 0.8.99 a.yaml", 2),
        ("lint --from 0.18.1 --to 0.8.5 clean.yaml", 0),
        ("lint --from 0.18.1 --to latest clean.yaml", 0),
        ("lint --to 0.7 a.yaml", 2),
        ("lint --select VM999 a.yaml", 2),
        ("lint --gpu toaster a.yaml", 2),
        ("lint --baseline none.json a.yaml", 2),
        ("lint --config none.toml a.yaml", 2),
        ("fix a.yaml", 1),
        ("fix --check a.yaml", 1),
        ("fix --check clean.yaml", 0),
        ("fix clean.yaml", 0),
        ("explain VM101", 0),
        ("explain nonsense", 2),
        ("diff 0.8.5 0.18.1", 0),
        ("diff 0.8.5 9.9", 2),
        ("schema 0.18.1", 0),
        ("--version", 0),
        ("nonsense", 2),
    ],
)
def test_exit_codes_and_nothing_written(words: str, code: int, here: Path) -> None:
    done = run(*words.split())
    assert done.returncode == code, done.stderr
    assert (here / "a.yaml").read_text() == CONF
    assert sorted(os.listdir(here)) in ([".cache", "a.yaml", "clean.yaml", "empty"], ["a.yaml", "clean.yaml", "empty"])
    assert (code == 2) == bool(done.stderr) or code == 3
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr


def test_json_on_every_exit_but_2() -> None:
    for words, code in (("a.yaml", 1), ("clean.yaml", 0), ("empty", 3)):
        done = run("lint", "--output-format", "json", words)
        report = json.loads(done.stdout)
        assert done.returncode == code
        assert list(report) == ["schema", "tool", "from", "to", "files", "projects", "findings"]
        assert (report["schema"], report["from"], report["to"]) == (1, "0.8.5", "0.18.1")
        assert all(set(finding) == FINDING for finding in report["findings"])
    assert run("lint", "--output-format", "json", "nowhere").stdout == ""


def test_json_edits_make_the_fix(here: Path) -> None:
    found = json.loads(run("lint", "--output-format", "json", "a.yaml").stdout)["findings"]
    for finding in found:
        fix = finding["fix"]
        if fix is None:
            continue
        assert set(fix) - {"cost", "drop_when"} == {"safety", "title", "needs", "conflicts", "edits"}
        assert fix["safety"] in ("safe", "review", "none")
        for edit in fix["edits"]:
            assert set(edit) == {"path", "start_line", "start_column", "end_line", "end_column", "text"}
    assert any(finding["fix"] and finding["fix"]["edits"] for finding in found)


@pytest.mark.parametrize("output", ["text", "concise"])
def test_the_first_line_says_which_releases_and_why(output: str, here: Path) -> None:
    first = run("lint", "--output-format", output, "a.yaml").stdout.splitlines()[0]
    assert first == "vLLM 0.8.5 (the default) -> 0.18.1 (the default)"
    (here / "requirements.txt").write_text("vllm==0.9.2\n")
    first = run("lint", "--to", "0.20.0", "--output-format", output, "a.yaml").stdout.splitlines()[0]
    assert first.startswith("vLLM 0.9.2 (requirements.txt:1 pins it) -> 0.20.0 (")


def test_effective_and_diff_json() -> None:
    report = json.loads(run("effective", "--output-format", "json", "a.yaml").stdout)
    assert list(report) == ["schema", "from", "to", "engines"]
    (engine,) = report["engines"]
    assert {"path", "id", "role", "dialect", "settings"} <= set(engine)
    setting = engine["settings"][0]
    assert set(setting) == {"option", "from", "to"} and set(setting["from"]) >= {"value", "origin", "depends_on"}
    report = json.loads(run("diff", "--output-format", "json", "0.8.5", "0.18.1").stdout)
    assert list(report) == ["schema", "from", "to", "changes"]
    keys = {"kind", "section", "option", "old", "new", "since", "replaced_by"}
    assert all(keys <= set(change) for change in report["changes"])


def test_fix_writes_with_write_alone_and_once(here: Path) -> None:
    assert run("fix", "--write", "--check", "a.yaml").returncode == 1 and (here / "a.yaml").read_text() == CONF
    assert run("fix", "--write", "--unsafe", "a.yaml").returncode == 0
    written = (here / "a.yaml").read_text()
    assert written != CONF
    assert run("fix", "--check", "--unsafe", "a.yaml").returncode == 0
    assert run("fix", "--write", "--unsafe", "a.yaml").returncode == 0 and (here / "a.yaml").read_text() == written


def test_standard_input_is_judged_under_its_name() -> None:
    done = run("lint", "--output-format", "json", "--stdin-filename", "conf/x.yaml", "-", text=CONF)
    assert {finding["path"] for finding in json.loads(done.stdout)["findings"]} == {"conf/x.yaml"}

    assert "+++ conf/x.yaml" in run("fix", "--unsafe", "--stdin-filename", "conf/x.yaml", "-", text=CONF).stdout
    table = json.loads(
        run("effective", "--stdin-filename", "conf/x.yaml", "--output-format", "json", "-", text=CONF).stdout
    )
    assert [engine["path"] for engine in table["engines"]] == ["conf/x.yaml"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("#!/bin/sh\nvllm serve m --swap-space 4\n", "stdin.sh"),
        ("#!/usr/bin/env -S bash -e\nvllm serve m --swap-space 4\n", "stdin.sh"),
        ("#!/usr/bin/env python3.12\nfrom vllm import LLM\nllm = LLM('m', swap_space=4)\n", "stdin.py"),
        ("# a comment\nmodel: m\nswap-space: 4\n", "stdin.yaml"),
    ],
)
def test_standard_input_without_a_name_says_what_it_is(text: str, name: str) -> None:
    done = run("lint", "--output-format", "json", "-", text=text)
    found = [(finding["path"], finding["option"]) for finding in json.loads(done.stdout)["findings"]]
    assert (name, "swap_space") in found


def test_standard_input_is_never_written(here: Path) -> None:
    done = run("fix", "--write", "--stdin-filename", "a.yaml", "-", text=CONF)
    assert done.returncode == 2 and "--write" in done.stderr and "help: " in done.stderr
    assert (here / "a.yaml").read_text() == CONF


@pytest.mark.parametrize("command", ["lint", "fix", "releases"])
def test_closed_standard_output_is_an_error_in_one_line(command: str) -> None:
    words = [
        "sh",
        "-c",
        '"$@" >&-',
        "sh",
        sys.executable,
        "-m",
        "vllm_migrate",
        command,
        *(["a.yaml"] if command != "releases" else []),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "error: standard output is closed\n")


def test_ignores_are_added_once(here: Path) -> None:
    write = ("lint", "--add-ignores", "--write", "--reason", "seen", "a.yaml")
    run(*write)
    once = (here / "a.yaml").read_text()
    assert "vllm-migrate: ignore[" in once and run("lint", "--fail-on", "info", "a.yaml").returncode == 0
    run(*write)
    assert (here / "a.yaml").read_text() == once


def test_a_baseline_hides_what_it_knows_and_names_what_went(here: Path) -> None:
    assert run("lint", "--baseline", "b.json", "--write-baseline", "a.yaml").returncode == 0
    assert run("lint", "--baseline", "b.json", "--fail-on", "info", "a.yaml").returncode == 0
    (here / "a.yaml").write_text("# moved down\n\n" + CONF)
    assert run("lint", "--baseline", "b.json", "--fail-on", "info", "a.yaml").returncode == 0
    (here / "a.yaml").write_text(CONF.replace("    num-scheduler-steps: 1\n", ""))
    assert "no longer matches" in run("lint", "--baseline", "b.json", "a.yaml").stdout
