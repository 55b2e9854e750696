"""Combinations that the catalog's conditions refuse, against what real releases raise when they build the configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.dialects.reading import Reading
from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.resolve.refusals import refused
from vllm_migrate.resolve.view import View

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "refused_combinations.json").read_text(encoding="utf-8")
)


def mine(folder: Path, case: dict[str, Any], release: str) -> list[str]:
    """The messages of what the engine of a program with these keywords is refused for."""
    keywords = "".join(f", {name}={value!r}" for name, value in case.get("kwargs", {"seed": 0}).items())
    sampling = ", ".join(f"{name}={value!r}" for name, value in case.get("sampling", {}).items())
    text = f"from vllm import EngineArgs, SamplingParams\np = SamplingParams({sampling})\nargs = EngineArgs(model='m'{keywords})\n"
    engine = Reading(folder, {"args.py": text}, release, release).engine
    return [found.text for found in refused(View(engine, release, load_catalog(), load_knowledge()))]


def compared(python: str, release: str, model: str, folder: Path) -> int:
    """How many are refused by both, without a false alarm."""
    answers = run_oracle(python, "refused.py", CASES, model)
    found = [(case, theirs, mine(folder, case, release)) for case, theirs in zip(CASES, answers, strict=True)]
    assert [one for one in found if one[2] and not one[1]] == [], "a false alarm"
    both = sum(1 for _, theirs, ours in found if theirs and ours)
    print(f"{release}: {both} refused by both, {sum(1 for _, t, o in found if not t and not o)} by neither")
    return both


def test_what_is_refused_is_refused(vllm_py_0181: str, tiny_model: str, tmp_path: Path) -> None:
    assert compared(vllm_py_0181, "0.18.1", tiny_model, tmp_path) >= 40


def test_what_a_newer_release_refuses(tiny_model: str, tmp_path: Path) -> None:
    python = os.environ.get("VLLM_MIGRATE_REAL_0_32_0")
    if not python:
        pytest.skip("VLLM_MIGRATE_REAL_0_32_0 names no python that imports vLLM 0.32.0")
    assert compared(python, "0.32.0", tiny_model, tmp_path) >= 35
