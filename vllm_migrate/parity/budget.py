"""False alarms: how the allowed probability is split over looks and gates, and what looks without alarm show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import NamedTuple

from vllm_migrate.smoke.stats import Levels

BETS = (
    0.05,
    0.1,
    0.2,
    0.4,
    0.8,
)  # what part of its wealth each bettor stakes on a cluster: for many small excesses and few large ones
MOST = 20.0  # a cluster counts for this many ceilings at most, so that it takes three to raise an alarm on their own


class Budget(NamedTuple):
    """At most `total` is the probability of any false alarm in a run of `looks` looks, or, None, in one of any length.

    By Bonferroni, over looks and the `gates` of a look: a run that lies inside the margins fails with less.
    """

    total: float = 0.01
    looks: int | None = None
    gates: int = 5

    def share(self, look: int) -> float:
        """The part of a look, counted from 0; looks beyond the planned ones keep the last one's part."""
        if self.looks:
            return self.total / self.looks
        return self.total * 6 / (math.pi * (look + 1)) ** 2

    def each(self, look: int) -> float:
        """The part of one gate of a look."""
        return self.share(look) / self.gates

    def levels(self, look: int) -> Levels:
        """The intervals a fail at this look has to clear."""
        each = self.each(look)
        z = NormalDist().inv_cdf(1 - each / 2)
        return Levels(1 - each, z, z)


class Evidence(NamedTuple):
    """Evidence that a mean, never negative, lies above its ceiling: it accumulates over looks, by betting.

    A bettor's wealth is multiplied by 1 + bet (y - 1), where y is what a cluster has, in ceilings. With a mean at the
    ceiling or below, no such factor is above 1 in expectation, whatever the distribution and however few the clusters.
    Each look adds its share of the budget, and the probability that the mean wealth ever reaches 1 is at most the sum of
    these shares (Ville). A t interval needs about twenty clusters for that, all of the same look.
    """

    wealth: tuple[float, ...] = (0.0,) * len(BETS)

    def after(self, clusters: Sequence[tuple[float, int]], limit: float, share: float) -> Evidence:
        """With a look's clusters: the sum over the tokens of each, and their number, which weighs it."""
        longest = max((n for _, n in clusters), default=0)
        excess = [n / longest * (min(total / (n * limit), MOST) - 1) for total, n in clusters if n]
        grown = [
            (before + share) * math.exp(min(700.0, math.fsum(math.log1p(bet * y) for y in excess)))
            for bet, before in zip(BETS, self.wealth, strict=True)
        ]
        # Not above 1: after an alarm, clean looks end it at once.
        return Evidence(tuple(wealth / max(1.0, fmean(grown)) for wealth in grown))

    @property
    def enough(self) -> bool:
        """Whether it raises an alarm."""
        return fmean(self.wealth) >= 1 - 1e-9


def bound(looks: int, confidence: float = 0.95) -> float:
    """What `looks` looks without a false alarm show: the probability of one in a look is below this (0 in 200: 1.5 %)."""
    return 1.0 - (1.0 - confidence) ** (1.0 / looks) if looks > 0 else 1.0
