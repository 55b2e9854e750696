"""Writing: atomic, mode and links kept, refused when somebody else was there first."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.documents.interface import Source, decode
from vllm_migrate.documents.text import write
from vllm_migrate.documents.text.write import CannotWrite, write_atomic
from vllm_migrate.opening import NotRegular
from vllm_migrate.run.files import replace_file


def source(path: Path) -> Source:
    return decode(str(path), path.read_bytes())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "conf.yaml"
    path.write_bytes(b"a: 1\r\n")
    return path


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_writes_the_bytes_as_they_are(file: Path) -> None:
    assert write_atomic(str(file), source(file), "a: 1\r\nb: é") is True
    assert file.read_bytes() == "a: 1\r\nb: é".encode()
    assert names(file.parent) == ["conf.yaml"]


def test_keeps_the_byte_order_mark(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    write_atomic(str(file), source(file), "a: 2\n")
    assert file.read_bytes() == b"\xef\xbb\xbfa: 2\n"


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o664])
def test_keeps_the_mode(file: Path, mode: int) -> None:
    file.chmod(mode)
    write_atomic(str(file), source(file), "a: 2\n")
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_symlink_stays_and_its_target_is_written(file: Path) -> None:
    folder = file.parent / "links"
    folder.mkdir()
    (folder / "one.yaml").symlink_to("../conf.yaml")
    (folder / "two.yaml").symlink_to("one.yaml")
    write_atomic(str(folder / "two.yaml"), source(file), "a: 2\n")
    assert (folder / "two.yaml").is_symlink() and (folder / "one.yaml").is_symlink()
    assert not file.is_symlink() and file.read_text() == "a: 2\n"
    assert names(folder) == ["one.yaml", "two.yaml"] and names(file.parent) == ["conf.yaml", "links"]


def test_the_same_text_is_not_written(file: Path) -> None:
    before = file.stat()
    assert write_atomic(str(file), source(file), "a: 1\r\n") is False
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("now", [b"a: 2\r\n", b"", b"a: 1\r\n# more\n"])
def test_a_file_that_changed_is_refused(file: Path, now: bytes) -> None:
    read = source(file)
    file.write_bytes(now)
    with pytest.raises(CannotWrite, match="changed since it was read"):
        write_atomic(str(file), read, "a: 3\n")
    assert file.read_bytes() == now and names(file.parent) == ["conf.yaml"]


def test_a_change_at_the_last_moment_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def meanwhile(descriptor: int) -> None:
        real(descriptor)
        file.write_bytes(b"a: theirs\n")

    monkeypatch.setattr(os, "fsync", meanwhile)
    with pytest.raises(CannotWrite, match="changed"):
        write_atomic(str(file), source(file), "a: 3\n")
    assert file.read_bytes() == b"a: theirs\n" and names(file.parent) == ["conf.yaml"]


def test_a_file_that_vanished_is_refused(file: Path) -> None:
    read = source(file)
    file.unlink()
    with pytest.raises(CannotWrite, match="gone"):
        write_atomic(str(file), read, "a: 3\n")
    assert names(file.parent) == []


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failure_leaves_the_file_and_no_temporary(file: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    read = source(file)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(CannotWrite, match="No space left"):
        write_atomic(str(file), read, "a: 3\n")
    assert file.read_bytes() == b"a: 1\r\n" and names(file.parent) == ["conf.yaml"]


def test_an_interrupt_leaves_no_temporary(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(str(file), source(file), "a: 3\n")
    assert names(file.parent) == ["conf.yaml"]


def test_what_is_no_regular_file_is_refused(file: Path) -> None:
    read = source(file)
    with pytest.raises(CannotWrite, match="not a regular file"):
        write_atomic(str(file.parent), read, "a: 3\n")
    os.mkfifo(file.parent / "pipe")
    with pytest.raises(CannotWrite, match="not a regular file"):
        write_atomic(str(file.parent / "pipe"), read, "a: 3\n")


def test_hard_links_are_not_parted(file: Path) -> None:
    os.link(file, file.parent / "other.yaml")
    with pytest.raises(CannotWrite, match="hard links"):
        write_atomic(str(file), source(file), "a: 3\n")


def test_a_read_only_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    with pytest.raises(CannotWrite, match="read-only"):
        write_atomic(str(file), source(file), "a: 3\n")


def test_a_symlink_that_leads_nowhere_or_round_is_refused(file: Path) -> None:
    read = source(file)
    (file.parent / "round").symlink_to("round")
    (file.parent / "nowhere").symlink_to("nothing")
    for name in ("round", "nowhere"):
        with pytest.raises(CannotWrite):
            write_atomic(str(file.parent / name), read, "a: 3\n")


def test_text_that_utf8_cannot_hold_is_refused(file: Path) -> None:
    with pytest.raises(CannotWrite, match="UTF-8"):
        write_atomic(str(file), source(file), "a: \ud800\n")


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys, vllm_migrate.documents.text.write as w; print({'yaml', 'tempfile', 'shutil'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


STEPS = ["open", "fsync", "chmod", "stat", "replace", "unlink", "close"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("number", [1, 2])
def test_a_kill_at_any_step_leaves_the_old_or_the_new_file(file: Path, step: str, number: int) -> None:
    """The process kills itself before and after each system call of a write; the next write takes away what it left."""
    for after in (False, True):
        file.write_bytes(b"a: 1\r\n")
        script = f"""
