"""What README.md and docs/ say is what the program does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from vllm_migrate.cli.main import main
from vllm_migrate.cli.options import FORMATS
from vllm_migrate.run.config import KEYS, read_config

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def blocks(page: str, language: str = "") -> list[str]:
    """The fenced blocks of a page that are of a language."""
    out: list[str] = []
    opened: str | None = None
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("```"):
            if opened is None:
                opened = line.strip("`\n")
                out += [""] if opened == language else []
            else:
                opened = None
        elif opened == language:
            out[-1] += line
    return out


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_readmes_findings_are_those_of_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, "lint", "--no-cache", "examples/pipelinerl/before")
    shown = [block for block in blocks("README.md") if block.startswith("error VM")]
    assert sum(block.count("\n  fix: ") for block in shown) >= 2
    for block in shown:
        assert block.strip("\n") in out, "as the program prints it, in its order"


def test_the_readmes_first_command_lints_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(
        r"^python3 -m venv .* \.venv/bin/vllm-migrate (lint \S+)$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert command is not None
    assert main(command[1].split()) == 1
    assert len(capsys.readouterr().out.splitlines()) < 200


def changed(capsys: pytest.CaptureFixture[str], path: str) -> list[str]:
    out = printed(capsys, "fix", "--unsafe", path).splitlines()
    return [line for line in out if line[:1] in "+-" and line[:3] not in ("+++", "---") and line[1:]]


def test_the_readmes_diffs_are_those_of_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    whole, part = ([line for line in block.splitlines() if line != "..."] for block in blocks("README.md", "diff"))
    assert whole and changed(capsys, "examples/pipelinerl/before") == whole
    lines = changed(capsys, "examples/vllm-python/before")
    assert part and [line for line in lines if line in part] == part


def test_the_readmes_count_of_findings(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    found = json.loads(printed(capsys, "lint", "--output-format", "json", "examples/pipelinerl/before"))["findings"]
    said = re.search(
        r"`vllm-migrate lint examples/pipelinerl/before` .* lists its (\w+) findings", (ROOT / "README.md").read_text()
    )
    words = dict(zip(range(7, 13), ("seven", "eight", "nine", "ten", "eleven", "twelve"), strict=True))
    assert said is not None and words[len(found)] == said[1]


def test_every_setting_is_documented(tmp_path: Path) -> None:
    (example,) = blocks("docs/configuration.md", "toml")
    assert set(tomllib.loads(example)) == set(KEYS)
    (tmp_path / "vllm-migrate.toml").write_text(example, encoding="utf-8")
    config = read_config(str(tmp_path / "vllm-migrate.toml"))
    assert config.text("to") == "0.18.1" and config.severity


def test_every_format_is_documented() -> None:
    text = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in FORMATS)


def test_every_page_is_listed() -> None:
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert all(f"({page.name})" in listed for page in (ROOT / "docs").glob("*.md") if page.name != "README.md")


def complete(*words: str) -> list[str]:
    """What bash is offered for the last word."""
    environment = {
        **os.environ,
        "_VLLM_MIGRATE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(("vllm-migrate", *words)),
        "COMP_CWORD": str(len(words)),
    }
    command = [sys.executable, "-m", "vllm_migrate"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout.split()


def test_completion_as_documented(tmp_path: Path) -> None:
    assert complete("li") == ["lint"]
    assert complete("lint", "--out") == ["--output-format", "--output-file"]
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    for shell in ("bash", "zsh", "fish"):
        command = [sys.executable, "-m", "vllm_migrate", "--show-completion", shell]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and "_VLLM_MIGRATE_COMPLETE" in done.stdout, done.stderr


def test_the_workflow_records_before_it_writes() -> None:
    """A reference needs the old vLLM and the old files."""
    steps = re.findall(r"^\d+\. .*(?:\n   .*)*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    at = {
        word: next(n for n, step in enumerate(steps) if word in step)
        for word in ("smoke record", "migrate .", "smoke run")
    }
    assert at["smoke record"] < at["migrate ."] < at["smoke run"]


@pytest.mark.parametrize("page", ["README.md", "docs/ci.md"])
def test_the_workflow_for_github_says_when_it_runs(page: str) -> None:
    (workflow,) = (yaml.safe_load(block) for block in blocks(page, "yaml") if "runs-on:" in block)
    assert workflow["name"] and workflow[True] == "pull_request"  # YAML 1.1 reads `on` as true
    assert "`.github/workflows/" in (ROOT / page).read_text(encoding="utf-8")


def test_the_glossary_has_the_words_of_the_readme() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in (
        "rollout",
        "logprob",
        "importance ratio",
        "clip rate",
        "KL, k3",
        "dialect",
        "role",
        "checklist",
        "pin",
        "origin",
    ):
        assert f"\n| {word} |" in glossary
    assert "(docs/glossary.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
