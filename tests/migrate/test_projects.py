"""examples/projects/: `before`, `after` and the checklist as `migrate --write` makes them; run again, interrupted, bumped."""

from __future__ import annotations

import os
import re
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
# What people settle first where the checklist asks for it; the project moves then.
SETTLED = {"verl": {"requirements.txt": {"verl==0.5.0": "verl==0.9.0", "transformers==4.51.3": "transformers==4.57.1"}}}
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


@pytest.fixture
def free(work: Path, request: pytest.FixtureRequest) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The same with what is asked first settled: its files, and those that a whole run makes of them."""
    name = request.node.callspec.params["name"]
    if name not in SETTLED:
        return files(work), files(PROJECTS / name / "after")
    for path, texts in SETTLED[name].items():
        replace(path, texts)
    copy = work.parent / "copy"
    shutil.copytree(work, copy)
    before = files(work)
    os.chdir(copy)
    assert main([*CALL, "--write"]) == 0
    os.chdir(work)
    after = files(copy)
    assert all(before[path] != data for path, data in after.items()), "settings and version"
    return before, after


def replace(path: str, texts: dict[str, str]) -> None:
    text = Path(path).read_text()
    for old, new in texts.items():
        assert old in text
        text = text.replace(old, new)
    Path(path).write_text(text)


@pytest.mark.parametrize("name", NAMES)
def test_after_and_checklist(name: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checklist = work.parent / "checklist.md"
    assert main([*CALL, "--write", "--checklist", str(checklist)]) == int(name in BLOCKED)
    assert files(work) == files(PROJECTS / name / "after")
    assert checklist.read_text() == (PROJECTS / name / "checklist.md").read_text()
    patch = work.parent / "second.diff"
    main([*CALL, "--patch", str(patch)])
    assert not patch.exists()  # an empty one is not written


@pytest.mark.parametrize("name", NAMES)
def test_git_applies_the_patch(name: str, work: Path, free: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    patch = work.parent / "up.diff"
    assert main([*CALL, "--patch", str(patch)]) == 1
    before, after = free
    assert files(work) == before
    (work / ".git").rmdir()
    subprocess.run(["git", "init", "-q", "."], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    subprocess.run(["git", "apply", str(patch)], check=True)
    assert files(work) == after


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_run_leaves_old_or_new_files_and_the_next_completes_it(
    name: str,
    work: Path,
    free: tuple[dict[str, bytes], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = []
    before, after = free
    changed = sum(before[path] != data for path, data in after.items())

    def stop_at_the_last(edits: object, disk: object) -> object:
        calls.append(edits)
        if len(calls) == changed:
            raise KeyboardInterrupt
        return fixes_write.write_all(edits, disk)  # type: ignore[arg-type]

    monkeypatch.setattr(plan, "write_all", stop_at_the_last)
    assert main([*CALL, "--write"]) == 2
    assert "interrupted" in capsys.readouterr().err
    between = files(work)
    assert sum(before[path] != data for path, data in between.items()) == changed - 1
    assert all(data in (before[path], after[path]) for path, data in between.items())
    monkeypatch.setattr(plan, "write_all", fixes_write.write_all)
    assert main([*CALL, "--write"]) == 0
    assert files(work) == after


# What says which vLLM is installed, in the order of the files, before and after.
PINS = {
    "compose": [("compose.yaml", ":v0.8.5"), ("compose.yaml", ":v0.10.2")],
    "helm": [("values.yaml", '"v0.8.5"')],
    "nemo-rl": [("Dockerfile", "==0.10.0")],
    "pipelinerl": [("pyproject.toml", "==0.8.5.post1")],
    "trl": [("requirements.txt", "==0.10.2"), ("environment.yml", "==0.10.2")],
    "verl": [("requirements.txt", "vllm==0.8.5")],
}
RELEASE = re.compile(r"\d+\.\d+\.\d+(\.post\d+)?")


def git(*words: str) -> None:
    """Git, for the tests alone: migrate reads its files itself."""
    names = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    none = dict.fromkeys(("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"), os.devnull)
    subprocess.run(["git", *words], check=True, env={**os.environ, **names, **none}, capture_output=True)


@pytest.mark.parametrize("name", NAMES)
def test_on_a_pin_that_was_moved_already_the_history_has_the_old_release(
    name: str, work: Path, free: tuple[dict[str, bytes], dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = {path: data for path, data in free[1].items() if path != "uv.lock"}
    Path("uv.lock").unlink(missing_ok=True)
    Path(".git").rmdir()
    git("init", "-q")
    for message in ("before", "bump"):
        git("add", "-A")
        git("commit", "-q", "-m", message)
        for file, pin in PINS[name] if message == "before" else ():
            replace(file, {pin: RELEASE.sub("0.18.1", pin)})
    git("gc", "-q")

    def never(*words: object, **options: object) -> None:
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    assert main([*CALL, "--history", "--write"]) == 0
    assert files(work) == after
    assert main([*CALL, "--history", "--patch", str(work.parent / "second.diff")]) == 0
    assert not (work.parent / "second.diff").exists()


def test_a_history_that_shows_nothing_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text("vllm==0.18.1\n")
    Path("serve.yaml").write_text("model: m\nmax-model-len: 8192\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    assert main([*CALL, "--history"]) == 0
    assert "none of its commits pins an older release" in capsys.readouterr().out


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
