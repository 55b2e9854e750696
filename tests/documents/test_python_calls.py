"""Calls, imports, chains and environment variables of Python files, and edits of keywords with their proof."""

from __future__ import annotations

import ast
import random

import pytest

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Unknown, Unreadable, decode
from vllm_migrate.documents.python.calls import DELETE, RENAME, SET, CallOp, PythonDocument, parse_python
from vllm_migrate.documents.python.edit import plan
from vllm_migrate.documents.python.proof import prove


def parse(text: str) -> PythonDocument:
    return parse_python(decode("run.py", text.encode()))


SCRIPT = """import os
import vllm
import vllm.config as cfg
from vllm import LLM as Engine, SamplingParams
from .tools import (helper)

os.environ["VLLM_USE_V1"] = "0"
os.environ.setdefault("VLLM_SEED", str(1))
os.environ.update({"A": "1", name: "x"}, B="2")
os.putenv("C", "3")


class Trainer:
    def update(self):
        llm = Engine(
            model="é𝛼",  # a model
            max_model_len=8 * 1024,
            hf_overrides=dict(head_dtype="float32", x=[1, -2.5, None]),
            seed=seed,
            **extra,
        )
        if self.ready:
            self.llm.llm_engine.model_executor.driver_worker.load_weights(w)
        run(llm.generate(prompts, SamplingParams(n=1)), *rest)
        engines()[0].collective_rpc("update", timeout=2**10)
"""


def test_calls_with_names_places_and_literals() -> None:
    document = parse(SCRIPT)
    (llm,) = document.find({"LLM"})
    assert (llm.dotted, llm.resolved, llm.function) == ("Engine", "vllm.LLM", "Trainer.update")
    assert (llm.has_kwargs, llm.has_star, llm.conditional) == (True, False, True)
    text = document.source.text
    assert text[llm.start : llm.end].startswith("Engine(") and text[llm.start : llm.end].endswith("**extra,\n        )")
    assert {keyword.name: keyword.value for keyword in llm.keywords} == {
        "model": "é𝛼",
        "max_model_len": 8192,
        "hf_overrides": {"head_dtype": "float32", "x": [1, -2.5, None]},
        "seed": Unknown("seed"),
    }
    model = llm.get("model")
    assert model is not None
    assert (text[model.start : model.end], text[model.value_start : model.value_end]) == ('model="é𝛼"', '"é𝛼"')
    assert [call.dotted for call in document.find({"collective_rpc", "run", "generate", "SamplingParams"})] == [
        "run",
        "llm.generate",
        "SamplingParams",
        "engines()[].collective_rpc",
    ]
    run = document.find({"run"})[0]
    assert run.has_star and [arg.value for arg in run.args][1] == Unknown("*rest")


def test_order_of_statements_inside_a_function() -> None:
    calls = parse("def f():\n    pause()\n    update(g())\n    if x:\n        resume()\n").find(
        {"pause", "update", "g", "resume"}
    )
    assert [(call.dotted, call.statement) for call in calls] == [("pause", 2), ("update", 3), ("g", 3), ("resume", 5)]
    assert [call.function for call in calls] == ["f"] * 4


def test_names_are_found_as_written_or_through_imports() -> None:
    document = parse("import vllm as v\nfrom a.b import c\nv.LLM(1)\nc.d()\nx.y.LLM()\nother()\n(lambda: 0)()\nf()()\n")
    assert [call.dotted for call in document.find({"LLM"})] == ["v.LLM", "x.y.LLM"]
    assert [call.dotted for call in document.find({"vllm.LLM"})] == ["v.LLM"]
    assert [call.dotted for call in document.find({"b.c.d"})] == ["c.d"]
    assert [call.dotted for call in document.find({"?"})] == ["?", "?"]