import os, sys
from vllm_migrate.documents.text import write
from vllm_migrate.documents.interface import decode
real, calls = os.{step}, []
def step(*args, **kwargs):
    calls.append(args)
    if len(calls) == {number} and not {after}: os.kill(os.getpid(), 9)
    try: return real(*args, **kwargs)
    finally:
        if len(calls) == {number}: os.kill(os.getpid(), 9)
read = decode({str(file)!r}, open({str(file)!r}, "rb").read())
os.{step} = step
write.write_atomic({str(file)!r}, read, "a: 2\\r\\n")
"""
        subprocess.run([sys.executable, "-c", script], timeout=60)
        assert file.read_bytes() in (b"a: 1\r\n", b"a: 2\r\n")
        write_atomic(str(file), source(file), "a: 3\n")
        assert file.read_bytes() == b"a: 3\n" and names(file.parent) == ["conf.yaml"]


def test_a_writer_waits_for_another_and_gives_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(write, "PATIENCE_S", 0.05)
    with open(file, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CannotWrite, match="another process keeps the file locked"):
            write_atomic(str(file), source(file), "a: 2\n")
    assert write_atomic(str(file), source(file), "a: 2\n")


def test_what_somebody_else_has_just_written_the_same_is_done(file: Path) -> None:
    read = source(file)
    file.write_bytes(b"a: 2\n")
    assert not write_atomic(str(file), read, "a: 2\n")


def test_without_locks_only_old_leftovers_go(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "fcntl", None)
    fresh, old = (file.parent / f"{write._prefix(str(file))}{name}.tmp" for name in ("fresh", "old"))
    for leftover in (fresh, old):
        leftover.write_bytes(b"")
    os.utime(old, (0, 0))
    assert write_atomic(str(file), source(file), "a: 2\n")
    assert names(file.parent) == sorted(["conf.yaml", fresh.name])


def acl(entries: list[tuple[int, int, int]]) -> bytes:
    """An ACL as the system keeps it: tag, rights and number of each entry."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes are Linux's")
def test_attributes_and_the_acl_stay(file: Path) -> None:
    nobody = 0xFFFFFFFF
    rights = acl([(1, 6, nobody), (2, 4, 65534), (4, 0, nobody), (16, 4, nobody), (32, 0, nobody)])
    try:
        os.setxattr(file, "user.origin", b"somewhere")
        os.setxattr(file, "system.posix_acl_access", rights)
    except OSError as error:
        pytest.skip(f"this file system keeps none: {error.strerror}")
    write_atomic(str(file), source(file), "a: 2\n")
    assert os.getxattr(file, "user.origin") == b"somewhere"
    assert os.getxattr(file, "system.posix_acl_access") == rights


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes are Linux's")
def test_a_file_whose_acl_cannot_come_along_is_left(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, name: str, value: bytes) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "listxattr", lambda path: ["user.origin", "system.posix_acl_access"])
    monkeypatch.setattr(os, "getxattr", lambda path, name: b"")
    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(CannotWrite, match="not permitted"):
        write_atomic(str(file), source(file), "a: 2\n")
    assert file.read_bytes() == b"a: 1\r\n" and names(file.parent) == ["conf.yaml"]


def test_a_target_that_may_not_be_written_is_left(file: Path) -> None:
    link = file.with_name("link.yaml")
    link.symlink_to(file)
    asked: list[str] = []
    with pytest.raises(CannotWrite, match="outside the project"):
        write_atomic(str(link), source(link), "a: 2\n", lambda target: bool(asked.append(target)))
    assert asked == [str(file.resolve())] and file.read_bytes() == b"a: 1\r\n"


def test_what_is_no_file_is_not_replaced(file: Path) -> None:
    """As a report or a baseline would, behind a link: the system's devices are there for everybody."""
    pipe, link = file.with_name("pipe"), file.with_name("link")
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match="not a regular file"):
            replace_file(str(path), b"text", durable=False)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and names(file.parent) == ["conf.yaml", "link", "pipe"]


def test_a_link_that_leads_round_to_itself_is_not_replaced(tmp_path: Path) -> None:
    """`-o`, baselines and checklists: a link is followed, and one that leads nowhere is left as it is."""
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    with pytest.raises(NotRegular):
        replace_file(str(loop), b"x", durable=False)
    assert os.readlink(loop) == "loop"
    replace_file(str(loop), b"x", durable=False, follow=False)
    assert loop.read_bytes() == b"x" and not loop.is_symlink()
