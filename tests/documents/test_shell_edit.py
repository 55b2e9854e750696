"""Edits of arguments: the exact text after, the proof, and what must be refused."""

from __future__ import annotations

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits, decode
from vllm_migrate.documents.shell.document import ShellDocument, WordOp, parse_shell
from vllm_migrate.documents.shell.edit import plan
from vllm_migrate.documents.shell.proof import prove


def parse(text: str) -> ShellDocument:
    return parse_shell(decode("run.sh", text.encode()))


def word_op(document: ShellDocument, kind: str, anchor: str, *texts: str) -> WordOp:
    """The operation on the one argument whose text is `anchor`."""
    for command in document.commands:
        for index, word in enumerate(command.words):
            if word.raw == anchor:
                return WordOp(kind, command.index, index, texts)
    raise AssertionError(f"no word {anchor}")


def edited(text: str, *wishes: tuple[str, ...]) -> str:
    """The proved text after the operations (kind, anchor, texts...)."""
    document = parse(text)
    ops = [word_op(document, wish[0], wish[1], *wish[2:]) for wish in wishes]
    edits = plan(document, ops)
    after = prove(document, edits, ops)
    assert after.source.text == apply_edits(text, edits)
    return after.source.text


SPREAD = "python -m main \\\n    a.b=1 \\\n    a.c=2 \\\n    x=3\n"

