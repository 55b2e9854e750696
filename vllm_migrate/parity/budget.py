"""False alarms: how the allowed probability is split over looks and gates, and what looks without alarm show."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from vllm_migrate.smoke.stats import Levels


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

    def levels(self, look: int) -> Levels:
        """The intervals a fail at this look has to clear."""
        each = self.share(look) / self.gates
        z = NormalDist().inv_cdf(1 - each / 2)
        return Levels(1 - each, z, z)


def bound(looks: int, confidence: float = 0.95) -> float:
    """What `looks` looks without a false alarm show: the probability of one in a look is below this (0 in 200: 1.5 %)."""
    return 1.0 - (1.0 - confidence) ** (1.0 / looks) if looks > 0 else 1.0
