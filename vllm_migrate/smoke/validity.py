"""Which logprobs are no evidence. No dependency: the parity gate looks at a running trainer's with this."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Completions servers write -9999 for a logprob of -inf.
SERVER_FLOOR = -9998.0
# A logprob above this is no rounding of 0.
MOST = 1e-4


def defect_of(logprobs: Sequence[float | None]) -> str | None:
    """Why the engine's logprobs of one sequence are no evidence, or None: null, nan or impossible."""
    if any(value is None for value in logprobs):
        return "null-logprob"
    if any(value is not None and math.isnan(value) for value in logprobs):
        return "nan-logprob"
    if any(value is not None and (value > MOST or value <= SERVER_FLOOR) for value in logprobs):
        return "impossible-logprob"
    return None
