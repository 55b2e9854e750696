"""What one side's rows say against one column: sums per cluster, and the shape of the disagreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from vllm_migrate.smoke import stats
from vllm_migrate.smoke.recording import Row
from vllm_migrate.smoke.score import OTHER_HEAD, REPLAY
from vllm_migrate.smoke.stats import Estimate, Estimates, Sums, estimate, merge, paired, ratio, slope, sums

HEAVY_TOP, HEAVY_SHARE = 0.01, 0.6
DECILES = 10


class Against(NamedTuple):
    """Rows against one column: `columns[i]` is (log p, entropy, varentropy) of `rows[i]`."""

    rows: list[Row]
    logp: list[list[float | None]]
    entropy: list[list[float] | None]
    varentropy: list[list[float] | None]

    @classmethod
    def column(cls, rows: Sequence[Row], name: str, entropy_of: str | None = None) -> Against:
        """The rows against a scored column; entropies come from `entropy_of` where that is another one."""
        scores = [row.scores or {} for row in rows]
        law = [s[entropy_of or name] for s in scores]
        return cls(list(rows), [s[name].logp for s in scores], [c.entropy for c in law], [c.varentropy for c in law])

    @classmethod
    def claimed(cls, rows: Sequence[Row], name: str) -> Against:
        """The claimed column, with the recorded support replayed where there is one."""
        replayed = all(name + REPLAY in (row.scores or {}) for row in rows)
        return cls.column(rows, name + REPLAY, name) if replayed else cls.column(rows, name)

    def sums(self) -> list[Sums]:
        """One entry a cluster: sequences of the same prompt are one."""
        groups: dict[tuple[int, ...], list[Sums]] = {}
        for row, logp, entropy, varentropy in zip(*self, strict=True):
            reported = [value if value is not None else math.nan for value in row.logprobs]
            groups.setdefault(tuple(row.prompt), []).append(sums(logp, reported, entropy, varentropy))
        return [merge(parts) for parts in groups.values()]

    def estimates(self) -> Estimates | None:
        """None where no token lies in the column's support."""
        groups = self.sums()
        return estimate(groups) if sum(g.n for g in groups) else None

    def x(self, index: int) -> list[float]:
        """a - reported of the finite tokens of one row."""
        return [
            a - r
            for a, r in zip(self.logp[index], self.rows[index].logprobs, strict=True)
            if a is not None and r is not None
        ]

    def outside(self) -> int:
        return sum(a is None for logp in self.logp for a in logp)

    def k3_of(self, index: int) -> tuple[float, int]:
        """Sum of k3 over the finite tokens of a row, and their number."""
        parts = self.k3_deciles(index)
        return sum(total for total, _ in parts), sum(count for _, count in parts)

    def k3_deciles(self, index: int, most: float = math.inf) -> list[tuple[float, int]]:
        """The same for each tenth of the row; a token counts for `most` at most."""
        reported = self.rows[index].logprobs
        totals, counts = [0.0] * DECILES, [0] * DECILES
        for position, (a, r) in enumerate(zip(self.logp[index], reported, strict=True)):
            if a is not None and r is not None:
                tenth = position * DECILES // len(reported)
                totals[tenth] += min(most, k3(a - r))
                counts[tenth] += 1
        return list(zip(totals, counts, strict=True))


def k3(x: float) -> float:
    """r - 1 - x, cut off where it would overflow."""
    return math.expm1(min(x, 50.0)) - x


class Heads(NamedTuple):
    """Which precision the two heads have. Every estimate is over the tokens that both precisions scored.

    ratio: k3 under the trainer's head over k3 under the other one. With d = low - float32, the trainer's logprobs under
    its two heads, and e = reported - float32: rounding is sum(e d) / sum(d d), 1 where the engine rounds as the trainer
    does and 0 where it does not round (noise of the layers before the head lowers it), and noise is sum(e e) / sum(d d).
    An engine that rounds differs from float32 by its rounding at least, so noise below 1 shows a float32 head.
    """

    trainer: str
    other: str
    ratio: Estimate
    rounding: Estimate
    noise: Estimate

    @property
    def engine(self) -> str | None:
        """The precision of the engine's head; None where the recording does not show it."""
        low = self.other if self.trainer == "float32" else self.trainer
        return low if self.rounding.low > 0 else "float32" if self.noise.high < 1 else None


