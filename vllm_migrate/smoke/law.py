"""What a sampling contract does to the law of a token, from its plain numbers. No dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING

# vLLM's own greedy threshold (_SAMPLING_EPS in both engines).
GREEDY_BELOW = 1e-5


class Law:
    """Questions to a contract with the names and neutral values of vLLM's SamplingParams."""

    if TYPE_CHECKING:
        temperature: float
        top_p: float
        top_k: int
        min_p: float
        presence_penalty: float
        frequency_penalty: float
        repetition_penalty: float

    @property
    def greedy(self) -> bool:
        return self.temperature < GREEDY_BELOW

    @property
    def has_top_k(self) -> bool:
        return self.top_k > 0

    @property
    def has_top_p(self) -> bool:
        return self.top_p < 1.0

    @property
    def has_min_p(self) -> bool:
        return self.min_p > 0.0

    @property
    def truncates(self) -> bool:
        return self.has_top_k or self.has_top_p or self.has_min_p

    @property
    def has_penalties(self) -> bool:
        return (self.presence_penalty, self.frequency_penalty, self.repetition_penalty) != (0.0, 0.0, 1.0)

    @property
    def has_mask(self) -> bool:
        """Whether anything else changes the logits before the temperature."""
        return False

    @property
    def blind(self) -> bool:
        """Whether raw and processed logprobs are the same thing here, so that no evidence can tell them apart."""
        if self.greedy:
            return True
        return self.temperature == 1.0 and not (self.truncates or self.has_penalties or self.has_mask)
