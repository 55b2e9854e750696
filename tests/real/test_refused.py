"""Combinations that the catalog's conditions refuse, against what real releases raise when they build the configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.real.refusing import compared

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "refused_combinations.json").read_text(encoding="utf-8")
)


def test_what_is_refused_is_refused(vllm_py_0181: str, tiny_model: str, tmp_path: Path) -> None:
    assert compared(CASES, vllm_py_0181, "0.18.1", tiny_model, tmp_path)[1] >= 40


def test_what_a_newer_release_refuses(tiny_model: str, tmp_path: Path) -> None:
    python = os.environ.get("VLLM_MIGRATE_REAL_0_32_0")
    if not python:
        pytest.skip("VLLM_MIGRATE_REAL_0_32_0 names no python that imports vLLM 0.32.0")
    assert compared(CASES, python, "0.32.0", tiny_model, tmp_path)[1] >= 35
