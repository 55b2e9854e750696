"""What rules/effective says of an unset option, held against what the releases themselves resolved.

The answers are kept in tests/real/engine_config_cases.json; tests/real/ measures them again where a vLLM is at hand. A
value that we do not claim to know is no disagreement, but in most cases we must know.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.situations import in_situation
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.model import Engine, Fact, Origin, Spot, Written
from vllm_migrate.dialects.situation import Known, Situation
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Source
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.records import Dialect, Transport
from vllm_migrate.resolve.view import View

TABLE = Path(__file__).resolve().parent.parent / "real" / "engine_config_cases.json"
RELEASES = ("0.8.5", "0.18.1")
OPTIONS = (
    "engine",
    "enable_prefix_caching",
    "enable_chunked_prefill",
    "async_scheduling",
    "disable_cascade_attn",
    "seed",
    "dtype",
    "logprobs_mode",
    "generation_config",
    "distributed_executor_backend",
)
# The CPU platform forces values that a GPU would not.
DEVICES = ("h100", "h200", "b200", "a100", "a10g", "v100")
NAMES = {"half": "float16", "float": "float32"}  # other names of a dtype
PYTHON = Dialect("python", "Python", "", "source", ("python",), (), (Transport("kwargs"),), ())


def cases() -> list[dict[str, Any]]:
    raw: list[dict[str, Any]] = json.loads(TABLE.read_text(encoding="utf-8"))
    for case in raw:
        for release in RELEASES:
            if "resolved" in case[release]:
                case[release]["resolved"] = {**raw[0][release]["resolved"], **case[release]["resolved"]}
    return [case for case in raw if case.get("device", "h100") in DEVICES]


CASES = cases()


Read = Callable[[Path, str], Engine]


def from_words(case: dict[str, Any], folder: Path, read: Read) -> Engine:
    """The engine of a script that starts the server as the case does."""
    words = shlex.join(["vllm", "serve", "m", *case["argv"]])
    variables = "".join(f"{name}={shlex.quote(value)} " for name, value in case.get("env", {}).items())
    return read(folder / "serve.sh", variables + words + "\n")


def from_kwargs(case: dict[str, Any]) -> Engine:
    """The engine of a call with the case's keyword arguments."""
    file = File.bare(Source("call.py", b"", "", False, "\n"))
    spot = Spot(file, 0, 0)
    options = [Written(name, name, value, spot, spot, at) for at, (name, value) in enumerate(case["kwargs"].items())]
    facts = {f"env.{name}": Fact(value) for name, value in case.get("env", {}).items()}
    return Engine("python:0", Origin(PYTHON, file, "rl_rollout", entrypoint="llm"), facts, options=options)


def view(case: dict[str, Any], release: str, folder: Path, read: Read) -> View:
    engine = from_words(case, folder, read) if "argv" in case else from_kwargs(case)
    situation = Situation(
        gpu=Known(case.get("device", "h100")), model=case["model_config"], generation=case.get("generation_config", {})
    )
    return View(in_situation(engine, situation), release, load_catalog(), load(), release == RELEASES[0])


def resolved(case: dict[str, Any], release: str, option: str) -> object:
    """The release's own answer; False for a prefix cache that nobody switched on."""
    value = case[release]["resolved"].get(option)
    return False if value is None and option in ("enable_prefix_caching", "enable_chunked_prefill") else value


def compared(case: dict[str, Any], release: str) -> list[str]:
    """The options whose answer the release has, and which mean the same in both engines."""
    answer = case[release].get("resolved")
    if answer is None:
        return []
    old = answer["engine"] == "v0"
    return [
        option
        for option in OPTIONS
        if option in answer and not (old and option in ("disable_cascade_attn", "distributed_executor_backend"))
    ]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_what_we_claim_is_what_the_release_resolved(
    case: dict[str, Any], release: str, tmp_path: Path, read_engine: Read
) -> None:
    ours = view(case, release, tmp_path, read_engine)
    wrong = []
    for option in compared(case, release):
        value = ours.value(option).value
        value = NAMES.get(value, value) if isinstance(value, str) else value
        if not isinstance(value, Undetermined) and value != resolved(case, release, option):
            wrong.append((option, value, resolved(case, release, option)))
    assert wrong == []


def test_most_of_it_is_known(tmp_path: Path, read_engine: Read) -> None:
    """With the GPU and the model given, hardly anything is left open."""
    known, total, open_ = 0, 0, []
    for case in CASES:
        for release in RELEASES:
            ours = view(case, release, tmp_path, read_engine)
            for option in compared(case, release):
                total += 1
                if isinstance(ours.value(option).value, Undetermined):
                    open_.append((case["id"], release, option))
                else:
                    known += 1
    assert total > 1500
    assert known / total > 0.99, open_
