"""Patterns of `include`, against the standard library's glob."""

from __future__ import annotations

import glob as standard
import os
from pathlib import Path

import pytest

from vllm_migrate.run.glob import glob

NAMES = (
    "a/b/c.yaml",
    "a/d.yaml",
    "x.yaml",
    "x.sh",
    ".h/y.yaml",
    "a/.z.yaml",
    "b c/e.yaml",
    "a/b/f/g/h.yaml",
    "[x]/k.yaml",
)
PATTERNS = (
    *("*.yaml", "**/*.yaml", "**", "**/*", "a/**", "a/**/*.yaml", "*/*.yaml", "**/f/**", "a/*/c.yaml", "?.yaml"),
    *("[a-b]/*", "**/b/*.yaml", ".*", "**/.*", "a/b/*/g/*", "nothing*", "*/", "a/**/**/c.yaml", "./*.yaml", "[!a]*"),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_what_it_means_to_the_standard_library(pattern: str, here: Path) -> None:
    expected = {os.path.normpath(path) for path in standard.glob(pattern, recursive=True) if path}
    assert {os.path.normpath(path) for path in glob(pattern)} == expected
    absolute = {os.path.normpath(here / path) for path in expected}
    assert {os.path.normpath(path) for path in glob(f"{here}/{pattern}")} - {str(here)} == absolute - {str(here)}


def test_no_link_to_a_folder_is_followed(here: Path) -> None:
    (here / "a" / "loop").symlink_to(here)
    assert glob("**/c.yaml") == ["a/b/c.yaml"]
