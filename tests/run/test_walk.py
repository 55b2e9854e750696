"""Which files a call means."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.errors import UsageError
from vllm_migrate.run.walk import walk


def grow(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a: 1\n")


def found(*paths: str, **options: Any) -> list[str]:
    return [each.path for each in walk(list(paths), **options)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_order_kinds_and_spelling(here: Path) -> None:
    grow(
        here,
        "c/b.yaml",
        "c/a.sh",
        "c/z/q.toml",
        "c/d/e.JSON",
        "c/readme.md",
        "c/Makefile",
        "c/yaml",
        "c/.yaml",
        "top.py",
    )
    expected = ["c/a.sh", "c/b.yaml", "c/d/e.JSON", "c/z/q.toml"]
    assert found("c") == expected
    assert found("c/") == expected
    assert found("./c") == [f"./{path}" for path in expected]
    assert found(str(here / "c")) == [str(here / path) for path in expected]
    assert found(".") == ["top.py", *expected]


def test_named_paths_are_taken_and_folders_give_each_file_once(here: Path) -> None:
    grow(here, "c/a.yaml", "c/b.yaml", "c/notes.txt", "c/outputs/c.yaml")
    Path(".gitignore").write_text("a.yaml\n")
    given = [(e.path, e.named, e.stdin) for e in walk(["c/notes.txt", "c/a.yaml", "c", "./c/b.yaml", "c", "-"])]
    assert given == [
        ("c/notes.txt", True, False),
        ("c/a.yaml", True, False),
        ("c/b.yaml", True, False),
        ("-", True, True),
    ]
    assert found("c/outputs") == ["c/outputs/c.yaml"]


@pytest.mark.parametrize(
    "folder",
    [".git", ".hg", ".svn", "venv", ".venv", "node_modules", "__pycache__", ".hydra", "outputs", "multirun", "wandb"],
)
def test_folders_left_out(here: Path, folder: str) -> None:
    grow(here, f"{folder}/a.yaml", f"conf/{folder}/x/a.yaml", "conf/a.yaml")
    assert found(".") == ["conf/a.yaml"]
    assert found("conf", respect_gitignore=False) == ["conf/a.yaml"]


def test_an_environment_of_any_name_is_left_out(here: Path) -> None:
    grow(here, "my-env/pyvenv.cfg", "my-env/lib/a.yaml", "conda/conda-meta/history", "conda/a.yaml", "outputs.d/a.yaml")
    assert found(".") == ["outputs.d/a.yaml"]


def test_missing_path_is_named_before_anything_is_read(here: Path) -> None:
    grow(here, "a.yaml")
    with pytest.raises(UsageError, match=r"no such file or folder: nope/x\.yaml"):
        walk(["a.yaml", "nope/x.yaml"])
    os.symlink("gone", here / "broken.yaml")
    with pytest.raises(UsageError, match=r"broken\.yaml"):
        walk(["broken.yaml"])


def test_links_make_no_loop(here: Path) -> None:
    grow(here, "c/a.yaml", "elsewhere/b.yaml")
    os.symlink("..", here / "c/up")
    os.symlink(here / "elsewhere", here / "c/linked")
    os.symlink("self.yaml", here / "c/self.yaml")
    os.symlink("gone.yaml", here / "c/dangling.yaml")
    os.symlink("../elsewhere/b.yaml", here / "c/file.yaml")
    os.mkfifo(here / "c/pipe.yaml")
    assert found("c") == ["c/a.yaml", "c/file.yaml"]
    assert found("c/linked") == ["c/linked/b.yaml"]


def test_gitignore_above_the_given_folder_and_only_within_the_repository(here: Path) -> None:
    grow(here, "repo/sub/conf/a.yaml", "repo/sub/conf/b.yaml", "repo/sub/conf/c.yaml", "repo/sub/conf/d.yaml")
    (here / "repo/.git/info").mkdir(parents=True)
    (here / "repo/.git/info/exclude").write_text("/sub/conf/a.yaml\n")
    (here / "repo/.gitignore").write_text("conf/b.yaml\nsub/conf/c.yaml\n")
    (here / "repo/sub/.gitignore").write_text("/conf/d.yaml\n")
    (here / ".gitignore").write_text("*.yaml\n")
    assert found("repo/sub/conf") == ["repo/sub/conf/b.yaml"]
    assert len(found("repo/sub/conf", respect_gitignore=False)) == 4
    # Without a repository, what lies above the given folder is none of its business.
    grow(here, "plain/conf/a.yaml", "plain/conf/b.yaml")
    (here / "plain/.gitignore").write_text("a.yaml\n")
    assert found("plain/conf") == ["plain/conf/a.yaml", "plain/conf/b.yaml"]
    assert found("plain") == ["plain/conf/b.yaml"]


def test_worktree_shares_the_exclude_file(here: Path) -> None:
    main, other = here / "main", here / "other"
    main.mkdir()
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
        ["worktree", "add", "-q", str(other)],
    ):
        subprocess.run(["git", "-C", str(main), *command], check=True, capture_output=True)
    (main / ".git/info").mkdir(exist_ok=True)
    (main / ".git/info/exclude").write_text("secret.yaml\n")
    grow(other, "secret.yaml", "open.yaml")
    assert found("other") == ["other/open.yaml"]


def test_repository_within_a_repository_has_its_own_rules(here: Path) -> None:
    grow(here, "a.yaml", "sub/a.yaml", "sub/b.yaml", "gone/.git/HEAD", "gone/a.yaml")
    Path(".git").mkdir()
    Path("sub/.git").mkdir()
    Path(".gitignore").write_text("a.yaml\ngone/\n")
    Path("sub/.gitignore").write_text("b.yaml\n")
    assert found(".") == ["sub/a.yaml"]


def test_exclude_is_relative_to_its_root_and_stands_above_gitignore(here: Path) -> None:
    grow(here, "conf/a.yaml", "conf/old/b.yaml", "conf/keep.yaml", "a.yaml")
    Path(".gitignore").write_text("!a.yaml\n")
    assert found(".", exclude=["/a.yaml", "old/"]) == ["conf/a.yaml", "conf/keep.yaml"]
    assert found("conf", exclude=["conf/a.yaml", "b.yaml"], root=str(here)) == ["conf/keep.yaml"]
    assert found("conf", exclude=["*.yaml", "!keep.yaml"]) == ["conf/keep.yaml"]
    assert found("conf/a.yaml", exclude=["*.yaml"]) == ["conf/a.yaml"]
    assert found("conf/a.yaml", "conf/keep.yaml", exclude=["a.yaml"], force_exclude=True) == ["conf/keep.yaml"]


def test_folders_that_vanish_or_refuse(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(here, "a/x.yaml", "b/x.yaml", "c/x.yaml")
    scandir = os.scandir

    def failing(path: str) -> object:
        if path == "a/":
            raise FileNotFoundError(path)
        if path == "b/":
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    refused: list[str] = []
    assert found(".", unreadable=refused) == ["c/x.yaml"]
    assert refused == ["b/"]


def test_names_that_are_not_utf8(here: Path) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    grow(here, "d/" + name, "d/é.yaml")
    Path(".gitignore").write_bytes(b"\xc3\xa9.yaml\n")
    assert found(".") == ["d/" + name]


def test_the_source_of_vllm_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy of vLLM runs with itself; what merely has a folder of that name, and files that are named, are judged."""
    call = "from vllm.lora.models import LoRAModel\n"
    for path in ("vllm/engine/arg_utils.py", "vllm/worker/patch.py", "examples/run.py"):
        (tmp_path / "fork" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fork" / path).write_text(call)
    (tmp_path / "own" / "vllm").mkdir(parents=True)
    (tmp_path / "own" / "vllm" / "patch.py").write_text(call)
    main(["lint", "--isolated", "--no-cache", "--output-format", "json", str(tmp_path)])
    assert [f["path"] for f in json.loads(capsys.readouterr().out)["findings"]] == [str(tmp_path / "own/vllm/patch.py")]
    main(["lint", "--isolated", "--no-cache", str(tmp_path)])
    assert f"{tmp_path / 'fork'} is vLLM's own source, left out" in " ".join(capsys.readouterr().out.split())
    assert main(["lint", "--isolated", "--no-cache", str(tmp_path / "fork")]) == 3
    assert main(["lint", "--isolated", "--no-cache", str(tmp_path / "fork" / "examples")]) == 1
    assert main(["lint", "--isolated", "--no-cache", str(tmp_path / "fork" / "vllm" / "worker" / "patch.py")]) == 1
