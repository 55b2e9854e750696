"""Git's own files read without Git: every object of generated repositories, in every form in which Git keeps them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from vllm_migrate.documents import git
from vllm_migrate.documents.disk import DISK, Disk, Fence
from vllm_migrate.documents.git import History, NoHistory, Snapshot

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git to make repositories")
ENV = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    **dict.fromkeys(("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"), os.devnull),
    **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def run(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, env=ENV, check=True, capture_output=True, text=True).stdout


def repository(folder: Path, releases: list[str], *flags: str) -> Path:
    """A commit for each release, in a long file that changes little, so that packs have deltas."""
    folder.mkdir()
    run(folder, "init", "-q", "-b", "main", *flags)
    (folder / "docker").mkdir()
    rest = "".join(f"package{number}==1.0.{number}\n" for number in range(400))
    for release in releases:
        (folder / "requirements.txt").write_text(f"{rest}vllm=={release}\n{rest}")
        (folder / "docker" / "Dockerfile").write_text(f"FROM vllm/vllm-openai:v{release}\n")
        run(folder, "add", "-A")
        run(folder, "commit", "-q", "-m", f"vLLM {release}")
    return folder


RELEASES = ["0.8.4", "0.8.5", "0.9.0", "0.9.2", "0.10.2"]
FORMS = {
    "loose": [],
    "packed": [["gc", "-q", "--prune=now"]],
    "deltas by name": [["-c", "repack.usedeltabaseoffset=false", "repack", "-adfq"]],
    "two packs": [["repack", "-dq"], ["commit", "-q", "--allow-empty", "-m", "later"], ["repack", "-dq"]],
    "packed references": [["pack-refs", "--all"]],
}


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("made") / "work", RELEASES, f"--object-format={request.param}")


@pytest.mark.parametrize("form", FORMS)
def test_every_object_is_as_git_gives_it(form: str, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    shutil.copytree(made, folder)
    for words in FORMS[form]:
        run(folder, *words)
    listed = run(folder, "rev-list", "--objects", "--all", "--no-object-names").split()
    history = History(str(folder), DISK)
    assert len(listed) >= 3 * len(RELEASES)
    asked = "".join(f"{ident}\n" for ident in listed).encode()
    batch = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=folder, env=ENV, check=True, input=asked, capture_output=True
    )
    names = {1: "commit", 2: "tree", 3: "blob"}
    mine = ((ident, *history.object(ident)) for ident in listed)
    assert batch.stdout == b"".join(f"{i} {names[k]} {len(d)}\n".encode() + d + b"\n" for i, k, d in mine)
    assert [commit.id for commit in history.commits()] == run(folder, "rev-list", "--first-parent", "HEAD").split()


def test_the_files_of_a_commit(tmp_path: Path) -> None:
    folder = repository(tmp_path / "work", ["0.8.5", "0.9.2"])
    history = History(str(folder), DISK)
    now, before = history.commits()
    for commit, release in ((now, "0.9.2"), (before, "0.8.5")):
        shot = Snapshot(history, commit, str(folder), ("", "docker"))
        path = str(folder / "docker" / "Dockerfile")
        assert shot.read(path, 100) == f"FROM vllm/vllm-openai:v{release}\n".encode()
        assert shot.names(str(folder)) == ["requirements.txt"]


def test_a_shallow_clone_says_so(tmp_path: Path) -> None:
    folder = repository(tmp_path / "work", RELEASES[:4])
    run(tmp_path, "clone", "-q", "--depth", "2", folder.as_uri(), "shallow")
    history = History(str(tmp_path / "shallow"), DISK)
    with pytest.raises(NoHistory, match="shallow"):
        list(history.commits())


def test_a_worktree_has_the_history_of_its_repository(tmp_path: Path) -> None:
    folder = repository(tmp_path / "work", RELEASES[:3])
    run(folder, "worktree", "add", "-q", "../tree", "HEAD~1")
    assert len(list(History(str(tmp_path / "tree"), DISK).commits())) == 2
    fenced = Disk().within(Fence([str(tmp_path / "tree")]))
    with pytest.raises(NoHistory, match="outside the project"):
        History(str(tmp_path / "tree"), fenced)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda git_folder: (git_folder / "HEAD").write_text("ref: refs/../../../etc/passwd\n"), "no commit"),
        (lambda git_folder: (git_folder / "HEAD").write_text("ref: refs/heads/.invalid\n"), "no commit"),
        (lambda git_folder: (git_folder / "HEAD").write_text("0" * 40 + "\n"), "missing"),
        (lambda git_folder: shutil.rmtree(git_folder / "objects"), "missing"),
        (
            lambda git_folder: [p.chmod(0o600) or p.write_bytes(b"x") for p in git_folder.glob("objects/??/*")],
            "damaged",
        ),
    ],
)
def test_what_is_damaged_or_missing_is_said(damage: object, said: str, tmp_path: Path) -> None:
    folder = repository(tmp_path / "work", RELEASES[:2])
    damage(folder / ".git")  # type: ignore[operator]
    with pytest.raises(NoHistory, match=said):
        list(History(str(folder), DISK).commits())


def test_damaged_packs_never_crash(tmp_path: Path) -> None:
    folder = repository(tmp_path / "work", RELEASES[:3])
    run(folder, "gc", "-q", "--prune=now")
    (pack,) = folder.glob(".git/objects/pack/*.pack")
    whole = pack.read_bytes()
    pack.chmod(0o600)
    for at in range(12, len(whole), len(whole) // 60):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        history = History(str(folder), DISK)
        try:
            for commit in history.commits():
                Snapshot(history, commit, str(folder), ("", "docker")).read(str(folder / "requirements.txt"), 10**6)
        except NoHistory:
            pass
        history.close()


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = repository(tmp_path / "work", RELEASES[:4])
    monkeypatch.setattr(git, "MAX_COMMITS", 3)
    with pytest.raises(NoHistory, match="last 3 commits"):
        list(History(str(folder), DISK).commits())
    monkeypatch.setattr(git, "MAX_READ", 200)
    with pytest.raises(NoHistory, match="too much"):
        list(History(str(folder), DISK).commits())
