"""The parity gate's cost for a batch, and its false alarms over simulated clean steps.

    python -m benchmarks.parity_gate [--steps 200]

Tokens are drawn from known laws with the published noise of each kind (E[r] = 1 exactly); every step is a look."""

from __future__ import annotations

import argparse
import time

import torch

from benchmarks.smoke_calibration import NOISES, Noise
from vllm_migrate.parity import Contract, ParityGate, bound


def step(
    noise: Noise, shape: tuple[int, int], generator: torch.Generator, vocabulary: int = 32
) -> dict[str, torch.Tensor]:
    """The columns of one clean batch."""
    law = (2.0 * torch.randn(*shape, vocabulary, generator=generator, dtype=torch.float64)).log_softmax(-1)
    tokens = law.exp().flatten(0, 1).multinomial(1, generator=generator).view(*shape, 1)
    spread = torch.tensor(noise.spreads, dtype=torch.float64)
    which = torch.multinomial(torch.tensor(noise.shares), shape[0] * shape[1], True, generator=generator)
    s = spread[which].view(shape)
    reported = law.gather(-1, tokens).squeeze(-1)
    x = s * torch.randn(shape, generator=generator, dtype=torch.float64) - s * s / 2
    entropy = -(law.exp() * law).sum(-1)
    return {
        "token_ids": tokens.squeeze(-1),
        "rollout_logprobs": (reported - x).clamp_max(0.0),
        "trainer_logprobs": reported,
        "mask": torch.ones(shape, dtype=torch.long),
        "entropy": entropy,
        "varentropy": (law.exp() * law * law).sum(-1) - entropy**2,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    generator = torch.Generator().manual_seed(0)
    batch = step(NOISES[1], (64, 512), generator)
    for name, columns in (
        ("torch", batch),
        ("numpy", {k: v.numpy() for k, v in batch.items()}),
        ("lists", {k: v.tolist() for k, v in batch.items()}),
    ):
        times = []
        for _ in range(5):
            gate = ParityGate(Contract(lag=0))
            begun = time.process_time()
            gate.add(step=0, **columns)
            added = time.process_time()
            gate.judge(0)
            times.append((added - begun, time.process_time() - added))
        update, look = (min(column) * 1e3 for column in zip(*times, strict=True))
        print(f"64 x 512 tokens, {name}: {update:.0f} ms a batch, {look:.0f} ms a look")
    for noise in NOISES:
        gate = ParityGate(Contract(lag=0, kind=noise.kind), every=1)
        decisions = [gate.update(step=i, **step(noise, (16, 48), generator)).decision for i in range(steps)]
        alarms = sum(decision in ("fail", "invalid") for decision in decisions)
        upper = f", below {bound(steps):.2%} a look" if not alarms else ""
        print(f"{noise.kind}: {alarms} alarms in {steps} clean looks{upper}; {decisions.count('pass')} pass")


if __name__ == "__main__":
    main()
