"""A kept result is given only when nothing that it came from has changed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vllm_migrate.cli.main import main
from vllm_migrate.run import cache
from vllm_migrate.run import dependencies as dependencies
from vllm_migrate.run.cache import cache_folder, lookup, store
from vllm_migrate.run.config import load_config
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.run.walk import walk

KEY = ("lint", "conf")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = tmp_path / "project"
    for file in (
        "conf/a.yaml",
        "conf/sub/b.yaml",
        "shared/base.yaml",
        "requirements.txt",
        ".gitignore",
        "vllm-migrate.toml",
    ):
        path = project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# x\n")
    (project / ".git/info").mkdir(parents=True)
    monkeypatch.chdir(project)
    yield project


def looked_at() -> Dependencies:
    """The dependencies of a run over conf/ in which a.yaml has a parent outside the PATHs, and one that is not there."""
    time.sleep(0.03)  # what was written just now is told apart from what is written next
    dependencies = Dependencies()
    load_config("conf", dependencies)
    session = Session(Options(paths=("conf",)))
    session.situations.dependencies = dependencies
    session.situations.of("conf/a.yaml")
    assert len(list(walk(["conf"], dependencies=dependencies))) == 2
    dependencies.note("shared/base.yaml")
    dependencies.note("conf/group/missing.yaml")
    return dependencies


def keep(text: str = "result\n") -> bool:
    return store(KEY, looked_at(), 1, text)


def test_unchanged(here: Path) -> None:
    assert lookup(KEY) is None
    text = "1 error: é \udcff\n"
    assert keep(text)
    kept = lookup(KEY)
    assert kept is not None
    assert (kept.exit_code, kept.text) == (1, text)
    assert lookup((*KEY, "--quiet")) is None
    os.chdir("conf")
    assert lookup(KEY) is None


def rewrite_in_place(path: str) -> Callable[[], object]:
    """Same size, same inode, and the time of change put back: only ctime tells."""

    def change() -> None:
        before = os.stat(path)
        Path(path).write_text("# y\n")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return change


CHANGES: dict[str, Callable[[], object]] = {
    "an input": lambda: Path("conf/a.yaml").write_text("# longer\n"),
    "an input, stealthily": rewrite_in_place("conf/sub/b.yaml"),
    "an input replaced": lambda: (Path("new").write_text("# x\n"), os.replace("new", "conf/a.yaml")),
    "an input gone": lambda: os.unlink("conf/sub/b.yaml"),
    "an input more": lambda: Path("conf/sub/c.yaml").touch(),
    "a folder more": lambda: os.mkdir("conf/more"),
    "a parent outside the PATHs": rewrite_in_place("shared/base.yaml"),
    "a parent gone": lambda: os.unlink("shared/base.yaml"),
    "a parent that appears": lambda: (os.mkdir("conf/group"), Path("conf/group/missing.yaml").touch()),
    "the configuration": rewrite_in_place("vllm-migrate.toml"),
    "a nearer configuration": lambda: Path("conf/pyproject.toml").touch(),
    "what the project pins": rewrite_in_place("requirements.txt"),
    "a new pin": lambda: Path("Dockerfile").touch(),
    "a lock": lambda: Path("uv.lock").touch(),
    "what is ignored": rewrite_in_place(".gitignore"),
    "what is ignored below": lambda: Path("conf/.gitignore").touch(),
    "what the repository excludes": lambda: Path(".git/info/exclude").touch(),
    "the repository itself": lambda: (os.unlink(".gitignore"), os.rename(".git", ".hg")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_seen(here: Path, change: str) -> None:
    assert keep()
    assert lookup(KEY) is not None
    CHANGES[change]()
    assert lookup(KEY) is None, change


def test_what_concerns_nobody_changes_nothing(here: Path) -> None:
    assert keep()
    Path(".git/HEAD").touch()
    Path("shared/other.yaml").touch()
    Path("conf/a.yaml").read_text()
    assert lookup(KEY) is not None


def test_a_change_during_the_run_is_not_kept(here: Path) -> None:
    run = looked_at()
    Path("shared/base.yaml").write_text("# changed after it was read\n")
    assert not store(KEY, run, 0, "stale")
    assert lookup(KEY) is None


def test_a_file_written_a_moment_ago_is_not_trusted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = looked_at()
    assert run.settled
    Path("fresh.yaml").touch()
    ahead = time.time() + 3600  # the clock of the test may be slow, never the file's stamp
    os.utime("fresh.yaml", (ahead, ahead))
    run.note("fresh.yaml")
    assert not run.settled
    assert not store(KEY, run, 0, "x")
    # Where times are whole seconds, a moment is two seconds.
    stat = os.stat("fresh.yaml")
    whole = os.stat_result(
        [*stat[:7], *[stat.st_mtime // 1] * 3], {"st_ctime_ns": stat.st_ctime_ns // 10**9 * 10**9, "st_mtime_ns": 0}
    )
    monkeypatch.setattr(dependencies.os, "stat", lambda path: whole)
    again = Dependencies()
    time.sleep(0.03)
    again.note("fresh.yaml")
    assert not again.settled


def test_a_pipe_is_never_trusted(here: Path) -> None:
    os.mkfifo("pipe.yaml")
    time.sleep(0.03)
    run = Dependencies()
    assert [found.path for found in walk(["pipe.yaml"], dependencies=run)] == ["pipe.yaml"]
    assert not run.settled
    run = Dependencies()
    assert len(list(walk(["-"], dependencies=run))) == 1
    assert not run.settled


def test_another_tool_is_another_result(here: Path) -> None:
    assert keep()
    run = looked_at()
    run.note_package("vllm_migrate")
    assert cache.__file__ in {path for path, _ in run.items()}


def test_another_installation_has_its_own_results(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep()
    with monkeypatch.context() as patch:
        patch.setattr(cache, "installation", "/elsewhere/vllm_migrate/__init__.py")
        assert lookup(KEY) is None
    with monkeypatch.context() as patch:
        patch.setattr(cache, "__version__", "9.9")
        assert lookup(KEY) is None
    with monkeypatch.context() as patch:
        patch.setenv("VLLM_MIGRATE_CACHE", "/elsewhere")
        assert lookup(KEY) is None
    assert lookup(KEY) is not None


SERVE = "model: m\nmax-model-len: 8192\nenable-prefix-caching: false\n"
CONFIG = '{"model_type": "qwen2", "max_position_embeddings": 4096}'


@pytest.mark.parametrize("changed", ["model/config.json", "model/generation_config.json", "added/catalog/0.99.0.json"])
def test_what_a_run_reads_besides_its_inputs(here: Path, monkeypatch: pytest.MonkeyPatch, changed: str) -> None:
    """A change in place, which leaves the folder's own stamp as it was."""
    monkeypatch.setenv("VLLM_MIGRATE_CACHE", str(here / "added"))
    for name, text in (("serve.yaml", SERVE), ("model/config.json", CONFIG), ("added/catalog/0.99.0.json", "{}")):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    (here / "model/generation_config.json").write_text("{}")
    time.sleep(0.03)
    assert main(["lint", "--model-config", "model", "serve.yaml"]) in (0, 1)
    (record,) = (here.parent / "cache/vllm-migrate").iterdir()
    before = record.read_bytes()
    (here / changed).write_text("{} ")
    time.sleep(0.03)
    assert main(["lint", "--model-config", "model", "serve.yaml"]) in (0, 1)
    assert record.read_bytes() != before


