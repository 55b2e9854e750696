"""Files with other contents than the disk has."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.documents.disk import Overlay


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
