"""What a fix looks like: whole lines, old and new."""

from __future__ import annotations

from typing import Any

import pytest

from vllm_migrate.documents.interface import Edit
from vllm_migrate.report.preview import places, preview

TEXT = "a: 1\n  b-c: false  # why\nd: 2\n"


def shown(maker: Any, edits: list[Edit], text: str = TEXT) -> list[str]:
    file = maker("a.yaml", text).file
    return [f"{sign} {line}" for sign, line in preview({file: edits})]


def at(needle: str, new: str) -> Edit:
    return Edit(TEXT.index(needle), TEXT.index(needle) + len(needle), new)


@pytest.mark.parametrize(
    ("edits", "lines"),
    [
        ([Edit(5, 5, "x: 1\n")], ["+ x: 1"]),
        ([Edit(4, 4, "\nx: 1")], ["+ x: 1"]),
        ([at("b-c", "no-b-c"), at("false", "true")], ["-   b-c: false  # why", "+   no-b-c: true  # why"]),
        ([at("  b-c: false  # why\n", "")], ["-   b-c: false  # why"]),
        ([at("2\n", "3\ne: 4\n")], ["- d: 2", "+ d: 3", "+ e: 4"]),
        ([at("a: 1", "a: 0"), at("d: 2", "d: 0")], ["- a: 1", "+ a: 0", "- d: 2", "+ d: 0"]),
        ([Edit(len(TEXT), len(TEXT), "e: 1\n")], ["+ e: 1"]),
    ],
)
def test_changed_lines(maker: Any, edits: list[Edit], lines: list[str]) -> None:
    assert shown(maker, edits) == lines


def test_windows_newlines(maker: Any) -> None:
    assert shown(maker, [Edit(6, 6, "x: 1\r\n")], "a: 1\r\nb: 2\r\n") == ["+ x: 1"]


def test_the_files_of_a_fix_follow_each_other(maker: Any) -> None:
    first, second = maker("a.yaml", "a: 1\n").file, maker("b.yaml", "b: 1\n").file
    edits = {first: [Edit(3, 4, "2")], second: [Edit(0, 5, "")]}
    assert preview(edits) == [("-", "a: 1"), ("+", "a: 2"), ("-", "b: 1")]


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        ([("-", "a: 1"), ("+", "a: 22")], [(3, 5), (3, 5)]),
        ([("-", "aa"), ("+", "aaa")], [(2, 3), (2, 3)]),
        ([("-", "f(x, y=1)"), ("+", "f(x)")], [(3, 8), (3, 8)]),
        ([("+", "a")], [(0, 0)]),
        ([("-", "a")], [(0, 0)]),
        ([("-", "b: 0"), ("-", "call(1)"), ("+", "call(2)")], [(0, 0), (5, 6), (5, 6)]),
        ([("-", "a1"), ("+", "a2"), ("-", "ba"), ("+", "bc")], [(1, 2)] * 4),
    ],
)
def test_places(lines: list[tuple[str, str]], where: list[tuple[int, int]]) -> None:
    assert places(lines) == where
