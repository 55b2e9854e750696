"""Which pin buys what: the engine with all of its pins, and again with each of them taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.smoke.pins import LADDER, Pin
from vllm_migrate.smoke.recording import Recording
from vllm_migrate.smoke.source import SmokeEngine
from vllm_migrate.smoke.verdict import SEVERITY, Metric, SmokeVerdict

# moves: the verdict or a gated figure is worse without the pin; none: the engine reports another setting and the figures
# stay; inert: the engine reports the same settings, so this platform does not honour the pin; default: the release does it
# anyway, so nothing was run; stops: the engine does not start without it; unmeasured: only an update of the weights shows it,
# and there is no local checkpoint to update.
Effect = Literal["moves", "none", "inert", "default", "stops", "unmeasured"]

# Of a verdict's many figures those that say what a pin buys.
SHOWN = (
    *("mean_ratio", "D", "b", "k3", "out", "probe_mean_ratio", "step_mean_ratio"),
    *("clip_token_low", "clip_token_high", "clip_sequence_low", "clip_sequence_high"),
    *("clip_sequence_low_at_length", "clip_sequence_high_at_length"),
)
# How much worse a figure without a gate has to be, in shares, to count: a twentieth of all tokens or sequences.
SHARE = 0.05

Probe = Callable[[SmokeEngine], tuple[SmokeVerdict, Recording]]


class Probes(NamedTuple):
    """The two proofs. update: None where no update can be made: no local checkpoint, or no word of how it pauses."""

    rollout: Probe
    update: Probe | None


class Outcome(NamedTuple):
    """What an engine gave. effective: its settings as it reports them, with the variables it was started with."""

    rollout: SmokeVerdict | None
    update: SmokeVerdict | None
    effective: dict[str, Any]
    error: str = ""


class Row(NamedTuple):
    """One pin taken away."""

    pin: Pin
    effect: Effect
    outcome: Outcome | None = None


class Ablation(NamedTuple):
    """All of it. pinned: the engine with every pin."""

    pinned: Outcome
    rows: tuple[Row, ...]


def ablate(spec: SmokeEngine, pins: Sequence[Pin], probes: Probes, tell: Callable[[str], None]) -> Ablation:
    """Run `spec`, then each of `pins` taken away. Raises EngineRunError where `spec` itself does not run."""
    updates = any(_updates(pin) for pin in pins)
    pinned = _run(spec, probes, rollout=True, update=updates)
    tell(f"all pins: {_answer(pinned)}")
    rows = []
    for pin in pins:
        row = _row(pin, pinned, probes)
        rows.append(row)
        tell(f"without {pin.option}: {row.effect if row.outcome is None else _answer(row.outcome)}")
    return Ablation(pinned, tuple(rows))


def _row(pin: Pin, pinned: Outcome, probes: Probes) -> Row:
    if pin.default:
        return Row(pin, "default")
    rollout = not pin.option.startswith("pause.")  # a rollout without an update has no pause
    if not rollout and probes.update is None:
        return Row(pin, "unmeasured")
    try:
        outcome = _run(pin.engine, probes, rollout=rollout, update=_updates(pin))
    except VllmMigrateError as error:
        return Row(pin, "stops", Outcome(None, None, {}, error.message.splitlines()[0]))
    if any(map(_worse, _verdicts(outcome), _verdicts(pinned))):
        return Row(pin, "moves", outcome)
    return Row(pin, "inert" if outcome.effective == pinned.effective else "none", outcome)


def _run(spec: SmokeEngine, probes: Probes, *, rollout: bool, update: bool) -> Outcome:
    first = probes.rollout(spec) if rollout else None
    second = probes.update(spec) if update and probes.update is not None else None
    effective: dict[str, Any] = {"env": spec.env}
    for found in (first, second):
        if found is not None:
            header = found[1].header
            effective |= header.effective
            effective["pause"] = header.update.get("pause", effective.get("pause"))
    return Outcome(first and first[0], second and second[0], effective)


def _updates(pin: Pin) -> bool:
    """Whether a pin can show at an update of the weights alone."""
    return pin.layer in ("inference-path", "weight-update")


def _verdicts(outcome: Outcome) -> tuple[SmokeVerdict | None, SmokeVerdict | None]:
    return outcome.rollout, outcome.update


def _worse(without: SmokeVerdict | None, pinned: SmokeVerdict | None) -> bool:
    """Whether taking the pin away shows: another verdict, another gate, or many more tokens clipped."""
    if without is None or pinned is None:
        return False
    if SEVERITY[without.decision] > SEVERITY[pinned.decision]:
        return True
    for name, metric in without.metrics.items():
        before = pinned.metrics.get(name)
        if before is None:
            continue
        if metric.gate == "fail" and before.gate != "fail":
            return True
        if name.startswith("clip_") and metric.low > before.high + SHARE:
            return True
    return False


def _answer(outcome: Outcome) -> str:
    if outcome.error:
        return outcome.error
    named = [f"{what} {verdict.decision}" for what, verdict in _named(outcome)]
    return ", ".join(named) or "nothing was run"


def _named(outcome: Outcome) -> list[tuple[str, SmokeVerdict]]:
    both = (("rollout", outcome.rollout), ("update", outcome.update))
    return [(what, verdict) for what, verdict in both if verdict is not None]


def as_json(found: Ablation) -> dict[str, Any]:
    """The contract of `smoke run --ablate --output-format json`."""
    return {
        "schema": 1,
        "pinned": _outcome_json(found.pinned),
        "pins": [
            {
                "option": row.pin.option,
                "value": row.pin.value,
                "without": row.pin.without,
                "layer": row.pin.layer,
                "effect": row.effect,
                **(_outcome_json(row.outcome) if row.outcome is not None else {}),
            }
            for row in found.rows
        ],
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    if outcome.error:
        return {"error": outcome.error}
    return {what: verdict.json() for what, verdict in _named(outcome)}


def figures(outcome: Outcome) -> list[tuple[str, Metric]]:
    """The figures that are shown of an outcome, those of the update under `update_`."""
    found = []
    for what, verdict in _named(outcome):
        prefix = "" if what == "rollout" else "update_"
        found += [(prefix + name, verdict.metrics[name]) for name in SHOWN if name in verdict.metrics]
    return found


def exit_code(found: Ablation) -> int:
    """That of the engine with all of its pins."""
    return max((verdict.exit_code for _, verdict in _named(found.pinned)), default=4)


MEANING: dict[Effect, str] = {
    "moves": "the rollout is different without it",
    "none": "the engine runs without it, and nothing that was measured moves",
    "inert": "this platform does the same with and without it, so nothing is shown",
    "default": "this release does the same without it, so it was not run",
    "stops": "the engine does not start without it",
    "unmeasured": "only a weight update shows it: --model DIR, a local checkpoint, with the smoke extra installed",
}


def ladder(found: Ablation) -> list[tuple[str, list[Row]]]:
    """The rows by layer, from what is looked at first to what is looked at last."""
    return [(layer, rows) for layer in LADDER if (rows := [row for row in found.rows if row.pin.layer == layer])]


def answer(row: Row) -> str:
    """What taking the pin away gave, in a line."""
    if row.outcome is None:
        return MEANING[row.effect]
    if row.outcome.error:
        return row.outcome.error
    blamed = dict.fromkeys(name for _, verdict in _named(row.outcome) for name in verdict.blame.suspects)
    return _answer(row.outcome) + (f" ({', '.join(blamed)})" if blamed else "")
