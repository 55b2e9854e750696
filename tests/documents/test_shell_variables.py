"""Edits of variables: exports, assignments, prefixes of commands; proof and refusals."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits, decode
from vllm_migrate.documents.shell.document import ShellDocument, VariableOp, parse_shell


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


def on(text: str, what: str, kind: str, value: str = "") -> VariableOp:
    """The operation on the assignment written as `what`."""
    return VariableOp(kind, text.index(what) + what.index("=") + 1, value)


CASES = [
    ("export A=1\np\n", "A=1", "replace", "2", "export A=2\np\n"),
    ("export A='1'  # why\np\n", "A='1'", "replace", "x y", "export A='x y'  # why\np\n"),
    ('A="1" p\n', 'A="1"', "replace", "", "A='' p\n"),
    ("export A=1\np\n", "A=1", "delete", "", "p\n"),
    ("x\n  export A=1  # why\np\n", "A=1", "delete", "", "x\np\n"),
    ("export A=1 B=2 C=3\n", "B=2", "delete", "", "export A=1 C=3\n"),
    ("export A=1 B=2\n", "A=1", "delete", "", "export B=2\n"),
    ("A=1\np\n", "A=1", "delete", "", "p\n"),
    ("A=1; p\n", "A=1", "delete", "", "p\n"),
    ("A=1 B=2 p x\n", "A=1", "delete", "", "B=2 p x\n"),
    ("A=1 B=2 p x\n", "B=2", "delete", "", "A=1 p x\n"),
    ("A=1 \\\n  p x\n", "A=1", "delete", "", "p x\n"),
    ("if x; then\n  export A=1\nfi\n", "A=1", "delete", "", "if x; then\n  :\nfi\n"),
    ("f() {\n  A=1\n}\n", "A=1", "delete", "", "f() {\n  :\n}\n"),
    ("export A=1\r\np\r\n", "A=1", "delete", "", "p\r\n"),
    ("export A=1", "A=1", "delete", "", ""),
]


@pytest.mark.parametrize(("text", "what", "kind", "value", "expected"), CASES)
def test_edit(text: str, what: str, kind: str, value: str, expected: str) -> None:
    document = parse(text)
    ops = [on(text, what, kind, value)]
    edits = document.plan_variables(ops)
    assert apply_edits(text, edits) == expected
    assert document.prove_variables(ops, edits).source.text == expected


def test_a_new_export_before_a_command() -> None:
    text = "if x; then\n  p \\\n    a=1\nfi\n"
    document = parse(text)
    ops = [VariableOp("export", name="A", value="a b", command=1)]
    edits = document.plan_variables(ops)
    after = document.prove_variables(ops, edits)
    assert after.source.text == "if x; then\n  export A='a b'\n  p \\\n    a=1\nfi\n"
    assert [(name, word.value) for name, word in after.exports] == [("A", "a b")]


def test_what_uses_the_variable_follows_it() -> None:
    text = 'A=1\nB="$A/x"\np $B\n'
    document = parse(text)
    ops = [on(text, "A=1", "replace", "2")]
    after = document.prove_variables(ops, document.plan_variables(ops))
    assert after.commands[0].words[1].value == "2/x"


REFUSED = [
    ("A=1 && p\n", VariableOp("delete", 2)),
    ("A=1 | p\n", VariableOp("delete", 2)),
    ("p\n", VariableOp("delete", 0)),
    ("A=1\n", VariableOp("swap", 2)),
    ("x; p\n", VariableOp("export", name="A", value="1", command=1)),
    ("p\n", VariableOp("export", name="A-B", value="1", command=0)),
    ("p\n", VariableOp("export", name="A", value="1", command=3)),
    ("A=1 \\\n  p\n", VariableOp("export", name="B", value="1", command=4)),
]


@pytest.mark.parametrize(("text", "op"), REFUSED)
def test_refused(text: str, op: VariableOp) -> None:
    with pytest.raises(CannotEdit):
        parse(text).plan_variables([op])


@pytest.mark.parametrize(
    "edit", [Edit(9, 10, "3"), Edit(0, 16, ""), Edit(9, 10, "2 C=4"), Edit(0, 11, ""), Edit(15, 16, "q")]
)
def test_proof_fails_on_anything_else(edit: Edit) -> None:
    document = parse("export A=1\nB=2 p\n")
    ops = [VariableOp("replace", 9, "2")]
    document.prove_variables(ops, [Edit(9, 10, "2")])
    with pytest.raises(ProofFailed):
        document.prove_variables(ops, [edit])