def folder_of_records(here: Path) -> Path:
    return here.parent / "cache/vllm-migrate"


def test_a_folder_that_others_may_write_to_is_not_used(here: Path) -> None:
    assert keep()
    folder = folder_of_records(here)
    for target, mode in ((folder, 0o777), (folder, 0o770), (folder.parent, 0o777)):
        before = target.stat().st_mode & 0o777
        target.chmod(mode)
        assert lookup(KEY) is None
        assert not keep()
        target.chmod(before)
        assert lookup(KEY) is not None


def test_a_record_that_others_may_write_is_not_used(here: Path) -> None:
    assert keep()
    (record,) = folder_of_records(here).iterdir()
    record.chmod(0o666)
    assert lookup(KEY) is None


def test_another_users_records_are_not_used(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert lookup(KEY) is None
    assert not keep()


def test_a_link_is_neither_read_nor_written_through(here: Path) -> None:
    assert keep()
    folder = folder_of_records(here)
    (record,) = folder.iterdir()
    outside = here.parent / "outside"
    outside.mkdir(mode=0o700)
    record.rename(outside / "kept")
    record.symlink_to(outside / "kept")
    assert lookup(KEY) is None
    before = (outside / "kept").read_bytes()
    assert keep("another\n")
    assert (outside / "kept").read_bytes() == before
    assert not record.is_symlink() and lookup(KEY) is not None
    folder.rename(outside / "folder")
    folder.symlink_to(outside / "folder")
    assert lookup(KEY) is None
    assert not keep()


@pytest.mark.parametrize("damage", [0, 10, 40, 200, -1])
def test_a_damaged_record_is_no_record(here: Path, damage: int) -> None:
    assert keep()
    (record,) = (here.parent / "cache/vllm-migrate").iterdir()
    data = bytearray(record.read_bytes())
    data[damage] ^= 0x41
    record.write_bytes(data)
    assert lookup(KEY) is None
    record.write_bytes(bytes(data[: len(data) // 2]))
    assert lookup(KEY) is None
    record.write_bytes(b"")
    assert lookup(KEY) is None


def test_records_are_private_and_bounded(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_RECORDS", 3)
    run = looked_at()
    folder = here.parent / "cache/vllm-migrate"
    for number in range(6):
        assert store((str(number),), run, 0, "x")
        os.utime(next(path for path in folder.iterdir() if path.stat().st_mtime > 10**9), (number, number))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    assert [number for number in range(6) if lookup((str(number),))] == [3, 4, 5]
    monkeypatch.setattr(cache, "MAX_RECORD", 100)
    assert not store(("large",), run, 0, "x" * 100)


def test_no_place_to_keep_anything(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here.parent / "cache").write_text("a file")
    assert not keep()
    assert lookup(KEY) is None
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_folder() == "/home/somebody/.cache/vllm-migrate"
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache_folder() is None
    assert not keep()


def test_an_answer_from_the_cache_imports_next_to_nothing(here: Path) -> None:
    code = (
        "import sys; before = set(sys.modules); import vllm_migrate.run.cache as c; c.lookup(['x']);"
        "print(*sorted(set(sys.modules) - before))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": root, "HOME": str(here)}, capture_output=True, text=True
    )
    extra = [name for name in done.stdout.split() if not name.startswith("vllm_migrate")]
    bare = {
        "os",
        "os.path",
        "posixpath",
        "genericpath",
        "stat",
        "_stat",
        "_collections_abc",
    }  # python loads these itself
    assert set(extra) <= {"__future__", "binascii", *bare}, (extra, done.stderr)


def test_what_marks_the_project_is_looked_at(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repository that begins here, and a configuration whose presence was noted first, are other answers."""
    conf = here / "conf"
    (here / "base.yaml").write_text("policy:\n  generation:\n    vllm_kwargs:\n      swap_space: 4\n")
    (conf / "a.yaml").write_text(
        "defaults: ../base.yaml\npolicy:\n  generation:\n    backend: vllm\n    vllm_cfg:\n      tensor_parallel_size: 1\n"
    )
    for path in (here / "base.yaml", conf / "a.yaml", conf, here):
        os.utime(path, (1, 1))

    def shown() -> str:
        time.sleep(0.03)  # longer than the file system's clock ticks
        assert main(["lint", "--output-format", "concise", "conf/a.yaml"]) in (0, 1)
        return capsys.readouterr().out

    first = shown()
    assert shown() == first and "VM911" not in first and "VM202" in first
    (conf / ".git").mkdir()
    assert "VM911" in shown()
    (conf / ".git").rmdir()
    assert shown() == first
    (here / "vllm-migrate.toml").write_text('ignore = ["VM2"]\n')
    assert "VM202" not in shown()
    (here / "vllm-migrate.toml").write_text('ignore = ["VM1"]\n')
    assert "VM202" in shown()
