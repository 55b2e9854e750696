"""Baselines: what is known is hidden, what is gone is told, and the file is the same on every machine."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.project.baseline import load_baseline, write_baseline

ENTRIES = [
    ("bb", "VM102", "conf/b.yaml"),
    ("aa", "VM101", "conf/a.yaml"),
    ("cc", "VM101", "conf/b.yaml"),
    ("ab", "VM101", "é.sh"),
]


def test_write_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    assert write_baseline(str(path), [*ENTRIES, ENTRIES[0]]) == 4
    baseline = load_baseline(str(path))
    assert baseline.hides("aa")
    assert not baseline.hides("zz")
    assert [entry.fingerprint for entry in baseline.unmatched()] == ["cc", "bb", "ab"]
    assert [
        entry.fingerprint for entry in baseline.unmatched(lambda code, path: path == "conf/b.yaml" and code == "VM102")
    ] == ["bb"]


def test_output_is_stable_and_one_entry_a_line(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    texts = set()
    for seed in range(5):
        shuffled = ENTRIES[:]
        random.Random(seed).shuffle(shuffled)
        write_baseline(str(path), shuffled)
        texts.add(path.read_text(encoding="utf-8"))
    (text,) = texts
    assert json.loads(text)["schema"] == 1
    assert text.splitlines()[3] == '    {"fingerprint": "aa", "code": "VM101", "path": "conf/a.yaml"},'
    assert len(text.splitlines()) == 5 + 4
    write_baseline(str(path), [])
    assert json.loads(path.read_text()) == {"schema": 1, "entries": []}
    assert os.listdir(tmp_path) == ["known.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: not JSON"),
        ('{\n"schema": 1,\n]', ":3: not JSON"),
        ("[]", "not a baseline of schema 1"),
        ('{"schema": 2, "entries": []}', "not a baseline of schema 1"),
        ('{"schema": 1, "entries": {}}', "entries must be a list"),
        ('{"schema": 1, "entries": [{"fingerprint": "a", "code": "VM1"}]}', r"entries\[0\] must have"),
        ('{"schema": 1, "entries": [{"fingerprint": "a", "code": 1, "path": "b"}]}', r"entries\[0\] must have"),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_baseline(str(path))


def test_no_file_and_no_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such baseline"):
        load_baseline(str(tmp_path / "gone.json"))
    with pytest.raises(UsageError, match="No such file"):
        write_baseline(str(tmp_path / "gone/known.json"), ENTRIES)


def test_mode_is_kept_and_a_link_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "known.json", tmp_path / "link.json"
    write_baseline(str(path), [])
    path.chmod(0o640)
    link.symlink_to(path)
    write_baseline(str(link), ENTRIES)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert len(load_baseline(str(path))) == 4
