"""Edits of YAML: every pitfall of marks and splices, the file's own style, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from vllm_migrate.documents.editing import plan, plan_proved, prove
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    RENAME,
    SET,
    CannotEdit,
    DataDocument,
    Edit,
    Op,
    ProofFailed,
    decode,
)
from vllm_migrate.documents.yaml import edit as yaml_edit
from vllm_migrate.documents.yaml.document import YamlDocument, parse_yaml
from vllm_migrate.documents.yaml.edit import candidates


def read(text: str, omegaconf: bool = False) -> YamlDocument:
    return parse_yaml(decode("f.yaml", text.encode()), omegaconf)


def edit(text: str, *ops: Op, index: int = 0, omegaconf: bool = False) -> str:
    """The first plan, without any second try, proved."""
    document = read(text, omegaconf)
    return prove(document, plan(document, list(ops), index), list(ops), index).source.text


def put(path: str, value: object, after: str = "") -> Op:
    return Op(SET, _path(path), value, after=after)


def drop(path: str) -> Op:
    return Op(DELETE, _path(path))


def rename(path: str, new: str) -> Op:
    return Op(RENAME, _path(path), new_key=new)


def insert(path: str, value: object) -> Op:
    return Op(INSERT, _path(path), value)


def _path(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        # a new key, after the last leaf: comments and blank lines that follow stay below
        ("a: 1\n", put("b", 2), "a: 1\nb: 2\n"),
        ("a:\n  x: 1  # note\n\n# about b\nb: 2\n", put("a.w", 2), "a:\n  x: 1  # note\n  w: 2\n\n# about b\nb: 2\n"),
        ("a:\n  x:\n    - 1\n    # tail\n\nb: 2\n", put("a.w", 2), "a:\n  x:\n    - 1\n    # tail\n  w: 2\n\nb: 2\n"),
        ("a:\n  x:\n  - 1\n# tail\nb: 2\n", put("a.w", 2), "a:\n  x:\n  - 1\n  w: 2\n# tail\nb: 2\n"),
        ("a:\n  x: 1\n  # w: 2\nb: 1\n", put("c", 3, "a"), "a:\n  x: 1\n  # w: 2\nc: 3\nb: 1\n"),
        # where asked: after a sibling
        ("a: 1 # x\nb: 2\n", put("c", 3, "a"), "a: 1 # x\nc: 3\nb: 2\n"),
        ("a: {x: 1, w: 2}\n", put("a.z", 3, "x"), "a: {x: 1, z: 3, w: 2}\n"),
        ("a: 1\nb: 2\n", put("c", 3, "nobody"), "a: 1\nb: 2\nc: 3\n"),
        # parents are created in the file's own indentation step
        ("a:\n    b:\n        c: 1\n", put("a.d.e", 2), "a:\n    b:\n        c: 1\n    d:\n        e: 2\n"),
        ("a:\n   b: 1\n", put("x.w.z", "v"), "a:\n   b: 1\nx:\n   w:\n      z: v\n"),
        ("a: 1\n", put("x.w", "v"), "a: 1\nx:\n  w: v\n"),
        ("- a: 1\n  b: 2\n- c\n", put("0.d", 3), "- a: 1\n  b: 2\n  d: 3\n- c\n"),
        # no final newline stays no final newline
        ("a: 1", put("b", 2), "a: 1\nb: 2"),
        ("a: 1  # c", put("b", 2), "a: 1  # c\nb: 2"),
        # newline styles
        ("a: 1\r\nb:\r\n  c: 2\r\n", put("b.d", 3), "a: 1\r\nb:\r\n  c: 2\r\n  d: 3\r\n"),
        ("a: 1\r\nb: 2", put("c", 3), "a: 1\r\nb: 2\r\nc: 3"),
        ("a: 1\rb: 2\r", put("c", 3, "a"), "a: 1\rc: 3\rb: 2\r"),
        # other Unicode line breaks
        ("a: 'x\u2028y' # \u00e9\nb: 1\n", put("c", 2, "a"), "a: 'x\u2028y' # \u00e9\nc: 2\nb: 1\n"),
        ("a: 1\x85b: 2\n", put("c", 3, "a"), "a: 1\nc: 3\x85b: 2\n"),
        ("a: 1 # \u2029b: 2\n", put("c", 3, "a"), "a: 1 # \nc: 3\u2029b: 2\n"),
        # a multi-line scalar ends where it ends
        ("a: one\n  two\nb: 1\n", put("c", 2, "a"), "a: one\n  two\nc: 2\nb: 1\n"),
        ('a: "one\n  two" # c\nb: 1\n', put("c", 2, "a"), 'a: "one\n  two" # c\nc: 2\nb: 1\n'),
        # an indented root, and a document among others
        ("  a: 1\n", put("b", 2), "  a: 1\n  b: 2\n"),
        ("--- # one\na: 1\n...\n", put("b", 2), "--- # one\na: 1\nb: 2\n...\n"),
    ],
)  # fmt: skip
def test_new_key(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: |\n  x\nb: 1\n", "a: |\n  x\nb: 1\nv: 2\n"),
        ("b: 1\na: |\n  x\n", "b: 1\na: |\n  x\nv: 2\n"),
        ("b: 1\na: |\n  x\n\n\n", "b: 1\na: |\n  x\nv: 2\n\n\n"),
        ("b: 1\na: >-\n  x\n  w\n", "b: 1\na: >-\n  x\n  w\nv: 2\n"),
        ("b: 1\na: |-\n  x", "b: 1\na: |-\n  x\nv: 2"),
        # `|` at the end of a file without a newline changes when anything is appended: an earlier sibling
        ("b: 1\na: |\n  x", "b: 1\nv: 2\na: |\n  x"),
        ("b: 1\nc:\n  a: |\n    x", "b: 1\nv: 2\nc:\n  a: |\n    x"),
        ("a: |\n  x", "v: 2\na: |\n  x"),
        # `|+` keeps the blank lines after it
        ("b: 1\na: |+\n  x\n\n\n", "b: 1\na: |+\n  x\n\n\nv: 2\n"),
        ("b: 1\na: |+\n  x\n\n# c\n", "b: 1\na: |+\n  x\n\nv: 2\n# c\n"),
        ("b: 1\na: |+\n  x", "b: 1\nv: 2\na: |+\n  x"),
        ("b: 1\na: |2+\n   x\n", "b: 1\na: |2+\n   x\nv: 2\n"),
        # blanks at the end that are text
        ("b: 1\na: |\n  x\n     \n", "b: 1\nv: 2\na: |\n  x\n     \n"),
        ("b: 1\na: |  # note +\n  x\n", "b: 1\na: |  # note +\n  x\nv: 2\n"),
    ],
)
def test_new_key_after_a_block_scalar(text: str, expected: str) -> None:
    assert edit(text, put("v", 2)) == expected


def test_block_scalars_keep_their_value_in_crlf_files() -> None:
    assert edit("a: |+\r\n  x\r\n\r\n", put("v", 2)) == "a: |+\r\n  x\r\n\r\nv: 2\r\n"
    assert edit("a: |\r\n  x\r\n\r\nb: 1\r\n", put("v", 2, "a")) == "a: |\r\n  x\r\nv: 2\r\n\r\nb: 1\r\n"


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a:\nb: 1\n", put("a.x", 2), "a:\n  x: 2\nb: 1\n"),
        ("a:   # note\nb: 1\n", put("a.x", 2), "a:   # note\n  x: 2\nb: 1\n"),
        ("a:\n  # x: 1\nb: 1\n", put("a.x", 2), "a:\n  x: 2\n  # x: 1\nb: 1\n"),
        ("a:", put("a.x", 2), "a:\n  x: 2"),
        ("a: null\nb: 1\n", put("a.x", 2), "a:\n  x: 2\nb: 1\n"),
        ("a: ~  # note\n", put("a.x", 2), "a:  # note\n  x: 2\n"),
        ("a:\n  null\n", put("a.x", 2), "a:\n  {x: 2}\n"),
        ("a: &v\nb: 1\n", put("a.x", 2), "a: &v\n  x: 2\nb: 1\n"),
        ("a: &v ~ # c\nb: 1\n", put("a.x", 2), "a: &v # c\n  x: 2\nb: 1\n"),
        ("r:\n    a:\nb: 1\n", put("r.a.x.w", 2), "r:\n    a:\n        x:\n            w: 2\nb: 1\n"),
        ("r:\r\n  a:\r\n", put("r.a.x", 2), "r:\r\n  a:\r\n    x: 2\r\n"),
        ("- a:\n- b\n", put("0.a.x", 2), "- a:\n    x: 2\n- b\n"),
        ("-\n- b\n", put("0.x", 2), "- {x: 2}\n- b\n"),
        ("- ~ # c\n", put("0.x.w", 2), "- {x: {w: 2}} # c\n"),
        ("{a: , b: 1}\n", put("a.x", 2), "{a: {x: 2}, b: 1}\n"),
        ("{a, b: 1}\n", put("a.x", 2), "{a: {x: 2}, b: 1}\n"),
        # documents without data
        ("", put("a.b", 2), "a:\n  b: 2\n"),
        ("# only", put("a", 2), "# only\na: 2\n"),
        ("# only\n", put("a", 2), "# only\na: 2\n"),
        ("# only\r\n", put("a.b", 2), "# only\r\na:\r\n  b: 2\r\n"),
        ("---\n", put("a", 2), "---\na: 2\n"),
        ("---", put("a", 2), "---\na: 2"),
        ("--- # c\n...\n---\nb: 1\n", put("a", 2), "--- # c\na: 2\n...\n---\nb: 1\n"),
        ("null\n", put("a", 2), "a: 2\n"),
        ("{}\n", put("a", 2), "{a: 2}\n"),
    ],
)
def test_null_becomes_a_mapping(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a: {}\n", put("a.x", 1), "a: {x: 1}\n"),
        ("a: { }\n", put("a.x", 1), "a: {x: 1}\n"),
        ("a: {}  # c\n", put("a.x.w", 1), "a: {x: {w: 1}}  # c\n"),
        ("a: {x: 1}\n", put("a.w", "a,b"), 'a: {x: 1, w: "a,b"}\n'),
        ("a: { x: 1 }\n", put("a.w", 2), "a: { x: 1, w: 2 }\n"),
        ("a: {x: 1,}\n", put("a.w", 2), "a: {x: 1, w: 2,}\n"),
        ("a: {x}\n", put("a.w", 2), "a: {x, w: 2}\n"),
        # `${x}` is a syntax error inside braces, a string outside
        ("a: {x: 1}\nb: 1\n", put("a.w", "${x}"), 'a: {x: 1, w: "${x}"}\nb: 1\n'),
        ("b: 1\n", put("w", "${x}"), "b: 1\nw: ${x}\n"),
        # several lines, comments, trailing commas
        ("a: {\n  x: 1, # one\n  w: 2, # two\n  # end\n}\n", put("a.z", 3),
         "a: {\n  x: 1, # one\n  w: 2, # two\n  z: 3,\n  # end\n}\n"),
        ("a: {\n  x: 1, # one\n  w: 2 # two\n  # end\n}\n", put("a.z", 3),
         "a: {\n  x: 1, # one\n  w: 2, # two\n  z: 3\n  # end\n}\n"),
        ("a: {\n  x: 1\n}\n", put("a.z", 3), "a: {\n  x: 1,\n  z: 3\n}\n"),
        ("a: {\n  x: 1,\n  w: 2\n}\n", put("a.z", 3, "x"), "a: {\n  x: 1,\n  z: 3,\n  w: 2\n}\n"),
        ("a: {\r\n  x: 1\r\n}\r\n", put("a.z", 3), "a: {\r\n  x: 1,\r\n  z: 3\r\n}\r\n"),
        ("a: {x: 1,\n    w: 2}\n", put("a.z", 3), "a: {x: 1,\n    w: 2, z: 3}\n"),
        ("a: { # c\n}\n", put("a.z", 3), "a: {z: 3 # c\n}\n"),
        ("a: {x: {}, w: [1, {b: 2}]}\n", put("a.w.1.c", 3), "a: {x: {}, w: [1, {b: 2, c: 3}]}\n"),
        # JSON inside YAML stays JSON
        ('a: {"x": 1,"w": "s"}\n', put("a.z", "t"), 'a: {"x": 1,"w": "s","z": "t"}\n'),
        ('a: {"x": true}\n', put("a.z", False), 'a: {"x": true, "z": false}\n'),
    ],
)  # fmt: skip
def test_flow_mappings(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a: 1  # c\n", put("a", 2), "a: 2  # c\n"),
        ("a: 'x'\n", put("a", "it's"), "a: 'it''s'\n"),
        ('a: "x"\n', put("a", "w"), 'a: "w"\n'),
        ("a: x\n", put("a", "no"), 'a: "no"\n'),
        ("a: x\n", put("a", ""), 'a: ""\n'),
        ("a: True\n", put("a", False), "a: False\n"),
        ("a: yes\n", put("a", False), "a: false\n"),
        ("a: True\nb: False\n", put("c", True), "a: True\nb: False\nc: True\n"),
        ("a: true\nb: x\n", put("b", {"k": False}), "a: true\nb: {k: false}\n"),
        ("a:\nb: 1\n", put("a", 5), "a: 5\nb: 1\n"),
        ("a:  # c\n", put("a", 5), "a: 5  # c\n"),
        ("a: \n", put("a", 5), "a: 5 \n"),
        ("a: ~\n", put("a", []), "a: []\n"),
        ("a: &x\nb: *x\n", put("a", 5), "a: &x 5\nb: *x\n"),
        ("a: &x 1\nb: *x\n", put("b", 5), "a: &x 1\nb: 5\n"),
        ("a: one\n  two\nb: 1\n", put("a", 5), "a: 5\nb: 1\n"),
        ("a: |\n  x\n  w\n\nb: 1\n", put("a", 5), "a: 5\n\nb: 1\n"),
        ("a: {x: 1} # c\n", put("a", 5), "a: 5 # c\n"),
        ("a: {x: 1, w: [2]}\n", put("a.w", {"z": 1}), "a: {x: 1, w: {z: 1}}\n"),
        ("a:  # c\n  x: 1\n  w: 2\n# d\nb: 1\n", put("a", 5), "a: 5  # c\n# d\nb: 1\n"),
        ("a:\n- 1\n- 2\nb: 1\n", put("a", [3]), "a: [3]\nb: 1\n"),
        ("a: &x\n  k: 1\nb: *x\n", put("a", 5), "a: &x 5\nb: *x\n"),
        ("- a: 1\n  b: 2\n- c\n", put("0", 5), "- 5\n- c\n"),
        ("- a\n- b # c\n", put("1", "x"), "- a\n- x # c\n"),
        ("[a, b]\n", put("1", "x, w"), '[a, "x, w"]\n'),
        ("'q': 1\n", put("q", 2), "'q': 2\n"),
        ("a:\n  b: 1\n", put("a.b", 1), "a:\n  b: 1\n"),
        ("a: {x: 1, w: two}\n", put("a", {"w": "two", "x": 1}), "a: {x: 1, w: two}\n"),
        ("a: 1\n", put("a", True), "a: true\n"),
        ("a: 1\n", put("a", 1.0), "a: 1.0\n"),
    ],
)
def test_replaced_values(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


def test_a_float_that_only_omegaconf_reads() -> None:
    assert edit("a: 1e-6\n", put("a", 1e-6), omegaconf=True) == "a: 1e-6\n"
    assert edit("a: 1e-6\n", put("a", 1e-6)) == "a: 1.0e-06\n"


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a: 1\n# above\nb: 2 # c\nc: 3\n", drop("b"), "a: 1\n# above\nc: 3\n"),
        ("a: 1\nb: 2", drop("b"), "a: 1"),
        ("a: |\n  x\nb: 2", drop("a"), "b: 2"),
        ("a: 1\nb:\n  c: 1\n  # in\n# out\n", drop("b"), "a: 1\n# out\n"),
        ("a: 1\nb: |+\n  x\n\nc: 2\n", drop("b"), "a: 1\nc: 2\n"),
        ("a: 1\r\nb: 2\r\nc: 3\r\n", drop("b"), "a: 1\r\nc: 3\r\n"),
        # the last key leaves {}, never null
        ("a:\n  b: 1\nc: 2\n", drop("a.b"), "a: {}\nc: 2\n"),
        ("a:  # note\n  # above\n  b: 1 # gone\nc: 2\n", drop("a.b"), "a: {}  # note\n  # above\nc: 2\n"),
        ("a: &x\n  b: 1\nc: *x\n", drop("a.b"), "a: &x {}\nc: *x\n"),
        ("b: 1 # c\n", drop("b"), "{}\n"),
        ("- b: 1\n- c\n", drop("0.b"), "- {}\n- c\n"),
        ("a:\n  b:\n    c: 1", drop("a.b.c"), "a:\n  b: {}"),
        ("<<: &x {a: 1}\nb: 2\n", drop("b"), "<<: &x {a: 1}\n"),
        # the first key of an item shares its line with the dash
        ("- a: 1\n  b: 2\n- c\n", drop("0.a"), "- b: 2\n- c\n"),
        ("- a: 1 # x\n  # above b\n  b: 2\n", drop("0.a"), "-\n  # above b\n  b: 2\n"),
        # flow
        ("a: {x: 1, w: 2, z: 3}\n", drop("a.x"), "a: {w: 2, z: 3}\n"),
        ("a: {x: 1, w: 2, z: 3}\n", drop("a.w"), "a: {x: 1, z: 3}\n"),
        ("a: {x: 1, w: 2}\n", drop("a.w"), "a: {x: 1}\n"),
        ("a: {x: 1}\n", drop("a.x"), "a: {}\n"),
        ("a: {x: 1,}\n", drop("a.x"), "a: {}\n"),
        ("a: {\n  x: 1, # c\n  w: 2 # d\n}\n", drop("a.w"), "a: {\n  x: 1 # c\n}\n"),
        ("a: {\n  x: 1, # c\n  w: 2 # d\n}\n", drop("a.x"), "a: {\n  w: 2 # d\n}\n"),
        # items
        ("a:\n- 1\n- 2\n- 3\n", drop("a.1"), "a:\n- 1\n- 3\n"),
        ("a:\n- 1\nb: 2\n", drop("a.0"), "a: []\nb: 2\n"),
        ("- - 1\n  - 2\n", drop("0.0"), "- - 2\n"),
        ("a: [1, 2]\n", drop("a.0"), "a: [2]\n"),
        # nothing to do
        ("a: 1\n", drop("b"), "a: 1\n"),
        ("a:\n", drop("a.b.c"), "a:\n"),
        ("", drop("a"), ""),
    ],
)
def test_deleted(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


def test_a_deletion_never_changes_the_block_scalar_before_it() -> None:
    # Taking the newline away would make `|` end the file without one.
    assert edit("a: |\n  x\nb: 2", drop("b")) == "a: |\n  x\n"
    assert edit("a: |+\n  x\nb: 2\n# c\n\n", drop("b")) == "a: |+\n  x\n# c\n\n"
    with pytest.raises(CannotEdit, match="blank lines"):
        plan(read("a: |+\n  x\nb: 2\n\nc: 1\n"), [drop("b")])
    with pytest.raises(CannotEdit, match="comment"):
        plan(read("a: |\n  x\nb: 2\n  # c\n"), [drop("b")])


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a: 1\nold: # c\n  x: 1\n", rename("old", "new"), "a: 1\nnew: # c\n  x: 1\n"),
        ("'old': 1\n", rename("old", "it's"), "'it''s': 1\n"),
        ("old: 1\n", rename("old", "on"), '"on": 1\n'),
        ("a: {old: 1}\n", rename("a.old", "x w"), "a: {x w: 1}\n"),
        ("&k old: 1\n", rename("old", "new"), "&k new: 1\n"),
        ("new: 1\n", rename("old", "new"), "new: 1\n"),
    ],
)
def test_renamed(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ("a:\n  - x # c\n  - w\n", insert("a.1", "v"), "a:\n  - x # c\n  - v\n  - w\n"),
        ("a:\n- x\n# tail\nb: 1\n", insert("a.1", "v"), "a:\n- x\n- v\n# tail\nb: 1\n"),
        ("a:\n  # about x\n  - x\n", insert("a.0", "v"), "a:\n  # about x\n  - v\n  - x\n"),
        ("- - x\n", insert("0.0", "v"), "- - v\n  - x\n"),
        ("a: |\n  t\nb:\n- |\n  x", insert("b.1", "v"), None),
        ("- |+\n  x\n\n- w\n", insert("1", "v"), "- |+\n  x\n\n- v\n- w\n"),
        ("env:\n- name: A\n  value: 'x'\n", insert("env.1", {"name": "B", "value": "1"}),
         "env:\n- name: A\n  value: 'x'\n- name: B\n  value: \"1\"\n"),
        ("a:\n- x\n", insert("a.1", {"k": [1]}), "a:\n- x\n- {k: [1]}\n"),
        ("a: [x, w]\n", insert("a.2", "v"), "a: [x, w, v]\n"),
        ("a: [x, w]\n", insert("a.0", "v"), "a: [v, x, w]\n"),
        ("a: [x, w]\n", insert("a.1", "v"), "a: [x, v, w]\n"),
        ("a: []\n", insert("a.0", "v"), "a: [v]\n"),
        ("a: [\n  x, # c\n  w,\n]\n", insert("a.2", "v"), "a: [\n  x, # c\n  w,\n  v,\n]\n"),
        ("a: [\n  x,\n]\n", insert("a.0", "v"), "a: [\n  v,\n  x,\n]\n"),
        ("a:\nb: 1\n", insert("a.0", "v"), "a: [v]\nb: 1\n"),
        ("b: 1\n", insert("a.0", "v"), "b: 1\na: [v]\n"),
        ("", insert("a.0", "v"), "a: [v]\n"),
        ("a: [x, v]\n", insert("a.1", "v"), "a: [x, v]\n"),
        ('a: ["x"]\n', insert("a.1", "--flag"), 'a: ["x", "--flag"]\n'),
    ],
)  # fmt: skip
def test_inserted(text: str, op: Op, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(CannotEdit):
            edit(text, op)
    else:
        assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "why"),
    [
        ("a: 1\nb: 2\na: 3\n", put("c", 1), "twice"),
        ("x:\n  - {k: 1, 'k': 2}\n", put("c", 1), "line 2"),
        ("a: !tag 5\n", put("a", 1), "tag"),
        ("a: !tag {x: 1}\n", put("a.w", 1), "tag"),
        ("a: !!null\n", put("a.w", 1), "tag"),
        ("a: {{ x }}\n", put("a", 1), "template"),
        ("a: 5\n", put("a.b", 1), "plain value"),
        ("a: [1]\n", put("a.b", 1), "sequence"),
        ("a: [1]\n", put("a.3", 1), "no item 3"),
        ("a: {x: 1}\n", Op(SET, ("a", 0), 1), "mapping"),
        ("a: &x {k: 1}\nb: *x\n", put("b.k", 2), "alias"),
        ("a: &x {k: 1}\nb: *x\n", put("b.v", 2), "alias"),
        ("a: &x {s: {k: 1}}\nb:\n  <<: *x\n", put("b.s.k", 2), "merge"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n  k: 2\n", drop("b.k"), "merge"),
        ("a: &x {k: 1}\nb:\n  <<: *x\n", drop("b.k"), "merge"),
        ("a: &x {k: 1}\nb: *x\n", drop("a"), "anchor"),
        ("a: {w: &x 1}\nb: *x\n", put("a", 2), "anchor"),
        ("a: | # c\n  x\n", put("a", 1), "comment"),
        ("? a\n: b\n", drop("a"), "explicit"),
        ("old: 1\nnew: 2\n", rename("old", "new"), "already"),
        ("a: 1\n", rename("old", "new"), "no key"),
        ("a: 1\n", insert("a.0", 1), "not a sequence"),
        ("a: [1]\n", insert("a.2", 1), "1 items"),
        ("a: 1\n", Op(SET, (), 1), "whole"),
        ("a: 1\n", put("b", object()), "object"),
    ],
)
def test_refused(text: str, op: Op, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        plan(read(text), [op])


def test_there_is_no_such_document() -> None:
    with pytest.raises(CannotEdit, match="no document 1"):
        plan(read("a: 1\n"), [put("a", 2)], 1)


def test_an_anchored_mapping_spreads_and_says_so() -> None:
    text = "policy: &P\n  k: 1\nteacher:\n  <<: *P\n  j: 2\n"
    document = read(text)
    assert document.root.get("policy").shared
    after = prove(document, plan(document, [put("policy.v", 3)]), [put("policy.v", 3)])
    assert after.source.text == "policy: &P\n  k: 1\n  v: 3\nteacher:\n  <<: *P\n  j: 2\n"
    assert after.root.at(("teacher", "v")).value == 3
    assert after.root.get("teacher").pairs[-1].merged


def test_an_own_key_overrides_a_merged_one() -> None:
    assert edit("a: &x {k: 1}\nb:\n  <<: *x\n", put("b.k", 2)) == "a: &x {k: 1}\nb:\n  <<: *x\n  k: 2\n"


def test_a_byte_order_mark_stays() -> None:
    document = parse_yaml(decode("f.yaml", b"\xef\xbb\xbfa: 1\n"))
    after = prove(document, plan(document, [put("b", 2)]), [put("b", 2)])
    assert after.source.data == b"\xef\xbb\xbfa: 1\nb: 2\n"


def test_one_document_of_several() -> None:
    assert edit("a: 1\n---\nb: 1\n---\nc: 1\n", put("v", 2), index=1) == "a: 1\n---\nb: 1\nv: 2\n---\nc: 1\n"


def test_several_operations_compose_into_edits_of_the_original() -> None:
    text = "a: # c\n  x: 1\nb: 2\n"
    ops = [put("a.w", 2), put("a.z", 3, "w"), drop("b"), put("v.m", 4), put("a.x", 9), rename("v", "o")]
    document = read(text)
    edits = plan(document, ops)
    assert edits == sorted(edits) and all(one.end <= two.start for one, two in itertools.pairwise(edits))
    assert edit(text, *ops) == "a: # c\n  x: 9\n  w: 2\n  z: 3\no:\n  m: 4\n"


def test_operations_that_cancel_leave_nothing() -> None:
    assert plan(read("a: 1\n"), [put("b", 2), drop("b")]) == []
    assert plan(read("a: 1\n"), [put("a", 2), put("a", 1)]) == []


def test_planning_again_gives_no_edit() -> None:
    ops = [put("a.w", 2), insert("l.0", "x"), insert("l.1", "w"), drop("b")]
    text = edit("a:\n  x: 1\nb: 2\n", *ops)
    assert plan(read(text), ops) == []


# --- the proof


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([Edit(5, 5, "b: 3\n")], "something else"),
        ([Edit(5, 5, "b: 2\nc: 1\n")], "something else"),
        ([Edit(5, 5, "b: '2'\n")], "something else"),
        ([Edit(5, 5, "b: 2.0\n")], "something else"),
        ([Edit(3, 4, "2"), Edit(5, 5, "b: 2\n")], "something else"),
        ([Edit(5, 5, "b: 2\n---\nc: 1\n")], "documents"),
        ([Edit(5, 5, "b: 2: 3\n")], "does not parse"),
        ([Edit(0, 3, ""), Edit(2, 4, "")], "does not parse"),
        ([], "something else"),
    ],
)
def test_a_wrong_edit_fails_its_proof(edits: list[Edit], why: str) -> None:
    with pytest.raises(ProofFailed, match=why):
        prove(read("a: 1\n"), edits, [put("b", 2)])


def test_a_key_that_is_no_string_fails_the_proof() -> None:
    with pytest.raises(ProofFailed):
        prove(read("a: 1\n"), [Edit(5, 5, "on: 2\n")], [put("on", 2)])
    assert edit("a: 1\n", put("on", 2)) == 'a: 1\n"on": 2\n'


def test_a_change_elsewhere_in_a_shared_tree_fails_the_proof() -> None:
    text = "a: &x {k: 1}\nb: *x\n"
    with pytest.raises(ProofFailed):
        prove(read(text), [Edit(7, 8, "{k: 1, v: 2}")], [put("b", {"k": 1})])


def bad_places() -> list[list[Edit]]:
    """A splice after which the text does not parse, and one that writes something else."""
    return [[Edit(0, 0, "b: [")], [Edit(0, 0, "wrong: 1\n")]]


def test_the_next_place_is_tried_when_the_first_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def stubborn(document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
        if document is plain:
            yield from bad_places()
        yield from candidates(document, op, index)

    plain = read("a: 1\n")
    monkeypatch.setattr(yaml_edit, "candidates", stubborn)
    edits, after = plan_proved(plain, [put("b", 2)])
    assert after.source.text == "a: 1\nb: 2\n" and edits == [Edit(4, 4, "\nb: 2")]


def test_when_no_place_is_left_nothing_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_edit, "candidates", lambda document, op, index: iter(bad_places()))
    with pytest.raises(CannotEdit, match="reads back"):
        plan_proved(read("a: 1\n"), [put("b", 2)])
