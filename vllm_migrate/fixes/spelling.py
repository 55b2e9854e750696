"""How a dialect spells a setting: the first entry of its `pins` that holds for an option and a value."""

from __future__ import annotations

import json
from typing import NamedTuple

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine, Subject
from vllm_migrate.documents.interface import CannotEdit


class Spelling(NamedTuple):
    """A setting as a dialect writes it: its key below the engine's mapping (dots between levels) and the value.

    prefix: what a Hydra override of a key that may be missing needs in front: "+" or "++". argument: the option, where
    the key is a list of arguments that it is added to.
    """

    key: str
    value: object
    prefix: str = ""
    argument: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.key.split("."))


class NoSpelling(CannotEdit):
    """The framework has no way to set it: its own code would have to."""


def spell(engine: Subject, option: str, value: object) -> Spelling:
    """The dialect's spelling of option = value. Raises NoSpelling where it has none."""
    env = DialectEnv(engine.origin, engine.facts, engine.target, {"value": value, "option": option})
    for pin in engine.dialect.pins:
        if pin.when.evaluate(env) is not True:
            continue
        if pin.say:
            raise NoSpelling(pin.say)
        key = pin.key.replace("{kebab}", _kebab(engine, option)).replace("{snake}", option)
        if "{typed}" in key:
            typed, inverted = _typed(engine, option)
            if not typed:
                continue
            key = key.replace("{typed}", typed)
            if inverted:
                return Spelling(key, not value, pin.prefix)
        if "_" in key and key.startswith("no-"):
            key = "no_" + key[3:]
        argument = pin.argument.replace("{kebab}", option.replace("_", "-"))
        if pin.write is None and not argument:
            value = _carried(engine, value)
        return Spelling(key, value if pin.write is None else pin.write, pin.prefix, argument)
    raise NoSpelling(f"{engine.dialect.title} has no way to set {option}")


def _carried(engine: Subject, value: object) -> object:
    """A mapping as JSON where the framework would make Python's text of it."""
    ways = engine.dialect.transport
    if (
        isinstance(value, dict)
        and engine.site is not None
        and ways
        and all(way.kind == "cli" and "dict" not in way.values for way in ways)
    ):
        return json.dumps(value)
    return value


def spells_arguments(engine: Subject) -> bool:
    """Whether the dialect writes some settings into a list of arguments."""
    return any(pin.argument for pin in engine.dialect.pins)


def _typed(engine: Subject, option: str) -> tuple[str, bool]:
    """The framework's own key for an option, and whether it means the opposite; "" when it has none at its release."""
    env = DialectEnv(engine.origin, engine.facts, engine.target)
    for key, meant in engine.origin.keys.items():
        if meant.to == option and meant.when.evaluate(env) is True:
            return key, meant.invert
    return "", False


def _kebab(engine: Subject, option: str) -> str:
    """Dashes, unless the keys beside it are written with underscores."""
    keys = [written.key for written in engine.options] if isinstance(engine, Engine) else []
    snake = sum(1 for key in keys if "_" in key and "-" not in key)
    dashed = sum(1 for key in keys if "-" in key)
    return option if snake > dashed else option.replace("_", "-")
