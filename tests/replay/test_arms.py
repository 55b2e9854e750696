"""The arms come from the repository's files by vllm-migrate's reading and its fix; no vLLM is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.replay import product
from benchmarks.replay.__main__ import parse, plan
from benchmarks.replay.arms import Interpreter, Renderer
from vllm_migrate.errors import UsageError

OLD, NEW = Interpreter("py085", "0.8.5"), Interpreter("py181", "0.18.1")
PINS = {"async_scheduling": False, "enable_prefix_caching": False, "logprobs_mode": "processed_logprobs"}


@pytest.fixture
def renderer(tmp_path: Path) -> Renderer:
    return Renderer(tmp_path / "configs", OLD, NEW, "gspo")


def args(arm: Any) -> dict[str, Any]:
    given: dict[str, Any] = arm.job("model")["engine_args"]
    return given


def test_the_three_arms_differ_in_release_and_pins_alone(renderer: Renderer) -> None:
    old, loose, fixed = renderer.old(), renderer.as_it_comes(), renderer.fixed()
    assert (old.python, old.reading.core) == ("py085", "v0")
    assert (loose.python, loose.reading.core, fixed.reading.core) == ("py181", "v1", "v1")
    assert args(old) == args(loose)
    assert args(fixed) == {**args(loose), **PINS}
    assert fixed.pins == PINS
    assert (
        old.reading.sampling
        == loose.reading.sampling
        == fixed.reading.sampling
        == {"temperature": 0.7, "max_tokens": 32}
    )


@pytest.mark.parametrize(("loss", "epsilon"), [("gspo", 0.02), ("ppo", 0.2), ("grpo", 0.2)])
def test_the_loss_comes_from_the_file(tmp_path: Path, loss: str, epsilon: float) -> None:
    found = Renderer(tmp_path / "configs", OLD, NEW, loss).old().loss
    assert (found["kind"], found["epsilon_low"], found["epsilon_high"]) == (loss, epsilon, epsilon)


@pytest.mark.parametrize("source", ["verl", "serve"])
def test_other_dialects_get_the_same_engine(renderer: Renderer, source: str) -> None:
    fixed = renderer.fixed(source)
    ours = {name: args(fixed).get(name) for name in PINS}
    assert ours == PINS
    main = renderer.fixed()
    assert fixed.reading.sampling["temperature"] == main.reading.sampling["temperature"]
    assert fixed.loss == main.loss
    assert all(
        args(fixed)[name] == args(main)[name] for name in ("dtype", "max_num_seqs", "max_model_len", "enforce_eager")
    )


def test_a_server_s_file_is_left_to_the_release_s_own_parser(renderer: Renderer) -> None:
    fixed = renderer.fixed("serve")
    text = Path(fixed.job("model")["serve_file"]).read_text(encoding="utf-8")
    assert "no-enable-prefix-caching: true" in text and "logprobs-mode: processed_logprobs" in text
    assert renderer.fixed().job("model")["serve_file"] == ""


@pytest.mark.parametrize("option", sorted(PINS))
def test_an_ablation_takes_one_pin_away(renderer: Renderer, option: str) -> None:
    arm = renderer.ablated(option)
    assert args(arm) == {name: value for name, value in args(renderer.fixed()).items() if name != option}
    assert option not in arm.pins and arm.away == option


def test_what_a_cluster_needs_is_left_out(renderer: Renderer) -> None:
    arm = renderer.fixed("verl")
    assert {"distributed_executor_backend", "enable_sleep_mode"} <= set(arm.reading.engine_args)
    assert not {"distributed_executor_backend", "enable_sleep_mode"} & set(args(arm))


def test_in_flight_are_as_many_groups_as_the_file_has_places(renderer: Renderer) -> None:
    assert renderer.old().job("model")["groups_in_flight"] == 8


def broken(monkeypatch: pytest.MonkeyPatch, old: str, new: str, drop: str = "") -> None:
    """A fix that writes something else."""
    right = product.write_fix

    def wrong(source: Path, folder: Path, *releases: str) -> list[str]:
        options = right(source, folder, *releases)
        for path in folder.rglob("*.yaml"):
            path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return [option for option in options if option != drop]

    monkeypatch.setattr(product, "write_fix", wrong)


def test_a_fix_that_writes_another_mode_is_wanted_as_the_old_release_had_it(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, "processed_logprobs", "raw_logprobs")
    arm = renderer.fixed()
    assert args(arm)["logprobs_mode"] == "raw_logprobs"
    assert arm.pins["logprobs_mode"] == "processed_logprobs"


def test_a_spelling_that_does_not_arrive_leaves_the_pin_wanted(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, "no-enable-prefix-caching: true", "enable-prefix-caching: false")
    arm = renderer.fixed("serve")
    assert "enable_prefix_caching" not in args(arm)
    assert arm.pins["enable_prefix_caching"] is False


def test_a_fix_without_prefix_caching_has_no_arm_without_it(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch, '    no-enable-prefix-caching: ""\n', "", drop="enable_prefix_caching")
    with pytest.raises(LookupError):
        renderer.ablated("enable_prefix_caching")


def test_a_file_that_the_release_refuses_is_no_arm(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = renderer.main._replace(refused=("x.yaml:3 swap-space: unknown option --swap-space",))
    monkeypatch.setattr(product, "read", lambda *_: reading)
    with pytest.raises(UsageError, match="would not start"):
        renderer.as_it_comes()


def test_a_contract_that_the_trainer_cannot_follow_is_no_arm(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = renderer.main._replace(sampling={"temperature": 0.7, "top_p": 0.9})
    monkeypatch.setattr(product, "read", lambda *_: reading)
    with pytest.raises(UsageError, match=r"top_p=0\.9"):
        renderer.old()


def test_the_plan(renderer: Renderer) -> None:
    tasks = {task.arm.name: (list(task.seeds), task.steps) for task in plan(renderer, 3, 56, ablate=False)}
    assert tasks == {
        "old": ([0, 1, 2], 56),
        "as-it-comes": ([0, 1, 2], 56),
        "fixed": ([0, 1, 2], 56),
        "fixed-without-enable_prefix_caching": ([0], 11),
        "verl-as-it-comes": ([0], 11),
        "verl-fixed": ([0], 6),
        "serve-as-it-comes": ([0], 11),
        "serve-fixed": ([0], 6),
        "old-again": ([0], 6),
        "as-it-comes-again": ([0], 6),
        "fixed-again": ([0], 6),
    }


def test_ablations_run_as_long_as_the_rest(renderer: Renderer) -> None:
    tasks = {task.arm.away: (list(task.seeds), task.steps) for task in plan(renderer, 2, 56, ablate=True)}
    assert {option: tasks[option] for option in PINS} == dict.fromkeys(PINS, ([0, 1], 56))


def test_the_command_line() -> None:
    options = parse(["--old", "a", "--new", "b", "--out", "c", "--loss", "ppo", "--quick"])
    assert (options.old, options.new, options.out, options.loss, options.quick) == ("a", "b", Path("c"), "ppo", True)
    assert options.seeds == 3 and not options.ablate
