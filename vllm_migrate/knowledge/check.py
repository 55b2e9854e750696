"""Compile the conditions of a checked file, each against the vocabulary of its place. Build time only."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from vllm_migrate.catalog import store
from vllm_migrate.knowledge import records, vocabulary
from vllm_migrate.knowledge.expr import Condition, same
from vllm_migrate.knowledge.meaning import faults
from vllm_migrate.knowledge.parse import BadCondition, compile_expr
from vllm_migrate.knowledge.record import is_record_class
from vllm_migrate.knowledge.source import Loc, RuleSource, near
from vllm_migrate.knowledge.vocabulary import Term

Fields = dict[str, Any]

SPECIFIER = re.compile(r"(<|<=|>|>=|==)\d+(\.\d+)*(,(<|<=|>|>=|==)\d+(\.\d+)*)*\Z")
VARIABLE = re.compile(r"env\.[A-Z][A-Z0-9_]*\Z")
COMPARISONS = ("==", "!=", "in", "not in")


class Checker:
    """What conditions may say: the vocabulary, the options of every release, and the uses and definitions of the dialects."""

    def __init__(self, dialects: list[Fields]) -> None:
        catalog = store.load()
        self.catalog = catalog
        self.functions = {word.name: word for word in vocabulary.FUNCTIONS}
        self.names = {word.name: word for word in (*vocabulary.NAMES, *vocabulary.FACTS)}
        self.facts = {word.name: word for word in vocabulary.FACTS}
        self.engine = {name for section in ("engine", "llm", "frontend", "cli") for name in catalog.all_names(section)}
        self.engine = {name.lstrip("-").replace("-", "_") for name in self.engine}
        self.sampling = {f"sampling.{name}" for name in (*catalog.all_names("sampling"), "echo")}
        self.variables = {f"env.{name}" for section in ("env", "env_other") for name in catalog.all_names(section)}
        self.uses = {use["name"] for dialect in dialects for use in dialect.get("uses", ())}
        self.rules: set[str] = set()  # names of all rules, once they are read
        self.named: dict[str, object] = {}  # conditions with a name, compiled
        self.defined: frozenset[str] = frozenset()  # by the dialect at hand

    def condition(self, source: RuleSource, loc: Loc, text: object, place: str) -> object:
        """The code of a condition that stands at `loc`. Raises VllmMigrateError with the place and what is near."""
        try:
            code = compile_expr(text, {} if place in vocabulary.DIALECT else self.named)
        except BadCondition as error:
            raise source.wrong(loc, error.message) from None
        fault = next(self._faults(code, place), None)
        if fault is not None:
            raise source.wrong(loc, f"{fault} in {text!r}")
        return code

    # -- what may be wrong

    def _faults(self, code: object, place: str) -> Iterator[str]:
        if not isinstance(code, list):
            return
        if code[0] == "name":
            yield from self._name(str(code[1]), place)
        elif code[0] == "call":
            yield from self._call(code, place)
        elif code[0] in COMPARISONS:
            yield from self._compared(code[1], code[2])
        for part in code[1:]:
            yield from self._faults(part, place)

    def _name(self, name: str, place: str) -> Iterator[str]:
        word = self._word(name)
        if word is None and not self._of_a_family(name, place):
            yield f"no such name: {name}{near(name, self._all_names(place))}"
            return
        sided = name != _bare(name) and place not in (*vocabulary.RULE, vocabulary.NAMED)
        if sided or (word is not None and place not in word.places):
            yield f"{name} cannot be asked {_of(place)}"

    def _word(self, name: str) -> Term | None:
        return self.names.get(_bare(name))

    def _of_a_family(self, name: str, place: str) -> bool:
        """Whether it is one of the names that the catalog, a model, an environment or the dialect has."""
        if place in vocabulary.DIALECT:
            return name in self.defined or name in self.sampling or VARIABLE.match(name) is not None
        return self.is_option(_bare(name)) or _bare(name).startswith("model.")

    def is_option(self, name: str) -> bool:
        """An option of any release, a key of one that is a mapping, a sampling parameter, a variable, or a fact."""
        head, dot, _ = name.partition(".")
        known = (self.engine, self.sampling, self.variables, self.facts)
        return (dot != "" and head in self.engine) or any(name in names for names in known)

    def all_options(self) -> set[str]:
        return {*self.engine, *self.sampling, *self.variables, *self.facts}

    def _all_names(self, place: str) -> set[str]:
        words = {word.name for word in self.names.values() if place in word.places}
        if place in vocabulary.DIALECT:
            return {*words, *self.sampling, *self.defined}
        sided = {f"{side}.{name}" for side in ("from", "to") for name in self.engine}
        return {*words, *self.all_options(), *self.named, *sided}

    def _call(self, code: list[object], place: str) -> Iterator[str]:
        function = str(code[1])
        word = self.functions.get(function)
        if word is None or word.arguments is None:
            names = [word.name for word in self.functions.values() if place in word.places]
            yield f"no such function: {function}{near(function, names)}"
            return
        if place not in word.places:
            yield f"{function} cannot be asked {_of(place)}"
        kinds = list(_kinds(word.arguments, len(code) - 2))
        if len(kinds) != len(code) - 2:
            yield f"{function} takes {signature(word)}"
            return
        for kind, argument in zip(kinds, code[2:], strict=True):
            yield from self._argument(function, kind, argument)

    def _argument(self, function: str, kind: str, argument: object) -> Iterator[str]:
        if isinstance(argument, list) or kind == "value":
            return
        names: Iterable[str] = ()
        good = isinstance(argument, int) if kind == "number" else isinstance(argument, str)
        if kind == "option":
            good, names = self.is_option(str(argument)), self.all_options()
        elif kind == "release":
            good, names = self.catalog.knows(str(argument)), self.catalog.releases
        elif kind == "specifier":
            good = SPECIFIER.match(str(argument)) is not None
        elif kind == "use":
            good, names = argument in self.uses, self.uses
        if not good:
            yield f"{function}({argument!r}): not {vocabulary.ARGUMENTS[kind]}{near(str(argument), names)}"

    def _compared(self, left: object, right: object) -> Iterator[str]:
        """A comparison with something that the left side never is."""
        values = self._values(left)
        for value in (right[1:] if right[:1] == ["list"] else ()) if isinstance(right, list) else (right,):
            if values and not isinstance(value, list) and not any(same(value, known) for known in values):
                shown = ", ".join(repr(known) for known in values)
                yield f"never {value!r}: it is one of {shown}{near(str(value), map(str, values))}"

    def _values(self, code: object) -> tuple[object, ...]:
        """All that an expression can be; empty where it can be anything."""
        if not isinstance(code, list) or code[0] not in ("name", "call"):
            return ()
        if code[1] in ("maybe",):
            return self._values(code[2])
        word = self._word(str(code[1])) if code[0] == "name" else self.functions.get(str(code[1]))
        return word.values if word is not None else ()


def _kinds(arguments: tuple[str, ...], number: int) -> Iterator[str]:
    """The kind of each of so many arguments; not as many where the function takes more, or less."""
    for kind in arguments:
        if kind.endswith("*"):
            yield from [kind[:-1]] * max(0, number - len(arguments) + 1)
        elif not kind.endswith("?"):
            yield kind
        elif number == len(arguments):
            yield kind[:-1]


def signature(word: Term) -> str:
    """The arguments of a function, as `(option, text)`."""
    kinds = word.arguments or ()
    shown = [f"[{kind[:-1]}]" if kind[-1] == "?" else f"{kind[:-1]}..." if kind[-1] == "*" else kind for kind in kinds]
    return f"({', '.join(shown)})"


def _bare(name: str) -> str:
    return name.removeprefix("from.").removeprefix("to.")


def _of(place: str) -> str:
    if place in vocabulary.RULE:
        return f"in a rule with each: {place}"
    return {"effective": "in effective/", "named": "here"}.get(place, f"in a dialect ({place})")


@cache
def _hints(kind: Any) -> Fields:
    return typing.get_type_hints(kind)


class Compiler:
    """Walks over one record by its annotations."""

    def __init__(self, checker: Checker, source: RuleSource) -> None:
        self.checker = checker
        self.source = source

    def record(self, kind: type, fields: Fields, loc: Loc, place: str) -> Fields:
        hints = _hints(kind)
        for path, fault in faults(self.checker, kind, fields):
            raise self.source.wrong((*loc, *path), fault)
        return {
            name: self.value(hints[name], value, (*loc, name), _place(kind, name, fields, place))
            if name in hints
            else value
            for name, value in fields.items()
            if value is not None
        }

    def value(self, hint: Any, value: Any, loc: Loc, place: str) -> object:
        if hint is Condition:
            return self.checker.condition(self.source, loc, value, place)
        if is_record_class(hint):
            return self.record(hint, value, loc, place)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is tuple:
            return [self.value(arguments[0], item, (*loc, i), place) for i, item in enumerate(value)]
        if origin is dict:
            return {key: self.value(arguments[1], item, (*loc, key), place) for key, item in value.items()}
        if type(None) in arguments:
            return self.value(arguments[0], value, loc, place)
        return value


def _place(kind: type, name: str, fields: Fields, place: str) -> str:
    """Where the conditions of a field stand, by which what they may ask."""
    if kind is records.Dialect:
        return {"transport": "transport", "pins": "pin"}.get(name, "dialect")
    if kind is records.EffectiveEntry:
        return "effective"
    return str(fields.get("each", "engine")) if kind is records.Rule else place