def test_imports_and_environment() -> None:
    document = parse(SCRIPT)
    text = document.source.text
    assert [(i.module, i.name, i.alias) for i in document.imports] == [
        ("os", "", ""),
        ("vllm", "", ""),
        ("vllm.config", "", "cfg"),
        ("vllm", "LLM", "Engine"),
        ("vllm", "SamplingParams", ""),
        (".tools", "helper", ""),
    ]
    assert text[document.imports[3].start : document.imports[3].end] == "LLM as Engine"
    assert [(e.name, e.value, e.default) for e in document.environment] == [
        ("VLLM_USE_V1", "0", False),
        ("VLLM_SEED", Unknown("str(1)"), True),
        ("B", "2", False),
        ("C", "3", False),
    ]
    renamed = parse('from os import environ as env\nenv["A"] = "1"\nnot_env["B"] = "1"\nx.update(C="1")\n')
    assert [e.name for e in renamed.environment] == ["A"]
    assert [e.name for e in parse('import os\nos.environ.update({"A": "1", "B": x}, C="3")\n').environment] == [
        "C",
        "A",
        "B",
    ]


def test_attribute_chains_are_whole_and_found_by_parts() -> None:
    document = parse(SCRIPT)
    (chain,) = document.attributes({"model_executor.driver_worker"})
    assert chain.dotted == "self.llm.llm_engine.model_executor.driver_worker.load_weights"
    assert document.source.text[chain.start : chain.end] == chain.dotted
    assert [c.dotted for c in parse("a.b[0].c().d\na.bc.d\n").attributes({"b.c"})] == ["a.b[].c().d"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_offsets_are_code_points_for_every_newline(newline: str) -> None:
    lines = ['x = "\u2028\x0c\x85é"', "\x0c", 'é = f("𝛼", k="ü")', "g(k=1)"]
    text = newline.join(lines)
    document = parse(text)
    f, g = document.find({"f", "g"})
    assert text[f.start : f.end] == 'f("𝛼", k="ü")'
    keyword = f.get("k")
    assert keyword is not None and text[keyword.start : keyword.end] == 'k="ü"'
    assert text[g.start : g.end] == "g(k=1)"


def test_a_byte_order_mark_does_not_count() -> None:
    document = parse_python(decode("run.py", b"\xef\xbb\xbff(k=1)\n"))
    assert (document.calls[0].start, document.calls[0].end) == (0, 6)


BAD = [
    ("x = 1\nf(\n", "syntax", 2),
    ("print 'x'\n", "syntax", 1),
    ("\tx\n  y\n", "syntax", 1),
    ("(" * 5000, "syntax", 1),
    ("a\0b", "binary", 1),
    ("x = " + "-" * 200_000 + "1\n", "too-deep", 0),
    ("#" * 4_000_001, "too-large", 0),
]


@pytest.mark.parametrize(("text", "reason", "line"), BAD)
def test_what_cannot_be_parsed_is_unreadable(text: str, reason: str, line: int) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert (caught.value.reason, caught.value.line) == (reason, line)


def test_long_chains_do_not_recurse() -> None:
    document = parse("x = a" + ".b()" * 400 + "\ny = " + " + ".join(["f(k=1)"] * 400) + "\n")
    assert len(document.find({"f"})) == 400 and len(document.find({"b"})) == 400


VALUES = [
    ("True", True),
    ("-1", -1),
    ("2**10 - 1", 1023),
    ("7 // 2 + 1 / 4", 3.25),
    ("1 / 0", Unknown("1 / 0")),
    ("10**10**10", Unknown("10**10**10")),
    ("'a' 'b'", "ab"),
    ("(1,)", (1,)),
    ("{'a': {'b': x}}", {"a": {"b": Unknown("x")}}),
    ("{**a}", Unknown("{**a}")),
    ("[*a]", Unknown("[*a]")),
    ("f'{x}'", Unknown("f'{x}'")),
    ("torch.float32", Unknown("torch.float32")),
    ("dict(**a)", Unknown("dict(**a)")),
    ("{1: 2}", {1: 2}),
    ("not x", Unknown("not x")),
    ("True + 1", Unknown("True + 1")),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_literal_values(text: str, value: object) -> None:
    keyword = parse(f"f(k={text})\n").find({"f"})[0].get("k")
    assert keyword is not None and keyword.value == value and type(keyword.value) is type(value)


def edited(text: str, *ops: CallOp) -> str:
    document = parse(text)
    edits = plan(document, list(ops))
    return prove(document, edits, list(ops)).source.text


def put(name: str, value: object, after: str = "", call: int = 0) -> CallOp:
    return CallOp(SET, call, name, value, after=after)


def drop(name: str, call: int = 0) -> CallOp:
    return CallOp(DELETE, call, name)


LINES = 'f(\n    "m",\n    a=1,  # one\n    b=2,\n)\n'
BARE = "f(\n    a=1,\n    b=2  # two\n)\n"
HANGING = "x = f(m,\n      a=1)\n"

EDITS = [
    ("one line", "f(a=1)\n", [put("k", "v")], 'f(a=1, k="v")\n'),
    ("no arguments", "f()\n", [put("k", 1), put("m", None)], "f(k=1, m=None)\n"),
    ("blanks between the parentheses", "f( )\n", [put("k", 1)], "f(k=1 )\n"),
    ("a trailing comma", "f(a, b,)\n", [put("k", 1)], "f(a, b, k=1,)\n"),
    ("the file's quotes", "f(a='x')\n", [put("k", "v")], "f(a='x', k='v')\n"),
    ("an argument in parentheses", "f(a, (b))\n", [put("k", 1)], "f(a, (b), k=1)\n"),
    ("a keyword in parentheses", "f(a, b=(c))\n", [put("k", 1)], "f(a, b=(c), k=1)\n"),
    ("a callee in parentheses", "(f)  (a)\n", [put("k", 1)], "(f)  (a, k=1)\n"),
    ("one a line, with a trailing comma", LINES, [put("k", 1), put("m", 2)], LINES[:-2] + "    k=1,\n    m=2,\n)\n"),
    (
        "one a line, after a sibling",
        LINES,
        [put("k", 1, "a")],
        'f(\n    "m",\n    a=1,  # one\n    k=1,\n    b=2,\n)\n',
    ),
    ("one a line, without", BARE, [put("k", 1)], "f(\n    a=1,\n    b=2,  # two\n    k=1\n)\n"),
    ("hanging", HANGING, [put("k", 1)], "x = f(m,\n      a=1,\n      k=1)\n"),
    (
        "several a line",
        "f(\n    a=1, b=2,\n    c=3, d=4,\n)\n",
        [put("k", 1)],
        "f(\n    a=1, b=2,\n    c=3, d=4, k=1,\n)\n",
    ),
    (
        "the last value spans lines",
        "f(\n    a=[\n        1,\n    ],\n)\n",
        [put("k", 1)],
        "f(\n    a=[\n        1,\n    ],\n    k=1,\n)\n",
    ),
    ("windows newlines", "f(\r\n    a=1,\r\n)\r\n", [put("k", 1)], "f(\r\n    a=1,\r\n    k=1,\r\n)\r\n"),
    (
        "a comment with a parenthesis",
        "f  (  # (\n    a=1  # )\n)\n",
        [put("k", 1)],
        "f  (  # (\n    a=1,  # )\n    k=1\n)\n",
    ),
    ("replace", LINES, [put("a", [True, {"x": "y"}])], LINES.replace("a=1", 'a=[True, {"x": "y"}]')),
    ("replace with text", "f(a=1)\n", [put("a", Unknown("g(x)[0]"))], "f(a=g(x)[0])\n"),
    ("replace beside **kwargs", "f(a=1, **kw)\n", [put("a", 2)], "f(a=2, **kw)\n"),
    ("replace many lines", 'f(\n    a="x"\n    "y",\n)\n', [put("a", "z")], 'f(\n    a="z",\n)\n'),
    ("delete the first", "f(a=1, b=2)\n", [drop("a")], "f(b=2)\n"),
    ("delete the last", "f(a=1, b=2)\n", [drop("b")], "f(a=1)\n"),
    ("delete the middle", "f(a=1, b=2, c=3)\n", [drop("b")], "f(a=1, c=3)\n"),
    ("delete two", "f(a=1, b=2, c=3)\n", [drop("a"), drop("c")], "f(b=2)\n"),
    ("delete the last two", "f(a=1, b=2, c=3,)\n", [drop("b"), drop("c")], "f(a=1,)\n"),
    ("delete all", "f(a=1, b=2)\n", [drop("b"), drop("a")], "f()\n"),
    ("delete the only, with a comma", "f(a=1,)\n", [drop("a")], "f()\n"),
    ("delete a line", LINES, [drop("a")], 'f(\n    "m",\n    b=2,\n)\n'),
    ("delete the last line", BARE, [drop("b")], "f(\n    a=1,\n)\n"),
    ("delete all lines", BARE, [drop("b"), drop("a")], "f(\n)\n"),
    ("delete hanging", HANGING, [drop("a")], "x = f(m)\n"),
    ("delete at the start of a line", "f(\n    a=1, b=2,\n)\n", [drop("a")], "f(\n    b=2,\n)\n"),
    ("rename", LINES, [CallOp(RENAME, 0, "a", new_name="z")], LINES.replace("a=1", "z=1")),
    ("rename and set", "f(a=1)\n", [CallOp(RENAME, 0, "a", new_name="z"), put("k", 2)], "f(z=1, k=2)\n"),
    ("delete and set", "f(a=1, b=2)\n", [drop("b"), put("k", 2)], "f(a=1, k=2)\n"),
    (
        "delete the last and set, hanging",
        "x = f(m,\n      a=1,\n      b=2)\n",
        [drop("b"), put("k", 1)],
        "x = f(m,\n      a=1,\n      k=1)\n",
    ),
    ("delete and set, lines", LINES, [drop("b"), put("k", 2)], LINES.replace("b=2", "k=2")),
    ("the inner call", "f(a=g(b=1))\n", [put("k", 2, call=1)], "f(a=g(b=1, k=2))\n"),
    ("both calls", "f(a=g(b=1))\n", [put("k", 2), put("m", 3, call=1)], "f(a=g(b=1, m=3), k=2)\n"),
    ("a quote inside", 'f(a="x")\n', [put("k", 'say "hi"')], 'f(a="x", k=\'say "hi"\')\n'),
]


@pytest.mark.parametrize(("text", "ops", "expected"), [case[1:] for case in EDITS], ids=[case[0] for case in EDITS])
def test_edit(text: str, ops: list[CallOp], expected: str) -> None:
    assert edited(text, *ops) == expected


REFUSED = [
    ("f(**kw)\n", put("k", 1)),
    ("f(x for x in y)\n", put("k", 1)),
    ("f(a=1)\n", drop("b")),
    ("x = f'{f(a=1)}'\n", put("k", 1)),
    ("f(a=1, b=2)\n", CallOp(RENAME, 0, "a", new_name="b")),
    ("f(a=1)\n", CallOp(RENAME, 0, "a", new_name="not a name")),
    ("f(a=1)\n", put("k", float("nan"))),
    ("f(a=1)\n", put("k", object())),
    ("f(a=1)\n", put("k", 1, call=9)),
    ("f(a=1)\n", CallOp("swap", 0, "a")),
]


@pytest.mark.parametrize(("text", "op"), REFUSED)
def test_refused(text: str, op: CallOp) -> None:
    with pytest.raises(CannotEdit):
        plan(parse(text), [op])


@pytest.mark.parametrize(
    "edit",
    [
        Edit(5, 5, ", k=2"),
        Edit(5, 5, ", k=True"),
        Edit(5, 5, ", k=1, m=1"),
        Edit(5, 5, ", k=1"[:-1]),
        Edit(2, 5, "k=1"),
    ],
)
def test_proof_fails_on_anything_else(edit: Edit) -> None:
    document = parse("f(a=1)\ng(0)\n")
    assert prove(document, [Edit(5, 5, ", k=1")], [put("k", 1)]).find({"f"})[0].get("k")
    with pytest.raises(ProofFailed):
        prove(document, [edit], [put("k", 1)])


def random_call(rng: random.Random) -> str:
    items = [rng.choice(["m", "(m)", '"s"', "*r", "[1, 2]", "g(x)", "lambda: (0)"]) for _ in range(rng.randint(0, 2))]
    items += [
        f"{name}={rng.choice(['1', '(2)', 'g(y=1)', '[', '{'])}" for name in rng.sample("abcd", rng.randint(0, 4))
    ]
    items = [item.replace("=[", "=[\n  1,\n]").replace("={", '={"x": 1}') for item in items]
    gaps = rng.choice(
        [("", ", ", ""), ("\n    ", ",\n    ", "\n"), ("", ",\n      ", ""), ("  # (x\n  ", ", # c, )\n  ", " # e\n")]
    )
    comma = rng.choice(["", ","]) if items else ""
    return "x = (f)" + "(" + gaps[0] + gaps[1].join(items) + comma + gaps[2] + ")  # end\n"


def test_random_calls_and_operations_are_proved_or_refused() -> None:
    rng = random.Random(7)
    proved = 0
    for _ in range(1500):
        text = random_call(rng)
        ast.parse(text)
        document = parse(text)
        call = document.calls[0]
        there = [keyword.name for keyword in call.keywords]
        ops = [put(name, 5, rng.choice(["", *there])) for name in rng.sample("pqr", rng.randint(0, 2))]
        for name in there:
            ops += rng.choice([[], [], [drop(name)], [put(name, [1])], [CallOp(RENAME, 0, name, new_name=name * 2)]])
        try:
            edits = plan(document, ops)
        except CannotEdit as error:
            assert "deleted in the same step" in str(error)
            continue
        after = prove(document, edits, ops).source.text
        assert after.startswith("x = (f)(") and after.endswith("# end\n")
        proved += 1
    assert proved > 1300


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("t = 0.7\n", 0.7),
        ("T = t = 0.7\n", Unknown("t")),
        ("t = 0.7\nt = 0.8\n", Unknown("t")),
        ("t = 0.7\nt += 1\n", Unknown("t")),
        ("t: float = 1 / 2\n", 0.5),
        ("t = f()\n", Unknown("t")),
        ("t = u\nu = 1\n", Unknown("t")),
        ("def f(t): ...\nt = 0.7\n", Unknown("t")),
        ("for t in x: ...\n", Unknown("t")),
        ("t = 0.7\ndef g():\n    global t\n", Unknown("t")),
        ("from m import t\n", Unknown("t")),
        ("t = 0.7\ndel t\n", Unknown("t")),
        ("if (t := 0.7): ...\n", Unknown("t")),
    ],
)
def test_names_that_are_bound_once_to_a_literal_are_their_values(before: str, expected: object) -> None:
    (call,) = parse(before + "SamplingParams(temperature=t)\n").find({"SamplingParams"})
    assert call.keywords[0].value == expected


