"""From JSON to the records of `records`, by their annotations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import TypeVar, cast, get_args, get_origin, get_type_hints

from vllm_migrate.knowledge.expr import Condition

Decoder = Callable[[object], object]
Kind = TypeVar("Kind")


def decode(kind: type[Kind], raw: object) -> Kind:
    """An instance of a record class from the mapping of its fields; those that are left out get their defaults."""
    return cast(Kind, _record(cast(Callable[..., object], kind))(raw))


@cache
def _record(kind: Callable[..., object]) -> Decoder:
    fields: dict[str, Decoder] | None = None  # made when first needed: a rule has parts that are rules

    def made(raw: object) -> object:
        nonlocal fields
        if fields is None:
            found = {name: _decoder(hint) for name, hint in get_type_hints(kind).items()}
            fields = {name: decoder for name, decoder in found.items() if decoder is not None}
        values = dict(cast(dict[str, object], raw))
        for name in values.keys() & fields.keys():
            values[name] = fields[name](values[name])
        return kind(**values)

    return made


def _decoder(hint: object) -> Decoder | None:
    """What makes a field's value of its JSON; None where they are the same."""
    if hint is Condition:
        return Condition
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return _record(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:  # `X | None`, of which a None is left out
        found = [decoder for part in arguments if (decoder := _decoder(part)) is not None]
        return found[0] if found else None
    if origin is tuple:
        item = _decoder(arguments[0])
        return _tuple if item is None else _tuple_of(item)
    if origin is dict:
        item = _decoder(arguments[1])
        return None if item is None else _dict_of(item)
    return None


def _tuple(raw: object) -> object:
    return tuple(cast(list[object], raw))


def _tuple_of(item: Decoder) -> Decoder:
    return lambda raw: tuple(map(item, cast(list[object], raw)))


def _dict_of(item: Decoder) -> Decoder:
    return lambda raw: {key: item(value) for key, value in cast(dict[str, object], raw).items()}
