"""The sampling contract: what a request asked the engine to do to the logits before drawing a token."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vllm_migrate.smoke.law import Law

Order = Literal["v0", "v1"]

SAMPLING_NAMES = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "min_p",
        "presence_penalty",
        "frequency_penalty",
        "repetition_penalty",
        "logit_bias",
        "allowed_token_ids",
        "min_tokens",
        "max_tokens",
        "stop",
        "stop_token_ids",
        "ignore_eos",
        "bad_words",
        "structured_outputs",
        "guided_decoding",
        "n",
        "logprobs",
        "skip_special_tokens",
        "include_stop_str_in_output",
    }
)


class Contract(Law, BaseModel):
    """What is done to the logits, in the names and with the neutral values of vLLM's SamplingParams."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: dict[int, float] = Field(default_factory=dict)
    allowed_token_ids: list[int] = Field(default_factory=list)
    min_tokens: int = 0
    stop_token_ids: list[int] = Field(default_factory=list)
    ignore_eos: bool = False
    # What changes the law of the tokens in a way that cannot be replayed without the engine.
    opaque: list[str] = Field(default_factory=list)

    @classmethod
    def of(cls, sampling: Mapping[str, Any]) -> Contract:
        """The contract in a request's sampling parameters; None means vLLM's default.

        Raises pydantic's ValidationError for a value of the wrong type.
        """
        given = {name: value for name, value in sampling.items() if value is not None}
        opaque = [name for name in ("bad_words", "structured_outputs", "guided_decoding") if given.get(name)]
        return cls(**{**given, "opaque": opaque})

    @property
    def has_mask(self) -> bool:
        """Whether bias, allowed tokens or min_tokens change the logits before the temperature."""
        return bool(self.logit_bias or self.allowed_token_ids or self.min_tokens)

    def with_defaults(self, inherited: Mapping[str, Any], given: Mapping[str, Any]) -> Contract:
        """This contract with the fields that `given` leaves open filled from a model's generation_config."""
        names = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        fill = {n: inherited[n] for n in names if inherited.get(n) is not None and given.get(n) is None}
        return self.model_copy(update=fill)

    def rounded(self) -> Contract:
        """The parameters as 0.8.5's V0 engine keeps them beside bfloat16 logits (0.7 -> 0.699219, 0.999 -> 1.0)."""
        names = ("temperature", "top_p", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
        return self.model_copy(update={name: bfloat16(getattr(self, name)) for name in names})

    def describe(self) -> str:
        """The parts that are not neutral, as a request writes them."""
        plain = {k: v for k, v in self.model_dump(exclude_defaults=True).items() if k != "opaque"}
        return ", ".join(f"{k}={v}" for k, v in plain.items()) or "temperature=1, nothing truncated"


def bfloat16(value: float) -> float:
    """`value` rounded to bfloat16, ties to even, as torch does."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return float(struct.unpack("<f", struct.pack("<I", bits))[0])


# Added where the user's contract is blind: raw and processed logprobs differ under it on every model.
PROBE = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}
