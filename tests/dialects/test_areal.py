"""AReaL: a mapping that becomes arguments, in which a false is nothing; inverted keys; what no field exists for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dialects.reading import Reading


def config(vllm: str, backend: str = "rollout:\n  backend: vllm:d4\n") -> str:
    return f"{backend}gconfig:\n  temperature: 1.0\nactor:\n  path: a/b\nsglang:\n  dtype: bfloat16\nvllm:\n{vllm}"


def read(tmp_path: Path, vllm: str, release: str, **options: Any) -> Reading:
    return Reading(tmp_path, {"grpo.yaml": config(vllm)}, frameworks={"areal": release}, **options)


def test_the_default_of_the_dataclass_arrives(tmp_path: Path) -> None:
    assert read(tmp_path, "  dtype: bfloat16\n", "1.0.2").arrives("0.18.1")["enable_prefix_caching"] is False


def test_a_false_negative_form_leaves_vllms_default(tmp_path: Path) -> None:
    reading = read(tmp_path, "  no_enable_prefix_caching: false\n", "1.0.2")
    assert "enable_prefix_caching" not in reading.arrives("0.18.1")
    assert not reading.diagnostics("0.18.1")


def test_a_true_negative_form_arrives(tmp_path: Path) -> None:
    reading = read(tmp_path, "  no_enable_prefix_caching: true\n", "1.0.2")
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is False


def test_the_old_key_was_dropped(tmp_path: Path) -> None:
    reading = read(tmp_path, "  enable_prefix_caching: false\n", "0.4.0", target="0.10.2")
    assert reading.diagnostics("0.10.2") == {("dropped", "enable_prefix_caching")}
    assert "enable_prefix_caching" not in reading.arrives("0.10.2")


def test_the_backend_is_told_in_two_ways(tmp_path: Path) -> None:
    old = Reading(tmp_path, {"a.yaml": config("  seed: 1\n", "allocation_mode: vllm.d4p1t1+d4p1t1\n")})
    assert old.engine.role == "rl_rollout"


def test_what_has_no_field_is_not_written(tmp_path: Path) -> None:
    reading = read(tmp_path, "  dtype: bfloat16\n", "1.0.2", source="0.11.0")
    outcome = reading.fix()
    assert not outcome.edits
    assert any("no field" in why for _, why in outcome.refused)


@pytest.mark.parametrize("backend", ["rollout:\n  backend: sglang:d4\n", "allocation_mode: sglang.d4p1t1+d4p1t1\n"])
def test_sglang_is_silent(backend: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"grpo.yaml": config("  dtype: bfloat16\n", backend)})
    assert not reading.engines and not reading.findings
