"""The pins of an engine: settings that are written because the release would do something else without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.smoke.source import SmokeEngine, engine_at, judged_engine, plain_engine
from vllm_migrate.smoke.update import PAUSE_DEFAULTS

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Written
    from vllm_migrate.knowledge.load import Knowledge
    from vllm_migrate.resolve.view import View

LADDER = ("semantic", "inference-path", "weight-update", "numerics")


class Pin(NamedTuple):
    """One pin. value: as written; without: what the engine has if it is taken away, None where that is not known; layer: of
    LADDER; engine: what reaches vLLM without it; default: nothing changes when it is taken away."""

    option: str
    value: object
    without: object
    layer: str
    engine: SmokeEngine
    default: bool = False


def pins_of(
    path: str, spec: SmokeEngine, release: str, engine_id: str | None, source: str, fixed: bool
) -> tuple[Pin, ...]:
    """The pins of the engine that `spec` was made of, by layer. Raises UsageError."""
    plain = plain_engine(path) is not None
    found = _of_json(spec) if plain else _of_file(path, spec, release, engine_id, source, fixed)
    return tuple(sorted([*found, *_of_pause(spec)], key=lambda pin: (LADDER.index(pin.layer), pin.option)))


def _of_pause(spec: SmokeEngine) -> list[Pin]:
    """What the config says of pause_generation."""
    found = []
    for name, value in spec.pause.items():
        without = PAUSE_DEFAULTS.get(name)
        engine = spec._replace(pause={key: kept for key, kept in spec.pause.items() if key != name})
        found.append(Pin(f"pause.{name}", value, without, "weight-update", engine, value == without))
    return found


def _of_json(spec: SmokeEngine) -> list[Pin]:
    """Engine arguments that a rule's fix sets; what the release does without them is not known."""
    from vllm_migrate.knowledge.load import load

    layers = _layers(load())
    found = []
    for option, value in spec.engine_args.items():
        if option in layers:
            args = {name: kept for name, kept in spec.engine_args.items() if name != option}
            found.append(Pin(option, value, None, layers[option], spec._replace(engine_args=args)))
    return found


def _of_file(path: str, spec: SmokeEngine, release: str, engine_id: str | None, source: str, fixed: bool) -> list[Pin]:
    from vllm_migrate.knowledge.expr import Undetermined, same

    judged, _ = judged_engine(path, release, engine_id, source, fixed)
    target = judged.target if judged.target.release == release else judged.source
    layers, whole = _layers(target.knowledge), engine_at(path, target)
    found = []
    for option, written in _written(target).items():
        bare, before = target.without(option, written), judged.source.without(option, written)
        value, new, old = target.value(option).value, bare.value(option).value, before.value(option).value
        moved = not same(old, new) and same(old, value)
        layer = layers.get(option) or (_relevant(option) if moved else None)
        if layer is None or isinstance(value, Undetermined):
            continue
        without = None if isinstance(new, Undetermined) else new
        kept = engine_at(path, bare)
        engine = spec._replace(engine_args=_moved(spec, whole, kept), sampling=kept.sampling, env=kept.env)
        default = not isinstance(new, Undetermined) and same(new, value)
        found.append(Pin(option, value, without, layer, engine, default))
    return found


def _moved(spec: SmokeEngine, whole: SmokeEngine, bare: SmokeEngine) -> dict[str, object]:
    """The arguments of `spec` with what differs between two readings of its file: what it holds beside the file (the model,
    --set) stays."""
    args = dict(spec.engine_args)
    for name in {*whole.engine_args, *bare.engine_args}:
        if whole.engine_args.get(name) != bare.engine_args.get(name):
            args.pop(name, None)
            args |= {name: bare.engine_args[name]} if name in bare.engine_args else {}
    return args


def _written(view: View) -> dict[str, Written]:
    """What the user wrote for the engine, by option."""
    arrived = {option: each.written for option, each in view.delivery.values.items()}
    facts = {name: fact.written for name, fact in view.engine.facts.items() if name.startswith(("sampling.", "env."))}
    return {option: written for option, written in {**arrived, **facts}.items() if written is not None}


def _layers(knowledge: Knowledge) -> dict[str, str]:
    """The layer of each option that a rule's fix sets and that can move a rollout."""
    found: dict[str, str] = {}
    for rule in knowledge.rules:
        for action in rule.fix.do if rule.fix is not None else ():
            if action.set and rule.layer in LADDER:
                found.setdefault(action.set, _relevant(action.set) or rule.layer)
    return found


def _relevant(option: str) -> str | None:
    from vllm_migrate.catalog.relevance import layers

    layer = layers().get(option.partition(".")[2] if option.startswith(("sampling.", "env.")) else option)
    return layer if layer in LADDER else None
