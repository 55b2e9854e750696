"""The batches of TRL, verl and PipelineRL, in their own layouts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.parity.conftest import MakeRollout
from vllm_migrate.parity import Contract, ParityError, ParityGate, pipelinerl, trl, verl

CONTRACT = Contract(temperature=0.7, lag=0)


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


class DataProto:
    """What verl's trainer holds: a TensorDict (here a dict) of padded responses, and arrays beside it."""

    def __init__(self, torch: Any, made: SimpleNamespace, **more: Any) -> None:
        numpy = pytest.importorskip("numpy")
        n, length = len(made.token_ids), len(made.token_ids[0])
        pad = torch.zeros(n, 6)
        mask = torch.cat([torch.tensor(made.mask), pad.long()], 1)
        self.batch = {
            "prompts": torch.ones(n, 5, dtype=torch.long),
            "responses": torch.cat([torch.tensor(made.token_ids), pad.long()], 1),
            "attention_mask": torch.cat([torch.ones(n, 5, dtype=torch.long), mask], 1),
            "response_mask": mask,
            "rollout_log_probs": torch.cat([torch.tensor(made.rollout_logprobs), pad], 1),
            "old_log_probs": torch.cat([torch.tensor(made.trainer_logprobs), pad - 3], 1),
        }
        self.entropys = torch.cat([torch.tensor(made.entropy), pad], 1)
        uids = numpy.array([f"u{i // 4}" for i in range(n)], dtype=object)
        self.non_tensor_batch = {"uid": uids, **{name: numpy.array(v, dtype=object) for name, v in more.items()}}
        assert length == 64


def test_verl(torch: Any, rollout: MakeRollout) -> None:
    batch = DataProto(torch, rollout(t=0.7))
    gate = ParityGate(Contract(temperature=0.7, lag=0, group_size=4))
    verdict = verl.update(gate, batch, step=1, entropys=batch.entropys)
    assert verdict.decision == "pass" and verdict.metrics["b"].gate == "pass" and verdict.n_tokens == 16 * 64
    del batch.batch["response_mask"]
    again = verl.update(gate, batch, step=50, entropys=batch.entropys)
    assert again.metrics["D"] == verdict.metrics["D"] and again.n_tokens == verdict.n_tokens
    raw = DataProto(torch, rollout(t=0.7, reported_t=1.0))
    assert verl.update(ParityGate(CONTRACT), raw, step=1).blame.suspects == ("logprobs-semantics",)


def test_verl_without_rollout_logprobs_and_in_bypass_mode(torch: Any, rollout: MakeRollout) -> None:
    batch = DataProto(torch, rollout(t=0.7))
    batch.batch["old_log_probs"] = batch.batch["rollout_log_probs"]
    assert verl.update(ParityGate(CONTRACT), batch, step=1).invalid == {"same-tensor": 1}
    del batch.batch["rollout_log_probs"]
    assert verl.update(ParityGate(CONTRACT), batch, step=1).invalid == {"missing-logprobs": 1}


def test_verl_fully_asynchronous(torch: Any, rollout: MakeRollout) -> None:
    versions = {"param_version_start": [2] * 8 + [1] * 4 + [1] * 4, "param_version_end": [2] * 8 + [1] * 4 + [2] * 4}
    batch = DataProto(torch, rollout(t=0.7), **versions)
    verdict = verl.update(ParityGate({"temperature": 0.7}), batch, step=9, trainer_version=2)
    assert {name for name in verdict.metrics if name in ("k3_fresh", "k3_stale", "k3_unknown", "k3_mixed")} == {
        "k3_fresh",
        "k3_stale",
        "k3_unknown",
    }


