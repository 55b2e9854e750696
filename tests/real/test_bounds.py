"""Bounds of numbers that the catalog has, against what real releases raise: beyond, at and inside each bound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.real.refusing import compared
from tests.resolve.test_bounds import cases

SAMPLING: dict[str, tuple[object, ...]] = {
    "n": (0, 1, 2),
    "temperature": (-0.1, 0.0, 1.0, 2.0, 2.1),
    "top_p": (0.0, 0.1, 1.0, 1.1),
    "top_k": (-2, -1, 0, 1),
    "min_p": (-0.1, 0.0, 1.0, 1.1),
    "repetition_penalty": (-1.0, 0.0, 0.1, 2.0, 2.5),
    "presence_penalty": (-2.1, -2.0, 2.0, 2.1),
    "frequency_penalty": (-2.1, -2.0, 2.0, 2.1),
    "max_tokens": (0, 1),
    "min_tokens": (-1, 0, 1),
    "logprobs": (-2, -1, 0, 1),
    "prompt_logprobs": (-2, -1, 0, 1),
}
HELPERS = {"n"}  # as of 0.28.0 a function that is handed the value checks it, which is not followed


def asked(release: str) -> list[dict[str, Any]]:
    """Engines with one number beyond or at its bound, and sampling parameters at and around theirs."""
    out: list[dict[str, Any]] = []
    for option, beyond, allowed in cases(release):
        lora = {"enable_lora": True, "max_cpu_loras": 64} if "lora" in option else {}
        out += [{"kwargs": {option: value, **lora}} for value in (beyond, allowed)]
    return out + [{"sampling": {name: value}} for name, values in SAMPLING.items() for value in values]


def agree(python: str, release: str, model: str, folder: Path) -> None:
    found, both = compared(asked(release), python, release, model, folder)
    sampling = [one for one in found if "sampling" in one.case and not HELPERS & set(one.case["sampling"])]
    assert [one for one in sampling if one.theirs and not one.ours] == [], "a request that is refused"
    assert both >= 20


def test_bounds_of_0181(vllm_py_0181: str, tiny_model: str, tmp_path: Path) -> None:
    agree(vllm_py_0181, "0.18.1", tiny_model, tmp_path)


def test_bounds_of_a_newer_release(tiny_model: str, tmp_path: Path) -> None:
    python = os.environ.get("VLLM_MIGRATE_REAL_0_32_0")
    if not python:
        pytest.skip("VLLM_MIGRATE_REAL_0_32_0 names no python that imports vLLM 0.32.0")
    agree(python, "0.32.0", tiny_model, tmp_path)
