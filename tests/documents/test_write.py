"""Writing: atomic, mode and links kept, refused when somebody else was there first."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.documents import write
from vllm_migrate.documents.interface import Source, decode
from vllm_migrate.documents.write import CannotWrite, write_atomic


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

    monkeypatch.setattr(write.os, "fsync", meanwhile)
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
    monkeypatch.setattr(write.os, step, fail)
    with pytest.raises(CannotWrite, match="No space left"):
        write_atomic(str(file), read, "a: 3\n")
    assert file.read_bytes() == b"a: 1\r\n" and names(file.parent) == ["conf.yaml"]


def test_an_interrupt_leaves_no_temporary(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(write.os, "replace", interrupt)
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
    monkeypatch.setattr(write.os, "access", lambda path, mode: False)  # root may write anything
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
    code = "import sys, vllm_migrate.documents.write as w; print({'yaml', 'tempfile', 'shutil'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
