"""The script that puts one more release into the shipped catalog."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vllm_migrate.catalog import build, release, store


def written(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in release.FILES}


def test_what_is_taken_apart_and_put_together_is_the_same(tmp_path: Path) -> None:
    release.Shipped(store.DATA).write(str(tmp_path))
    assert written(tmp_path) == written(Path(store.DATA))


def test_a_new_release_is_added_and_its_changes_shown(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main([str(small), "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "9.1.0" in out.splitlines()[0] and "--lamp" in out and "VLLM_DEPTH" in out and "wrote catalog.json" in out
    catalog = json.loads((tmp_path / "catalog.json").read_text(encoding="utf-8"))
    assert catalog["releases"][-1] == "9.1.0" and catalog["version"].startswith("9.1.0.")
    assert catalog["sections"]["engine"]["lamp"][0][:2] == [len(catalog["releases"]) - 1, -1]


def test_it_is_what_a_rebuild_of_all_sources_makes(small: Path, tmp_path: Path) -> None:
    """Two invented releases: built together, or the second (or the first, or one of them again) added to the other."""
    sources = tmp_path / "sources"
    for name, depth in (("9.0.0", "2"), ("9.1.0", "3")):
        shutil.copytree(small, sources / name)
        envs = sources / name / "vllm" / "envs.py"
        envs.write_text(envs.read_text().replace('"3"', f'"{depth}"'))
        (sources / name / "vllm" / "_version.py").write_text(f"__version__ = '{name}'\n")
    build.build(str(sources), ["9.0.0", "9.1.0"], str(tmp_path / "whole"))
    for first, second in (("9.0.0", "9.1.0"), ("9.1.0", "9.0.0")):
        build.build(str(sources), [first], str(tmp_path / first))
        for _ in range(2):
            name, gaps = release.add(str(sources / second), None, str(tmp_path / first), str(tmp_path / first))
            assert (name, gaps) == (second, [])
        same = [name for name in release.FILES if name != release.DETAILS]  # origins tell how each one was read
        for file in same:
            assert (tmp_path / first / file).read_bytes() == (tmp_path / "whole" / file).read_bytes(), file
    assert "9.0.0 is the first" in release.changes(str(tmp_path / "whole"), "9.0.0")
    assert "VLLM_DEPTH" in release.changes(str(tmp_path / "whole"), "9.1.0")


def test_what_is_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main([str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ") and not (tmp_path / "catalog.json").exists()
