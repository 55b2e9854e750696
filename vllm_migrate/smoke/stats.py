"""The estimators of the parity test, from sums over clusters. Nats throughout; no dependency.

Per token: a = log p(token) on the trainer's claimed column, x = a - reported logprob, r = e^x, C = -a - H. Sums are
taken per cluster (a sequence, or a prompt where it was sampled more than once), so that a long recording costs
little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

LEVEL_D = 0.95  # two-sided, on D and k3
LEVEL_B = 1.645  # standard errors on b: a 90 % interval
Z_SHARE = 1.96  # standard errors on a share
CLIP = 10.0  # a fail of D must survive ratios clipped here
NO_RATIO = 1e-300  # in place of a mean ratio that a float cannot hold
MIN_ESS, MAX_K3 = 0.2, 0.3  # outside: the models differ too much for D

Outcome = Literal["pass", "fail", "inconclusive"]


class Levels(NamedTuple):
    """How wide intervals are: `d` is the two-sided level of D and k3, `b` and `share` are standard errors."""

    d: float = LEVEL_D
    b: float = LEVEL_B
    share: float = Z_SHARE


SMOKE = Levels()


class Sums(NamedTuple):
    """Sums over the finite tokens of one cluster; `out` counts tokens outside the claimed support."""

    n: int
    out: int
    r: float
    r2: float
    clipped: float
    k3: float
    x: float
    absolute: float
    c: float
    v: float


def merge(parts: Iterable[Sums]) -> Sums:
    """The sums of several clusters as one."""
    n, out, r, r2, clipped, k3, x, absolute, c, v = zip(*parts, strict=True)
    f = math.fsum
    return Sums(sum(n), sum(out), f(r), f(r2), f(clipped), f(k3), f(x), f(absolute), f(c), f(v))


def sums(
    a: Sequence[float | None],
    reported: Sequence[float],
    entropy: Sequence[float] | None = None,
    varentropy: Sequence[float] | None = None,
) -> Sums:
    """The sums of one sequence. None or -inf in `a` is a token outside the support."""
    n = out = 0
    r_sum = r2 = clipped = k3 = x_sum = absolute = c = v = 0.0
    for i, (value, logprob) in enumerate(zip(a, reported, strict=True)):
        if value is None or not math.isfinite(value):
            out += 1
            continue
        n += 1
        x = value - logprob
        r = math.exp(min(x, 700.0))
        r_sum += r
        r2 += min(r * r, 1e300)
        clipped += min(r, CLIP)
        k3 += math.expm1(min(x, 700.0)) - x
        x_sum += x
        absolute += abs(x)
        if entropy is not None and varentropy is not None:
            c += -value - entropy[i]
            v += varentropy[i]
    return Sums(n, out, r_sum, r2, clipped, k3, x_sum, absolute, c, v)


class Estimate(NamedTuple):
    """A value with its interval; `low` and `high` are equal to it where no interval can be given."""

    value: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


class Estimates(NamedTuple):
    """Everything the gates look at. `b` is None where the trainer gives no entropy."""

    clusters: int
    n: int
    out: Estimate
    d: Estimate
    clipped_d: float
    b: Estimate | None
    k3: Estimate
    ess: float
    mean_ratio: float
    mean_x: float
    mean_abs: float

    @property
    def interpretable(self) -> bool:
        """Whether D means anything: enough effective samples, not too much spread."""
        return self.n > 0 and self.ess >= MIN_ESS and self.k3.value <= MAX_K3

    @property
    def copies(self) -> bool:
        """Whether the clusters differ from the other side, and all by the same sums: copies, which show no variance."""
        return self.k3.value > 0 and all(e.half <= 1e-9 * abs(e.value) for e in (self.d, self.k3))


def estimate(groups: Sequence[Sums], levels: Levels = SMOKE) -> Estimates:
    """The estimators over clusters. Raises ValueError when no token is finite."""
    total = merge(groups)
    n, out = total.n, total.out
    if n == 0:
        raise ValueError("no token is in the claimed support")
    mean_r = max(total.r / n, NO_RATIO)
    g = len(groups)
    d_se = _clustered([s.r - s.n * mean_r for s in groups]) / (n * mean_r)
    mean_k3 = total.k3 / n
    k3_se = _clustered([s.k3 - s.n * mean_k3 for s in groups]) / n
    t = student_t(levels.d, g - 1) if g > 1 else math.inf
    center = math.log(mean_r)
    b = None
    if total.v > 0:
        slope, h = -total.c / total.v, levels.b / math.sqrt(total.v)
        b = Estimate(slope, slope - h, slope + h)
    return Estimates(
        g,
        n,
        wilson(out, n + out, levels.share),
        around(center, t, d_se),
        math.log(max(total.clipped / n, NO_RATIO)),
        b,
        around(mean_k3, t, k3_se),
        total.r * total.r / (total.r2 * n) if total.r2 else 0.0,
        mean_r,
        total.x / n,
        total.absolute / n,
    )


def around(center: float, t: float, se: float) -> Estimate:
    """center +- t se; a single cluster (infinite t) has an infinite interval."""
    h = t * se if math.isfinite(t) else math.inf
    return Estimate(center, center - h, center + h)


def _clustered(deviations: Sequence[float]) -> float:
    """Standard error of a sum of cluster totals with mean zero, with the G/(G-1) correction."""
    g = len(deviations)
    if g < 2:
        return 0.0
    return math.sqrt(math.fsum(d * d for d in deviations) * g / (g - 1))


def paired(differences: Iterable[tuple[float, int]], level: float = LEVEL_D) -> Estimate:
    """Mean difference per token from (sum over a cluster, tokens in it), with its cluster-robust t interval."""
    pairs = list(differences)
    n = sum(count for _, count in pairs)
    if n == 0:
        return Estimate(0.0, -math.inf, math.inf)
    mean = math.fsum(value for value, _ in pairs) / n
    se = _clustered([value - count * mean for value, count in pairs]) / n
    return around(mean, student_t(level, len(pairs) - 1) if len(pairs) > 1 else math.inf, se)


def ratio(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """Ratio of the sums of paired cluster totals, with a cluster-robust interval on its logarithm (delta method)."""
    top, bottom = math.fsum(p for p, _ in pairs), math.fsum(q for _, q in pairs)
    if top <= 0 or bottom <= 0 or len(pairs) < 2:
        return Estimate(math.nan, 0.0, math.inf)
    center = math.log(top / bottom)
    se = _clustered([p / top - q / bottom for p, q in pairs])
    h = student_t(LEVEL_D, len(pairs) - 1) * se
    return Estimate(math.exp(center), math.exp(center - h), math.exp(center + h))


def slope(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """Ratio of the sums of paired cluster totals, of which the first may be negative (delta method)."""
    top, bottom = math.fsum(p for p, _ in pairs), math.fsum(q for _, q in pairs)
    if bottom <= 0 or len(pairs) < 2:
        return Estimate(math.nan, -math.inf, math.inf)
    value = top / bottom
    se = _clustered([p - value * q for p, q in pairs]) / bottom
    return around(value, student_t(LEVEL_D, len(pairs) - 1), se)


def unpaired_ratio(top: Estimate, bottom: Estimate) -> Estimate:
    """Ratio of two independent positive estimates (two runs); the half-widths add in quadrature on the logarithm."""
    if top.value <= 0 or bottom.value <= 0:
        return Estimate(math.nan, 0.0, math.inf)
    h = math.hypot(top.half / top.value, bottom.half / bottom.value)
    center = math.log(top.value / bottom.value)
    return Estimate(
        math.exp(center), math.exp(center - h) if h < 700 else 0.0, math.exp(center + h) if h < 700 else math.inf
    )


def wilson(hits: int, n: int, z: float = Z_SHARE) -> Estimate:
    """A share with Wilson's interval."""
    if n == 0:
        return Estimate(0.0, 0.0, 1.0)
    p, z2 = hits / n, z * z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    h = z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(p, max(0.0, middle - h), min(1.0, middle + h))


