"""TRL's GRPOTrainer (and trainers made from it): the gate as a callback.

    gate = ParityGate({"temperature": config.temperature, "kind": "bf16"}, every=50, stop=True)
    watch(trainer, gate)
    trainer.train()

Each micro-batch is read where the loss is computed, with the logprobs and entropies of that very forward; looks come before
the optimizer step. Needs sampling logprobs: `use_vllm=True`, or a `rollout_func` that returns them. Neither trl nor
transformers is imported.
"""

from __future__ import annotations

from typing import Any

from vllm_migrate.parity.batch import plain
from vllm_migrate.parity.gate import ParityGate
from vllm_migrate.parity.verdict import Verdict


def watch(trainer: Any, gate: ParityGate) -> ParityCallback:
    """Adds the gate to a trainer, before `train`. Where several processes train, their windows are gathered by accelerate;
    where the gate logs nowhere, its numbers join the trainer's own metrics.
    """
    callback = ParityCallback(trainer, gate)
    trainer.add_callback(callback)
    return callback


class ParityCallback:
    """A transformers callback that also stands around the trainer's generation, forward and loss."""

    def __init__(self, trainer: Any, gate: ParityGate) -> None:
        self.gate, self.trainer = gate, trainer
        self.verdict: Verdict | None = None
        self._version: int | None = None
        self._forward: tuple[Any, Any] | None = None
        self._generate = trainer._generate_and_score_completions
        self._score = trainer._get_per_token_logps_and_entropies
        self._loss = trainer.compute_loss
        trainer._generate_and_score_completions = self.generate
        trainer._get_per_token_logps_and_entropies = self.score
        trainer.compute_loss = self.loss
        if gate.reduce is None and trainer.accelerator.num_processes > 1:
            gate.reduce = _gather
        if gate.log is None:
            gate.log = self.record

    def __getattr__(self, name: str) -> Any:
        """Every event of transformers that is not handled below."""
        if name.startswith("on_"):
            return lambda *args, **kwargs: None
        raise AttributeError(name)

    def generate(self, *args: Any, **kwargs: Any) -> Any:
        """Rollouts come from the weights of the step at which they are asked for."""
        if self.trainer.model.training:
            self._version = self.trainer.state.global_step
        return self._generate(*args, **kwargs)

    def score(self, *args: Any, **kwargs: Any) -> Any:
        """Keeps logprobs and entropies of the first forward since the loss was asked for."""
        found = self._score(*args, **kwargs)
        if self._forward is None:
            self._forward = (found[0], found[1])
        return found

    def loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss, and the micro-batch to the gate."""
        self._forward = None
        loss = self._loss(model, inputs, *args, **kwargs)
        if self.trainer.model.training:
            self._add(inputs)
        self._forward = None
        return loss

    def _add(self, inputs: Any) -> None:
        logps, entropy = self._forward or (inputs.get("old_per_token_logps"), None)
        step = self.trainer.state.global_step
        self.gate.add(
            step=step,
            token_ids=inputs["completion_ids"],
            rollout_logprobs=inputs.get("sampling_per_token_logps"),
            trainer_logprobs=logps,
            mask=self._mask(inputs),
            weight_version=self._version,
            entropy=entropy,
            trainer_version=step,
            groups=_prompts(inputs),
        )

    def _mask(self, inputs: Any) -> list[list[int]]:
        """The loss mask, with the completions that `mask_truncated_completions` has masked as a whole."""
        mask, tools, ids = (plain(inputs.get(name)) for name in ("completion_mask", "tool_mask", "completion_ids"))
        if tools is not None:
            return [[m * t for m, t in zip(row, other, strict=True)] for row, other in zip(mask, tools, strict=True)]
        pad = getattr(getattr(self.trainer, "_tokenizer", None), "pad_token_id", None)
        if not getattr(self.trainer, "mask_truncated_completions", False) or pad is None:
            return list(mask)
        return [row if any(row) else _unpadded(tokens, pad) for row, tokens in zip(mask, ids, strict=True)]

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A look, where one is due: every micro-batch of this step is in, and no weight has moved."""
        self.verdict = self.gate.check(state.global_step)

    def record(self, numbers: dict[str, float]) -> None:
        """Into the metrics that the trainer logs next."""
        for name, value in numbers.items():
            self.trainer._metrics["train"][name].append(value)


def _gather(window: Any) -> Any:
    from accelerate.utils import gather_object

    return gather_object([window])


def _prompts(inputs: Any) -> list[tuple[int, ...]]:
    """Each sequence's prompt, without its padding, as the id of its group."""
    ids, mask = plain(inputs["prompt_ids"]), plain(inputs["prompt_mask"])
    return [tuple(t for t, m in zip(*row, strict=True) if m) for row in zip(ids, mask, strict=True)]


def _unpadded(tokens: list[int], pad: int) -> list[int]:
    length = max((i + 1 for i, token in enumerate(tokens) if token != pad), default=0)
    return [int(i < length) for i in range(len(tokens))]
