"""TOML: values as tomllib reads them, spans, edits that leave every other byte alone."""

from __future__ import annotations

import collections
import random
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import tomlkit

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
    Unreadable,
    decode,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.toml.document import TomlDocument, parse_toml

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def read(text: str) -> TomlDocument:
    return parse_toml(decode("f.toml", text.encode()))


def edit(text: str, *ops: Op) -> str:
    document = read(text)
    return prove(document, plan(document, list(ops)), list(ops)).source.text


def put(path: str, value: object, after: str = "") -> Op:
    return Op(SET, _path(path), value, after=after)


def _path(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


SAMPLE = """\
# head
a = 1  # one
"q k" = 'x # y'
d.e.f = "\\u00e9"
long = \"\"\"
[not] # a "header\"\"\"\"\"
when = 1979-05-27 07:32:00Z
arr = [
  1, # [
  [ 2, { x = 1, y.z = 2 } ],
]

[t.u]
k = 1e-6
[t]
[[s]]
n = 1
[s.sub]
m = true
[[s]]
"""


def test_values_and_spans() -> None:
    root = read(SAMPLE).root
    assert {**tomllib.loads(SAMPLE), "when": "1979-05-27 07:32:00Z"} == root.plain()

    def span(*path: str | int) -> str:
        found = root.at(path)
        return SAMPLE[found.start : found.end]

    assert span("a") == "1" and span("q k") == "'x # y'" and span("d", "e", "f") == '"\\u00e9"'
    assert span("arr", 1, 1, "y", "z") == "2" and span("when") == "1979-05-27 07:32:00Z"
    assert span("long").endswith('"""""') and span("t", "u") == "[t.u]\nk = 1e-6"
    assert [SAMPLE[p.key_node.start : p.key_node.end] for p in root.pairs][:3] == ["a", '"q k"', "d"]
    assert root.at(("s", 0, "sub", "m")).value is True and root.at(("s", 1)).plain() == {}


@pytest.mark.parametrize(
    ("text", "reason", "place"),
    [
        ("a = 1\nb = \n", "syntax", (2, 5)),
        ("a = 1\na = 2\n", "syntax", (2, 6)),
        ("a = 'x\n", "syntax", None),
        ("a = [1,\n", "syntax", (2, 1)),
        ("a = {{ .x }}\n", "template", (1, 6)),
        ("a = " + "[" * 5_000 + "]" * 5_000, "too-deep", (1, 105)),
        ("a = " + "{a=" * 5_000, "too-deep", None),
        ("[" + "a." * 5_000 + "a]\n", "too-deep", None),
        ("a." * 5_000 + "a = 1\n", "too-deep", None),
        ("# " + "x" * 1_000_000, "too-large", None),
        ("a = " + "9" * 5000, "syntax", None),
        ("a = 1\x00\n", "syntax", (1, 6)),
    ],
)
def test_unreadable(text: str, reason: str, place: tuple[int, int] | None) -> None:
    with pytest.raises(Unreadable) as caught:
        read(text)
    assert caught.value.reason == reason and caught.value.message
    assert place is None or (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize(
    ("text", "op", "expected"),
    [
        # replaced
        ("a = 1  # c\n", put("a", 2), "a = 2  # c\n"),
        ("a = 'x'\n", put("a", "y"), "a = 'y'\n"),
        ("a = 'x'\n", put("a", "it's"), 'a = "it\'s"\n'),
        ('a = """\nx"""\nb = 1\n', put("a", "l\n\\"), 'a = "l\\n\\\\"\nb = 1\n'),
        ("a = [\n  1, # c\n]\n", put("a", []), "a = []\n"),
        ("a = { x = 1 }\n", put("a", {"y k": [True]}), 'a = { "y k" = [true] }\n'),
        ("a = 1979-05-27\n", put("a", "1979-05-27"), 'a = "1979-05-27"\n'),
        ("a = 1\n", put("a", 1.0), "a = 1.0\n"),
        ("a = 0.5\n", put("a", 0.5), "a = 0.5\n"),
        ("a = 1\n", put("a", 1e-6), "a = 1e-06\n"),
        ("a = [1, 2]\n", put("a.1", {"b": 1}), "a = [1, { b = 1 }]\n"),
        # new keys in tables
        ("a = 1\n", put("b", 2), "a = 1\nb = 2\n"),
        ("a=1\nb=2", put("c", "x"), 'a=1\nb=2\nc="x"'),
        ("a = 1 # c\n\n[t]\nx = 1\n", put("b", 2), "a = 1 # c\nb = 2\n\n[t]\nx = 1\n"),
        ("[t] # c\nx = 1 # d\n\n# about u\n[u]\n", put("t.y", 2), "[t] # c\nx = 1 # d\ny = 2\n\n# about u\n[u]\n"),
        ("[t] # c\n\n[u]\n", put("t.y", 2), "[t] # c\ny = 2\n\n[u]\n"),
        ("[t]\nx = 1\nz = 3\n", put("t.y", 2, "x"), "[t]\nx = 1\ny = 2\nz = 3\n"),
        ("[t]\r\n  x = 1\r\n", put("t.y", 2), "[t]\r\n  x = 1\r\n  y = 2\r\n"),
        ("[t]\nx = [\n 1\n] # c\n", put("t.y", 2), "[t]\nx = [\n 1\n] # c\ny = 2\n"),
        ("# head\n\n# about t\n[t]\n", put("b", 2), "# head\n\nb = 2\n\n# about t\n[t]\n"),
        ("# head\n[t]\n", put("b", 2), "# head\nb = 2\n\n[t]\n"),
        ("", put("a", 1), "a = 1\n"),
        ("# only", put("a", 1), "# only\na = 1\n"),
        ("", put("a.b", 1), "[a]\nb = 1\n"),
        ("[[s]]\na = 1\n\n[[s]]\na = 2\n", put("s.0.b", 3), "[[s]]\na = 1\nb = 3\n\n[[s]]\na = 2\n"),
        # missing parents get a header after all that is the table's
        ("[t]\nx = 1\n\n[t.u]\ny = 1 # c\n\n[v]\n", put("t.w.k", 2),
         "[t]\nx = 1\n\n[t.u]\ny = 1 # c\n\n[t.w]\nk = 2\n\n[v]\n"),
        ("a = 1\n", put("x.y.z", 2), "a = 1\n\n[x.y]\nz = 2\n"),
        ("[[s]]\na = 1\n\n[[s]]\na = 2\n", put("s.0.b.c", 3), "[[s]]\na = 1\n\n[s.b]\nc = 3\n\n[[s]]\na = 2\n"),
        # implicit and dotted tables
        ("x = 1\n\n# u\n[t.u]\ny = 1\n", put("t.k", 2), "x = 1\n\n[t]\nk = 2\n\n# u\n[t.u]\ny = 1\n"),
        ("a.b = 1 # c\nz = 2\n", put("a.c", 3), "a.b = 1 # c\na.c = 3\nz = 2\n"),
        ("[t]\na.b.c = 1\n", put("t.a.d.e", 3), "[t]\na.b.c = 1\na.d.e = 3\n"),
        # inline tables
        ("a = {}\n", put("a.b", 1), "a = { b = 1 }\n"),
        ("a = { x = 1 }\n", put("a.y.z", 2), "a = { x = 1, y = { z = 2 } }\n"),
        ("a = {x = 1,y = 2}\n", put("a.z", 3, "x"), "a = {x = 1,z = 3,y = 2}\n"),
        ("a = { x = [\n 1 ] }\n", put("a.y", 2), "a = { x = [\n 1 ], y = 2 }\n"),
        # deleted
        ("a = 1\n# above\nb = 2 # c\nc = 3\n", Op(DELETE, ("b",)), "a = 1\n# above\nc = 3\n"),
        ("a = 1\nb = 2", Op(DELETE, ("b",)), "a = 1"),
        ("[t]\na = 1\n", Op(DELETE, ("t", "a")), "[t]\n"),
        ("a.b = 1\na.c = 2\n", Op(DELETE, ("a", "b")), "a.c = 2\n"),
        ("a.b = 1 # c\n", Op(DELETE, ("a", "b")), "a = {} # c\n"),
        ("a = { x = 1, y = 2 }\n", Op(DELETE, ("a", "x")), "a = { y = 2 }\n"),
        ("a = { x.y = 1, z = 2 }\n", Op(DELETE, ("a", "x", "y")), "a = { x = {}, z = 2 }\n"),
        ("a = [\n  1, # c\n  2,\n]\n", Op(DELETE, ("a", 0)), "a = [\n  2,\n]\n"),
        ("x = 1\n[t] # c\na = 1\n\n[u]\n", Op(DELETE, ("t",)), "x = 1\n\n[u]\n"),
        ("a = 1\n", Op(DELETE, ("b", "c")), "a = 1\n"),
        # renamed everywhere it is written
        ("[old]\na = 1\n[old.b]\n[[old.c]]\n", Op(RENAME, ("old",), new_key="new k"),
         '["new k"]\na = 1\n["new k".b]\n[["new k".c]]\n'),
        ("old.a = 1\nold . b = 2\n", Op(RENAME, ("old",), new_key="n"), "n.a = 1\nn . b = 2\n"),
        # inserted
        ("a = [1, 2]\n", Op(INSERT, ("a", 1), "x"), 'a = [1, "x", 2]\n'),
        ("a = [\n  1, # c\n  2, # d\n]\n", Op(INSERT, ("a", 2), 3), "a = [\n  1, # c\n  2, # d\n  3,\n]\n"),
        ("a = [\n  1, # c\n  2 # d\n]\n", Op(INSERT, ("a", 2), 3), "a = [\n  1, # c\n  2, # d\n  3\n]\n"),
        ("a = 1\n", Op(INSERT, ("b", 0), 3), "a = 1\nb = [3]\n"),
    ],
)  # fmt: skip
def test_edits(text: str, op: Op, expected: str) -> None:
    assert edit(text, op) == expected


@pytest.mark.parametrize(
    ("text", "op", "why"),
    [
        ("a = 1\n", put("a", None), "no null"),
        ("a = 1\n", put("b", object()), "object"),
        ("a = 1\n", put("b", 2**63), "64 bits"),
        ("a = 1\n", put("b", "\ud800"), "surrogate"),
        ("a = 1\n", put("a.b", 1), "fit"),
        ("a = [1]\n", put("a.4", 1), "no item"),
        ("[t]\na = 1\n", put("t", 1), "several lines"),
        ("[t.u]\na = 1\n", Op(DELETE, ("t", "u")), "this header only"),
        ("[t]\n[t.u]\n", Op(DELETE, ("t",)), "several places"),
        ("[[s]]\n", Op(DELETE, ("s", 0)), "array of tables"),
        ("[[s]]\n", Op(INSERT, ("s", 1), {}), "no array"),
        ("a = 1\nb = 2\n", Op(RENAME, ("a",), new_key="b"), "already"),
        ("a = { b.c = 1 }\n", put("a.b.d", 2), "inline"),
    ],
)
def test_refused(text: str, op: Op, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        plan(read(text), [op])


def test_a_byte_order_mark_stays() -> None:
    document = parse_toml(decode("f.toml", b"\xef\xbb\xbfa = 1\n"))
    after = prove(document, plan(document, [put("b", 2)]), [put("b", 2)])
    assert after.source.data == b"\xef\xbb\xbfa = 1\nb = 2\n"


def test_several_operations_compose() -> None:
    ops = [put("t.y", 2), put("t.z", 3, "y"), put("n.m", 4), Op(DELETE, ("t", "x")), put("a", 5)]
    assert edit("[t]\nx = 1\n", *ops) == "a = 5\n\n[t]\ny = 2\nz = 3\n\n[n]\nm = 4\n"


def test_reading_and_planning_never_load_tomlkit() -> None:
    code = (
        "import sys\nfrom vllm_migrate.documents.editing import plan, prove\nfrom vllm_migrate.documents.interface import Op, decode\n"
        "from vllm_migrate.documents.toml.document import parse_toml\n"
        "document = parse_toml(decode('f', b'a = 1'))\nops = [Op('set', ('b',), 1)]\n"
        "prove(document, plan(document, ops), ops)\n"
        "print({'tomlkit', 'yaml', 'json', 'dataclasses'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


# --- random files


def places(node: Node, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], Node]]:
    below: list[tuple[str | int, Node]] = [(p.key, p.value) for p in node.pairs] + list(enumerate(node.items))
    return [(path, node)] + [found for key, child in below for found in places(child, (*path, key))]


class Writer:
    """A random TOML file; keys are unique per table by numbering."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        parts = [self.statements(self.random.randint(0, 3))]
        for _ in range(self.random.randint(0, 4)):
            parts.append(self.section(()))
        text = self.pick(["", "", "# head\n", "\n"]) + "".join(parts)
        if self.random.random() < 0.2:
            text = text.rstrip("\n")
        self.text = text.replace("\n", "\r\n") if self.random.random() < 0.15 else text

    def pick(self, options: list[str]) -> str:
        return self.random.choice(options)

    def key(self) -> str:
        self.count += 1
        return self.pick([f"k{self.count}", f"k-{self.count}", f'"q {self.count}"', f"'l.{self.count}'"])

    def value(self, depth: int = 0) -> str:
        kind = self.random.random()
        if kind < 0.2 and depth < 2:
            gap = self.pick(["", " ", "\n  ", " # c, ]\n  "])
            items = [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
            return f"[{gap}{(',' + gap).join(items)}{self.pick(['', ',']) if items else ''}{gap}]"
        if kind < 0.35 and depth < 2:
            pairs = [
                f"{self.key()}{self.pick(['', '.x'])} = {self.value(depth + 1)}"
                for _ in range(self.random.randint(0, 3))
            ]
            return "{" + self.pick([" ", ""]) + ", ".join(pairs) + self.pick([" ", ""]) + "}"
        return self.pick(
            ["1", "1e-6", "true", '"x # y"', "'z'", "nan", "0x1F", "1979-05-27", '"""a\n[b]\n"""', "'''l'''", '"\\\\"']
        )

    def statements(self, count: int) -> str:
        out = ""
        for _ in range(count):
            lead = self.pick(["", "", "# above\n", "\n"])
            equals = self.pick([" = ", " = ", "=", "  =  "])
            key = self.key()
            out += f"{lead}{key}{equals}{self.value()}{self.pick(['', '', '  # c'])}\n"
            if self.random.random() < 0.2:
                dotted = self.key()
                out += f"{dotted}.a = 1\n{dotted} . b . c = {self.value(2)}\n"
        return out

    def section(self, above: tuple[str, ...]) -> str:
        path = (*above, self.key(), *([self.key()] if self.random.random() < 0.3 else []))
        name = ".".join(path)
        lead = self.pick(["", "\n", "\n# about\n", "# about\n"])
        if self.random.random() < 0.25:
            out = ""
            for _ in range(self.random.randint(1, 2)):
                out += f"{lead}[[{name}]]\n{self.statements(self.random.randint(0, 2))}"
                out += self.section(path) if self.random.random() < 0.4 else ""
            return out
        out = f"{lead}[{name}]{self.pick(['', ' # c'])}\n{self.statements(self.random.randint(0, 3))}"
        return out + (self.section(path) if self.random.random() < 0.4 and len(path) < 4 else "")


VALUES = [1, True, "x", "a\nb\"'\\", 0.5, {"k y": 1}, [], {}, ["x", {"y": False}]]


def attempt(text: str, chance: random.Random) -> str:
    document = read(text)
    path, node = chance.choice(places(document.roots[0]))
    value = chance.choice(VALUES)
    ops = [Op(SET, path, value), Op(DELETE, path)]
    if node.kind == MAP:
        after = chance.choice(["", *[pair.key for pair in node.pairs]])
        ops += [Op(SET, (*path, "new"), value, after=after)] * 3 + [Op(SET, (*path, "n k", "m"), value)] * 2
    elif node.kind == SEQ:
        ops += [Op(INSERT, (*path, chance.randint(0, len(node.items))), value)] * 4
    if node.kind != SEQ and path and isinstance(path[-1], str):
        ops.append(Op(RENAME, path, new_key="re named"))
    op = chance.choice(ops)
    try:
        edits = plan(document, [op])
    except CannotEdit:
        return "refused"
    after_text = prove(document, edits, [op]).source.text
    if op.kind == SET and op.path != path:
        assert after_text.count("#") == text.count("#")
    return op.kind


def test_random_files_and_operations() -> None:
    outcomes: collections.Counter[str] = collections.Counter()
    for seed in range(300):
        outcomes[attempt(Writer(seed).text, random.Random(seed))] += 1
    assert outcomes["refused"] < 100 and all(outcomes[kind] > 5 for kind in (SET, DELETE, INSERT, RENAME))


def test_tomlkit_agrees_on_what_was_written() -> None:
    for seed in range(15):
        text = Writer(seed).text
        edited = edit(text, put("new", {"k": [1, "x"]}), put("t9.u.v", True))
        assert equal(tomlkit.parse(edited).unwrap()["t9"], {"u": {"v": True}})


def test_fuzz() -> None:
    pieces = [*"[]{}=.,\"'#\n\r \\\0é", '"""', "k1", "[a]\n", "1979-05-27 "]
    outcomes: collections.Counter[str] = collections.Counter()
    for seed in range(600):
        chance = random.Random(seed)
        text = Writer(seed % 500).text
        for _ in range(chance.choice([1, 1, 2])):
            at = chance.randint(0, len(text))
            text = text[:at] + chance.choice(pieces) + text[at + chance.randint(0, 2) :]
        try:
            outcomes[attempt(text, chance)] += 1
        except (Unreadable, ProofFailed) as error:
            outcomes[type(error).__name__] += 1
    assert outcomes["Unreadable"] > 120 and outcomes["ProofFailed"] < 10


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real files is not here")
def test_real_files() -> None:
    files = list(CORPUS.rglob("*.toml"))
    assert files
    for path in files:
        text = path.read_text()
        assert equal(read(text).root.plain(), tomllib.loads(text))
        for seed in range(2):
            attempt(text, random.Random(seed))