def gate(value: Estimate, margin: float) -> Outcome:
    """PASS |c| + h < margin; FAIL |c| - h > margin; else INCONCLUSIVE."""
    if abs(value.value) + value.half < margin:
        return "pass"
    return "fail" if abs(value.value) - value.half > margin else "inconclusive"


def gate_d(numbers: Estimates, margin: float) -> Outcome:
    """D's gate: nothing where the models differ too much for D; a fail must survive clipped ratios."""
    if not numbers.interpretable:
        return "inconclusive"
    outcome = gate(numbers.d, margin)
    same_side = numbers.clipped_d * numbers.d.value > 0 and abs(numbers.clipped_d) > margin
    return "inconclusive" if outcome == "fail" and not same_side else outcome


def ceiling(value: Estimate, limit: float) -> Outcome:
    """FAIL if the lower limit is over the ceiling, PASS if the upper one is under it."""
    if value.low > limit:
        return "fail"
    return "pass" if value.high < limit else "inconclusive"


def share(value: Estimate, limit: float) -> Outcome:
    """A share passes at or under its limit; it fails only when its interval lies over it."""
    if value.value <= limit:
        return "pass"
    return "fail" if value.low > limit else "inconclusive"


def shifted(a: Sequence[float | None], reported: Sequence[float | None], by: int) -> tuple[float, int]:
    """Sum of |x| (cut off at 1) of one sequence when its reported logprobs are moved by `by` tokens, and the pairs."""
    pairs = zip(a[max(0, by) :], reported[max(0, -by) :], strict=False)
    found = [min(1.0, abs(p - q)) for p, q in pairs if p is not None and q is not None]
    return sum(found), len(found)


def tokens_needed(value: Estimate, margin: float, n: int) -> int | None:
    """Tokens at which the interval would clear the margin, if the value stays; None when it lies on the margin."""
    room = abs(margin - abs(value.value))
    if not math.isfinite(value.half) or room <= 0:
        return None
    room = max(room, margin / 10)
    return max(n + 1, math.ceil(n * (value.half / room) ** 2))


def student_t(level: float, df: int) -> float:
    """The two-sided quantile: P(|T| <= t) = level for Student's t with `df` degrees of freedom."""
    if df < 1:
        return math.inf
    low, high = 0.0, 2.0
    while _t_mass(high, df) < level:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_mass(middle, df) < level else (low, middle)
    return (low + high) / 2


def _t_mass(t: float, df: int) -> float:
    """P(|T| <= t): one minus the regularised incomplete beta at df / (df + t^2)."""
    return 1.0 - _beta(df / (df + t * t), df / 2, 0.5)


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    f = c = 1.0
    d = 0.0
    for i in range(400):
        m = i // 2
        if i == 0:
            term = 1.0
        elif i % 2 == 0:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        else:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 + term * d
        d = 1.0 / (d if abs(d) > tiny else tiny)
        c = 1.0 + term / (c if abs(c) > tiny else tiny)
        f *= c * d
        if abs(c * d - 1.0) < 1e-14:
            break
    return front * (f - 1.0)


def median(values: Sequence[float]) -> float:
    """The median; nan of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
