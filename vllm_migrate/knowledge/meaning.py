"""What the fields of a record must mean together, and what the names in them must be names of. Build time only."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vllm_migrate.knowledge import records, vocabulary
from vllm_migrate.knowledge.source import Loc, near

if TYPE_CHECKING:
    from vllm_migrate.knowledge.check import Checker

Fields = dict[str, Any]
Faults = Iterator[tuple[Loc, str]]

RANGE = re.compile(r"(<|<=|>|>=|==)\d+(\.\d+)*(\.post\d+)?(,(<|<=|>|>=|==)\d+(\.\d+)*(\.post\d+)?)*\Z")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
# What the texts of a rule may hold; docs and judge fill them in.
SAID = frozenset(
    (
        *("old", "new", "from", "to", "nor", "option", "key", "value", "why", "upgrade", "off", "reads", "engine", "dies", "refuses"),
        *("because", "removed_in", "hint", "candidates", "deprecated", "renamed", "instead", "note", "gone", "home"),
        *("since", "follows", "method", "successor", "taken", "refused", "unfit", "class", "refusal", "settings", "framework"),
        *("edit", "dialect"),
    )
)  # fmt: skip
OF_KIND = {
    "kwargs": ("none", "duplicate", "frontend"),
    "cli": ("values", "drops", "positional"),
}
SIGNS = ("path", "all", "any", "glob", "serve_flags", "words", "image")
EMBEDDED = ("command", "entrypoint", "image", "program", "text")
ACTIONS = ("set", "drop", "respell", "rename", "succeed", "core", "argument", "remove", "text")


def faults(checker: Checker, kind: type, fields: Fields) -> Faults:
    """Each thing that is wrong with a record: its path from the record, and what."""
    check = _CHECKS.get(kind)
    if check is not None:
        yield from check(checker, fields)


def _placeholders(fields: Fields, names: Iterable[str], texts: Iterable[str]) -> Faults:
    for field in texts:
        for found in PLACEHOLDER.findall(str(fields.get(field) or "")):
            if found not in names:
                yield (field,), f"no placeholder {{{found}}}{near(found, names)}"


def _option(checker: Checker, field: str | Loc, name: object) -> Faults:
    if name and not checker.is_option(str(name)) and name not in (*vocabulary.RESOLVED, vocabulary.FRAMEWORK):
        loc = (field,) if isinstance(field, str) else field
        yield loc, f"no option {name!r}{near(str(name), checker.all_options())}"


def _uses(checker: Checker, field: str, names: Iterable[str]) -> Faults:
    for number, name in enumerate(names):
        if name not in checker.uses:
            yield (field, number), f"no use {name!r}{near(name, checker.uses)}"


def _sign(checker: Checker, fields: Fields) -> Faults:
    if not any(fields.get(name) for name in SIGNS):
        yield (), f"nothing that a file could have: one of {', '.join(SIGNS)}"


def _embed(checker: Checker, fields: Fields) -> Faults:
    if not any(fields.get(name) for name in EMBEDDED):
        yield (), f"nothing that a mapping could have: one of {', '.join(EMBEDDED)}"


def _key(checker: Checker, fields: Fields) -> Faults:
    yield from _option(checker, "to", fields["to"])


def _pass(checker: Checker, fields: Fields) -> Faults:
    yield from _option(checker, "option", fields["option"])


def _transport(checker: Checker, fields: Fields) -> Faults:
    for kind, names in OF_KIND.items():
        for name in names if kind != fields["kind"] else ():
            if name in fields:
                yield (name,), f"{name} is of kind: {kind} alone"


def _pin(checker: Checker, fields: Fields) -> Faults:
    yield from _placeholders(fields, ("typed", "snake", "kebab"), ("key",))
    yield from _placeholders(fields, ("kebab",), ("argument",))
    if bool(fields.get("key")) == bool(fields.get("say")):
        yield (), "both key and say" if fields.get("key") else "neither key nor say"


def _fact(checker: Checker, fields: Fields) -> Faults:
    if ("value_of" in fields) == ("depends_on" in fields):
        yield (), "both value_of and depends_on" if "value_of" in fields else "neither value_of nor depends_on"


def _dialect(checker: Checker, fields: Fields) -> Faults:
    yield from _placeholders(fields, ("option", "key"), ("switch_off",))
    yield from _uses(checker, "rollout_uses", fields.get("rollout_uses", ()))
    for name in fields.get("facts", ()):
        if name not in checker.facts and name not in checker.variables:
            yield ("facts", name), f"no such fact{near(name, checker.facts)}"
    for name in fields.get("define", ()):
        if name in checker.names:
            yield ("define", name), f"{name} has a meaning already"
    for release, wanted in fields.get("requires", {}).items():
        if RANGE.match(wanted) is None:
            yield ("requires", release), f"{wanted!r} is no range of releases, such as '>=0.8.5,<0.11.0'"


def _rule(checker: Checker, fields: Fields) -> Faults:
    yield from _placeholders(fields, SAID, ("message", "why", "advice"))
    yield from _option(checker, "option", fields.get("option"))
    for number, name in enumerate(fields.get("at", ())):
        yield from _option(checker, ("at", number), name)
    if fields.get("each") == "use":
        yield from _uses(checker, "options", fields.get("options", ()))
    else:
        for number, name in enumerate(fields.get("options", ())):
            yield from _option(checker, ("options", number), name)


def _variant(checker: Checker, fields: Fields) -> Faults:
    yield from _placeholders(fields, SAID, ("message", "why", "advice"))


def _fix(checker: Checker, fields: Fields) -> Faults:
    yield from _placeholders(fields, SAID, ("title",))
    needs = fields.get("needs")
    if needs and not checker.catalog.knows(needs):
        yield ("needs",), f"no release {needs!r}{near(needs, checker.catalog.releases)}"
    for number, name in enumerate(fields.get("with_rules", ())):
        if checker.rules and name not in checker.rules:
            yield ("with_rules", number), f"no rule {name!r}{near(name, checker.rules)}"


def _action(checker: Checker, fields: Fields) -> Faults:
    if not any(fields.get(name) for name in ACTIONS):
        yield (), f"nothing to do: one of {', '.join(ACTIONS)}"
    for name in ("set", "drop"):
        if fields.get(name) not in ("setting", "default"):
            yield from _option(checker, name, fields.get(name))
    if fields.get("of"):
        yield from ((("of",), message) for _, message in _uses(checker, "of", [fields["of"]]))


def _entry(checker: Checker, fields: Fields) -> Faults:
    yield from _option(checker, "option", fields["option"])


_CHECKS: dict[type, Callable[[Checker, Fields], Faults]] = {
    records.Sign: _sign,
    records.Embed: _embed,
    records.Key: _key,
    records.Pass: _pass,
    records.Transport: _transport,
    records.PinSpec: _pin,
    records.FactSpec: _fact,
    records.Dialect: _dialect,
    records.Rule: _rule,
    records.Variant: _variant,
    records.FixSpec: _fix,
    records.ActionSpec: _action,
    records.EffectiveEntry: _entry,
}
