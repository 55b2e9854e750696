"""Files with other contents than the disk has."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.documents.disk import Overlay, Unsaved


def test_some_files_are_read_differently_and_the_rest_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_bytes(b"old a")
    Path("b").write_bytes(b"old b")
    disk = Overlay({"a": b"new"})
    for path in ("a", "./a", str(tmp_path / "a")):
        assert disk.read(path, 100) == disk.bytes_of(path) == disk.stream(path).read() == b"new"
    assert disk.read("a", 1) == b"ne"
    assert disk.read("b", 100) == disk.bytes_of("b") == disk.stream("b").read() == b"old b"
    assert sorted(disk.names(".")) == ["a", "b"]


def test_unsaved_texts_stand_over_files_and_beside_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").write_text("as it is")
    disk = Unsaved({str(tmp_path / "a"): "new", str(tmp_path / "c"): "not written yet"})
    assert disk.read(str(tmp_path / "a"), 99) == b"new" and disk.bytes_of(str(tmp_path / "c")) == b"not written yet"
    assert disk.is_file(str(tmp_path / "c")) and disk.leads_somewhere(str(tmp_path / "c"))
    assert not disk.exists(str(tmp_path / "d"))
    assert disk.reads == {str(tmp_path / "a"), str(tmp_path / "c")}
    assert disk.read(str(tmp_path / "b"), 99) == b"as it is" and str(tmp_path / "b") in disk.reads
