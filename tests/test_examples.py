"""examples/: what `fix --write --unsafe` makes of every `before` is its `after`, and a second fix changes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir() if (folder / "before").is_dir())


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_after_is_what_fix_makes_of_before(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / name
    shutil.copytree(EXAMPLES / name / "before", work)
    monkeypatch.chdir(tmp_path)
    assert main(["lint", "--isolated", "--fail-on", "info", "--fail-on-checklist", str(work)]) == 1, (
        "a `before` shows something"
    )
    assert main(["fix", "--isolated", "--write", "--unsafe", str(work)]) == 0
    assert files(work) == files(EXAMPLES / name / "after")
    assert main(["fix", "--isolated", "--check", "--unsafe", str(work)]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_but_the_checklist(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    assert main(["lint", "--isolated", f"{name}/after"]) == 0


def test_every_example_has_both_sides() -> None:
    assert NAMES
    for name in NAMES:
        assert (EXAMPLES / name / "after").is_dir(), name