def encoding(torch: Any, made: SimpleNamespace, *, prompt: int = 3, padding: int = 0, version: int = 64) -> Any:
    """PipelineRL's packed micro-batch, and what `rl_step` has of it: new logprobs and entropy, one entry shorter."""
    n, length = len(made.token_ids), len(made.token_ids[0])
    row: defaultdict[str, list[Any]] = defaultdict(list)
    for i in range(n):
        row["input_ids"] += [1] * prompt + made.token_ids[i]
        row["labels"] += [-100] * prompt + made.token_ids[i]
        row["old_logprobs"] += [0.0] * prompt + made.rollout_logprobs[i]
        row["new"] += [-5.0] * prompt + made.trainer_logprobs[i]
        row["entropy"] += [0.0] * prompt + made.entropy[i]
        row["position_ids"] += range(prompt + length)
        row["segment_ids"] += [i] * (prompt + length)
    for name, value in (("input_ids", 2), ("labels", -100), ("old_logprobs", 0.0), ("new", -5.0), ("entropy", 0.0)):
        row[name] += [value] * padding
    row["position_ids"] += range(padding)
    row["segment_ids"] += [n] * padding
    ends = [i * (prompt + length) for i in range(n + 1)] + ([len(row["input_ids"])] if padding else [])
    names = ("input_ids", "labels", "old_logprobs", "position_ids", "segment_ids")
    fields = {name: torch.tensor([row[name]]) for name in names}
    fields |= {"seq_boundaries": torch.tensor(ends, dtype=torch.int), "padding": padding, "model_version": version}
    batch = SimpleNamespace(**fields, sentinel=False, is_packed=True)
    return batch, torch.tensor([row["new"][1:]]), torch.tensor([row["entropy"][1:]])


def test_pipelinerl(torch: Any, rollout: MakeRollout) -> None:
    batch, new, entropy = encoding(torch, rollout(t=0.7), padding=5)
    gate = ParityGate({"temperature": 0.7})
    verdict = pipelinerl.update(gate, batch, new, step=0, entropy=entropy, trainer_version=64)
    assert verdict.decision == "pass" and verdict.n_sequences == 16 and verdict.n_tokens == 1024
    assert verdict.metrics["b"].gate == "pass" and not any("no token inside" in note for note in verdict.notes)
    late = pipelinerl.update(ParityGate({"temperature": 0.7}), batch, new, step=4, trainer_version=128)
    assert "k3_stale" in late.metrics and "k3_fresh" not in late.metrics
    raw, new, _ = encoding(torch, rollout(t=0.7, reported_t=1.0))
    assert pipelinerl.update(ParityGate(CONTRACT), raw, new, step=0, trainer_version=64).blame.suspects == (
        "logprobs-semantics",
    )


def test_pipelinerl_logprobs_that_are_not_shifted(torch: Any, rollout: MakeRollout) -> None:
    """A trainer that pads at the end instead of the front: every segment is off by one inside its boundaries."""
    batch, new, _ = encoding(torch, rollout(t=0.7))
    moved = torch.cat([new[:, 1:], new[:, -1:]], 1)
    verdict = pipelinerl.update(ParityGate(CONTRACT), batch, moved, step=0, trainer_version=64)
    assert verdict.invalid == {"shifted-by-one": 16}


