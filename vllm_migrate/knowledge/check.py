"""Compile the conditions of a checked file, each against the vocabulary of its place. Build time only."""

from __future__ import annotations

import typing
from typing import Any

from vllm_migrate.knowledge import records
from vllm_migrate.knowledge.expr import Condition
from vllm_migrate.knowledge.parse import BadCondition, compile_expr
from vllm_migrate.knowledge.source import Loc, Source

Fields = dict[str, Any]


class Checker:
    """What conditions may say, with what the dialects add to the vocabulary: the names of their uses and definitions."""

    def __init__(self, dialects: list[Fields]) -> None:
        self.dialects = dialects

    def condition(self, source: Source, loc: Loc, text: object, place: str, named: dict[str, object]) -> object:
        """The code of a condition that stands at `loc`. Raises VllmMigrateError with the place."""
        try:
            return compile_expr(text, named)
        except BadCondition as error:
            raise source.wrong(loc, error.message) from None


class Compiler:
    """Walks over one record by its annotations."""

    def __init__(self, checker: Checker, source: Source, named: dict[str, object], kind: type) -> None:
        self.checker = checker
        self.source = source
        self.named = named if kind is not records.Dialect else {}
        self.kind = kind

    def record(self, kind: type, fields: Fields, loc: Loc, place: str) -> Fields:
        hints = typing.get_type_hints(kind)
        return {
            name: self.value(hints[name], value, (*loc, name), self._place(kind, name, fields, place))
            if name in hints
            else value
            for name, value in fields.items()
            if value is not None
        }

    def _place(self, kind: type, name: str, fields: Fields, place: str) -> str:
        """Where the conditions of a field stand, by which what they may ask."""
        if kind is records.Dialect:
            return {"transport": "transport", "pins": "pin"}.get(name, "dialect")
        if kind is records.EffectiveEntry:
            return "effective"
        return str(fields.get("each", "engine")) if kind is records.Rule else place

    def value(self, hint: Any, value: Any, loc: Loc, place: str) -> object:
        if hint is Condition:
            return self.checker.condition(self.source, loc, value, place, self.named)
        if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
            return self.record(hint, value, loc, place)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is tuple:
            return [self.value(arguments[0], item, (*loc, i), place) for i, item in enumerate(value)]
        if origin is dict:
            return {key: self.value(arguments[1], item, (*loc, key), place) for key, item in value.items()}
        if type(None) in arguments:
            return self.value(arguments[0], value, loc, place)
        return value


def compiled(checker: Checker, source: Source, at: Loc, kind: type, fields: Fields, named: dict[str, object]) -> Fields:
    """The fields of a record with every condition compiled, as `load` takes them. Raises VllmMigrateError."""
    return Compiler(checker, source, named, kind).record(kind, fields, at, "")
