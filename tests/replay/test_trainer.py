"""The trainer's losses and metrics against figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from benchmarks.replay import trainer  # noqa: E402
from benchmarks.replay.trainer import Batch, Trainer  # noqa: E402

GSPO = {"kind": "gspo", "epsilon_low": 0.02, "epsilon_high": 0.02}
PPO = {"kind": "ppo", "epsilon_low": 0.2, "epsilon_high": 0.2}
LENGTH = 4


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def rows(logprobs: list[list[float]] | None = None, version: int = 0) -> list[dict[str, Any]]:
    """Two groups of two responses."""
    made = []
    for place in range(4):
        tokens = [10 + place, 20, 30, 40]
        old = logprobs[place] if logprobs else [-2.0] * LENGTH
        row = {"prompt": [5, 6, 7], "tokens": tokens, "logprobs": old, "versions": [version] * LENGTH}
        made.append({**row, "reward": [1.0, 0.0, 0.5, 0.5][place], "group": place // 2})
    return made


def own_logprobs(made: Trainer) -> list[list[float]]:
    with torch.no_grad():
        found: list[list[float]] = made.logprobs(Batch(rows()))[0].tolist()
    return found


def test_advantages_are_over_the_others_of_the_group() -> None:
    assert Batch(rows()).advantages(scaled=False).tolist() == [1.0, -1.0, 0.0, 0.0]


def test_scaled_advantages_are_in_deviations_of_the_group() -> None:
    found = Batch(rows()).advantages(scaled=True)
    assert found.tolist() == pytest.approx([0.7070, -0.7070, 0.0, 0.0], abs=1e-3)


def test_gspo_clips_sequences_and_ppo_tokens() -> None:
    x = torch.tensor([[0.1, -0.1, 0.0, 0.0], [0.3, 0.0, 0.0, 0.0]])
    advantages = torch.tensor([1.0, 1.0])
    _, sequences = Trainer(0, GSPO, 0.7).surrogate(x, advantages)
    _, tokens = Trainer(0, PPO, 0.7).surrogate(x, advantages)
    assert sequences.tolist() == [0.0, 1.0]  # means 0 and 0.075
    assert tokens.sum() == 1.0 and tokens[1, 0] == 1.0


def test_a_clipped_sequence_has_no_gradient_where_clipping_matters() -> None:
    made = Trainer(0, GSPO, 0.7)
    for sign, wanted in ((1.0, 0.0), (-1.0, 1.0)):
        x = torch.full((1, LENGTH), 0.1, requires_grad=True)
        loss, _ = made.surrogate(x, torch.tensor([sign]))
        (gradient,) = torch.autograd.grad(loss, x)
        assert (gradient.abs().sum() > 0) == bool(wanted)


def test_its_own_logprobs_are_on_policy() -> None:
    made = Trainer(0, GSPO, 0.7)
    metrics = made.step(rows(own_logprobs(made)), deep=True)
    assert metrics["largest_d"] < 1e-5 and metrics["clip_rate"] == 0.0
    assert metrics["mean_ratio"] == pytest.approx(1.0, abs=1e-6)


def test_tokens_are_scored_under_the_weights_that_drew_them() -> None:
    made = Trainer(0, GSPO, 0.7)
    old = own_logprobs(made)
    for _ in range(3):
        made.step(rows(old), deep=False)
    metrics = made.step(rows(old, version=0), deep=True)
    assert metrics["largest_d"] < 1e-5 < metrics["kl"]
    assert metrics["lag"] == 3.0


def test_scoring_older_weights_leaves_the_present_ones() -> None:
    made = Trainer(0, GSPO, 0.7)
    old = own_logprobs(made)
    made.step(rows(old), deep=False)
    now = own_logprobs(made)
    made.without_lag(Batch(rows(old, version=0)))
    assert own_logprobs(made) == now != old


def test_a_version_that_is_gone_is_not_scored() -> None:
    made = Trainer(0, GSPO, 0.7)
    made.snapshots[1] = made.snapshots.pop(0)
    made.version = 1
    mixed = rows(own_logprobs(made), version=1)
    mixed[0]["versions"] = [0] * LENGTH
    assert made.without_lag(Batch(mixed))["scored"] == 0.75


def test_the_temperature_divides_the_logits() -> None:
    assert own_logprobs(Trainer(0, GSPO, 0.7)) != own_logprobs(Trainer(0, GSPO, 1.0))


def test_the_schedule_warms_up_and_falls() -> None:
    factors = [trainer.schedule(step) for step in range(trainer.SCHEDULE + 5)]
    assert factors[0] == 1 / trainer.WARM_UP and max(factors) == 1.0
    assert factors[-1] == pytest.approx(0.0, abs=1e-9)


def test_a_checkpoint_is_a_whole_one(tmp_path: Any) -> None:
    import json

    trainer.write_model(trainer.new_model(0), str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForCausalLM"] and config["torch_dtype"] == "float32"
    assert (tmp_path / "model.safetensors").stat().st_size > 100_000
