"""What must hold for any bytes in any kind of file. Used by the coverage-guided fuzzer (run.py) and by the unit suite.

An input is the bytes of a file; what is done to it is drawn from a checksum of them, so that an input alone says what
happened. Only Unreadable, CannotEdit and ProofFailed may come out. What is planned and proved is then held against a
reader of other hands where there is one (json, tomllib, PyYAML, ast, bash -n), and making it again changes nothing.
"""

from __future__ import annotations

import ast
import itertools
import json
import os
import random
import shutil
import subprocess
import tomllib
import zlib
from pathlib import Path

import yaml

from vllm_migrate.documents.editing import plan, plan_proved, prove
from vllm_migrate.documents.interface import (
    DELETE,
    INSERT,
    MAP,
    RENAME,
    SEQ,
    SET,
    CannotEdit,
    DataDocument,
    Edit,
    Node,
    Op,
    ProofFailed,
    Source,
    Unreadable,
    decode,
)
from vllm_migrate.documents.oracle import equal
from vllm_migrate.documents.python.calls import CallOp, parse_python
from vllm_migrate.documents.python.edit import plan as python_plan
from vllm_migrate.documents.python.proof import prove as python_prove
from vllm_migrate.documents.shell.document import WordOp, parse_shell
from vllm_migrate.documents.shell.edit import plan as shell_plan
from vllm_migrate.documents.shell.proof import prove as shell_prove

KINDS = ("yaml", "toml", "json", "shell", "python", "program")
NAMES = {
    "yaml": "f.yaml",
    "toml": "f.toml",
    "json": "f.json",
    "shell": "f.sh",
    "python": "f.py",
}
REPOSITORY = Path(__file__).parents[2]
SUFFIXES = {
    "yaml": (".yaml",),
    "toml": (".toml",),
    "json": (".json",),
    "shell": (".sh",),
    "python": (".py",),
    "program": (".yaml", ".sh", ".toml"),
}
VALUES = [1, True, False, None, "x", "", "no", "a: b", 0.5, {"k": 1}, [], {}, ["x", {"y": "é"}], "two\nlines", "'\"\\"]
UNDECIDED = object()
WORDS = ["--new", "a.b=1", "", "it's", "$HOME", "two words", "--flag=é", "*", "#", "\\"]

# Small files that reach what the examples do not.
EXTRA = {
    "yaml": [
        b"a: &x {b: 1, c: [1, 2]}\nd: *x\ne:\n  <<: *x\n  b: 2\n",
        b"- |\n  text\n   more\n- >-\n  folded\n- ? complex\n  : v\n--- # two\n!!set {a, b}\n",
        b"\xef\xbb\xbfa: 'it''s'\r\nb: \"\\u00e9\\\n  x\"\r\n# c\r\n",
        b"{a: 1, b: [x, {c: d}], }\n...\n%YAML 1.1\n---\nx: yes\n",
        b"vllm_config:\n  vllm_kwargs:\n    a: ${b.c}\n    # note\n\n    l:\n    - 1\n    -   k: v\n        m: n\n",
    ],
    "toml": [
        b'a = 1\n[t]\nb.c = "x" # n\n[[l]]\nx = [1, 2, # c\n 3]\n[[l]]\ny = {a = 1, "b c" = \'x\'}\n',
        b'\xef\xbb\xbf[a.b]\r\nc = """x\\\r\n  y"""\r\nd = 1979-05-27T07:32:00Z\r\n[a]\r\ne = 0x1F\r\n',
    ],
    "json": [
        b'{"a": {"b": [1, 2.5e3, null, "\\u00e9"]}, "c": true}\n',
        b'// note\n{\n  "a": 1, /* x */\n  "b": [\n    "x",\n  ],\n}\n',
        b'\xef\xbb\xbf{\r\n\t"a" : {},\r\n\t"b": []\r\n}',
    ],
    "shell": [
        b'#!/bin/bash\nexport A=1 B="x y"\nARGS=(\n  a=1 # one\n  "b=$A"\n)\n'
        b'python -m m \\\n  "${ARGS[@]}" \\\n  +x.y=[1,2] 2>&1 | tee log\n',
        b'cat <<EOF | vllm serve m --port ${PORT:-8000}\n$(date) `x`\nEOF\nif [ -n "$A" ]; then\n  a b \\\n\n  c=d\nfi\n',
        b"for i in 1 2; do f() { vllm serve \"$1\" --x 'it'\\''s'; }; done\ncase $x in a|b) y;; *) z;; esac\nA+=(c)\n",
        b'bash -c "vllm serve m --a \'b c\'" && x=$((1+2)) [[ $a =~ ^b ]] || eval "$z"\r\n',
    ],
    "python": [
        b'import os\nfrom vllm import LLM as L, SamplingParams\nos.environ["VLLM_USE_V1"] = "0"\n'
        b'llm = L(\n    model="m",  # c\n    seed=1,\n    **kw,\n)\n',
        b"def f(x):\n    return vllm.LLM(x, *a, swap_space=4, hf={'a': [1, (2)]}).generate(p, SamplingParams(n=1,),)\n",
        b'x = f"{LLM(model=1)}"\nwith a() as b: LLM(\n)\nclass C:\r\n\tl = LLM (m, s = 2)\r\n',
    ],
}


