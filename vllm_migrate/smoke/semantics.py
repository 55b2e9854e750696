"""Which law was reported, which was sampled, and what that says beside the one the trainer claims (Q1 to Q3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vllm_migrate.smoke.columns import RAW
from vllm_migrate.smoke.recording import Row
from vllm_migrate.smoke.score import DERIVED
from vllm_migrate.smoke.stats import Estimate, median, paired, wilson
from vllm_migrate.smoke.verdict import Blame

# |x| is cut off here when columns are compared, and a token outside a column counts as much.
FAR = 1.0
# A column that leaves out this share of the tokens (lower limit) is not the law they were drawn from.
MANY_OUT = 0.05


class Found(NamedTuple):
    """The best column, its score (nats), and the columns the data cannot tell from it (itself included)."""

    name: str
    score: float
    alike: frozenset[str]

    def preferring(self, claimed: str) -> str:
        """The claimed column where it is among those alike, else the best."""
        return claimed if claimed in self.alike else self.name


def laws(rows: Sequence[Row]) -> list[str]:
    """The columns that all rows of a scored recording have and that are laws of their own."""
    common = set.intersection(*(set(row.scores or ()) for row in rows))
    return [name for name in (rows[0].scores or {}) if name in common and not name.endswith(DERIVED)]


def reported(rows: Sequence[Row], names: Sequence[str]) -> Found:
    """Q1: the column with the smallest median |x| between it and the reported logprobs."""
    medians = {}
    for name in names:
        x = [abs(a - r) for row in rows for a, r in _pairs(row, name) if a is not None]
        medians[name] = median(x) if x else float("inf")
    best = min(names, key=lambda name: (medians[name], _distance(rows, name)))
    alike = {name for name in names if name == best or _covers_zero(_closer(rows, best, name))}
    return Found(best, medians[best], frozenset(alike))


def sampled(rows: Sequence[Row], names: Sequence[str]) -> Found:
    """Q2: the column under which the tokens are most likely, columns that leave many of them out set aside."""
    total = sum(len(row.tokens) for row in rows)
    kept = [name for name in names if wilson(_outside(rows, name), total).low < MANY_OUT] or [RAW]
    best = kept[0]
    for name in kept[1:]:
        if _likelier(rows, name, best).value > 0:
            best = name
    alike = {name for name in kept if name == best or _covers_zero(_likelier(rows, best, name))}
    inside = [a for row in rows for a in _logp(row, best) if a is not None]
    return Found(best, sum(inside) / max(1, len(inside)), frozenset(alike))


def _logp(row: Row, name: str) -> list[float | None]:
    assert row.scores is not None
    return row.scores[name].logp


def _pairs(row: Row, name: str) -> list[tuple[float | None, float]]:
    return [(a, r) for a, r in zip(_logp(row, name), row.logprobs, strict=True) if r is not None]


def _outside(rows: Sequence[Row], name: str) -> int:
    return sum(a is None for row in rows for a in _logp(row, name))


def _far(row: Row, name: str) -> list[float]:
    return [FAR if a is None else min(FAR, abs(a - r)) for a, r in _pairs(row, name)]


def _distance(rows: Sequence[Row], name: str) -> float:
    return sum(sum(_far(row, name)) for row in rows)


def _closer(rows: Sequence[Row], best: str, other: str) -> Estimate:
    """How much closer `best` is to the reported logprobs than `other`, per token."""
    return paired((sum(_far(row, other)) - sum(_far(row, best)), len(row.tokens)) for row in rows)


def _likelier(rows: Sequence[Row], best: str, other: str) -> Estimate:
    """How much likelier the tokens are under `best` than under `other`, per token that lies in both."""
    differences = []
    for row in rows:
        both = [
            (a, b) for a, b in zip(_logp(row, best), _logp(row, other), strict=True) if a is not None and b is not None
        ]
        differences.append((sum(a - b for a, b in both), len(both)))
    return paired(differences)


def _covers_zero(value: Estimate) -> bool:
    return value.low <= 0.0 <= value.high


class Triple(NamedTuple):
    """Reported, sampled, claimed by name; `contract` is the column of the whole contract in the engine's order."""

    reported: Found
    sampled: Found
    claimed: str
    contract: str

    @property
    def names(self) -> tuple[str, str, str]:
        return (self.reported.preferring(self.claimed), self.sampled.preferring(self.contract), self.claimed)


def blame(triple: Triple) -> Blame | None:
    """The semantic fault a triple names, or None where all three agree."""
    told, drawn, claimed = triple.names
    contract = triple.contract
    seen = f"reported {told}, sampled {drawn}, claimed {claimed}"
    for suffix, suspect, why in (
        (
            "@generation_config",
            "sampling-defaults-inherited",
            "the request inherits sampling parameters from generation_config.json",
        ),
        ("@v0", "min-p-order", "min_p was cut after top_k and top_p, as V0 does"),
        ("@v1", "min-p-order", "min_p was cut before top_k and top_p, as V1 does"),
        ("@unrounded", "v0-sampling-params-dtype", "the engine did not round its parameters to bfloat16"),
    ):
        if drawn.endswith(suffix) or (told.endswith(suffix) and drawn != contract):
            return Blame("semantic", (suspect,), (f"{why} ({seen})",))
    if told == claimed == drawn:
        return None
    if drawn != contract:
        return Blame(
            "semantic",
            ("sampling-defaults-inherited",),
            (
                f"the tokens were not sampled as the contract says ({seen}): the request lost or gained sampling parameters",
            ),
        )
    if told == contract:
        return _trainer_side(claimed, contract, seen)
    if claimed == told:
        why = f"{told} on both sides: the ratio is right and both miss what was sampled ({seen})"
        return Blame("semantic", ("logprobs-semantics",), (why,))
    why = f"the engine reports {told} logprobs for tokens sampled from {drawn} ({seen})"
    return Blame("semantic", ("logprobs-semantics",), (why,))


def _trainer_side(claimed: str, contract: str, seen: str) -> Blame:
    if claimed == RAW and contract.split("@")[0].split("+")[0] in ("T", "pen"):
        return Blame(
            "semantic",
            ("trainer-temperature",),
            (f"the trainer scores untempered logits, the engine reports processed logprobs ({seen})",),
        )
    return Blame(
        "semantic",
        ("truncation-bias",),
        (f"the engine renormalises over the truncated support, the trainer does not ({seen})",),
    )
