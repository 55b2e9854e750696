"""However a project's folder is named, the same is written: settings and version together."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.migrate.places import from_here
from vllm_migrate.migrate.plan import migrate
from vllm_migrate.run.settings import Options

PROJECTS = Path(__file__).parents[2] / "examples" / "projects"
NAMES = ("compose", "pipelinerl", "trl")  # they move by themselves
# Each way to name the folder: where one stands, and the PATH.
WAYS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "dot": ("work", lambda folder: "."),
    "dot and slash": ("work", lambda folder: "./"),
    "absolute": ("work", str),
    "absolute with a slash": ("work", lambda folder: f"{folder}/"),
    "absolute with dots": ("work", lambda folder: f"{folder.parent}/other/../work/."),
    "by way of the folder above": ("work", lambda folder: "../work"),
    "from above": ("", lambda folder: "work"),
    "from above with dot and slash": ("", lambda folder: "./work/"),
    "from above, absolute": ("", str),
    "from beside": ("other", lambda folder: "../work"),
    "from beside, absolute": ("other", str),
    "from far away": ("far/away/from/it", str),
    "from below": ("work/sub", lambda folder: ".."),
    "from below, absolute": ("work/sub", str),
    "from below by name": ("work/sub", lambda folder: "../../work"),
    "within a link": ("link", lambda folder: "."),
    "within a link, by the link": ("link", lambda folder: str(folder.parent / "link")),
    "within a link, by its own name": ("link", str),
    "a link": ("", lambda folder: "link"),
    "below a link": ("link/sub", lambda folder: str(folder.parent / "link")),
}


@pytest.fixture
def work(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path.resolve() / "work"
    shutil.copytree(PROJECTS / request.node.callspec.params["name"] / "before", folder)
    (folder / ".git").mkdir()
    (folder / "sub").mkdir()
    for other in ("other", "far/away/from/it"):
        (folder.parent / other).mkdir(parents=True)
    (folder.parent / "link").symlink_to("work", target_is_directory=True)
    return folder


@pytest.fixture(params=WAYS)
def path(request: pytest.FixtureRequest, work: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder as it is named from where we stand then."""
    stand, named = WAYS[request.param]
    monkeypatch.chdir(work.parent / stand)
    return named(work)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES)
def test_each_way_to_name_the_folder_writes_the_same(
    path: str, name: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", "--isolated", "--write", path]) == 0, capsys.readouterr()
    assert files(work) == files(PROJECTS / name / "after")
    assert "is judged" not in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_each_path_is_shown_in_one_form(path: str, name: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = migrate(Options((path,), isolated=True))
    shown = [file.path for file in found.edits] + [start.path for start in found.starts]
    shown += [item.path for project in found.projects for item in project.items if item.path]
    shown += [project.root for project in found.projects]
    assert shown == [
        os.path.relpath(os.path.realpath(one)) if Path.cwd() != work.parent else os.path.normpath(one) for one in shown
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_by_itself_moves_with_all_of_its_project_or_not_at_all(
    path: str, name: str, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"compose": "compose.yaml", "pipelinerl": "conf/base.yaml", "trl": "train.py"}[name]
    before = files(work)
    code = main(["migrate", "--isolated", "--write", os.path.join(path, named)])
    assert (files(work) == before) == (code == 1), capsys.readouterr()
    assert code == int(name != "compose"), "an image is its file's own pin"


@pytest.mark.parametrize("excluded", ["pyproject.toml", "requirements.txt"])
@pytest.mark.parametrize("lock", [True, False])
def test_settings_wait_for_the_only_pin_of_their_project(
    excluded: str, lock: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    pin = '[project]\nname = "x"\ndependencies = ["vllm==0.8.5"]\n' if excluded.endswith("toml") else "vllm==0.8.5\n"
    (tmp_path / excluded).write_text(pin)
    if lock:
        (tmp_path / "uv.lock").write_text('[[package]]\nname = "vllm"\nversion = "0.8.5"\n')
    (tmp_path / "serve.sh").write_text("vllm serve m --disable-log-requests\n")
    found = migrate(Options((".",), isolated=True, exclude=(excluded,)))
    named = migrate(Options((".",), isolated=True))
    assert {file.path for file in named.edits} == {"serve.sh", excluded}
    # A file of pins that is of no kind to lint is not looked for below its folder, so it cannot be left out.
    assert bool(found.edits) == (excluded == "requirements.txt")


@pytest.mark.parametrize("name", NAMES)
def test_git_applies_the_patch(path: str, name: str, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / ".git").rmdir()
    subprocess.run(["git", "init", "-q", str(work)], check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    shutil.rmtree(work / ".git" / "hooks", ignore_errors=True)
    patch = work.parent / "up.diff"
    main(["migrate", "--isolated", path, "--patch", str(patch), "--allow-outside", str(work.parent)])
    told = re.search(r"relative to (.*): `git apply` it there", capsys.readouterr().err)
    where = told[1] if told is not None else os.curdir
    subprocess.run(["git", "apply", str(patch)], check=True, cwd=where)
    found = {path: data for path, data in files(work).items() if not path.startswith(".git/")}
    assert found == files(PROJECTS / name / "after")


def test_a_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path.resolve() / "a" / "b"
    here.mkdir(parents=True)
    (tmp_path / "l").symlink_to("a")
    (here / "inner").symlink_to("elsewhere")
    monkeypatch.chdir(here)
    assert from_here(".") == "."
    assert from_here(str(here)) == "."
    assert from_here(f"{tmp_path}/l/b/c.yaml") == "c.yaml"
    assert from_here(f"{tmp_path}/l/d") == "../d"
    assert from_here("./inner/x") == "inner/x", "a link below stays"
    assert from_here("..") == ".."
