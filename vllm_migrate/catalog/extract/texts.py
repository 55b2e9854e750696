"""Formatting and other operations on texts and numbers that a hostile source could misuse: attribute access out of a format
string, fields and powers of any width, patterns without end."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from vllm_migrate.catalog.extract.values import Member, Undecidable

LIMIT = 100_000  # characters, or members of a container, that one operation may make
PLAIN = (str, bytes, int, float, bool, type(None), Member)
_NUMBER = re.compile(r"\d{5,}")
_NESTED = re.compile(r"[+*}][^()]*\)[+*{]")  # (a+)+ and its like


def is_modest(spec: str) -> bool:
    """False for a format specification that asks for a field of 10,000 characters or more."""
    return _NUMBER.search(spec) is None


def may_format(template: str | bytes, values: Any) -> bool:
    """Whether `template % values` is harmless: plain values, no width out of a value, no field without end."""
    text = template.decode("latin-1") if isinstance(template, bytes) else template
    if not is_modest(text) or re.search(r"%[^a-zA-Z%]*\*", text) or len(text) > LIMIT:
        return False
    return _is_plain(values)


def _is_plain(values: Any, depth: int = 0) -> bool:
    if isinstance(values, list | tuple | set | frozenset) and depth < 3:
        return all(_is_plain(one, depth + 1) for one in values)
    if isinstance(values, dict) and depth < 3:
        return all(_is_plain(key) and _is_plain(one, depth + 1) for key, one in values.items())
    return isinstance(values, PLAIN) and not (isinstance(values, str) and len(values) > LIMIT)


class _Formatter(string.Formatter):
    """`str.format` whose fields are names and positions alone."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if not re.fullmatch(r"\w*", field_name):
            raise Undecidable(field_name)
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> Any:
        if not is_modest(format_spec) or not _is_plain(value):
            raise Undecidable(format_spec)
        return super().format_field(value, format_spec)


def formatted(template: str) -> Callable[..., str]:
    """`template.format`, without a way from a value to its attributes."""

    def call(*args: Any, **kwargs: Any) -> str:
        return _Formatter().vformat(template, args, kwargs)

    return call


def method(value: Any, name: str) -> Callable[..., Any] | None:
    """A guarded stand-in for a method that can make much out of little; None for all others."""
    if isinstance(value, str) and name in ("format", "format_map"):
        return formatted(value)
    if isinstance(value, str | bytes) and name in (
        "ljust",
        "rjust",
        "center",
        "zfill",
        "expandtabs",
        "replace",
        "translate",
    ):
        return _sized(getattr(value, name), len(value))
    if isinstance(value, str | bytes) and name == "join":
        return lambda parts: value.join(limited(parts))
    if isinstance(value, list | set) and name in ("extend", "update"):
        return lambda *parts: getattr(value, name)(*(limited(part) for part in parts))
    return None


def _sized(call: Callable[..., Any], size: int) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        for one in args:
            if isinstance(one, int) and one > LIMIT:
                raise Undecidable("width")
            if isinstance(one, str | bytes) and len(one) * max(size, 1) > 10 * LIMIT:
                raise Undecidable("length")
        return call(*args, **kwargs)

    return guarded


def limited(values: Any) -> Any:
    """What is walked to its end, walked no further than `LIMIT`; a container of more members is refused."""
    if isinstance(values, str | bytes | dict | set | frozenset | tuple | list | range):
        if len(values) > LIMIT:
            raise Undecidable("length")
        return values
    return _walked(values) if hasattr(values, "__next__") else values


def _walked(values: Iterable[Any]) -> Iterator[Any]:
    for count, value in enumerate(values):
        if count >= LIMIT:
            raise Undecidable("length")
        yield value


def power(*args: Any) -> Any:
    """`pow`, as far as its result is of moderate size."""
    if any(
        isinstance(a, int) and (abs(a) > 200 if position else a.bit_length() > 64) for position, a in enumerate(args)
    ):
        raise Undecidable("pow")
    return pow(*args)


def pattern(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of `re` for patterns and texts of moderate size without nested repetition."""

    def guarded(expression: Any, *args: Any, **kwargs: Any) -> Any:
        long = any(isinstance(a, str) and len(a) > 10_000 for a in args)
        if not isinstance(expression, str) or len(expression) > 1_000 or long or _NESTED.search(expression):
            raise Undecidable("pattern")
        return call(expression, *args, **kwargs)

    return guarded
