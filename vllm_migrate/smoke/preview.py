"""What the engine's noise alone would clip on a first step (trainer over rollout), at the user's epsilons and lengths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vllm_migrate.smoke.evidence import Against
from vllm_migrate.smoke.stats import LEVEL_D, student_t, wilson
from vllm_migrate.smoke.verdict import Metric

# PPO's usual clip range, and GSPO's in published recipes.
TOKEN_CLIP, SEQUENCE_CLIP = (0.2, 0.2), (3e-4, 4e-4)
ONE_SIDED = 0.9  # from this share of moved tokens on one side on, the ratios are said to be one-sided
STILL = 1e-5  # |x| below this is float32 rounding, on neither side


class Loss(NamedTuple):
    """The user's loss: clip ranges (below, above 1) of a token's ratio (PPO) and of a sequence's geometric mean ratio
    (GSPO), and the length of the responses in tokens where it is known.
    """

    token: tuple[float, float] = TOKEN_CLIP
    sequence: tuple[float, float] = SEQUENCE_CLIP
    length: int | None = None

    @classmethod
    def of(cls, written: Mapping[str, Any], given: Loss | None = None) -> Loss:
        """What a config says of its loss (`epsilon_low`, `epsilon_high`, `per_sequence`, `length`), under what was given on
        the command line (where its fields are not the defaults).
        """
        chosen = given or cls()
        sides = [written[name] for name in ("epsilon_low", "epsilon_high") if _number(written.get(name))]
        length = written.get("length")
        if sides:
            clip = (float(sides[0]), float(sides[-1]))
            if written.get("per_sequence") is True:
                chosen = chosen._replace(sequence=clip) if chosen.sequence == SEQUENCE_CLIP else chosen
            elif chosen.token == TOKEN_CLIP:
                chosen = chosen._replace(token=clip)
        if chosen.length is None and isinstance(length, int) and _number(length):
            chosen = chosen._replace(length=length)
        return chosen


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def previews(data: Against, loss: Loss) -> dict[str, Metric]:
    """Shares clipped on each side; where rows carry advantages, also the shares a clipped loss really loses."""
    x = [data.x(index) for index in range(len(data.rows))]
    token = [value for values in x for value in values]
    means = [sum(values) / len(values) for values in x if values]
    found = {f"clip_token_{side}": metric for side, metric in _sides(token, loss.token)}
    found |= {f"clip_sequence_{side}": metric for side, metric in _sides(means, loss.sequence)}
    if loss.length is not None and len(means) > 1:
        found |= _at_length([values for values in x if values], loss.sequence, loss.length)
    return found | _by_advantage(data, loss)


def _sides(x: Sequence[float], clip: tuple[float, float]) -> Iterable[tuple[str, Metric]]:
    low, high = math.log1p(-clip[0]), math.log1p(clip[1])
    yield "low", Metric.of(wilson(sum(v < low for v in x), len(x)), clip[0])
    yield "high", Metric.of(wilson(sum(v > high for v in x), len(x)), clip[1])


def _at_length(x: Sequence[Sequence[float]], clip: tuple[float, float], length: int) -> dict[str, Metric]:
    """The share of sequences of `length` tokens that GSPO would clip: their mean log ratio is normal around that of all
    tokens, with the variance of a token over the length, and what sequences differ by beyond chance. The interval is that of
    the mean.
    """
    n = sum(map(len, x))
    mean = sum(map(sum, x)) / n
    inside = math.fsum((v - mean) ** 2 for values in x for v in values) / n
    means = [sum(values) / len(values) for values in x]
    middle = sum(means) / len(means)
    spread = sum((m - middle) ** 2 for m in means) / (len(means) - 1)
    chance = inside * sum(1 / len(values) for values in x) / len(x)
    between = spread - chance if spread > chance * (1 + 2 * math.sqrt(2 / (len(x) - 1))) else 0.0
    sd = math.sqrt(inside / length + between)
    h = student_t(LEVEL_D, len(x) - 1) * math.sqrt(spread / len(x))
    low, high = math.log1p(-clip[0]), math.log1p(clip[1])

    def below(m: float) -> float:
        return _phi((low - m) / sd) if sd else float(m < low)

    def above(m: float) -> float:
        return _phi((m - high) / sd) if sd else float(m > high)

    return {
        "clip_sequence_low_at_length": Metric(below(mean), below(mean + h), below(mean - h), clip[0]),
        "clip_sequence_high_at_length": Metric(above(mean), above(mean - h), above(mean + h), clip[1]),
    }


def _phi(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _by_advantage(data: Against, loss: Loss) -> dict[str, Metric]:
    """A clipped loss loses a token only where A > 0 and the ratio lies above, or A < 0 and it lies below."""
    tokens: dict[bool, list[float]] = {True: [], False: []}
    means: dict[bool, list[float]] = {True: [], False: []}
    for logp, row in zip(data.logp, data.rows, strict=True):
        known = zip(logp, row.logprobs, row.advantages or (), strict=row.advantages is not None)
        pairs = [(a - r, advantage) for a, r, advantage in known if a is not None and r is not None]
        for x, advantage in pairs:
            if advantage:
                tokens[advantage > 0].append(x)
        total = sum(advantage for _, advantage in pairs)
        if total:
            means[total > 0].append(sum(x for x, _ in pairs) / len(pairs))
    found: dict[str, Metric] = {}
    for what, values, clip in (("token", tokens, loss.token), ("sequence", means, loss.sequence)):
        for positive, side, name in ((False, "low", "negative"), (True, "high", "positive")):
            if values[positive]:
                found[f"clip_{what}_{side}_{name}_advantage"] = dict(_sides(values[positive], clip))[side]
    return found


def notes(data: Against, loss: Loss) -> list[str]:
    """What the previews rest on, and whether the ratios lie on one side."""
    x = [v for index in range(len(data.rows)) for v in data.x(index) if abs(v) > STILL]
    below = sum(v < 0 for v in x)
    found = []
    if len(x) > 20 and max(below, len(x) - below) > ONE_SIDED * len(x):
        side, sign = ("below", "negative") if 2 * below > len(x) else ("above", "positive")
        found.append(
            f"{max(below, len(x) - below) / len(x):.0%} of the ratios lie {side} 1: "
            f"only tokens with a {sign} advantage are clipped"
        )
    if not any(row.advantages for row in data.rows):
        found.append("no advantages in the recording: clip rates are previewed per side, for all tokens")
    if loss.length is not None:
        found.append(f"the GSPO preview at_length is for responses of {loss.length} tokens")
    return found
