"""What docs/tutorial.md shows is what the program prints."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
EXAMPLE = "examples/pipelinerl/before"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_its_findings(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lint", "--output-format", "concise", EXAMPLE])
    printed = capsys.readouterr().out.splitlines()
    (block,) = blocks("text")
    assert block.splitlines() and set(block.splitlines()) <= set(printed)


def test_its_diff(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fix", EXAMPLE])
    (block,) = blocks("diff")
    assert block not in capsys.readouterr().out
    main(["fix", "--unsafe", EXAMPLE])
    assert block in capsys.readouterr().out


def test_what_it_writes_leaves_no_finding_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "migration"
    shutil.copytree(ROOT / EXAMPLE, copy)
    assert main(["fix", "--unsafe", "--write", str(copy)]) == 0
    assert main(["lint", str(copy)]) == 0
