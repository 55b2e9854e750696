"""Load the compiled knowledge: records made from the JSON that `python -m vllm_migrate.knowledge.build` makes from rules/.

What a lint judges with is in one file; what only `explain` and its like tell is in another, read when it is asked for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import copy
from typing import Self, TypeVar

from vllm_migrate.knowledge.record import Record
from vllm_migrate.knowledge.records import Dialect, DialectPage, EffectiveEntry, Gpu, ModelName, Rule, RulePage
from vllm_migrate.opening import opened_text
from vllm_migrate.shipped import SHIPPED

Kind = TypeVar("Kind", bound=Record)

DATA = SHIPPED.knowledge
COMPILED = os.path.join(DATA, "knowledge.json")
PAGES = os.path.join(DATA, "pages.json")


class Knowledge:
    """rules in the order of their codes, dialects in the order in which they are tried, effective entries by option, GPUs by
    the name that `--gpu` takes, models by a part of their names."""

    __slots__ = ("dialects", "effective", "gpus", "in_order", "models", "rules")

    def __init__(self, raw: dict[str, dict[str, object]]) -> None:
        self.rules = tuple(_records(Rule, raw["rules"]).values())
        # As they are judged; those in preview only where they are asked for.
        self.in_order = sorted((rule for rule in self.rules if rule.status != "preview"), key=_when_judged)
        self.dialects = tuple(_records(Dialect, raw["dialects"]).values())
        self.effective = _records(EffectiveEntry, raw["effective"])
        self.gpus = _records(Gpu, raw["gpus"])
        self.models = _records(ModelName, raw["models"])

    def asking(self, selects: Callable[[str, str], bool]) -> Self:
        """The same with the rules in preview that are selected."""
        chosen = [rule for rule in self.rules if rule.status == "preview" and selects(rule.code, rule.name)]
        if not chosen:
            return self
        found = copy(self)
        found.in_order = sorted([*self.in_order, *chosen], key=_when_judged)
        return found

    def frameworks(self) -> tuple[str, ...]:
        """The packages of frameworks whose releases a project may pin."""
        return tuple(dict.fromkeys(dialect.framework for dialect in self.dialects if dialect.framework))

    def rule(self, code_or_name: str) -> Rule | None:
        """A rule by its code (any case) or its name."""
        wanted = code_or_name.lower()
        return next((rule for rule in self.rules if wanted in (rule.code.lower(), rule.name)), None)


def _when_judged(rule: Rule) -> tuple[bool, str]:
    """Derived rules last."""
    return rule.derived, rule.code


def rule_page(name: str) -> RulePage:
    """What is told of a rule: the explanation, when it is silent, evidence."""
    return RulePage.decoded(_pages()["rules"][name])


def dialect_page(ident: str) -> DialectPage:
    """What is told of a dialect: what it is about, evidence."""
    return DialectPage.decoded(_pages()["dialects"][ident])


def written(kind: str, name: str) -> dict[str, object]:
    """All the compiled fields of a record as JSON's kinds of values. kind: rules, dialects, effective."""
    with opened_text(COMPILED) as handle:
        fields: dict[str, object] = json.load(handle)[kind][name]
    told = _pages()[kind][name]
    assert isinstance(told, dict)
    return {**fields, **told}


def _records(kind: type[Kind], raw: dict[str, object]) -> dict[str, Kind]:
    return {name: kind.decoded(fields) for name, fields in raw.items()}


_knowledge: Knowledge | None = None
_told: dict[str, dict[str, object]] | None = None


def _pages() -> dict[str, dict[str, object]]:
    global _told
    if _told is None:
        with opened_text(PAGES) as handle:
            _told = json.load(handle)
    return _told


def load() -> Knowledge:
    """The knowledge shipped with this package (read once)."""
    global _knowledge
    if _knowledge is None:
        with opened_text(COMPILED) as handle:
            _knowledge = Knowledge(json.load(handle))
    return _knowledge
