"""JSON: spans and values as the standard library reads them, comments, edits in the file's own layout."""

from __future__ import annotations

import collections
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_migrate.documents.editing import plan, prove
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    MAP,
    RENAME,
    SEQ,
    SET,
    CannotEdit,
    Node,
    Op,
    ProofFailed,
    Unknown,
    Unreadable,
    decode,
)
from vllm_migrate.documents.json.document import JsonDocument, parse_json
from vllm_migrate.documents.oracle import equal

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def read(text: str) -> JsonDocument:
    return parse_json(decode("f.json", text.encode()))


def edit(text: str, *ops: Op) -> str:
    document = read(text)
    return prove(document, plan(document, list(ops)), list(ops)).source.text


def put(path: str, value: object, after: str = "") -> Op:
    return Op(SET, _path(path), value, after=after)


def _path(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


def test_values_and_spans() -> None:
    text = '\t{"a": 1, // c "x"\n "b\\u00e9": [true, null, -1.5e3, "\\ud83d\\ude00/*"], /* {\n */ "c": {},}\n'
    root = read(text).root
    assert root.plain() == {"a": 1, "bé": [True, None, -1500.0, "😀/*"], "c": {}}
    found = root.at(("bé", 2))
    assert text[found.start : found.end] == "-1.5e3" and found.text == "-1.5e3"
    assert text[root.pairs[1].key_node.start : root.pairs[1].key_node.end] == '"b\\u00e9"'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from([None, 0, 2, "\t"]),
    st.booleans(),
)
@settings(max_examples=80)
def test_reads_what_the_standard_library_writes(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert equal(read(text).root.plain(), json.loads(text))


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("", "syntax", (1, 1)), ('{"a": 1', "syntax", (1, 8)), ('{"a": 01}', "syntax", (1, 7)),
        ("{a: 1}", "syntax", (1, 2)),
        ('{"a" 1}', "syntax", (1, 6)), ('"a\nb"', "syntax", (1, 1)), ("[1 2]", "syntax", (1, 4)),
        ("1 2", "syntax", (1, 3)),
        ('{"a": tru}', "syntax", (1, 7)), ("[,]", "syntax", (1, 2)), ("/* x", "syntax", (1, 1)),
        ('"\\x"', "syntax", (1, 1)),
        ('{"a": {{ .x }}}', "template", (1, 8)), ("[" * 10_000, "too-deep", (1, 202)),
        ("[" + "1," * 250_000, "too-large", None),
    ],
)  # fmt: skip
def test_unreadable(text: str, reason: str, place: tuple[int, int] | None) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text)
    assert caught.value.reason == reason
    assert place is None or (caught.value.line, caught.value.column) == place


def test_a_number_too_long_to_read_is_unknown() -> None:
    root = read('{"a": ' + "9" * 5000 + ', "b": 1}').root
    assert isinstance(root.get("a").value, Unknown)
    assert edit('{"a": ' + "9" * 5000 + ', "b": 1}', put("b", 2)).endswith('"b": 2}')


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        ('{"a": 1}', put("b", "x"), '{"a": 1, "b": "x"}'),
        ('{"a":1,"b":2}', put("c", True), '{"a":1,"b":2,"c":true}'),
        ("{}", put("a.b", None), '{"a": {"b": null}}'),
        ('{\n  "a": 1\n}\n', put("b", 2), '{\n  "a": 1,\n  "b": 2\n}\n'),
        ('{\r\n\t"a": 1 // c\r\n}', put("b", 2), '{\r\n\t"a": 1, // c\r\n\t"b": 2\r\n}'),
        ('{\n  "a": 1, // c\n  "b": 2, /* d */\n}', put("c", 3), '{\n  "a": 1, // c\n  "b": 2, /* d */\n  "c": 3,\n}'),
        ('{\n  "a": 1,\n  "b": 2\n}', put("c", 3, "a"), '{\n  "a": 1,\n  "c": 3,\n  "b": 2\n}'),
        ('{"a": {"x": 1}}', put("a.y.z", [1]), '{"a": {"x": 1, "y": {"z": [1]}}}'),
        ('{"a": null}', put("a.b", 1), '{"a": {"b": 1}}'),
        ('{"a": 1 /* x */}', put("a", {"k": "é"}), '{"a": {"k": "é"} /* x */}'),
        ('{"a": [1, 2]}', put("a.1", 3), '{"a": [1, 3]}'),
        ('{"a": 1}', put("a", 1), '{"a": 1}'),
        ('{"a": 1}', put("a", True), '{"a": true}'),
        ('{\n  "a": 1, // c\n  "b": 2 // d\n}', Op(DELETE, ("b",)), '{\n  "a": 1 // c\n}'),
        ('{\n  "a": 1, // c\n  "b": 2 // d\n}', Op(DELETE, ("a",)), '{\n  "b": 2 // d\n}'),
        ('{"a": 1, "b": 2}', Op(DELETE, ("a",)), '{"b": 2}'),
        ('{"a": 1, "b": 2}', Op(DELETE, ("b",)), '{"a": 1}'),
        ('{"a": 1}', Op(DELETE, ("a",)), "{}"),
        ('{"a": 1}', Op(DELETE, ("b", "c")), '{"a": 1}'),
        ('{"a": [1, 2]}', Op(DELETE, ("a", -1)), '{"a": [1]}'),
        ('{"old": 1}', Op(RENAME, ("old",), new_key='n"w'), '{"n\\"w": 1}'),
        ('{"a": [1, 2]}', Op(INSERT, ("a", 1), "x"), '{"a": [1, "x", 2]}'),
        ('{"a": []}', Op(INSERT, ("a", 0), "x"), '{"a": ["x"]}'),
        ('{"a": null}', Op(INSERT, ("a", 0), "x"), '{"a": ["x"]}'),
    ],
)  # fmt: skip
def test_edits(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "why"),
    [
        ('{"a": 1, "a": 2}', put("b", 1), "twice"),
        ('{"a": 1}', put("a.b", 1), "fit"),
        ('{"a": [1]}', put("a.3", 1), "no item"),
        ("1", Op(SET, (), 1), "whole"),
        ("{}", put("a", float("nan")), "JSON cannot hold"),
        ("{}", put("a", {1: 2}), "JSON cannot hold"),
        ("{}", put("a", object()), "JSON cannot hold"),
        ('{"a": 1, "b": 2}', Op(RENAME, ("a",), new_key="b"), "already"),
    ],
)
def test_refused(text: str, op: Op, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        plan(read(text), [op])


def places(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Node]]:
    below: list[tuple[str | int, Node]] = [(p.key, p.value) for p in node.pairs] + list(enumerate(node.items))
    return [(path, node)] + [found for key, child in below for found in places(child, (*path, key))]


