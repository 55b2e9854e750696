"""verl's batches (DataProto, TensorDict): call it in `fit`, right after `old_log_prob` has joined the batch.

    verl.update(gate, batch, step=self.global_steps, entropys=old_log_prob.batch["entropys"])

That is before rollout correction changes the response mask and before advantages. verl pops `entropys` from its batch, so
keep it. Needs `actor_rollout_ref.rollout.calculate_log_probs=True`; in bypass mode both sides are one tensor and the gate
says so. A synchronous trainer gives the gate's contract `lag=0`.
"""

from __future__ import annotations

from typing import Any

from vllm_migrate.parity.batch import plain
from vllm_migrate.parity.gate import ParityGate
from vllm_migrate.parity.verdict import Verdict


def update(
    gate: ParityGate, batch: Any, *, step: int, entropys: Any = None, trainer_version: int | None = None
) -> Verdict:
    """Adds a batch and judges where a look is due. The driver holds the whole batch: no `reduce` is needed.

    `trainer_version` is the asynchronous trainer's `current_param_version`, to which the rollouts' own are compared.
    """
    columns = getattr(batch, "batch", batch)
    beside = getattr(batch, "non_tensor_batch", {})
    names = set(columns.keys())
    return gate.update(
        step=step,
        token_ids=columns["responses"],
        rollout_logprobs=columns["rollout_log_probs"] if "rollout_log_probs" in names else None,
        trainer_logprobs=columns["old_log_probs"] if "old_log_probs" in names else None,
        mask=_mask(columns, names),
        weight_version=_versions(beside),
        entropy=columns["entropys"] if entropys is None and "entropys" in names else entropys,
        trainer_version=trainer_version,
        groups=plain(beside["uid"]) if "uid" in beside else None,
    )


def _mask(columns: Any, names: set[str]) -> Any:
    """The response mask (0 on tool output), else the attention mask over the responses."""
    if "response_mask" in names:
        return columns["response_mask"]
    rows = zip(plain(columns["responses"]), plain(columns["attention_mask"]), strict=True)
    return [whole[len(whole) - len(tokens) :] for tokens, whole in rows]


def _versions(beside: Any) -> list[Any] | None:
    """One version a sequence; None for one whose weights changed at a token that is not on record."""
    if "param_version_start" not in beside or "param_version_end" not in beside:
        return None
    pairs = zip(plain(beside["param_version_start"]), plain(beside["param_version_end"]), strict=True)
    return [start if start == end else None for start, end in pairs]
