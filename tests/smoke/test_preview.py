"""What noise alone would clip: exact counts, the parity test's own numbers, advantages, the user's length."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from vllm_migrate.smoke.evidence import Against
from vllm_migrate.smoke.preview import SEQUENCE_CLIP, TOKEN_CLIP, Loss, notes, previews
from vllm_migrate.smoke.recording import Row


def against(x: list[list[float]], **fields: list[Any]) -> Against:
    """Rows whose log ratios are `x`; `fields` hold one value a row."""
    rows = [
        Row(prompt=[i], tokens=[7] * len(row), logprobs=[-2.0] * len(row), **{k: v[i] for k, v in fields.items()})
        for i, row in enumerate(x)
    ]
    return Against(rows, [[v - 2.0 for v in row] for row in x], [None] * len(rows), [None] * len(rows))


def test_each_side_is_counted_at_its_own_epsilon() -> None:
    data = against([[math.log(0.7), 0.0, math.log(1.25), math.log(1.15)], [0.0, 0.0, 0.0, math.log(0.85)]])
    found = previews(data, Loss(token=(0.2, 0.2)))
    assert (found["clip_token_low"].value, found["clip_token_high"].value) == (1 / 8, 1 / 8)
    found = previews(data, Loss(token=(0.1, 0.1)))
    assert (found["clip_token_low"].value, found["clip_token_high"].value) == (2 / 8, 2 / 8)
    assert found["clip_token_low"].margin == 0.1
    assert found["clip_token_low"].low < 2 / 8 < found["clip_token_low"].high


def test_a_sequence_is_clipped_by_its_geometric_mean() -> None:
    data = against([[0.3, -0.3], [0.002, 0.0], [-0.002, 0.0], [1e-4, 1e-4]])
    found = previews(data, Loss(sequence=(3e-4, 4e-4)))
    assert (found["clip_sequence_low"].value, found["clip_sequence_high"].value) == (1 / 4, 1 / 4)


def noise(sequences: int, tokens: int, spread: float, seed: int = 0) -> list[list[float]]:
    """Healthy noise: E[r] = 1, so that the mean log ratio is minus half its variance."""
    draw = random.Random(seed)
    return [[draw.gauss(-spread * spread / 2, spread) for _ in range(tokens)] for _ in range(sequences)]


@pytest.mark.parametrize("tokens", [512, 64])
def test_the_published_noise_clips_what_the_parity_test_says(tokens: int) -> None:
    """Noise .036, 512 tokens, epsilon 3e-4 and 4e-4: 58 % below, 25 % above; from recordings of any length."""
    found = previews(against(noise(400, tokens, 0.036)), Loss(length=512))
    for side, truth in (("low", 0.586), ("high", 0.255)):
        expected = found[f"clip_sequence_{side}_at_length"]
        assert expected.low < truth < expected.high
        if tokens == 512:  # and so it is counted where recordings are that long
            assert expected.value == pytest.approx(truth, abs=0.04)
            assert found[f"clip_sequence_{side}"].value == pytest.approx(truth, abs=0.06)


def test_longer_responses_are_clipped_below_more_often() -> None:
    data = against(noise(200, 64, 0.036))
    shares = [previews(data, Loss(length=n))["clip_sequence_low_at_length"].value for n in (64, 512, 8192)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.75


def test_what_sequences_differ_by_does_not_average_out() -> None:
    """An offset per sequence stays at any length; independent noise does not."""
    offsets = [0.01 if i % 2 else -0.01 for i in range(100)]
    data = against([[v + offsets[i] for v in row] for i, row in enumerate(noise(100, 200, 0.001))])
    found = previews(data, Loss(length=100_000))
    assert found["clip_sequence_low_at_length"].value == pytest.approx(0.5, abs=0.05)
    assert found["clip_sequence_high_at_length"].value == pytest.approx(0.5, abs=0.05)


def test_the_length_preview_has_an_interval_and_needs_two_sequences() -> None:
    metric = previews(against(noise(50, 64, 0.036)), Loss(length=512))["clip_sequence_low_at_length"]
    assert 0 <= metric.low < metric.value < metric.high <= 1
    assert "clip_sequence_low_at_length" not in previews(against(noise(1, 64, 0.036)), Loss(length=512))
    assert "clip_sequence_low_at_length" not in previews(against(noise(5, 64, 0.036)), Loss())


def test_identical_sides_clip_nothing() -> None:
    found = previews(against([[0.0] * 8] * 4), Loss(length=512))
    assert {metric.value for metric in found.values()} == {0.0}


def test_the_clip_rate_is_split_by_the_sign_of_the_advantage() -> None:
    """Only r < 1 - eps with A < 0 and r > 1 + eps with A > 0 lose a token; A = 0 teaches nothing anyway."""
    low, high = math.log(0.7), math.log(1.3)
    data = against([[low, low, high, high], [low, 0.0, 0.0, high]], advantages=[[1, -1, 1, -1], [-1, -1, 1, 0]])
    found = previews(data, Loss(token=(0.2, 0.2), sequence=(0.01, 0.01)))
    assert found["clip_token_low_negative_advantage"].value == 2 / 4
    assert found["clip_token_high_positive_advantage"].value == 1 / 3
    # The first row's advantages cancel out; the second's are negative, and its mean ratio is below 1.
    assert found["clip_sequence_low_negative_advantage"].value == float(low + high < -0.04)
    assert "clip_sequence_high_positive_advantage" not in found


def test_truncation_is_one_sided_and_said_so() -> None:
    """A trainer that does not renormalise over the truncated support has every ratio below 1."""
    data = against([[-0.05] * 30] * 3)
    assert any(
        "100% of the ratios lie below 1: only tokens with a negative advantage" in note for note in notes(data, Loss())
    )
    assert not any("ratios lie" in note for note in notes(against(noise(4, 50, 0.03)), Loss()))


def test_without_advantages_it_is_said_that_sides_are_previewed() -> None:
    bare, with_them = against([[0.1] * 4]), against([[0.1] * 4], advantages=[[1.0] * 4])
    assert any("no advantages" in note for note in notes(bare, Loss()))
    assert not any("no advantages" in note for note in notes(with_them, Loss()))


def test_the_configs_own_loss_counts_where_the_command_line_says_nothing() -> None:
    written = {"epsilon_low": 0.02, "epsilon_high": 0.03, "length": 4096}
    assert Loss.of(written) == Loss((0.02, 0.03), SEQUENCE_CLIP, 4096)
    assert Loss.of({**written, "per_sequence": True}) == Loss(TOKEN_CLIP, (0.02, 0.03), 4096)
    assert Loss.of(written, Loss((0.5, 0.5), SEQUENCE_CLIP, 16)) == Loss((0.5, 0.5), SEQUENCE_CLIP, 16)
    assert Loss.of({"epsilon_low": 0.1}) == Loss((0.1, 0.1))
    assert Loss.of({"epsilon_low": None, "length": True}) == Loss()
