"""The estimators against closed forms and simulation."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from vllm_migrate.smoke import margins, stats
from vllm_migrate.smoke.stats import Estimate, estimate, gate, student_t, sums


@pytest.mark.parametrize(
    ("df", "level", "t"),
    [
        (1, 0.95, 12.7062),
        (5, 0.95, 2.57058),
        (15, 0.95, 2.13145),
        (63, 0.95, 1.99834),
        (15, 0.90, 1.75305),
        (10_000, 0.95, 1.9602),
    ],
)
def test_student_t_quantiles(df: Any, level: Any, t: Any) -> None:
    assert student_t(level, df) == pytest.approx(t, rel=1e-4)


def test_sums_by_hand() -> None:
    found = sums([-1.0, None, -2.0], [-1.5, -3.0, -2.0], [1.0, 1.0, 1.5], [0.5, 9.0, 0.25])
    assert (found.n, found.out) == (2, 1)
    assert found.r == pytest.approx(math.exp(0.5) + 1)
    assert found.k3 == pytest.approx(math.exp(0.5) - 1.5)
    assert found.c == pytest.approx((1.0 - 1.0) + (2.0 - 1.5))
    assert found.v == pytest.approx(0.75)


def noise(rms: Any, clusters: int = 16, tokens: int = 48, seed: int = 0, offset: float = 0.0) -> Any:
    """log-normal noise with E[r] = e^offset exactly."""
    generator = random.Random(seed)
    found = []
    for _ in range(clusters):
        x = [generator.gauss(offset - rms * rms / 2, rms) for _ in range(tokens)]
        found.append(sums(x, [0.0] * tokens))
    return estimate(found)


def test_d_covers_zero_as_often_as_it_says() -> None:
    hits = sum(noise(0.07, seed=s).d.low <= 0 <= noise(0.07, seed=s).d.high for s in range(300))
    assert 0.90 <= hits / 300 <= 0.99


def test_an_offset_is_found() -> None:
    assert noise(0.05, offset=0.1).d.low > 0.05
    assert gate(noise(0.05, offset=0.1).d, 0.03) == "fail"
    assert gate(noise(0.05).d, 0.03) == "pass"


def test_mean_x_is_not_zero_under_healthy_noise_and_d_is() -> None:
    found = noise(0.3, clusters=64, tokens=200)
    assert found.mean_x == pytest.approx(-0.045, abs=0.01)
    assert found.d.low < 0 < found.d.high


def test_widely_different_models_are_not_interpretable() -> None:
    assert noise(0.1).interpretable
    assert not noise(2.0).interpretable


def test_correlated_tokens_widen_the_interval() -> None:
    generator, together = random.Random(1), []
    for _ in range(40):
        shift = generator.gauss(0, 0.05)
        together.append(sums([generator.gauss(shift, 0.05) for _ in range(50)], [0.0] * 50))
    assert estimate(together).d.half > 3 * noise(0.05, clusters=40, tokens=50).d.half


def test_temperature_error_is_read_from_calibration() -> None:
    """Tokens drawn at T = 0.8 from a law the trainer claims at T = 1: b is near 0.25 to first order."""
    generator = random.Random(0)
    logits = [generator.gauss(0, 1) for _ in range(50)]

    def law(t: Any) -> Any:
        z = [v / t for v in logits]
        norm = math.log(sum(map(math.exp, z)))
        return [v - norm for v in z]

    claimed, true = law(1.0), law(0.8)
    h = -sum(math.exp(v) * v for v in claimed)
    v = sum(math.exp(p) * p * p for p in claimed) - h * h
    groups = []
    for _ in range(32):
        drawn = generator.choices(range(50), [math.exp(p) for p in true], k=100)
        a = [claimed[i] for i in drawn]
        groups.append(sums(a, a, [h] * 100, [v] * 100))
    b = estimate(groups).b
    assert b.low > 0.1
    assert b.value == pytest.approx(0.25, abs=0.08)
    assert estimate(groups).d.value == 0.0  # D cannot see it


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (Estimate(0.0, -0.004, 0.004), "pass"),
        (Estimate(0.02, 0.015, 0.025), "fail"),
        (Estimate(-0.02, -0.025, -0.015), "fail"),
        (Estimate(0.004, -0.002, 0.010), "inconclusive"),
        (Estimate(0.0, -math.inf, math.inf), "inconclusive"),
    ],
)
def test_the_gate(value: Any, outcome: Any) -> None:
    assert gate(value, 0.005) == outcome


def test_tokens_needed_shrink_the_interval_below_the_margin() -> None:
    n = stats.tokens_needed(Estimate(0.002, -0.004, 0.008), 0.005, 1000)
    assert n == pytest.approx(4000, rel=0.01)
    assert stats.tokens_needed(Estimate(0.0, -math.inf, math.inf), 0.005, 1000) is None


def test_a_single_cluster_decides_nothing() -> None:
    found = estimate([sums([0.0] * 9, [0.0] * 9)])
    assert gate(found.d, 1.0) == "inconclusive"


def test_estimate_needs_a_token() -> None:
    with pytest.raises(ValueError, match="claimed support"):
        estimate([sums([None], [-1.0])])


@pytest.mark.parametrize(
    ("args", "kind"),
    [
        (("float32",), "fp32"),
        (("bfloat16", None, 0, 128), "bf16-tiny"),
        (("bfloat16", None, 0, 4096), "bf16"),
        (("bfloat16", "fp8", 0, 4096), "fp8"),
        (("bfloat16", None, 64, 4096), "moe"),
        (("bfloat16", "mxfp8", 64, 4096), "mxfp8"),
    ],
)
def test_margins_follow_the_noisiest_part(args: Any, kind: str) -> None:
    assert margins.kind_of(*args) == kind
    assert margins.select(kind, 768).b >= margins.select(kind, 64 * 512).b