CASES = [
    # insert_after
    (
        "its own line with the same indent and backslash",
        SPREAD,
        [("insert_after", "a.c=2", "a.d=True")],
        "python -m main \\\n    a.b=1 \\\n    a.c=2 \\\n    a.d=True \\\n    x=3\n",
    ),
    (
        "after the last word, which has no backslash",
        SPREAD,
        [("insert_after", "x=3", "y=4", "z=5")],
        SPREAD[:-1] + " \\\n    y=4 \\\n    z=5\n",
    ),
    (
        "at the end of the file without a newline",
        SPREAD[:-1],
        [("insert_after", "x=3", "y=4")],
        SPREAD[:-1] + " \\\n    y=4",
    ),
    (
        "the last word of the first line",
        SPREAD,
        [("insert_after", "main", "n=0")],
        "python -m main \\\n    n=0 \\\n    a.b=1 \\\n    a.c=2 \\\n    x=3\n",
    ),
    (
        "one line stays one line",
        "vllm serve m --port 1 # why\n",
        [("insert_after", "1", "--seed", "0")],
        "vllm serve m --port 1 --seed 0 # why\n",
    ),
    (
        "a flag and its value share a line",
        "vllm serve m \\\n\t--port 1 \\\n\t--seed 2\n",
        [("insert_after", "1", "--logprobs-mode", "processed_logprobs", "--no-enable-prefix-caching")],
        "vllm serve m \\\n\t--port 1 \\\n\t--logprobs-mode processed_logprobs \\\n"
        "\t--no-enable-prefix-caching \\\n\t--seed 2\n",
    ),
    (
        "several words a line: between two of them",
        "vllm serve m \\\n  --port 1 --seed 2 \\\n  --x\n",
        [("insert_after", "1", "--y")],
        "vllm serve m \\\n  --port 1 --y --seed 2 \\\n  --x\n",
    ),
    (
        "aligned backslashes keep their column's gap",
        "p \\\n  a=1    \\\n  b=2\n",
        [("insert_after", "a=1", "c=3")],
        "p \\\n  a=1    \\\n  c=3    \\\n  b=2\n",
    ),
    (
        "windows newlines, not at the end of a line",
        "p a=1 b=2\r\nq\r\n",
        [("insert_after", "a=1", "c=3")],
        "p a=1 c=3 b=2\r\nq\r\n",
    ),
    (
        "before a pipe",
        "p \\\n  a=1 2>&1 | tee log\n",
        [("insert_after", "a=1", "b=2")],
        "p \\\n  a=1 \\\n  b=2 2>&1 | tee log\n",
    ),
    (
        "before a pipe on its own line",
        "p \\\n  a=1 \\\n  2>&1 | tee log\n",
        [("insert_after", "a=1", "b=2")],
        "p \\\n  a=1 \\\n  b=2 \\\n  2>&1 | tee log\n",
    ),
    (
        "a broken continuation stays where it is",
        "p \\\n  a=1 \\\n\n  b.c=2\n",
        [("insert_after", "a=1", "n=1")],
        "p \\\n  a=1 \\\n  n=1 \\\n\n  b.c=2\n",
    ),
    (
        "an array element",
        'A=(\n    a=1  # one\n    b=2\n)\np "${A[@]}"\n',
        [("insert_after", "a=1", "c=3")],
        'A=(\n    a=1  # one\n    c=3\n    b=2\n)\np "${A[@]}"\n',
    ),
    (
        "the last array element",
        'A=(\n    a=1\n    b=2)\np "${A[@]}"\n',
        [("insert_after", "b=2", "c=3")],
        'A=(\n    a=1\n    b=2\n    c=3)\np "${A[@]}"\n',
    ),
    (
        "a one-line array",
        'A=(a=1 b=2)\np "${A[@]}"\n',
        [("insert_after", "b=2", "c=3")],
        'A=(a=1 b=2 c=3)\np "${A[@]}"\n',
    ),
    (
        "an array that a function declares",
        'f() {\n  local -a A=(\n    a=$X\n    b=2\n  )\n  p "${A[@]}"\n}\n',
        [("insert_after", "b=2", "c=3")],
        'f() {\n  local -a A=(\n    a=$X\n    b=2\n    c=3\n  )\n  p "${A[@]}"\n}\n',
    ),
    (
        "an array of flags",
        "A=(\n   --x 1\n   --y\n)\np ${A[@]}\n",
        [("insert_after", "1", "--z", "2")],
        "A=(\n   --x 1\n   --z 2\n   --y\n)\np ${A[@]}\n",
    ),
    (
        "the expansion itself, when the array is empty",
        'A=()\np \\\n  "${A[@]}" \\\n  "$@"\n',
        [("insert_before", '"$@"', "c=3")],
        'A=()\np \\\n  "${A[@]}" \\\n  c=3 \\\n  "$@"\n',
    ),
    (
        "an indented command",
        "if x; then\n  p \\\n    a=1\nfi\n",
        [("insert_after", "a=1", "b=2")],
        "if x; then\n  p \\\n    a=1 \\\n    b=2\nfi\n",
    ),
    (
        "two insertions at one place keep their order",
        "p a=1\n",
        [("insert_after", "a=1", "b=2"), ("insert_after", "a=1", "c=3")],
        "p a=1 b=2 c=3\n",
    ),
    # insert_before
    (
        "before, on its own line",
        SPREAD,
        [("insert_before", "a.c=2", "n=0")],
        "python -m main \\\n    a.b=1 \\\n    n=0 \\\n    a.c=2 \\\n    x=3\n",
    ),
    (
        "before, in an array",
        'A=(\n  a=1\n)\np "${A[@]}"\n',
        [("insert_before", "a=1", "n=0")],
        'A=(\n  n=0\n  a=1\n)\np "${A[@]}"\n',
    ),
    ("before, on one line", "p a=1\n", [("insert_before", "a=1", "n=0")], "p n=0 a=1\n"),
    # replace
    ("a bare word", SPREAD, [("replace", "a.c=2", "a.c=False")], SPREAD.replace("a.c=2", "a.c=False")),
    (
        "quotes around the value stay",
        "p k='a b' m=\"c\"\n",
        [("replace", "k='a b'", "k=d"), ("replace", 'm="c"', "m=e")],
        "p k='d' m=\"e\"\n",
    ),
    (
        "quotes around the word stay",
        "p 'k=1' \"m=$\"\n",
        [("replace", "'k=1'", "k=2"), ("replace", '"m=$"', 'm="$x"')],
        'p \'k=2\' "m=\\"\\$x\\""\n',
    ),
    ("quotes come when needed", "p k=1\n", [("replace", "k=1", "k=[1, 2]")], "p k='[1, 2]'\n"),
    ("an apostrophe", "p k=1\n", [("replace", "k=1", "k=it's")], 'p k="it\'s"\n'),
    (
        "a replacement of several words",
        SPREAD,
        [("replace", "a.c=2", "a.c=3", "a.d=4")],
        SPREAD.replace("a.c=2", "a.c=3 \\\n    a.d=4"),
    ),
    ("a flag's value", "vllm serve m --seed 1\n", [("replace", "1", "2")], "vllm serve m --seed 2\n"),
    # delete
    ("a line in the middle", SPREAD, [("delete", "a.c=2")], "python -m main \\\n    a.b=1 \\\n    x=3\n"),
    ("the last line", SPREAD, [("delete", "x=3")], "python -m main \\\n    a.b=1 \\\n    a.c=2\n"),
    ("the last two lines", SPREAD, [("delete", "x=3"), ("delete", "a.c=2")], "python -m main \\\n    a.b=1\n"),
    ("all lines", SPREAD, [("delete", "x=3"), ("delete", "a.c=2"), ("delete", "a.b=1")], "python -m main\n"),
    (
        "a flag with its value",
        "vllm serve m \\\n  --swap-space 4 \\\n  --seed 2\n",
        [("delete", "--swap-space"), ("delete", "4")],
        "vllm serve m \\\n  --seed 2\n",
    ),
    (
        "a flag in the middle of a line",
        "v s m --swap-space 4 --seed 2\n",
        [("delete", "--swap-space"), ("delete", "4")],
        "v s m --seed 2\n",
    ),
    ("the first of several on a line", "v \\\n  a=1 b=2 \\\n  c=3\n", [("delete", "a=1")], "v \\\n  b=2 \\\n  c=3\n"),
    ("the last of several on a line", "v \\\n  a=1 b=2 \\\n  c=3\n", [("delete", "b=2")], "v \\\n  a=1 \\\n  c=3\n"),
    (
        "before a pipe, on the last line",
        "p \\\n  a=1 \\\n  b=2 2>&1 | tee log\n",
        [("delete", "b=2")],
        "p \\\n  a=1 \\\n  2>&1 | tee log\n",
    ),
    (
        "before a pipe on a line of its own",
        "p \\\n  a=1 \\\n  b=2 \\\n  | tee log\n",
        [("delete", "b=2")],
        "p \\\n  a=1 \\\n  | tee log\n",
    ),
    ("after doubled continuations", "p \\\n  a=1 \\\n  \\\n  b=2\n", [("delete", "b=2")], "p \\\n  a=1\n"),
    (
        "an array line with its comment",
        'A=(\n  a=1  # one\n  b=2\n)\np "${A[@]}"\n',
        [("delete", "a=1")],
        'A=(\n  b=2\n)\np "${A[@]}"\n',
    ),
    ("an array word", 'A=(a=1 b=2)\np "${A[@]}"\n', [("delete", "a=1")], 'A=(b=2)\np "${A[@]}"\n'),
    ("the last array word", 'A=(a=1 b=2)\np "${A[@]}"\n', [("delete", "b=2")], 'A=(a=1)\np "${A[@]}"\n'),
    ("a word with an unknown value", "p \\\n  a=$X \\\n  b=2\n", [("delete", "a=$X")], "p \\\n  b=2\n"),
    # together
    (
        "delete the last and insert after what then is last",
        SPREAD,
        [("delete", "x=3"), ("insert_after", "a.c=2", "n=1")],
        SPREAD.replace("x=3", "n=1"),
    ),
    (
        "delete and insert after the deleted",
        SPREAD,
        [("delete", "x=3"), ("insert_after", "x=3", "n=1", "m=2")],
        SPREAD.replace("x=3", "n=1 \\\n    m=2"),
    ),
    (
        "around a deleted word, in order",
        "p a=1 b=2 c=3\n",
        [
            ("delete", "b=2"),
            ("insert_before", "b=2", "y=2"),
            ("insert_after", "a=1", "x=1"),
            ("insert_after", "b=2", "z=3"),
        ],
        "p a=1 x=1 y=2 z=3 c=3\n",
    ),
    (
        "replace one, insert, delete another",
        SPREAD,
        [("replace", "a.b=1", "a.b=5"), ("insert_after", "a.b=1", "n=1"), ("delete", "a.c=2")],
        "python -m main \\\n    a.b=5 \\\n    n=1 \\\n    x=3\n",
    ),
    (
        "both users of an array, one edit",
        'A=(a=1)\np "${A[@]}"\nq "${A[@]}" z\n',
        [("insert_after", "a=1", "b=2")],
        'A=(a=1 b=2)\np "${A[@]}"\nq "${A[@]}" z\n',
    ),
]