def seeds(kind: str) -> list[bytes]:
    """Files to begin with: those of examples/, and small ones."""
    found = sorted(path for path in (REPOSITORY / "examples").rglob("*") if path.suffix in SUFFIXES[kind])
    out = [path.read_bytes() for path in found if path.stat().st_size < 6000]
    if kind == "program":
        return [path.suffix.encode() + b"\n" + data for path, data in zip(found, out, strict=False)]
    return EXTRA[kind] + out


def attempt(kind: str, data: bytes) -> str:
    """What came of one input: "unreadable", "refused", "empty", "proved" or "unproved" (planned, and not written)."""
    if kind == "program":
        return whole_program(data)
    try:
        source = decode(NAMES[kind], data)
        chance = random.Random(zlib.crc32(data))
        if kind == "shell":
            return _shell(source, chance)
        if kind == "python":
            return _python(source, chance)
        return _data(kind, source, chance)
    except Unreadable:
        return "unreadable"


# --- trees


def _parse(kind: str, source: Source) -> DataDocument:
    if kind == "yaml":
        from vllm_migrate.documents.yaml.document import parse_yaml

        return parse_yaml(source)
    if kind == "toml":
        from vllm_migrate.documents.toml.document import parse_toml

        return parse_toml(source)
    from vllm_migrate.documents.json.document import parse_json

    return parse_json(source)


Placed = tuple[tuple[str | int, ...], Node]


def _places(node: Node, path: tuple[str | int, ...] = (), out: list[Placed] | None = None) -> list[Placed]:
    """Up to 200 values with their paths."""
    out = [] if out is None else out
    if len(out) < 200:
        out.append((path, node))
        below: list[tuple[str | int, Node]] = [(p.key, p.value) for p in node.pairs if not p.merged]
        below += enumerate(node.items)
        for key, child in below:
            _places(child, (*path, key), out)
    return out


def _op(root: Node | None, chance: random.Random) -> Op:
    path, node = chance.choice(_places(root)) if root is not None else ((), None)
    value = chance.choice(VALUES)
    if node is not None and node.kind == SEQ:
        at = chance.randint(0, len(node.items))
        return chance.choice(
            [Op(INSERT, (*path, at), value), Op(DELETE, (*path, max(at - 1, 0))), Op(SET, (*path, at), value)]
        )
    if node is None or (node.kind == MAP and chance.random() < 0.6):
        after = chance.choice(["", *[pair.key for pair in node.pairs]]) if node is not None else ""
        return Op(SET, (*path, *chance.choice([("new",), ("new", "deep"), ("a",), ("é: #", "x")])), value, after=after)
    if not path:
        return Op(SET, ("new",), value)
    if isinstance(path[-1], str) and chance.random() < 0.2:
        return Op(RENAME, path, new_key=chance.choice(["new", "on", "x y", ""]))
    return chance.choice([Op(SET, path, value), Op(DELETE, path)])