def attempt(document: JsonDocument, chance: random.Random) -> str:
    path, node = chance.choice(places(document.roots[0]))
    value: object = chance.choice([1, None, "x", {"k": []}, ["y"], False])
    ops = [Op(SET, path, value), Op(DELETE, path)]
    if node.kind == MAP:
        ops = [Op(SET, (*path, "new"), value), Op(SET, (*path, "n", "m"), value, after=chance.choice("ab"))]
    elif node.kind == SEQ:
        ops = [Op(INSERT, (*path, chance.randint(0, len(node.items))), value), Op(DELETE, (*path, 0))]
    op = chance.choice(ops)
    try:
        edits = plan(document, [op])
    except CannotEdit:
        return "refused"
    prove(document, edits, [op])
    return op.kind


def random_json(chance: random.Random, depth: int = 0) -> str:
    def gap() -> str:
        return chance.choice(["", "", " ", "\n", "\n  ", " // c\n", " /* , */ ", "\r\n", "\n// }\n"])

    kind = chance.random()
    if depth > 3 or kind < 0.35:
        return chance.choice(["1", "null", '"x, // y"', "true", "-1.5e-3", '"\\""', "[]", "{}", "[ ]", "{\n}"])
    inner = [random_json(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    opening, closing = "[]"
    if kind < 0.8:
        inner = [f'"{chr(97 + n)}"{gap()}:{gap()}{one}' for n, one in enumerate(inner)]
        opening, closing = "{}"
    body = f"{gap()},{gap()}".join(inner)
    tail = chance.choice(["", "", ","]) if inner else ""
    return f"{opening}{gap()}{body}{gap()}{tail}{gap()}{closing}"


def test_random_files_and_operations() -> None:
    outcomes: collections.Counter[str] = collections.Counter()
    for seed in range(1500):
        chance = random.Random(seed)
        outcomes[attempt(read(random_json(chance)), chance)] += 1
    assert outcomes["refused"] < 400 and all(outcomes[kind] > 50 for kind in (SET, DELETE, INSERT))


def test_fuzz() -> None:
    pieces = ["{", "}", "[", "]", ",", ":", '"', '"a"', "1", "//", "/*", "*/", "\n", " ", "null", "\\", "\u2028", "\0"]
    outcomes: collections.Counter[str] = collections.Counter()
    for seed in range(3000):
        chance = random.Random(seed)
        text = random_json(chance)
        for _ in range(chance.randint(1, 3)):
            at = chance.randint(0, len(text))
            text = text[:at] + chance.choice(pieces) + text[at + chance.randint(0, 2) :]
        try:
            outcomes[attempt(read(text), chance)] += 1
        except (Unreadable, ProofFailed) as error:
            outcomes[type(error).__name__] += 1
    assert outcomes["Unreadable"] > 1000 and outcomes["ProofFailed"] == 0


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real files is not here")
def test_real_files() -> None:
    files = list(CORPUS.rglob("*.json"))
    assert files
    for path in files:
        document = parse_json(decode(str(path), path.read_bytes()))
        assert equal(document.root.plain(), json.loads(path.read_text()))
        for seed in range(30):
            attempt(document, random.Random(seed))
