"""Simulated rollouts: tokens drawn from categorical laws, both sides' logprobs, entropies, and known noise."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

MakeRollout = Callable[..., SimpleNamespace]
Columns = Callable[..., dict[str, Any]]


@pytest.fixture
def rollout() -> MakeRollout:
    """make(seed=, sequences=, tokens=, vocabulary=, t=, reported_t=, claimed_t=, noise=): nested lists of one step.

    Tokens are drawn at temperature `t`; the engine reports the law at `reported_t` and the trainer claims that at
    `claimed_t` (each `t` where it is left out) with log-normal noise of spread `noise`, for which E[r] = 1.
    """
    torch = pytest.importorskip("torch")

    def make(
        *,
        seed: int = 0,
        sequences: int = 16,
        tokens: int = 64,
        vocabulary: int = 24,
        t: float = 1.0,
        reported_t: Any = None,
        claimed_t: Any = None,
        noise: float = 0.02,
    ) -> Any:
        generator = torch.Generator().manual_seed(seed)
        logits = 2.5 * torch.randn(sequences, tokens, vocabulary, generator=generator, dtype=torch.float64)
        drawn = (logits / t).softmax(-1).flatten(0, 1).multinomial(1, generator=generator).view(sequences, tokens)

        def law(temperature: Any) -> Any:
            return (logits / (temperature or t)).log_softmax(-1)

        claimed = law(claimed_t)
        entropy = -(claimed.exp() * claimed).sum(-1)
        varentropy = (claimed.exp() * claimed**2).sum(-1) - entropy**2
        own = claimed.gather(-1, drawn[..., None]).squeeze(-1)
        x = noise * torch.randn(own.shape, generator=generator, dtype=torch.float64) - noise * noise / 2
        reported = law(reported_t).gather(-1, drawn[..., None]).squeeze(-1)
        return SimpleNamespace(
            logits=logits,
            token_ids=drawn.tolist(),
            rollout_logprobs=reported.tolist(),
            trainer_logprobs=(own + x).clamp_max(0.0).tolist(),
            mask=[[1] * tokens for _ in range(sequences)],
            entropy=entropy.tolist(),
            varentropy=varentropy.tolist(),
        )

    return make


COLUMNS = ("token_ids", "rollout_logprobs", "trainer_logprobs", "mask", "entropy", "varentropy")


@pytest.fixture
def columns() -> Columns:
    """The arguments of `update` in a made step."""
    return lambda made, *names: {name: getattr(made, name) for name in (names or COLUMNS)}
