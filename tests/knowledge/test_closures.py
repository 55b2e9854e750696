"""A condition as a closure gives what its interpretation gives."""

from __future__ import annotations

import random

import pytest

from vllm_migrate.knowledge import expr
from vllm_migrate.knowledge.expr import Undetermined, closure, evaluate

VALUES = (True, False, None, 0, 1, 2.5, "v0", "v1", "", [1, "v0"])
NAMES: dict[str, object] = {
    "a": "v0",
    "b": True,
    "c": 1,
    "d": None,
    "e": Undetermined(("why e",), ("v0", "v1")),
    "f": Undetermined(("why f",)),
    "g": Undetermined(("why g",), (True,)),
    "h": [1, "v0"],
    "i": False,
}


class Names:
    """An environment in which some names are not known."""

    def name(self, dotted: str) -> object:
        return NAMES[dotted]

    def call(self, function: str, args: list[object]) -> object:
        args.append(function)  # a list of the caller's own: nobody else sees this
        return args[0] if function == "first" else len(args)


def expression(draw: random.Random, depth: int) -> object:
    kind = draw.random()
    if depth == 0 or kind < 0.2:
        return ["name", draw.choice(sorted(NAMES))] if draw.random() < 0.7 else draw.choice(VALUES[:-1])
    inner = [expression(draw, depth - 1) for _ in range(3)]
    if kind < 0.5:
        return [draw.choice(("and", "or")), *inner[: draw.randint(2, 3)]]
    if kind < 0.6:
        return ["not", inner[0]]
    if kind < 0.65:
        return ["if", *inner]
    if kind < 0.75:
        return ["call", draw.choice(("first", "count")), *inner[: draw.randint(1, 2)]]
    if kind < 0.82:
        return [draw.choice(("in", "not in")), inner[0], ["list", *draw.sample(VALUES[:-1], 2)]]
    right = draw.choice(VALUES) if draw.random() < 0.6 else inner[1]
    if right == VALUES[-1]:
        right = ["list", 1, "v0"]
    return [draw.choice(("==", "!=", "<", "<=", ">", ">=", "+")), inner[0], right]


def outcome(evaluated: object) -> str:
    return f"{type(evaluated).__name__} {evaluated!r}"


@pytest.mark.parametrize("seed", range(5))
def test_random_conditions(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(2_000):
        code = expression(draw, 4)
        assert outcome(closure(code)(Names())) == outcome(expr._interpret(code, Names())), code


def test_a_condition_that_is_asked_often_keeps_its_answer() -> None:
    code = ["and", ["==", ["name", "a"], "v0"], ["not", ["name", "i"]]]
    assert {evaluate(code, Names()) for _ in range(20)} == {True}
    assert id(code) in expr._compiled
