"""Files that are read on demand: intervals of releases, added releases, and one result whatever the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_migrate.catalog import added, sheets, store
from vllm_migrate.catalog.release import FILES

ROOT = Path(__file__).parents[2]
DATA = {
    "releases": ["1.0", "1.1", "1.2"],
    "facts": ["a", "b"],
    "sections": {"s": {"x": [[0, 2, 0], [2, -1, 1]], "y": [[1, 2, 0]]}},
}


@pytest.fixture
def sheet() -> sheets.Sheet:
    catalog = store.Catalog({"releases": DATA["releases"], "version": "1", "sections": {}, "facts": []})
    return sheets.Sheet(DATA, catalog)


def test_facts_at_a_release(sheet: sheets.Sheet) -> None:
    assert [sheet.at("s", "x", release) for release in ("1.0", "v1.1", "1.2")] == ["a", "a", "b"]
    assert sheet.at("s", "y", "1.2") is None and sheet.at("t", "x", "1.0") is None
    assert sheet.entries("s", "1.1") == {"x": "a", "y": "a"} and sheet.entries("s", "1.2") == {"x": "b"}
    assert sheet.names("s") == ["x", "y"]
    assert sheet.life("s", "x") == [("1.0", "1.2", "a"), ("1.2", None, "b")]
    assert sheet.life("s", "y") == [("1.1", "1.2", "a")]


@pytest.mark.parametrize("name", sheets.NAMES)
def test_every_shipped_file_has_every_release(name: str) -> None:
    sheet = sheets.load(name)
    assert sheets.load(name) is sheet
    for release in store.load().shipped:
        assert sheet.holds(release)


def test_a_release_that_was_added_by_an_earlier_version_is_not_known(small: Path, own_cache: Path) -> None:
    name, _ = added.add(str(small))
    assert sheets.load("nested").holds(name)
    (own_cache / "catalog" / f"{name}.sheets").unlink()
    store.forget()
    sheet = sheets.load("nested")
    assert not sheet.holds(name) and sheet.at("option", "width", name) is None and sheet.entries("option", name) == {}


def test_a_hot_run_reads_none_of_them() -> None:
    program = (
        "import sys; from vllm_migrate.catalog import store; store.load().flags('0.18.1'); "
        "print(*sorted(m for m in sys.modules if m.startswith('vllm_migrate.catalog')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["vllm_migrate.catalog", "vllm_migrate.catalog.store"]


def test_a_build_is_the_same_whatever_the_hash_seed(small: Path, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    small.rename(sources / "9.1.0")
    outputs = []
    for seed in ("1", "2"):
        out = tmp_path / seed
        subprocess.run(
            [sys.executable, "-m", "vllm_migrate.catalog.build", "--sources", str(sources), "--out", str(out)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PIP_INDEX_URL": ""},
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        outputs.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert outputs[0] == outputs[1] and set(outputs[0]) == set(FILES)