def _data(kind: str, source: Source, chance: random.Random) -> str:
    document = _parse(kind, source)
    for root in document.roots:
        root.plain()
        for _, node in _places(root):
            assert 0 <= node.start <= node.end <= len(source.text), "a span outside the text"
    index = chance.randrange(max(len(document.roots), 1))
    op = _op(document.roots[index] if document.roots else None, chance)
    try:
        edits, after = plan_proved(document, [op], index)
    except CannotEdit:
        return "refused"
    try:
        assert prove(document, edits, [op], index).source.text == after.source.text
    except ProofFailed:
        assert not edits, "planned as proved, and not proved"
        return "refused"
    assert after.source.bom == source.bom
    _untouched(source, edits)
    before, now = read_by_others(kind, source.text), read_by_others(kind, after.source.text)
    if before is not None:
        assert now is not None and len(now) == max(len(before), 1), "another reader cannot read what was written"
        others = [i for i in range(len(before)) if i != index]
        assert all(repr(before[i]) == repr(now[i]) for i in others), "another document changed"
        if op.kind == SET and edits:
            found = _at(now[index], op.path)
            assert found is UNDECIDED or equal(found, op.value), f"another reader reads {found!r}"
    again = _parse(kind, decode(source.path, after.source.encode(after.source.text)))
    if op.kind in (SET, DELETE) and not (op.kind == DELETE and isinstance(op.path[-1], int)):
        assert plan(again, [op], index) == [], "made again it changes the file again"
    return "proved" if edits else "empty"


def _untouched(source: Source, edits: list[Edit]) -> None:
    ordered = sorted(edits)
    assert all(0 <= edit.start <= edit.end <= len(source.text) for edit in ordered)
    assert all(one.end <= two.start for one, two in itertools.pairwise(ordered))


def read_by_others(kind: str, text: str) -> list[object] | None:
    """The documents of a text as another reader has them; None where it reads none, or reads more than we promise."""
    try:
        if kind == "json":
            return [json.loads(text)]
        if kind == "toml":
            return [tomllib.loads(text)]
        if any(mark in text for mark in "&*!$"):
            return None
        return list(yaml.load_all(text, yaml.CSafeLoader))
    except (ValueError, yaml.YAMLError, RecursionError, TypeError, AttributeError, IndexError, KeyError):
        return None


def _at(data: object, path: tuple[str | int, ...]) -> object:
    for key in path:
        if isinstance(data, dict) and key not in data:  # YAML: a key that is no string
            matches = [inner for name, inner in data.items() if not isinstance(name, str)]
            assert matches, f"{path} is not there"
            return UNDECIDED  # which of them it is cannot be told here
        data = data[key]
    return data


# --- scripts and programs


def _shell(source: Source, chance: random.Random) -> str:
    document = parse_shell(source)
    _ = document.variables, document.arrays
    assert all(0 <= c.start <= c.end <= len(source.text) for c in document.commands)
    at = [(c.index, i) for c in document.commands[:50] for i in range(min(len(c.words), 50))]
    if not at:
        return "empty"
    command, word = chance.choice(at)
    texts = tuple(chance.choices(WORDS, k=chance.randint(1, 2)))
    op = chance.choice(
        [
            WordOp("insert_after", command, word, texts),
            WordOp("insert_before", command, word, texts),
            WordOp("replace", command, word, texts[:1]),
            WordOp("delete", command, word),
        ]
    )
    try:
        edits = shell_plan(document, [op])
    except CannotEdit:
        return "refused"
    _untouched(source, edits)
    try:
        after = shell_prove(document, edits, [op])
    except ProofFailed:
        return "unproved"
    data = after.source.encode(after.source.text)
    _bash_agrees(data)
    read = parse_shell(decode(source.path, data))
    words = [w.value for w in read.commands[command].words]
    if op.kind == "replace" and not document.commands[command].words[word].maybe:
        assert op.texts[0] in words, "the new word is not there"
        same = WordOp("replace", command, word, op.texts)
        if len(words) == len(document.commands[command].words):
            assert not [e for e in shell_plan(read, [same]) if after.source.text[e.start : e.end] != e.text], (
                "made again"
            )
    return "proved" if edits else "empty"


