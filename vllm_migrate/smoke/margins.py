"""What counts as agreement, by dtype and size, as data. D margins come from simulation
(benchmarks/smoke_calibration.py); b, k3 and out are starting values to calibrate on real models.
"""

from __future__ import annotations

from typing import NamedTuple

# From this many tokens on, the margins of 64 x 512 hold; below, those of 16 x 48.
LARGE = 16_000
# A pass needs this many clusters for the t interval of a variance that they estimate themselves, and tokens to compare.
FEWEST_PROMPTS, FEWEST_TOKENS = 8, 128
# A model this narrow is a test model: its bfloat16 noise is ten times a real one's.
TINY_HIDDEN = 512
# k3 of a run over k3 of its reference run; and of the head claimed over the better head.
SPREAD_RATIO, HEAD_RATIO = 1.5, 1.5


class Margins(NamedTuple):
    """D and b in nats and relative temperature, k3 in nats a token, `out` a share of tokens."""

    name: str
    d: float
    b: float
    k3: float
    k3_band: float
    out: float
    says: str


SMALL_SAYS = "finds the wrong logprob mode and temperature errors above about 15 %; does not exclude smaller ones"
LARGE_SAYS = "finds offsets and temperature errors of the size of the margins"

# kind: (large, small)
TABLE: dict[str, tuple[Margins, Margins]] = {
    "fp32": (
        Margins("fp32, 64 x 512", 1e-3, 0.02, 1e-6, 1e-7, 0.002, LARGE_SAYS),
        Margins("fp32, 16 x 48", 1e-3, 0.15, 1e-6, 1e-7, 0.002, SMALL_SAYS),
    ),
    "bf16-tiny": (
        Margins("bf16 tiny model, 64 x 512", 0.03, 0.05, 2e-2, 1e-2, 0.03, LARGE_SAYS),
        Margins("bf16 tiny model, 16 x 48", 0.03, 0.15, 2e-2, 1e-2, 0.03, SMALL_SAYS),
    ),
    "bf16": (
        Margins("bf16 dense, 64 x 512", 0.005, 0.02, 1e-2, 1e-3, 0.01, LARGE_SAYS),
        Margins("bf16 dense, 16 x 48", 0.01, 0.15, 1e-2, 1e-3, 0.02, SMALL_SAYS),
    ),
    "moe": (
        Margins("MoE, 64 x 512", 0.01, 0.02, 1.5e-2, 3e-3, 0.01, LARGE_SAYS),
        Margins("MoE, 16 x 48", 0.03, 0.15, 1.5e-2, 3e-3, 0.02, SMALL_SAYS),
    ),
    "fp8": (
        Margins("block fp8, 64 x 512", 0.01, 0.02, 2e-2, 5e-3, 0.01, LARGE_SAYS),
        Margins("block fp8, 16 x 48", 0.03, 0.15, 2e-2, 5e-3, 0.02, SMALL_SAYS),
    ),
    "mxfp8": (
        Margins("MXFP8, 64 x 512", 0.02, 0.03, 0.15, 0.05, 0.02, LARGE_SAYS),
        Margins("MXFP8, 16 x 48", 0.06, 0.15, 0.15, 0.05, 0.03, SMALL_SAYS),
    ),
}


def kind_of(dtype: str, quantization: str | None = None, experts: int = 0, hidden_size: int = 0) -> str:
    """The row of the table: the noisiest of what the two sides use decides."""
    scheme = (quantization or "").lower()
    if "mxfp" in scheme or "nvfp4" in scheme or "fp4" in scheme:
        return "mxfp8"
    if "fp8" in scheme:
        return "fp8"
    if experts:
        return "moe"
    if dtype in ("float32", "fp32", "float"):
        return "fp32"
    return "bf16-tiny" if 0 < hidden_size < TINY_HIDDEN else "bf16"


def select(kind: str, tokens: int) -> Margins:
    """The margins of a kind of noise at a number of tokens."""
    large, small = TABLE[kind]
    return large if tokens >= LARGE else small
