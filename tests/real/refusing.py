"""What our reading of a release refuses, beside what the release itself does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.dialects.reading import Reading
from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.resolve.refusals import refused
from vllm_migrate.resolve.view import View


class Compared(NamedTuple):
    """A case, what the release says of it ("" where it takes it), and the messages of what we say that it refuses."""

    case: dict[str, Any]
    theirs: str
    ours: list[str]


def compared(
    cases: Sequence[dict[str, Any]], python: str, release: str, model: str, folder: Path
) -> tuple[list[Compared], int]:
    """Every case, without a false alarm among them, and how many both refuse."""
    answers = run_oracle(python, "refused.py", list(cases), model)
    found = [Compared(case, str(said), _ours(folder, case, release)) for case, said in zip(cases, answers, strict=True)]
    assert [one for one in found if one.ours and not one.theirs] == [], "a false alarm"
    both = sum(1 for one in found if one.theirs and one.ours)
    print(f"{release}: {both} refused by both, {sum(1 for one in found if not one.theirs and not one.ours)} by neither")
    return found, both


def _ours(folder: Path, case: dict[str, Any], release: str) -> list[str]:
    """The messages of what the engine of a program with these keywords is refused for."""
    keywords = "".join(f", {name}={value!r}" for name, value in case.get("kwargs", {"seed": 0}).items())
    sampling = ", ".join(f"{name}={value!r}" for name, value in case.get("sampling", {}).items())
    text = f"from vllm import EngineArgs, SamplingParams\np = SamplingParams({sampling})\nargs = EngineArgs(model='m'{keywords})\n"
    engine = Reading(folder, {"args.py": text}, release, release).engine
    return [found.text for found in refused(View(engine, release, load_catalog(), load_knowledge()))]
