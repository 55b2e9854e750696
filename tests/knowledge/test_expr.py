"""The condition language: what it says when a value is not known, and why."""

from __future__ import annotations

import json

import pytest

from vllm_migrate.knowledge.expr import Condition, Undetermined
from vllm_migrate.knowledge.parse import BadCondition, compile_expr

GPU = Undetermined(("the GPU",), (True, False))
TEMPERATURE = Undetermined(("the temperature of requests",))
CORE = Undetermined(("which engine ran",), ("v0", "v1"))


class Names:
    """An environment of constants; `double(x)` is its one function."""

    values: dict[str, object] = {
        "yes": True,
        "no": False,
        "one": 1,
        "text": "abc",
        "none": None,
        "gpu": GPU,
        "core": CORE,
        "from.core": CORE,
        "sampling.temperature": TEMPERATURE,
        "both_above": Undetermined(("the size",), (4, 8)),
    }

    def name(self, dotted: str) -> object:
        return self.values[dotted]

    def call(self, function: str, args: list[object]) -> object:
        assert function == "double"
        return args[0] if isinstance(args[0], Undetermined) else f"{args[0]}{args[0]}"


def run(text: str, predicates: dict[str, object] | None = None) -> object:
    compiled = compile_expr(text, predicates)
    return Condition(json.loads(json.dumps(compiled))).evaluate(Names())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("not yes", False),
        ("yes and no or yes", True),
        ("one == 1", True),
        ("yes == 1", False),  # a configuration's true is not the number 1
        ("one == True", False),
        ("1.0 == 1", True),
        ("text != 'abd'", True),
        ("text in ['abc', 'x']", True),
        ("text not in ['abc', 'x']", False),
        ("one < 2", True),
        ("one >= -1", True),
        ("text < 2", False),  # an order only among numbers
        ("yes < 2", False),
        ("none == None", True),
        ("none is None", True),
        ("'a' + 'b'", "ab"),
        ("1 + 2", 3),
        ("'yes' if one == 1 else 'no'", "yes"),
        ("double(text)", "abcabc"),
    ],
)
def test_decided(text: str, value: object) -> None:
    result = run(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gpu and no", False),
        ("no and gpu", False),
        ("gpu or yes", True),
        ("gpu or gpu == gpu or yes", True),
        ("core in ['v0', 'v1']", True),  # whichever it is
        ("core == 'v2'", False),
        ("both_above > 2", True),
        ("both_above > 9", False),
        ("not (both_above > 9)", True),
        ("surely(both_above > 2)", True),
        ("surely(gpu)", False),
        ("not surely(gpu)", True),
        ("surely(yes)", True),
        ("surely(no)", False),
        ("surely(gpu and no) or surely(one)", True),
        ("surely(core == 'v0') or core == 'v2'", False),
    ],
)
def test_decided_although_a_part_is_not_known(text: str, value: object) -> None:
    assert run(text) is value


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("gpu", ("the GPU",)),
        ("not gpu", ("the GPU",)),
        ("gpu and yes", ("the GPU",)),
        ("gpu or no", ("the GPU",)),
        ("gpu and sampling.temperature == 1", ("the GPU", "the temperature of requests")),
        ("gpu and not gpu", ("the GPU",)),
        ("core == 'v0'", ("which engine ran",)),
        ("from.core == 'v0' and yes", ("which engine ran",)),
        ("both_above > 5", ("the size",)),
        ("both_above > 5 and gpu and no or core == 'v1'", ("which engine ran",)),  # a reason only where it matters
        ("sampling.temperature + 1", ("the temperature of requests",)),
        ("'a' if gpu else 'b'", ("the GPU",)),
        ("sampling.temperature in [0, 1]", ("the temperature of requests",)),
    ],
)
def test_not_decided_and_why(text: str, reasons: tuple[str, ...]) -> None:
    result = run(text)
    assert isinstance(result, Undetermined)
    assert result.reasons == reasons


def test_an_unsure_value_has_no_truth() -> None:
    with pytest.raises(TypeError):
        bool(run("gpu"))


def test_predicates_stand_for_their_conditions() -> None:
    predicates: dict[str, object] = {}
    predicates["small"] = compile_expr("one < 2")
    predicates["small_text"] = compile_expr("small and text == 'abc'", predicates)
    assert run("small_text and not no", predicates) is True


def test_constants_pass_through() -> None:
    assert [compile_expr(value) for value in (True, False, None, 3)] == [True, False, None, 3]


@pytest.mark.parametrize(
    "text",
    [
        "a = 1",
        "one <",
        "lambda: 1",
        "[x for x in y]",
        "a.b()",
        "f(x=1)",
        "a < b < c",
        "a * 2",
        "x[0]",
        "__import__('os').x",
        "~one",
    ],
)
def test_other_python_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(BadCondition) as error:
        compile_expr(text)
    assert text in error.value.message