def heads(rows: Sequence[Row], name: str, trainer: str, other: str | None) -> Heads | None:
    """What a column scored with the trainer's head and with one of the other precision says; None where only one was scored."""
    if other is None or not all(name + OTHER_HEAD in (row.scores or {}) for row in rows):
        return None
    claimed, switched = Against.column(rows, name), Against.column(rows, name + OTHER_HEAD)
    spreads, roundings, noises = [], [], []
    for i, row in enumerate(rows):
        both = [
            (a - r, b - r)
            for a, b, r in zip(claimed.logp[i], switched.logp[i], row.logprobs, strict=True)
            if a is not None and b is not None and r is not None
        ]
        spreads.append((sum(k3(x) for x, _ in both), sum(k3(y) for _, y in both)))
        exact = [(-x, y - x) if trainer == "float32" else (-y, x - y) for x, y in both]
        squares = sum(d * d for _, d in exact)
        roundings.append((sum(e * d for e, d in exact), squares))
        noises.append((sum(e * e for e, _ in exact), squares))
    return Heads(trainer, other, ratio(spreads), slope(roundings), ratio(noises))


def k3_by_decile(data: Against) -> list[Estimate]:
    """k3 per token in each tenth of the sequences, the first tenth first; empty where sequences are too short for it."""
    rows = [data.k3_deciles(index) for index in range(len(data.rows))]
    found = [paired([row[tenth] for row in rows]) for tenth in range(DECILES)]
    return found if all(sum(row[tenth][1] for row in rows) for tenth in range(DECILES)) else []


def drift_by_position(data: Against) -> Estimate:
    """k3 per token in the first three tenths over that in the last three: above 1 falls (BOS, template), below 1 grows
    (rope). A token counts for 1 nat at most, so that a few of them do not hide a trend of all.
    """
    pairs = []
    for index in range(len(data.rows)):
        tenths = data.k3_deciles(index, 1.0)
        first, n = (sum(part) for part in zip(*tenths[:3], strict=True))
        last, m = (sum(part) for part in zip(*tenths[-3:], strict=True))
        if n and m:
            pairs.append((first / n, last / m))
    return ratio(pairs)


def by_version(data: Against) -> dict[str, Estimate]:
    """k3 per token of the sequences of each weight version, where rows name one."""
    groups: dict[str, list[tuple[float, int]]] = {}
    for index, row in enumerate(data.rows):
        if row.versions:
            groups.setdefault(str(row.versions[0]), []).append(data.k3_of(index))
    return {version: paired(parts) for version, parts in groups.items()}


def shifted(data: Against, by: int) -> float:
    """Mean |x| (cut off at 1) when the reported logprobs are moved by `by` tokens."""
    parts = [stats.shifted(logp, row.logprobs, by) for logp, row in zip(data.logp, data.rows, strict=True)]
    return sum(total for total, _ in parts) / max(1, sum(count for _, count in parts))


def heavy_tail(data: Against) -> float:
    """The share of all k3 that the worst hundredth of the tokens carries."""
    values = sorted((k3(x) for i in range(len(data.rows)) for x in data.x(i)), reverse=True)
    total = sum(values)
    return sum(values[: max(1, int(len(values) * HEAVY_TOP))]) / total if total > 0 else 0.0


def seen_and_unseen(data: Against) -> tuple[Estimate, Estimate] | None:
    """Mean x (cut off at 1) of tokens that had occurred in prompt or output, and of the others.

    Noise makes both negative; a penalty that one side does not know makes them differ in sign.
    """
    seen: list[tuple[float, int]] = []
    fresh: list[tuple[float, int]] = []
    for logp, row in zip(data.logp, data.rows, strict=True):
        before = set(row.prompt)
        sums, counts = [0.0, 0.0], [0, 0]
        for token, a, r in zip(row.tokens, logp, row.logprobs, strict=True):
            if a is not None and r is not None:
                sums[token in before] += max(-1.0, min(1.0, a - r))
                counts[token in before] += 1
            before.add(token)
        fresh.append((sums[0], counts[0]))
        seen.append((sums[1], counts[1]))
    return (paired(seen), paired(fresh)) if sum(count > 0 for _, count in seen) > 3 else None


def cached_against_fresh(data: Against) -> tuple[Estimate, Estimate] | None:
    """k3 per token of prompts with cached tokens, and of those without; None where one kind is missing."""
    kinds: dict[bool, list[tuple[float, int]]] = {True: [], False: []}
    for i, row in enumerate(data.rows):
        if row.cached is not None:
            kinds[row.cached > 0].append(data.k3_of(i))
    if min(len(kinds[True]), len(kinds[False])) < 2:
        return None
    return paired(kinds[True]), paired(kinds[False])