BASH = shutil.which("bash")


def _bash_agrees(data: bytes) -> None:
    """What is proved, bash parses; -n runs nothing."""
    if BASH is None:
        return
    call = [BASH, "--norc", "--noprofile", "-n"]
    done = subprocess.run(call, input=data, capture_output=True, timeout=60, env={"LC_ALL": "C.UTF-8"})
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, f"bash refuses {data!r}: {said}"
    assert "here-document" not in said, f"bash misses the end of a here-document: {data!r}"


def _python(source: Source, chance: random.Random) -> str:
    document = parse_python(source)
    _ = document.imports, document.attributes, document.environment
    if not document.calls:
        return "empty"
    call = chance.choice(document.calls[:50])
    names = [keyword.name for keyword in call.keywords]
    name = chance.choice([*names, "new", "seed"])
    value = chance.choice([v for v in VALUES if not isinstance(v, dict) or v])
    op = chance.choice(
        [
            CallOp(SET, call.index, name, value, after=chance.choice(["", *names])),
            CallOp(DELETE, call.index, name),
            CallOp(RENAME, call.index, name, new_name="other"),
        ]
    )
    try:
        edits = python_plan(document, [op])
    except CannotEdit:
        return "refused"
    _untouched(source, edits)
    try:
        after = python_prove(document, edits, [op])
    except ProofFailed:
        return "unproved"
    ast.parse(after.source.text)
    if op.kind == SET:
        keyword = after.calls[op.call].get(name)
        assert keyword is not None and keyword.value == value, "the keyword does not read back"
        assert python_plan(after, [op]) == [], "made again it changes the file again"
    return "proved" if edits else "empty"


# --- the whole way: lint, fix, fix again


def whole_program(data: bytes) -> str:
    """A file (its first line is the suffix) through lint and fix; a second fix of what was written writes nothing."""
    suffix, _, body = data.partition(b"\n")
    known = suffix if suffix in (b".yaml", b".sh", b".toml", b".json", b".ipynb") else b".yaml"
    name = "Dockerfile" if suffix == b"Dockerfile" else "f" + known.decode()
    first = _fixed(name, body)
    if first is None:
        return "unreadable"
    text, refused = first
    if text is None:
        return "refused" if refused else "empty"
    for _ in range(1 + body.count(b"VLLM_USE_V1")):  # a variable that is set several times goes one by one
        again = _fixed(name, text.encode())
        assert again is not None, "what was written cannot be read"
        if name.endswith(".ipynb"):
            json.loads(text)
        if again[0] is None:
            return "proved"
        text = again[0]
    raise AssertionError(f"a second fix writes again: {text!r}")


def _fixed(name: str, body: bytes) -> tuple[str | None, int] | None:
    """The fixed text (None: nothing to write) and how many fixes were refused; None for what cannot be read."""
    from vllm_migrate.catalog import store
    from vllm_migrate.dialects.workspace import Workspace
    from vllm_migrate.documents.interface import apply_edits
    from vllm_migrate.fixes.apply import Fixer, fix_all
    from vllm_migrate.knowledge.load import load
    from vllm_migrate.run.judging import Run

    catalog, knowledge = store.load(), load()
    path = os.path.join(os.sep, "nowhere", name)  # no parent stands beside it
    run = Run(catalog, knowledge, Workspace([path]))
    run.judge_file(path, True, body)
    result = run.finish()
    if any(problem.path == path for problem in result.problems):
        return None
    outcome = fix_all(result.findings, Fixer(catalog, knowledge), True)
    texts = {file.path: apply_edits(file.source.text, edits) for file, edits in outcome.edits.items() if edits}
    assert set(texts) <= {path}, "a file that was not read is written"
    changed = texts.get(path)
    return (None if changed is None or changed.encode() == body else changed), len(outcome.refused)
