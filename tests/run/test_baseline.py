"""Baselines: what is known is hidden, what is gone is told, and the file is the same on every machine."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.run.baseline import Places, load_baseline, write_baseline

ENTRIES = [
    ("bb", "VM102", "conf/b.yaml"),
    ("aa", "VM101", "conf/a.yaml"),
    ("cc", "VM101", "conf/b.yaml"),
    ("ab", "VM101", "é.sh"),
]


def test_write_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    assert write_baseline(str(path), [*ENTRIES, ENTRIES[0]]) == 5
    baseline = load_baseline(str(path))
    assert len(baseline) == 5
    assert baseline.hides("aa")
    assert not baseline.hides("zz")
    assert [entry.fingerprint for entry in baseline.unmatched()] == ["cc", "bb", "ab"]
    assert [
        entry.fingerprint for entry in baseline.unmatched(lambda code, path: path == "conf/b.yaml" and code == "VM102")
    ] == ["bb"]


def test_no_more_are_hidden_than_were_recorded(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    write_baseline(str(path), [ENTRIES[0], ENTRIES[0], ENTRIES[1]])
    assert '"path": "conf/b.yaml", "count": 2}' in path.read_text()
    baseline = load_baseline(str(path))
    assert [baseline.hides("bb") for _ in range(4)] == [True, True, False, False]
    once = load_baseline(str(path))
    assert once.hides("bb")
    assert [str(known) for known in once.unmatched()] == [
        "VM101 in conf/a.yaml no longer matches",
        "VM102 in conf/b.yaml no longer matches 2 times but 1",
    ]


def test_an_entry_without_a_count_stands_for_one(tmp_path: Path) -> None:
    """So were they written before there were counts; two lines for one finding, as a merge leaves them, are one."""
    path = tmp_path / "known.json"
    entry = '{"fingerprint": "aa", "code": "VM101", "path": "a"}'
    path.write_text(f'{{"schema": 1, "entries": [{entry}, {entry}]}}')
    baseline = load_baseline(str(path))
    assert [baseline.hides("aa"), baseline.hides("aa")] == [True, False]


@pytest.mark.parametrize("folder", ["", "sub", "sub/deep"])
def test_files_are_named_from_the_baselines_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    (tmp_path / "sub/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    monkeypatch.chdir(tmp_path / folder)
    places = Places(os.path.relpath(tmp_path / "known.json"))
    assert places.name(os.path.relpath(tmp_path / "sub/a.sh")) == "sub/a.sh"
    assert places.name(str(tmp_path / "sub/a.sh")) == "sub/a.sh"
    assert places.name(str(tmp_path / "link/a.sh")) == "sub/a.sh"
    assert Places(str(tmp_path / "sub/known.json")).name(str(tmp_path / "a.sh")) == "../a.sh"


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
        ('{"schema": 1, "entries": [{"fingerprint": "a", "code": "b", "path": "c", "count": 0}]}', "count must be"),
        ('{"schema": 1, "entries": [{"fingerprint": "a", "code": "b", "path": "c", "count": true}]}', "count must be"),
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
