"""What the gate answers at a step."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from vllm_migrate.smoke.verdict import SEVERITY, Blame, Metric
from vllm_migrate.smoke.verdict import Decision as Judged

# pending: a step between two looks, at which nothing is judged.
Decision = Judged | Literal["pending"]


class Verdict(NamedTuple):
    """`blame` is the first alarm in the order invalid, D, b, k3; `informs` are findings that raise none.

    `metrics` have the smoke proof's names and units; `invalid` counts sequences by what is wrong with them.
    """

    step: int
    decision: Decision
    blame: Blame = Blame()
    metrics: dict[str, Metric] = {}
    n_sequences: int = 0
    n_tokens: int = 0
    invalid: dict[str, int] = {}
    informs: tuple[Blame, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether the run should not go on as it is."""
        return self.decision in ("fail", "invalid")

    def describe(self) -> str:
        """One line: the decision, the layer, the suspects and why."""
        layer = f" [{self.blame.layer}]" if self.blame.layer else ""
        suspects = f" {', '.join(self.blame.suspects)}" if self.blame.suspects else ""
        why = f": {'; '.join(self.blame.reasons)}" if self.blame.reasons else ""
        return f"parity at step {self.step}: {self.decision}{layer}{suspects}{why}"

    def json(self) -> dict[str, Any]:
        """The keys of the smoke proof's verdict, with `step` and `informs`; numbers that JSON cannot hold are null."""
        return {
            "schema": 1,
            "step": self.step,
            "verdict": self.decision,
            "layer": self.blame.layer,
            "suspects": list(self.blame.suspects),
            "metrics": {name: metric.json() for name, metric in self.metrics.items()},
            "n_sequences": self.n_sequences,
            "n_tokens": self.n_tokens,
            "invalid": self.invalid,
            "informs": [
                {"layer": b.layer, "suspects": list(b.suspects), "reasons": list(b.reasons)} for b in self.informs
            ],
            "notes": [*self.blame.reasons, *([self.blame.decide] if self.blame.decide else []), *self.notes],
        }

    def scalars(self, prefix: str = "parity/") -> dict[str, float]:
        """Flat finite numbers for a logger; `decision` is 0 pass, 1 inconclusive, 2 fail, 3 invalid."""
        found: dict[str, float] = {"decision": SEVERITY[self.decision], "tokens": self.n_tokens}
        found["sequences"], found["invalid"] = self.n_sequences, sum(self.invalid.values())
        for name, metric in self.metrics.items():
            found[name] = metric.value
            if metric.gate is not None:
                found |= {f"{name}_low": metric.low, f"{name}_high": metric.high}
        return {prefix + name: float(value) for name, value in found.items() if math.isfinite(value)}
