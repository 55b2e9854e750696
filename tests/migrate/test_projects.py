"""examples/projects/: `before`, `after` and the checklist as `migrate --write` makes them; run again, interrupted, bumped."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.fixes import write as fixes_write
from vllm_migrate.migrate import plan

PROJECTS = Path(__file__).parents[2] / "examples" / "projects"
NAMES = sorted(folder.name for folder in PROJECTS.iterdir())
BLOCKED = ("verl",)
MOVED = [name for name in NAMES if name not in BLOCKED]
CALL = ["migrate", "--isolated", "."]


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A copy of the project that the test names, in which it runs."""
    folder = tmp_path / "work"
    shutil.copytree(PROJECTS / request.node.callspec.params["name"] / "before", folder)
    (folder / ".git").mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_after_and_checklist(name: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checklist = work.parent / "checklist.md"
    assert main([*CALL, "--write", "--checklist", str(checklist)]) == int(name in BLOCKED)
    assert files(work) == files(PROJECTS / name / "after")
    assert checklist.read_text() == (PROJECTS / name / "checklist.md").read_text()
    patch = work.parent / "second.diff"
    main([*CALL, "--patch", str(patch)])
    assert patch.read_text() == ""


@pytest.mark.parametrize("name", MOVED)
def test_git_applies_the_patch(name: str, work: Path) -> None:
    patch = work.parent / "up.diff"
    assert main([*CALL, "--patch", str(patch)]) == 1
    assert files(work) == files(PROJECTS / name / "before")
    (work / ".git").rmdir()
    subprocess.run(["git", "init", "-q", "."], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    subprocess.run(["git", "apply", str(patch)], check=True)
    assert files(work) == files(PROJECTS / name / "after")


@pytest.mark.parametrize("name", ["pipelinerl", "trl"])
def test_an_interrupted_run_leaves_old_or_new_files_and_the_next_completes_it(
    name: str, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def stop_at_the_second(edits: object, disk: object) -> object:
        calls.append(edits)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fixes_write.write_all(edits, disk)  # type: ignore[arg-type]

    before, after = files(PROJECTS / name / "before"), files(PROJECTS / name / "after")
    monkeypatch.setattr(plan, "write_all", stop_at_the_second)
    assert main([*CALL, "--write"]) == 2
    assert "interrupted" in capsys.readouterr().err
    between = files(work)
    assert between not in (before, after)
    assert all(data in (before[path], after[path]) for path, data in between.items())
    monkeypatch.setattr(plan, "write_all", fixes_write.write_all)
    assert main([*CALL, "--write"]) == 0
    assert files(work) == after


def test_a_pin_that_was_moved_already_needs_the_old_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(PROJECTS / "pipelinerl" / "before", tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    after = files(PROJECTS / "pipelinerl" / "after")
    Path(".git").mkdir()
    Path("uv.lock").unlink()
    Path("pyproject.toml").write_bytes(after["pyproject.toml"])
    assert main([*CALL, "--from", "0.8.5.post1", "--write"]) == 0
    assert files(tmp_path / "work") == {path: data for path, data in after.items() if path != "uv.lock"}


def test_every_project_has_its_sides() -> None:
    for name in NAMES:
        assert sorted(path.name for path in (PROJECTS / name).iterdir()) == ["after", "before", "checklist.md"]
