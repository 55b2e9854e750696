"""What both sides are supposed to do: sampling, logprobs mode, noise, loss, staleness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.law import Law
from vllm_migrate.smoke.margins import TABLE


@dataclass(frozen=True, kw_only=True)
class Contract(Law):
    """Sampling parameters have vLLM's names and neutral values; `trainer_logprobs` are of the law they describe.

    `kind` is the row of the smoke proof's margins (fp32, bf16, bf16-tiny, moe, fp8, mxfp8): the noisier side decides.
    `lag` is 0 where every batch was sampled from the very weights that score it, None where that is not certain; weight
    versions given to the gate come first. `group_size` is the number of samples of a prompt, where a window holds whole
    groups: a group that arrives with fewer has been filtered. `epsilon` is the loss's clip range below and above 1, of a
    token's ratio or, `per_sequence`, of a sequence's geometric mean ratio.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logprobs_mode: Literal["processed_logprobs", "raw_logprobs"] = "processed_logprobs"
    kind: str = "bf16"
    lag: Literal[0] | None = None
    group_size: int | None = None
    epsilon: tuple[float, float] = (0.2, 0.2)
    per_sequence: bool = False
    stop_token_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in TABLE:
            raise UsageError(f"no margins for kind {self.kind!r}", remedy=f"one of {', '.join(TABLE)}")
        if not 0 < self.epsilon[0] < 1 or self.epsilon[1] <= 0:
            raise UsageError(
                f"epsilon {self.epsilon} is not a clip range", remedy="(below, above), such as (0.2, 0.28)"
            )

    @classmethod
    def of(cls, source: Contract | Mapping[str, Any] | object) -> Contract:
        """A contract from itself, a mapping, or any object with such attributes (vLLM's SamplingParams, a TRL config).

        Unknown names and None are left out. Raises UsageError.
        """
        if isinstance(source, cls):
            return source
        known = [field.name for field in fields(cls)]
        pairs = source if isinstance(source, Mapping) else {name: getattr(source, name, None) for name in known}
        chosen: dict[str, Any] = {name: pairs[name] for name in known if pairs.get(name) is not None}
        for name in ("epsilon", "stop_token_ids"):
            if name in chosen:
                value = chosen[name]
                chosen[name] = (value, value) if isinstance(value, (int, float)) else tuple(value)
        return cls(**chosen)
