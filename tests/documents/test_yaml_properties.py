"""Random documents, random operations: what is planned is right at once, and agrees with plain Python on plain data."""

from __future__ import annotations

import collections
import copy
import itertools
import random
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.documents.yaml_samples import COMMENTS, FLOWS, KEYS, LINES, SCALARS, Writer
from vllm_migrate.documents.editing import _compare, plan, plan_proved, prove
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    MAP,
    RENAME,
    SCALAR,
    SEQ,
    SET,
    CannotEdit,
    DataDocument,
    Node,
    Op,
    ProofFailed,
    Unreadable,
    decode,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.yaml.document import parse_yaml

VALUES = [
    1,
    True,
    False,
    None,
    "x",
    "",
    "no",
    "${x}",
    "a: b",
    0.5,
    {"k": 1},
    [],
    {},
    ["x", {"y": "${z}"}],
    "two\nlines",
]


def places(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Node]]:
    """Every value with its path, merged ones left out."""
    below: list[tuple[str | int, Node]] = [(p.key, p.value) for p in node.pairs if not p.merged]
    below += list(enumerate(node.items))
    return [(path, node)] + [found for key, child in below for found in places(child, (*path, key))]


def random_op(document: DataDocument, index: int, chance: random.Random) -> Op:
    path, node = chance.choice(places(document.roots[index])) if document.roots else ((), None)
    value = chance.choice(VALUES)
    kind = node.kind if node is not None else MAP
    after = chance.choice(["", *[p.key for p in node.pairs]]) if node is not None else ""
    if kind == SEQ:
        at = chance.randint(0, len(node.items))
        return chance.choice(
            [Op(INSERT, (*path, at), value), Op(DELETE, (*path, max(at - 1, 0))), Op(SET, (*path, at), value)]
        )
    if kind == MAP and chance.random() < 0.7:
        return Op(SET, (*path, *chance.choice([("new",), ("new", "deep"), ("a",), ("n: w", "x")])), value, after=after)
    if not path:
        return Op(SET, ("new",), value)
    if kind == SCALAR and chance.random() < 0.2:
        return Op(SET, (*path, "sub"), value)
    if isinstance(path[-1], str) and chance.random() < 0.2:
        return Op(RENAME, path, new_key=chance.choice(["new", "on", "x y"]))
    return chance.choice([Op(SET, path, value), Op(DELETE, path)])


def made_on_plain_data(data: Any, op: Op) -> object:
    """The operation on dicts and lists, the third way to say what it means."""
    data = copy.deepcopy(data)
    if data is None:
        data = {}
    here = data
    key: Any
    for key, following in zip(op.path, op.path[1:], strict=False):
        if op.kind in (SET, INSERT) and here[key] is None if isinstance(here, list) else here.get(key) is None:
            here[key] = [] if isinstance(following, int) else {}
        here = here[key]
    last: Any = op.path[-1]
    if op.kind == SET:
        here[last] = op.value
    elif op.kind == DELETE:
        del here[last]
    elif op.kind == RENAME:
        renamed = {op.new_key if key == last else key: value for key, value in here.items()}
        here.clear()
        here.update(renamed)
    elif not (last < len(here) and equal(here[last], op.value)):
        here.insert(last, op.value)
    return data


def attempt(text: str, seed: int) -> str:
    """What came of one random operation on a text. Raises when the first plan is wrong."""
    try:
        document = parse_yaml(decode("f.yaml", text.encode()))
    except Unreadable as error:
        return error.reason
    index = random.Random(seed).randrange(max(len(document.roots), 1))
    op = random_op(document, index, random.Random(seed))
    try:
        edits = plan(document, [op], index)
    except CannotEdit:
        return "refused"
    after = prove(document, edits, [op], index)
    if not any(mark in text for mark in "&*!"):
        before = document.roots[index].plain() if document.roots else None
        changed = after.roots[index].plain() if after.roots else None
        if not (op.kind == DELETE and not edits):
            assert equal(changed, made_on_plain_data(before, op)), (text, op, after.source.text)
    comments = collections.Counter(part.strip() for part in text.split("\n") if part.strip()[:1] == "#")
    if op.kind == SET and (document.roots[index].at(op.path) is None if document.roots else True):
        kept = collections.Counter(part.strip() for part in after.source.text.split("\n") if part.strip()[:1] == "#")
        assert kept == comments, (text, op, after.source.text)
    return op.kind


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@settings(max_examples=400)
def test_the_first_plan_is_right(document: int, seed: int) -> None:
    attempt(Writer(document).text, seed)


