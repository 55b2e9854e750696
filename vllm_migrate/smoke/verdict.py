"""The answer: a verdict, the layer that moved, suspects by rule name, and the numbers behind it."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from vllm_migrate.smoke.stats import Estimate, Outcome

Decision = Literal["pass", "fail", "inconclusive", "invalid"]
Layer = Literal["semantic", "inference-path", "weight-update", "numerics"]

EXIT = {"pass": 0, "fail": 1, "invalid": 1, "inconclusive": 4}
DISCLAIMER = "This does not show that training curves will match."


class Metric(NamedTuple):
    """One number with its interval; `gate` is None where it is shown only."""

    value: float
    low: float
    high: float
    margin: float | None = None
    gate: Outcome | None = None

    @classmethod
    def of(cls, estimate: Estimate, margin: float | None = None, gate: Outcome | None = None) -> Metric:
        return cls(estimate.value, estimate.low, estimate.high, margin, gate)

    def json(self) -> dict[str, Any]:
        parts = {"value": self.value, "low": self.low, "high": self.high, "margin": self.margin}
        numbers = {k: v if v is None or math.isfinite(v) else None for k, v in parts.items()}
        return {**numbers, "gate": self.gate}


class Blame(NamedTuple):
    """Which layer moved and who is suspected; more than one suspect is a set that the data cannot tell apart."""

    layer: Layer | None = None
    suspects: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    decide: str = ""  # the measurement that would tell the suspects apart


class SmokeVerdict(NamedTuple):
    """What `compare` answers. `notes` say what was seen and what the verdict does not show."""

    decision: Decision
    blame: Blame
    metrics: dict[str, Metric]
    columns: dict[str, str | None]
    n_sequences: int
    n_tokens: int
    invalid: dict[str, int]
    notes: tuple[str, ...] = ()
    tokens_needed: int | None = None

    @property
    def exit_code(self) -> int:
        return EXIT[self.decision]

    def json(self) -> dict[str, Any]:
        """The contract's object; `notes` and `tokens_needed` come on top of it."""
        return {
            "schema": 1,
            "verdict": self.decision,
            "layer": self.blame.layer,
            "suspects": list(self.blame.suspects),
            "metrics": {name: metric.json() for name, metric in self.metrics.items()},
            "columns": self.columns,
            "n_sequences": self.n_sequences,
            "n_tokens": self.n_tokens,
            "invalid": self.invalid,
            "notes": [*self.blame.reasons, *([self.blame.decide] if self.blame.decide else []), *self.notes],
            "tokens_needed": self.tokens_needed,
        }


SEVERITY: dict[str, int] = {"pass": 0, "inconclusive": 1, "fail": 2, "invalid": 3}


def worst(decisions: list[Decision]) -> Decision:
    """INVALID > FAIL > INCONCLUSIVE > PASS."""
    return max(decisions, key=lambda d: SEVERITY[d], default="inconclusive")