@pytest.mark.parametrize(("text", "wishes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_edit(text: str, wishes: list[tuple[str, ...]], expected: str) -> None:
    assert edited(text, *wishes) == expected


def test_the_same_word_through_two_users_of_an_array_is_changed_once() -> None:
    document = parse('A=(a=1)\np "${A[@]}"\nq "${A[@]}"\n')
    ops = [WordOp("insert_after", index, 1, ("b=2",)) for index in (0, 1)]
    assert prove(document, plan(document, ops), ops).source.text.startswith("A=(a=1 b=2)\n")
    assert document.shared_with(0, 1) == [1]


REFUSED = [
    ('A="a=1 b=2"\np $A\n', WordOp("replace", 0, 1, ("a=3",))),
    ("A=(a=1)\np ${A[@]}\n", WordOp("insert_after", 0, 1, ("k=[1, 2]",))),
    ("p a=$X\n", WordOp("replace", 0, 1, ("a=3",))),
    ("p a=1\n", WordOp("delete", 0, 0)),
    ("p a=1\n", WordOp("insert_before", 0, 0, ("X=1",))),
    ("p a=1\n", WordOp("replace", 0, 1, ())),
    ("p a=1\n", WordOp("replace", 0, 7, ("b",))),
    ("p a=1\n", WordOp("replace", 3, 0, ("b",))),
    ("p a=1\n", WordOp("swap", 0, 1, ("b",))),
    ("A='x y'\np k=$A\n", WordOp("insert_after", 0, 1, ("b",))),
]


@pytest.mark.parametrize(("text", "op"), REFUSED)
def test_refused(text: str, op: WordOp) -> None:
    with pytest.raises(CannotEdit):
        plan(parse(text), [op])


def test_two_changes_of_one_word_are_refused() -> None:
    with pytest.raises(CannotEdit):
        plan(parse("p a=1\n"), [WordOp("replace", 0, 1, ("a=2",)), WordOp("delete", 0, 1)])


WRONG = [
    Edit(0, 1, "q"),  # another word
    Edit(5, 5, " b=2"),  # more than was asked for is missing: not even the right value
    Edit(5, 5, " c=3 d=4"),
    Edit(6, 6, "echo\n"),  # one more command
    Edit(5, 5, " c=3 >log"),  # a redirection
    Edit(5, 5, " c=3 # note"),  # a comment
    Edit(5, 5, " 'c=3"),  # an open quote
]


@pytest.mark.parametrize("edit", WRONG)
def test_proof_fails_on_anything_else(edit: Edit) -> None:
    document = parse("p a=1\nX=1 r s\n")
    ops = [WordOp("insert_after", 0, 1, ("c=3",))]
    assert plan(document, ops) == [Edit(5, 5, " c=3")]
    with pytest.raises(ProofFailed):
        prove(document, [edit], ops)


def test_doing_it_twice_on_the_result_plans_the_same_style() -> None:
    once = edited(SPREAD, ("insert_after", "a.c=2", "n=1"))
    assert edited(once, ("insert_after", "n=1", "m=2")).count(" \\\n") == 5