def test_pipelinerl_slices_and_sentinels(torch: Any, rollout: MakeRollout) -> None:
    batch, new, entropy = encoding(torch, rollout(t=0.7))
    length = batch.input_ids.shape[1]
    parts = []
    whole = ParityGate(CONTRACT)
    for low, high in ((0, length // 2), (length // 2, length)):
        part = SimpleNamespace(**vars(batch))
        for name in ("input_ids", "labels", "old_logprobs", "position_ids", "segment_ids"):
            setattr(part, name, getattr(batch, name)[:, low:high])
        gate = ParityGate(CONTRACT, reduce=lambda window: (parts.append(window), parts)[1])
        verdict = pipelinerl.update(
            gate, part, new[:, low : high - 1], step=0, entropy=entropy[:, low : high - 1], trainer_version=64
        )
    seen = pipelinerl.update(whole, batch, new, step=0, entropy=entropy, trainer_version=64)
    assert verdict.decision == "pass" and verdict.n_sequences == seen.n_sequences == 16
    assert verdict.n_tokens == seen.n_tokens, "the slice boundary lies in a prompt, or between sequences"
    batch.sentinel = True
    assert pipelinerl.update(whole, batch, new, step=50, trainer_version=64).decision == "inconclusive"


class Trainer:
    """The parts of TRL's GRPOTrainer that the callback stands around."""

    def __init__(
        self, torch: Any, made: SimpleNamespace, *, old: Any = None, tools: Any = None, masked: Sequence[Any] = ()
    ) -> None:
        self.model, self.state = SimpleNamespace(training=True), SimpleNamespace(global_step=0)
        self.accelerator = SimpleNamespace(num_processes=1)
        self._metrics: dict[str, dict[str, list[Any]]] = {"train": defaultdict(list)}
        self._tokenizer = SimpleNamespace(pad_token_id=0)
        self.mask_truncated_completions = bool(masked)
        self.callbacks: list[Any] = []
        mask = torch.tensor(made.mask)
        for row in masked:
            mask[row] = 0
        self.batch = {
            "prompt_ids": torch.tensor([[0, 0, 3 + i // 4] for i in range(16)]),
            "prompt_mask": torch.tensor([[0, 0, 1]] * 16),
            "completion_ids": torch.tensor(made.token_ids).clamp_min(1),
            "completion_mask": mask,
            "sampling_per_token_logps": torch.tensor(made.rollout_logprobs),
        }
        if tools is not None:
            self.batch["tool_mask"] = torch.tensor(tools)
        logprobs = torch.tensor(made.trainer_logprobs, requires_grad=True)
        self.forward: tuple[Any, ...] = logprobs, torch.tensor(made.entropy), None
        self.old = old

    def add_callback(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        return self.batch

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if self.old is not None:
            inputs["old_per_token_logps"] = self.old
            return 0.0
        return self._get_per_token_logps_and_entropies(model, compute_entropy=True)[0].sum()

    def step(self, micro: int = 2, generate: bool = True) -> None:
        if generate:
            self._generate_and_score_completions({})
        size = 16 // micro
        for i in range(micro):
            part = {name: value[i * size : (i + 1) * size] for name, value in self.batch.items()}
            whole, self.forward = (
                self.forward,
                tuple(v if v is None else v[i * size : (i + 1) * size] for v in self.forward),
            )
            self.compute_loss(self.model, part, num_items_in_batch=1)
            self.forward = whole
        for callback in self.callbacks:
            callback.on_step_begin(None, self.state, None)
            callback.on_pre_optimizer_step(None, self.state, None, model=self.model)
        self.state.global_step += 1


def test_trl(torch: Any, rollout: MakeRollout) -> None:
    trainer = Trainer(torch, rollout(t=0.7))
    callback = trl.watch(trainer, ParityGate({"temperature": 0.7, "group_size": 4}, every=2))
    trainer.step()
    assert callback.verdict.decision == "pass" and callback.verdict.n_tokens == 1024, "both micro-batches are in"
    assert callback.verdict.metrics["b"].gate == "pass" and "k3_fresh" in callback.verdict.metrics
    assert trainer._metrics["train"]["parity/decision"] == [0.0], "logged with the trainer's own metrics"
    trainer.step(generate=False)
    assert callback.verdict.decision == "pending"
    trainer.step(generate=False)
    assert "k3_stale" in callback.verdict.metrics and "k3_fresh" not in callback.verdict.metrics, "num_iterations > 1"
    assert not hasattr(callback, "something_else")


def test_trl_stops_on_raw_logprobs(torch: Any, rollout: MakeRollout) -> None:
    trainer = Trainer(torch, rollout(t=0.7, reported_t=1.0))
    trl.watch(trainer, ParityGate({"temperature": 0.7}, stop=True))
    with pytest.raises(ParityError, match="logprobs-semantics"):
        trainer.step()


def test_trl_takes_old_logprobs_where_the_loss_hides_its_own(torch: Any, rollout: MakeRollout) -> None:
    made = rollout(t=0.7)
    trainer = Trainer(torch, made, old=torch.tensor(made.trainer_logprobs))
    callback = trl.watch(trainer, ParityGate({"temperature": 0.7}))
    trainer.step(micro=1)
    assert callback.verdict.decision == "pass" and "b" not in callback.verdict.metrics


def test_trl_masks(torch: Any, rollout: MakeRollout) -> None:
    made = rollout(t=0.7)
    tools = [[int(i < 20 or i >= 30) for i in range(64)]] * 16
    for row in made.rollout_logprobs:
        row[20:30] = [float("nan")] * 10
    trainer = Trainer(torch, made, tools=tools)
    callback = trl.watch(trainer, ParityGate({"temperature": 0.7}))
    trainer.step()
    assert callback.verdict.decision == "pass" and callback.verdict.n_tokens == 16 * 54
    trainer = Trainer(torch, rollout(t=0.7), masked=(0, 5, 6))
    callback = trl.watch(trainer, ParityGate({"temperature": 0.7}))
    trainer.step()
    assert callback.verdict.n_sequences == 16, "truncated completions are evidence too"


def test_trl_leaves_evaluation_alone(torch: Any, rollout: MakeRollout) -> None:
    trainer = Trainer(torch, rollout(t=0.7))
    callback = trl.watch(trainer, ParityGate({"temperature": 0.7}))
    trainer.model.training = False
    trainer.step()
    assert callback.verdict.decision == "inconclusive" and callback.verdict.n_tokens == 0
