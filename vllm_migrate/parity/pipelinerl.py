"""PipelineRL's micro-batches (PipelineBatchEncoding): call it in `rl_step`, where `new_logprobs` and `entropy` are there.

    pipelinerl.update(gate, batch, new_logprobs, step=current_step, entropy=entropy, trainer_version=samples)

It is called for sentinel batches too, so that all ranks look alike. `trainer_version` is `training_metrics.samples`, in which
PipelineRL counts versions; a batch bears the oldest version of its samples, taken when their generation began.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from vllm_migrate.parity.batch import plain
from vllm_migrate.parity.gate import ParityGate
from vllm_migrate.parity.verdict import Verdict

IGNORED = -100  # the label of a token outside the loss


def update(
    gate: ParityGate,
    batch: Any,
    new_logprobs: Any,
    *,
    step: int,
    trainer_version: int,
    entropy: Any = None,
    replica: int = 0,
) -> Verdict:
    """Adds a micro-batch, whole or this rank's slice of one, and judges where a look is due.

    `new_logprobs` and `entropy` are [rows, length - 1]: entry i belongs to token i + 1, as `rl_step` has them. `replica` is
    the data-parallel rank, which tells the packed rows of sequence-parallel groups apart.
    """
    tokens, labels, old = (plain(getattr(batch, name)) for name in ("input_ids", "labels", "old_logprobs"))
    if batch.sentinel:
        tokens, labels, old, new_logprobs, entropy = [], [], [], [], None
    # The first token of a row (or slice) has no logprob: nothing before it was scored with it.
    mask = [[0, *(int(label != IGNORED) for label in row[1:])] for row in labels]
    layout: dict[str, Any] = {}
    if batch.is_packed and tokens:
        boundaries, segments = plain(batch.seq_boundaries), plain(batch.segment_ids)
        positions = plain(batch.position_ids)[0]
        if segments is None:
            starts = [i for i, position in enumerate(positions) if position == 0 or i == 0]
            boundaries, offset = [*starts, len(positions)], 0
        else:
            offset = boundaries[segments[0][0]] + positions[0]
        if batch.padding:  # the last segment only fills the row up
            boundaries = boundaries[:-1]
        ids = [(replica, step, gate.calls, number) for number, _ in enumerate(pairwise(boundaries))]
        layout = {"cu_seqlens": boundaries, "offset": offset, "sequences": ids}
    return gate.update(
        step=step,
        token_ids=tokens,
        rollout_logprobs=old,
        trainer_logprobs=[[None, *row] for row in plain(new_logprobs)],
        mask=mask,
        weight_version=int(batch.model_version),
        entropy=None if entropy is None else [[0.0, *row] for row in plain(entropy)],
        trainer_version=trainer_version,
        **layout,
    )
