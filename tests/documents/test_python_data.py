"""A Python module as a data document: calls as mappings, edits through the same operations as in every other format."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.editing import plan, plan_proved, prove
from vllm_migrate.documents.interface import (
    DELETE,
    RENAME,
    SET,
    CannotEdit,
    Op,
    ProofFailed,
    Unknown,
    apply_edits,
    decode,
)
from vllm_migrate.documents.python.document import PythonData, parse_python_data


def parse(text: str) -> PythonData:
    return parse_python_data(decode("run.py", text.encode()))


TEXT = (
    'llm = LLM(\n    model="m",\n    hf_overrides={"head_dtype": "float32", "x": [1, n]},\n    **rest,\n)\nf(g(k=1))\n'
)


def test_each_call_is_a_mapping_of_its_keywords() -> None:
    data = parse(TEXT)
    assert [root.plain() for root in data.roots] == [
        {"model": "m", "hf_overrides": {"head_dtype": "float32", "x": [1, Unknown("n")]}},
        {},
        {"k": 1},
        {"head_dtype": "float32", "x": [1, Unknown("n")]},
    ]
    pair = data.roots[0].pairs[0]
    text = data.source.text
    assert text[pair.key_node.start : pair.key_node.end] == "model"
    assert text[pair.value.start : pair.value.end] == '"m"'
    assert text[data.roots[0].start : data.roots[0].end] == "LLM", "a call stands at its callee"
    inner = data.roots[0].at(("hf_overrides", "head_dtype"))
    assert inner is not None and inner.value == "float32"


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (Op(SET, ("k",), 2), "f(k=2, m={'a': 1})\n"),
        (Op(SET, ("new",), False), "f(k=1, m={'a': 1}, new=False)\n"),
        (Op(DELETE, ("k",)), "f(m={'a': 1})\n"),
        (Op(RENAME, ("k",), new_key="j"), "f(j=1, m={'a': 1})\n"),
        (Op(SET, ("m", "b"), 2), "f(k=1, m={'a': 1, 'b': 2})\n"),
        (Op(SET, ("o", "p", "q"), 2), "f(k=1, m={'a': 1}, o={'p': {'q': 2}})\n"),
    ],
)
def test_operations(op: Op, expected: str) -> None:
    data = parse("f(k=1, m={'a': 1})\n")
    edits, after = plan_proved(data, [op], 0)
    assert apply_edits(data.source.text, edits) == expected == after.source.text
    assert isinstance(after, PythonData) and after.roots[0].plain() != data.roots[0].plain()


@pytest.mark.parametrize(
    "op", [Op(DELETE, ("m", "a")), Op(SET, ("k", "a"), 1), Op(SET, (0,), 1), Op(DELETE, ("none",))]
)
def test_what_cannot_be_written_is_refused(op: Op) -> None:
    with pytest.raises(CannotEdit):
        plan(parse("f(k=g(), m={'a': 1})\n"), [op], 0)


def test_a_call_that_passes_a_mapping_gets_no_new_keyword() -> None:
    with pytest.raises(CannotEdit, match=r"\*\*kwargs"):
        plan(parse(TEXT), [Op(SET, ("seed",), 1)], 0)


def test_edits_that_do_something_else_fail_the_proof() -> None:
    data = parse("f(k=1)\ng(k=1)\n")
    edits = plan(data, [Op(SET, ("k",), 2)], 0)
    with pytest.raises(ProofFailed):
        prove(data, edits, [Op(SET, ("k",), 2)], 1)
