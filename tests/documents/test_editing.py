"""Many operations on one file: planned together, read back together, and as they come out one by one."""

from __future__ import annotations

import pytest

from vllm_migrate.documents import editing
from vllm_migrate.documents.editing import plan_file_proved, plan_proved
from vllm_migrate.documents.interface import DELETE, INSERT, RENAME, SET, DataDocument, Edit, Op, Source, decode
from vllm_migrate.documents.python import proof as python_proof
from vllm_migrate.documents.python.document import parse_python_data
from vllm_migrate.documents.toml.document import parse_toml
from vllm_migrate.documents.yaml.document import parse_yaml

COUNT = 40


def services(number: int) -> str:
    return "services:\n" + "".join(f"  s{i}:\n    args: [a, b]\n    env:\n      x: {i}\n" for i in range(number))


def changes(number: int) -> list[Op]:
    """Several to each service, those of one mapping or list behind each other."""
    out: list[Op] = []
    for i in range(number):
        out += [
            Op(SET, ("services", f"s{i}", "env", "y"), i),
            Op(RENAME, ("services", f"s{i}", "env", "x"), new_key="z"),
            Op(INSERT, ("services", f"s{i}", "args", 1), "--flag"),
            Op(DELETE, ("services", f"s{i}", "args", 0)),
        ]
    return out


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a file is read back, as it grows."""
    times: list[int] = []
    reread = editing.reparse

    def reparse(document: DataDocument, edits: list[Edit]) -> DataDocument:
        times.append(len(edits))
        return reread(document, edits)

    monkeypatch.setattr(editing, "reparse", reparse)
    return times


def test_as_one_by_one() -> None:
    first = parse_yaml(decode("f.yaml", services(8).encode()))
    current: DataDocument = first
    for op in changes(8):
        _, current = plan_proved(current, [op])
    _, after = plan_proved(first, changes(8))
    assert after.source.text == current.source.text
    assert after.source.text.count('args: ["--flag", b]') == 8


def test_reads_back_as_often_for_many_as_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (parse_yaml(decode("f.yaml", services(number).encode())) for number in (2, COUNT))
    times = counted(monkeypatch)
    plan_proved(few, changes(2))
    once = len(times)
    plan_proved(many, changes(COUNT))
    assert len(times) == 2 * once


def test_documents_of_a_file_together(monkeypatch: pytest.MonkeyPatch) -> None:
    document = parse_yaml(decode("f.yaml", "".join(f"a:\n  b: {i}\n---\n" for i in range(COUNT)).encode()))
    times = counted(monkeypatch)
    edits, after = plan_file_proved(document, {index: [Op(SET, ("a", "c"), index)] for index in range(COUNT)})
    assert len(times) == 1 and len(edits) == COUNT
    assert [root.plain() for root in after.roots][:COUNT] == [{"a": {"b": i, "c": i}} for i in range(COUNT)]


def test_edits_that_touch_are_made_one_by_one() -> None:
    document = parse_yaml(decode("f.yaml", b"{a: {x: 1},b: {y: 2}}\n"))
    ops = [Op(DELETE, ("a", "x")), Op(SET, ("b", "y"), 3), Op(DELETE, ("a",)), Op(RENAME, ("b",), new_key="c")]
    assert plan_proved(document, ops)[1].roots[0].plain() == {"c": {"y": 3}}


def test_toml_tables() -> None:
    document = parse_toml(decode("f.toml", "".join(f"[t{i}]\na = {i}\n" for i in range(COUNT)).encode()))
    after = plan_proved(document, [Op(SET, (f"t{i}", "b"), i) for i in range(COUNT)])[1]
    assert after.roots[0].plain() == {f"t{i}": {"a": i, "b": i} for i in range(COUNT)}


def test_a_program_is_read_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    document = parse_python_data(decode("f.py", "".join(f"f(a={i})\n" for i in range(COUNT)).encode()))
    read: list[Source] = []
    trees = python_proof._trees
    monkeypatch.setattr(python_proof, "_trees", lambda code, edits: read.append(code.source) or trees(code, edits))
    _, after = plan_file_proved(document, {index: [Op(SET, ("b",), index)] for index in range(COUNT)})
    assert len(read) == 1
    assert after.source.text == "".join(f"f(a={i}, b={i})\n" for i in range(COUNT))
