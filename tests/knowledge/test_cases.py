"""Lists of cases: the first that holds, and what may hold until one certainly does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vllm_migrate.knowledge.cases import Choice, choose
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.parse import compile_expr
from vllm_migrate.knowledge.records import Case


class Names:
    def __init__(self, **values: object) -> None:
        self.values = values

    def name(self, dotted: str) -> object:
        return self.values[dotted]

    def call(self, function: str, args: list[object]) -> object:
        raise KeyError(function)


def pick(cases: Sequence[Mapping[str, object]], **values: object) -> Choice:
    compiled = [
        Case.decoded({key: compile_expr(v) if key in ("when", "value_of") else v for key, v in case.items()})
        for case in cases
    ]
    return choose(compiled, Names(**values))


V0 = {"when": "old", "value": "v0", "because": "asked for"}
V1 = {"value": "v1", "because": "the default"}
MAYBE = Undetermined(("the device",), (True, False))


def test_the_first_that_holds() -> None:
    assert pick([V0, V1], old=True) == Choice("v0", "asked for")
    assert pick([V0, V1], old=False) == Choice("v1", "the default")


def test_none_holds() -> None:
    assert pick([V0], old=False).found is False


def test_what_may_hold_is_kept_with_its_reason() -> None:
    value = pick([V0, V1], old=MAYBE).value
    assert isinstance(value, Undetermined)
    assert value.reasons == ("the device",)
    assert value.options == ("v0", "v1")


def test_cases_that_agree_need_no_reason() -> None:
    same: dict[str, object] = {"when": "old", "value": "v1"}
    assert pick([same, V1], old=MAYBE) == Choice("v1", "the default")


def test_a_case_that_depends_says_so_and_lists_what_it_may_be() -> None:
    value = pick([V0, {"depends_on": "the model", "values": [True, False]}], old=False).value
    assert isinstance(value, Undetermined)
    assert (value.reasons, value.options) == (("the model",), (True, False))


def test_reasons_of_both_ways_are_joined() -> None:
    value = pick([V0, {"depends_on": "the model", "values": ["v1"]}], old=MAYBE).value
    assert isinstance(value, Undetermined)
    assert value.reasons == ("the device", "the model")
    assert value.options == ("v0", "v1")


def test_a_value_may_be_computed_and_not_known() -> None:
    case: dict[str, object] = {"value_of": "given", "because": "the file"}
    assert pick([case], given=0.7) == Choice(0.7, "the file")
    value = pick([V0, case], old=MAYBE, given=Undetermined(("the file",))).value
    assert isinstance(value, Undetermined)
    assert value.reasons == ("the device", "the file")
    assert value.options == ()  # what cannot be listed is not listed in part


def test_true_and_one_are_two_values() -> None:
    value = pick([{"when": "old", "value": True}, {"value": 1}], old=MAYBE).value
    assert isinstance(value, Undetermined)
    assert value.options == (True, 1)


def test_what_may_be_is_flat_and_listed_in_full_or_not_at_all() -> None:
    of_model: dict[str, object] = {"when": "old", "value_of": "length"}
    listed: dict[str, object] = {"depends_on": "the context", "values": [1, 2]}
    value = pick([of_model, listed], old=MAYBE, length=Undetermined(("the model",), (2, 4))).value
    assert isinstance(value, Undetermined)
    assert (value.reasons, value.options) == (("the device", "the context", "the model"), (2, 4, 1))
    value = pick([of_model, listed], old=MAYBE, length=Undetermined(("the model",))).value
    assert isinstance(value, Undetermined) and value.options == ()
    value = pick([V0, {"depends_on": "the context"}], old=MAYBE).value
    assert isinstance(value, Undetermined) and value.options == ()
    assert value.reasons == ("the device", "the context")