def test_random_documents_are_mostly_readable_and_edited() -> None:
    outcomes = collections.Counter(attempt(Writer(seed).text, seed) for seed in range(600))
    assert outcomes["syntax"] < 200 and outcomes["refused"] < 150
    assert all(outcomes[kind] > 5 for kind in (SET, DELETE, INSERT, RENAME))


@given(st.integers(0, 2**32), st.integers(0, 2**32))
@example(1357, 638)  # a key is renamed that another, which goes, would come back from
@settings(max_examples=150)
def test_several_operations_at_once(document: int, seed: int) -> None:
    try:
        first = parse_yaml(decode("f.yaml", Writer(document).text.encode()))
    except Unreadable:
        return
    chance, ops = random.Random(seed), []
    current: DataDocument = first
    for _ in range(3):
        op = random_op(current, 0, chance)
        try:
            _, current = plan_proved(current, [op])
        except CannotEdit:
            continue
        ops.append(op)
    try:
        edits, after = plan_proved(first, ops)
    except CannotEdit:
        pytest.fail(f"refused together, taken one by one: {first.source.text!r} {ops}")
    # The width of an indent is taken from the text as it is when an operation is planned.
    assert [*map(str.strip, after.source.text.split("\n"))] == [*map(str.strip, current.source.text.split("\n"))]
    assert all(one.end <= two.start for one, two in itertools.pairwise(edits))
    _compare(first, {0: ops}, after)


PIECES = [
    *KEYS,
    *SCALARS,
    *FLOWS,
    *COMMENTS,
    *LINES,
    *":{}[],#'\"\t\r\n\x85\u2028\ufeff\0😀\\@|>",
    "- ",
    "  ",
    "&s ",
    "*s",
]
PIECES += ["<<: *s\n", "!!", "? ", "---\n", "%YAML 1.1\n", "\r\n", "!<x> ", "! ", "!%FF "]


def mangle(text: str, chance: random.Random) -> str:
    for _ in range(chance.choice([1, 1, 1, 2, 6])):
        at = chance.randint(0, len(text))
        match chance.randint(0, 3):
            case 0:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 1:
                text = text[:at] + text[at + chance.choice([1, 1, 2, 8]) :]
            case 2 if chance.random() < 0.5:
                end = at + chance.randint(1, 20)
                text = text[:at] + text[at:end] * 2 + text[end:]
            case 3 if chance.random() < 0.2:
                text = "".join(chance.choice(PIECES) for _ in range(5)) + text[at:]
    return text


def fuzz(seed: int) -> str:
    """One mangled text through everything: only Unreadable, CannotEdit and ProofFailed may come out."""
    chance = random.Random(seed)
    text = mangle(Writer(chance.randrange(2**32)).text, chance)
    try:
        document = parse_yaml(decode("f.yaml", text.encode()), chance.random() < 0.5)
    except Unreadable:
        return "unreadable"
    for index, root in enumerate(document.roots):
        plain = root.plain()
        assert len(places(root)) >= 1 and plain is not NotImplemented
        for _, node in places(root):
            assert 0 <= node.start <= node.end <= len(text)
        op = random_op(document, index, chance)
        try:
            edits = plan(document, [op], index)
        except CannotEdit:
            continue
        try:
            prove(document, edits, [op], index)
        except ProofFailed:
            try:
                edits, _ = plan_proved(document, [op], index)
            except CannotEdit:
                continue
            prove(document, edits, [op], index)
            return "second place"
    return "proved"


def test_fuzz() -> None:
    outcomes = collections.Counter(fuzz(seed) for seed in range(1500))
    assert outcomes["proved"] > 300 and outcomes["unreadable"] > 300


@given(st.text(alphabet=st.sampled_from("ab:-?[]{},&*!|>'\"#%@` \n\t0<"), max_size=40))
@settings(max_examples=300)
def test_any_text_reads_as_pyyaml_reads_it(text: str) -> None:
    try:
        expected = [node for node in yaml.compose_all(text, yaml.CSafeLoader) if node is not None]
    except yaml.YAMLError:
        expected = None
    try:
        document = parse_yaml(decode("f.yaml", text.encode()))
    except Unreadable:
        assert expected is None or ("*" in text and "&" in text)
    else:
        assert expected is not None and len(expected) == len(document.roots)
