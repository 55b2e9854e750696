"""Lists of cases, the form in which rules/ says what something resolves to.

A case is `{when?: condition, value: any, because?: text}`; the first that holds gives the value. `value_of` takes a
condition's value instead. What no file decides is a case with `depends_on` (and `values`, those it may take).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vllm_migrate.knowledge.expr import Env, Undetermined, alternatives, same
from vllm_migrate.knowledge.records import Case


class Choice(NamedTuple):
    """The value chosen (Undetermined when it cannot be told) and why, in words. `found` is False when no case holds."""

    value: object
    because: str
    found: bool = True


def choose(cases: Iterable[Case], env: Env) -> Choice:
    """Evaluate cases in order, keeping every one that may hold until one certainly does."""
    possible: list[object] = []
    reasons: list[str] = []
    for case in cases:
        test = case.when.evaluate(env)
        if isinstance(test, Undetermined):
            reasons.extend(r for r in test.reasons if r not in reasons)
            _add(possible, _values(case, env))
            continue
        if not test:
            continue
        if case.depends_on:
            reasons.append(case.depends_on)
            _add(possible, _values(case, env))
            return _several(possible, reasons)
        values = _values(case, env)
        value = values[0] if values else None
        if not reasons or (len(possible) == 1 and not isinstance(value, Undetermined) and same(possible[0], value)):
            return Choice(value, case.because)
        _add(possible, values)
        return _several(possible, reasons)
    if not reasons:
        return Choice(None, "", False)
    return _several(possible, reasons)


def _several(possible: list[object], reasons: list[str]) -> Choice:
    for value in possible:
        if isinstance(value, Undetermined):
            reasons.extend(r for r in value.reasons if r not in reasons)
    return Choice(Undetermined(tuple(reasons), alternatives(possible)), "")


def _values(case: Case, env: Env) -> list[object]:
    if case.depends_on:
        return list(case.values) or [Undetermined((case.depends_on,))]
    if case.value_of is not None:
        return [case.value_of.evaluate(env)]
    return [case.value]


def _add(possible: list[object], values: object) -> None:
    for value in values if isinstance(values, list) else [values]:
        if isinstance(value, Undetermined) or not any(
            same(value, p) for p in possible if not isinstance(p, Undetermined)
        ):
            possible.append(value)
