"""The replay's gates on real engines: they pass for the fix as it is, and each wrong fix is caught by one.

Short runs: up to the step in which a gate looks. The whole replay is `python -m benchmarks.replay`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.replay import gates, product
from benchmarks.replay.arms import PREFIX, Arm, Interpreter, Renderer, without
from benchmarks.replay.gates import FAILED, INERT, PASSED, STALE_STEP, Ran
from benchmarks.replay.runner import Task, run_all

Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def interpreters(vllm_pythons: dict[str, str]) -> tuple[Interpreter, Interpreter]:
    return tuple(Interpreter(vllm_pythons[release], release) for release in ("0.8.5", "0.18.1"))  # type: ignore[return-value]


@pytest.fixture
def renderer(interpreters: tuple[Interpreter, Interpreter], tmp_path: Path) -> Renderer:
    return Renderer(tmp_path / "configs", *interpreters, "gspo")


@pytest.fixture
def run(interpreters: tuple[Interpreter, Interpreter], tmp_path: Path) -> Run:
    """Runs one arm with one seed."""

    def one(arm: Arm, steps: int) -> Ran:
        ran = run_all([Task(arm, [0], steps)], interpreters[1].python, tmp_path / arm.name, 1, print)
        return ran[arm.name]

    return one


def wrong_fix(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """From here on a fix writes `new` where it should write `old`."""
    right = product.write_fix

    def write(source: Path, folder: Path, *releases: str) -> list[str]:
        options = right(source, folder, *releases)
        texts = {path: path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")}
        assert any(old in text for text in texts.values())
        for path, text in texts.items():
            path.write_text(text.replace(old, new), encoding="utf-8")
        return options

    monkeypatch.setattr(product, "write_fix", write)


def arrivals(fixed: Ran, loose: Ran) -> dict[str, str]:
    return {gate.text.partition(":")[0]: gate.status for gate in gates.arrived(fixed, loose)}


def test_the_old_file_is_exact_on_its_own_release(renderer: Renderer, run: Run) -> None:
    old = run(renderer.old(), 1)
    assert (old.started.core, gates.exact(old).status) == ("v0", PASSED)


def test_the_fix_as_it_is(renderer: Renderer, run: Run) -> None:
    loose, fixed = run(renderer.as_it_comes(), 1), run(renderer.fixed(), STALE_STEP + 1)
    stale = run(renderer.ablated(PREFIX), STALE_STEP + 1)
    assert gates.exact(fixed).status == PASSED
    assert gates.leaves(loose).status == PASSED
    assert gates.stale(stale, fixed, without(PREFIX)).status == PASSED
    wanted = {"logprobs_mode": PASSED, PREFIX: PASSED, "async_scheduling": INERT}
    assert arrivals(fixed, loose) == wanted


def test_another_logprobs_mode_is_caught(renderer: Renderer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_fix(monkeypatch, "processed_logprobs", "raw_logprobs")
    fixed = run(renderer.fixed(), 1)
    assert gates.exact(fixed).status == FAILED
    assert arrivals(fixed, fixed)["logprobs_mode"] == FAILED


def test_a_fix_without_prefix_caching_is_caught(renderer: Renderer, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stale = run(renderer.ablated(PREFIX), STALE_STEP + 1)
    wrong_fix(monkeypatch, '    no-enable-prefix-caching: ""\n', "")
    arm = renderer.fixed()._replace(name="wrong")
    fixed = run(arm, STALE_STEP + 1)
    assert gates.exact(fixed).status == PASSED  # before the first update nothing is stale
    assert gates.stale(stale, fixed, without(PREFIX)).status == FAILED
    assert arrivals(fixed, fixed)[PREFIX] == FAILED


def test_a_spelling_that_does_not_arrive_is_caught(
    renderer: Renderer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong_fix(monkeypatch, "no-enable-prefix-caching: true", "enable-prefix-caching: false")
    fixed = run(renderer.fixed("serve"), 1)
    assert fixed.started.reported[PREFIX] is True  # the release's own parser dropped it
    assert arrivals(fixed, fixed)[PREFIX] == FAILED
