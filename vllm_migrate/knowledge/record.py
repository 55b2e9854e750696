"""Records: the fields of a mapping in rules/ as attributes. Of a compiled record each is made when it is first asked for,
so that a lint pays for what it looks at and not for all that is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Self, cast, dataclass_transform, get_args, get_origin, get_type_hints

from vllm_migrate.knowledge.expr import Condition

if TYPE_CHECKING:
    from typing import ClassVar, NoReturn

Decoder = Callable[[object], object]


@dataclass_transform(frozen_default=True)
class Record:
    """A record has the annotations of its class as fields; one with a value in the class need not be written."""

    if TYPE_CHECKING:
        _defaults: ClassVar[dict[str, object]]

    def __init_subclass__(cls) -> None:
        # Out of the class, so that a record is asked for what it does not have yet.
        cls._defaults = {name: cls.__dict__[name] for name in cls.__annotations__ if name in cls.__dict__}
        for name in cls._defaults:
            delattr(cls, name)

    def __init__(self, *values: object, **named: object) -> None:
        vars(self).update(zip(type(self).__annotations__, values, strict=False), **named)

    @classmethod
    def decoded(cls, raw: object) -> Self:
        """A record of the JSON of its fields."""
        record = cls.__new__(cls)
        vars(record)["_raw"] = raw
        return record

    def __eq__(self, other: object) -> bool:
        fields = type(self).__annotations__
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in fields)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is never changed")

    if not TYPE_CHECKING:  # which knows the fields by their annotations

        def __getattr__(self, name):
            raw = vars(self).get("_raw", ())
            if name in raw:
                decoder = _decoders(type(self))[name]
                value = raw[name] if decoder is None else decoder(raw[name])
            elif name in self._defaults:
                value = self._defaults[name]
            else:
                raise AttributeError(name)
            vars(self)[name] = value
            return value


@cache
def _decoders(kind: type[Record]) -> dict[str, Decoder | None]:
    return {name: _decoder(hint) for name, hint in get_type_hints(kind).items()}


def _decoder(hint: object) -> Decoder | None:
    """What makes a field's value of its JSON; None where they are the same."""
    if hint is Condition:
        return Condition
    if is_record_class(hint):
        return cast(type[Record], hint).decoded
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


def is_record_class(hint: object) -> bool:
    """Whether a field's annotation is a class of records."""
    return isinstance(hint, type) and issubclass(hint, Record)


def _tuple(raw: object) -> object:
    return tuple(cast(list[object], raw))


def _tuple_of(item: Decoder) -> Decoder:
    return lambda raw: tuple(map(item, cast(list[object], raw)))


def _dict_of(item: Decoder) -> Decoder:
    return lambda raw: {key: item(value) for key, value in cast(dict[str, object], raw).items()}
