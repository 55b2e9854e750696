"""Combinations that the catalog's conditions refuse, against what 0.18.1 raises when it builds the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.dialects.reading import Reading
from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.resolve.refusals import refused
from vllm_migrate.resolve.view import View

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "refused_combinations.json").read_text(encoding="utf-8")
)
RELEASE = "0.18.1"


def mine(folder: Path, case: dict[str, Any]) -> list[str]:
    """The messages of what the engine of a program with these keywords is refused for."""
    keywords = "".join(f", {name}={value!r}" for name, value in case.get("kwargs", {"seed": 0}).items())
    sampling = ", ".join(f"{name}={value!r}" for name, value in case.get("sampling", {}).items())
    text = f"from vllm import EngineArgs, SamplingParams\np = SamplingParams({sampling})\nargs = EngineArgs(model='m'{keywords})\n"
    engine = Reading(folder, {"args.py": text}, RELEASE, RELEASE).engine
    return [found.text for found in refused(View(engine, RELEASE, load_catalog(), load_knowledge()))]


def test_what_is_refused_is_refused(vllm_py_0181: str, tiny_model: str, tmp_path: Path) -> None:
    answers = run_oracle(vllm_py_0181, "refused.py", CASES, tiny_model)
    found = [(case, theirs, mine(tmp_path, case)) for case, theirs in zip(CASES, answers, strict=True)]
    assert [one for one in found if one[2] and not one[1]] == [], "a false alarm"
    both = sum(1 for _, theirs, ours in found if theirs and ours)
    print(f"{RELEASE}: {both} refused by both, {sum(1 for _, t, o in found if not t and not o)} by neither")
    assert both >= 30
