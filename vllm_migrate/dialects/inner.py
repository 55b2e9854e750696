"""Keys inside options whose value is a mapping: where each is written, and what a release makes of it.

They are written as mappings, as JSON in one text, as dotted options, as dict literals of a program. What is asked is the same
everywhere: does the class behind the option have such a field, and does the way in refuse, drop or keep a key that is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.model import Spot, Written
from vllm_migrate.documents.steps import CHARACTERS_A_STEP, spend

if TYPE_CHECKING:
    from vllm_migrate.catalog.nested import Nested
    from vllm_migrate.catalog.store import OptionFacts
    from vllm_migrate.dialects.model import Engine
    from vllm_migrate.dialects.tree import Tree

MAX_DEPTH = 4
# A type that is a list of literals, or a name of one.
FIXED = re.compile(r"(Literal\[.*\]|[A-Z]\w*(?<!Enum))( \| None)?\Z")


class Inner(NamedTuple):
    """One key inside a mapping. written: the key as a setting of its own; outer: the option's setting; path: from there."""

    written: Written
    outer: Written
    path: tuple[str, ...]


class Verdict(NamedTuple):
    """What becomes of a key. kind: "" where it arrives, else unknown (refused), lost (dropped without a word), choice."""

    kind: str = ""
    text: str = ""


ARRIVES = Verdict()


def keys_of(engine: Engine) -> tuple[Inner, ...]:
    """Every key inside a mapping that is written for an engine, in order: the same objects whenever it is asked."""
    if engine.inner is None:
        engine.inner = tuple(inner for written in engine.options for inner in _inside(written))
    return engine.inner


def _inside(written: Written) -> Iterator[Inner]:
    name, dot, rest = written.key.lstrip("-").partition(".")
    path = tuple(rest.removesuffix("+").split(".")) if dot and name and rest else ()
    if path:
        yield Inner(written._replace(number=-1), written, path)
    value = written.value
    if isinstance(value, Mapping):
        yield from _below(written, path, value, written.tree)
    elif isinstance(value, str) and value.lstrip().startswith("{"):
        yield from _below(written, path, _parsed(value), None)


def _parsed(text: str) -> Mapping[object, object]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, Mapping) else {}


def _below(outer: Written, path: tuple[str, ...], value: Mapping[object, object], tree: Tree | None) -> Iterator[Inner]:
    if len(path) >= MAX_DEPTH:
        return
    for key, inner in value.items():
        child = tree.get(str(key)) if tree is not None and tree.is_map else None
        if child is not None:
            place = child.place
            spot = Spot(place.file, place.key_start, place.key_end)
            value_spot = Spot(place.file, place.node.start, place.node.end)
        else:
            spot, value_spot = _in_text(outer, str(key)), outer.value_spot
        below = (*path, str(key))
        name = ".".join((outer.key.partition(".")[0] if path and "." in outer.key else outer.key, *below))
        yield Inner(Written(name, "", inner, spot, value_spot, -1, inner, child), outer, below)
        if isinstance(inner, Mapping):
            yield from _below(outer, below, inner, child)


def _in_text(outer: Written, key: str) -> Spot:
    """Where a key stands in a text of JSON, if that is plain; else where the option stands."""
    file, start, end = outer.value_spot
    spend((end - start) // CHARACTERS_A_STEP)
    text = file.source.text
    for quoted in (f'"{key}"', f'"{key}\\"'):
        at = text.find(quoted, start, end)
        if at >= 0 and text.find(quoted, at + 1, end) < 0:
            return Spot(file, at + 1, at + 1 + len(key))
    return outer.spot


# Fields of SpeculativeConfig whose values it takes as they are (SkipValidation).
UNCHECKED = frozenset(f"{side}_{kind}_config" for side in ("target", "draft") for kind in ("model", "parallel"))


def field_of(nested: Nested, option: str, path: tuple[str, ...], release: str) -> tuple[str, OptionFacts | None] | None:
    """The class that a path's last key belongs to and what it has of it (None: no such field); None where it has no class."""
    cls = None if UNCHECKED.intersection(path[:-1]) else nested.class_of(option, release)
    for key in path[:-1]:
        facts = nested.field(cls, key, release) if cls else None
        cls = nested.class_in(facts.type, release) if facts is not None else None
    return (cls, nested.field(cls, path[-1], release)) if cls else None


def verdict(nested: Nested, option: str, path: tuple[str, ...], value: object, entry: str, release: str) -> Verdict:
    """What becomes of a key and its value, at a path in an option's mapping, by a way in (see `catalog.nested.ENTRIES`)."""
    found = field_of(nested, option, path, release)
    if found is None:
        return ARRIVES
    (cls, facts), key = found, path[-1]
    if facts is not None:
        return _value(nested, cls, facts, value, entry, option, release)
    if len(path) == 1 and nested.internal(option, entry, key, release):
        return Verdict("lost", f"{key} of {cls} is set by vLLM itself, and LLM() silently leaves it out")
    become = nested.unknown_key(option, entry, release) if len(path) == 1 else nested.unknown_field(cls, release)
    if become == "refused":
        return Verdict("unknown", f"{cls} has no field {key}")
    if become == "dropped":
        how = "LLM() drops it and every key after it" if nested.stops(option, entry, release) else "silently drops it"
        return Verdict("lost", f"{cls} has no field {key}, and {how}")
    return ARRIVES


def _value(
    nested: Nested, cls: str, facts: OptionFacts, value: object, entry: str, option: str, release: str
) -> Verdict:
    """Whether a class that checks its fields takes a value of a fixed list.

    Fields that take other types too, and enumerations, whose names stand for values, are not judged; neither is spelling that a
    validator may put right.
    """
    why = not_a_choice(facts, value)
    return Verdict("choice", why) if why and nested.checks(option, cls, entry, release) else ARRIVES


def not_a_choice(facts: OptionFacts, value: object) -> str:
    """Why a field with a fixed list of values does not take this one, "" where it may."""
    choices = [choice for choice in facts.choices or () if isinstance(choice, str)]
    if not isinstance(value, str) or not choices or not FIXED.match(facts.type):
        return ""
    if len(choices) < len(facts.choices or ()) or _folded(value) in map(_folded, choices):
        return ""
    return f"{value!r} is not one of {', '.join(choices)}"


def _folded(text: str) -> str:
    return text.lower().replace("-", "_")
