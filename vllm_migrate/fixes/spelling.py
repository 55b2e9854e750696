"""How a dialect spells a setting: the first entry of its `pins` that holds for an option and a value."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.knowledge.expr import evaluate


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


def spell(engine: Engine, option: str, value: object) -> Spelling:
    """The dialect's spelling of option = value. Raises CannotEdit where it has none."""
    env = DialectEnv(engine, {"value": value, "option": option}, engine.target)
    pins = engine.dialect.get("pins")
    for pin in pins if isinstance(pins, list) else []:
        if evaluate(pin.get("when", True), env) is not True:
            continue
        if "say" in pin:
            raise CannotEdit(str(pin["say"]))
        prefix = str(pin.get("prefix", ""))
        key = str(pin["key"]).replace("{kebab}", _kebab(engine, option)).replace("{snake}", option)
        if "{typed}" in key:
            typed, inverted = _typed(engine, option)
            if not typed:
                continue
            key = key.replace("{typed}", typed)
            if inverted:
                return Spelling(key, not value, prefix)
        if "_" in key and key.startswith("no-"):
            key = "no_" + key[3:]
        argument = str(pin.get("argument", "")).replace("{kebab}", option.replace("_", "-"))
        return Spelling(key, pin.get("write", value), prefix, argument)
    raise CannotEdit(f"{engine.dialect['title']} has no way to set {option}")


def spells_arguments(engine: Engine) -> bool:
    """Whether the dialect writes some settings into a list of arguments."""
    pins = engine.dialect.get("pins")
    return isinstance(pins, list) and any("argument" in pin for pin in pins)


def _typed(engine: Engine, option: str) -> tuple[str, bool]:
    """The framework's own key for an option, and whether it means the opposite; "" when it has none at its release."""
    for key, target in engine.keys.items():
        entry = target if isinstance(target, dict) else {"to": target}
        if (
            entry["to"] == option
            and evaluate(entry.get("when", True), DialectEnv(engine, release=engine.target)) is True
        ):
            return str(key), bool(entry.get("invert"))
    return "", False


def _kebab(engine: Engine, option: str) -> str:
    """Dashes, unless the keys beside it are written with underscores."""
    keys = [written.key for written in engine.options]
    snake = sum(1 for key in keys if "_" in key and "-" not in key)
    dashed = sum(1 for key in keys if "-" in key)
    return option if snake > dashed else option.replace("_", "-")
