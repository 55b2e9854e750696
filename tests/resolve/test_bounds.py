"""Numbers at and beyond the bounds that a release's fields declare: beyond is refused, at the bound and inside is not."""

from __future__ import annotations

import re

import pytest

from vllm_migrate import lint
from vllm_migrate.catalog import refusals
from vllm_migrate.catalog.store import load
from vllm_migrate.resolve.refusals import DECLARED, runs_always

CATALOG = load()
RELEASES = ("0.11.1", "0.12.0", "0.18.1", "0.24.0", "0.28.0", "0.33.0")
LIMIT = re.compile(r"should be (greater|less) than( or equal to)? (-?[\d.]+)")
# What is another matter at its bound: a mapping of its own, or a number that other settings bound too.
BESIDE = {
    "max_num_batched_tokens",
    "max_num_seqs",
    "max_model_len",
    "block_size",
    "mamba_block_size",
    "data_parallel_size",
}


def cases(release: str) -> list[tuple[str, float, float]]:
    """(option, a value beyond its bound, one that is allowed) of every engine argument with a declared bound."""
    found = []
    for bound in refusals.load(CATALOG).bounds(release):
        (site,) = bound.sites[:1]
        match = LIMIT.search(bound.text)
        (option,) = site.settings or ("",)
        if site.what != DECLARED or not runs_always(site) or match is None or "." in option:
            continue
        step = -1 if match[1] == "greater" else 1
        limit = float(match[3]) if "." in match[3] else int(match[3])
        beyond = limit + step if match[2] else limit
        allowed = (
            limit if match[2] else limit - (step if isinstance(limit, int) and match[1] == "greater" else step * 0.5)
        )
        found.append((option, beyond, allowed))
    return found


def said(option: str, value: float, release: str) -> list[str]:
    lora = "enable_lora=True, max_cpu_loras=64, " if "lora" in option else ""
    text = f"from vllm import EngineArgs\nargs = EngineArgs(model='m', {lora}{option}={value})\n"
    report = lint("e.py", files={"e.py": text}, from_=release, to=release)
    return [found.code for found in report.findings if found.severity == "error"]


@pytest.mark.parametrize("release", RELEASES)
def test_bounds_of_engine_arguments(release: str) -> None:
    asked = cases(release)
    assert len(asked) >= 8
    wrong = []
    for option, beyond, allowed in asked:
        if not said(option, beyond, release):
            wrong.append((option, beyond))
        if option not in BESIDE and "VM231" in said(option, allowed, release):
            wrong.append((option, allowed))
    assert wrong == []


def test_bounds_are_those_of_the_sources() -> None:
    """Of some fields and releases, as their sources have them."""
    lives = {
        bound.sites[0].settings[0]: release
        for release in reversed(CATALOG.shipped)
        for bound in refusals.load(CATALOG).bounds(release)
        if bound.sites[0].what == DECLARED
    }
    assert lives["stream_interval"] == "0.11.1"
    assert lives["long_prefill_token_threshold"] == "0.25.0"
    assert lives["gpu_memory_utilization"] == "0.11.1"
    assert lives["eplb_config.step_interval"] == "0.20.0"
