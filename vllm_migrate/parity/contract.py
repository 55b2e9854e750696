"""What both sides are supposed to do: sampling, logprobs mode, noise, loss, staleness."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.law import Law
from vllm_migrate.smoke.margins import TABLE


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high and value - value == 0
    )


def _whole(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


# What a field may be, as vLLM's SamplingParams has it where that has the field, and the same in words.
ALLOWED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (lambda value: _number(value, 0), "a number from 0 on"),
    "top_p": (lambda value: _number(value, 0, 1) and value > 0, "above 0, at most 1"),
    "top_k": (lambda value: _whole(value, -1), "-1 or 0 for all tokens, else a whole number"),
    "min_p": (lambda value: _number(value, 0, 1), "from 0 to 1"),
    "presence_penalty": (_number, "a number"),
    "frequency_penalty": (_number, "a number"),
    "repetition_penalty": (lambda value: _number(value, 0) and value > 0, "a number above 0"),
    "logprobs_mode": (
        lambda value: value in ("processed_logprobs", "raw_logprobs"),
        "processed_logprobs or raw_logprobs",
    ),
    "kind": (lambda value: isinstance(value, str) and value in TABLE, f"one of {', '.join(TABLE)}"),
    "lag": (lambda value: value is None or (_whole(value, 0) and value == 0), "0, or left out"),
    "group_size": (lambda value: value is None or _whole(value, 1), "a whole number from 1 on"),
    "epsilon": (
        lambda value: (
            len(value) == 2 and _number(value[0], 0, 1) and 0 < value[0] < 1 and _number(value[1], 0) and value[1] > 0
        ),
        "(below, above), such as (0.2, 0.28)",
    ),
    "per_sequence": (lambda value: isinstance(value, bool), "true or false"),
    "stop_token_ids": (lambda value: all(_whole(token, 0) for token in value), "token ids"),
}


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
        for name, (fits, words) in ALLOWED.items():
            value = getattr(self, name)
            if not fits(value):
                raise UsageError(f"the contract's {name} is {value!r}", remedy=words)

    @classmethod
    def of(cls, source: Contract | Mapping[str, Any] | object) -> Contract:
        """A contract from itself, a mapping, or any object with such attributes (vLLM's SamplingParams, a TRL config).

        Names that a contract does not have are left out, as None is, but for misspelled ones. Raises UsageError.
        """
        if isinstance(source, cls):
            return source
        known = [field.name for field in fields(cls)]
        if isinstance(source, Mapping):
            pairs: Mapping[str, Any] = source
            for name in map(str, set(source) - set(known)):
                near = difflib.get_close_matches(name.lower(), known, 1, 0.85)
                if near:
                    raise UsageError(f"a contract has no {name}", remedy=f"did you mean {near[0]}?")
        else:
            pairs = {name: getattr(source, name) for name in known if hasattr(source, name)}
            if not pairs:
                raise UsageError(f"{source!r:.60} is no contract", remedy="a mapping, such as {'temperature': 0.7}")
        chosen: dict[str, Any] = {name: pairs[name] for name in known if pairs.get(name) is not None}
        for name in ("epsilon", "stop_token_ids"):
            if name in chosen:
                value = chosen[name]
                chosen[name] = (
                    tuple(value) if isinstance(value, list | tuple) else (value, value)[: 1 + (name == "epsilon")]
                )
        return cls(**chosen)