def test_calls_by_their_last_name_as_written_or_imported() -> None:
    text = "from a.b import C as D\nimport e.f as g\nx.y.z(1)\nD(z(2))\ng.h()\nq[0]()\n"
    document = parse(text)
    named = {name: [call.dotted for call in document.calls_named(name)] for name in ("z", "C", "D", "h", "y", "?")}
    assert named == {"z": ["x.y.z", "z"], "C": ["D"], "D": ["D"], "h": ["g.h"], "y": [], "?": ["?"]}
    assert document.aliases == {"D": "a.b.C", "g": "e.f"}
    assert [call.resolved for call in document.find({"b.C", "f.h", "y.z"})] == ["x.y.z", "a.b.C", "e.f.h"]


def test_strings_and_keys_of_dicts_once_each() -> None:
    document = parse("'doc'\nf({'a': 'b', 'c': g('d')}, f'e{x}')\n")
    found = [(text.value, text.key, text.call) for text in document.texts]
    assert sorted(found) == [("a", True, 0), ("b", False, 0), ("c", True, 0), ("d", False, 1), ("e", False, 0)]


def test_a_chain_is_noted_once_and_what_stands_in_brackets_by_itself() -> None:
    document = parse("a.b().c[0].d\n(e.f).g\nh[i.j].k\n")
    assert [chain.dotted for chain in document.attributes({"b", "c", "d", "f", "g", "j", "k"})] == [
        "a.b().c[].d",
        "e.f.g",
        "e.f",
        "h[].k",
        "i.j",
    ]
