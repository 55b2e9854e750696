"""What holds for any text: it fits, it parses, it stays on its line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.report.drafts import Draft, render
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.report.formats import FORMATS
from vllm_migrate.report.layout import cells, excerpt, fill
from vllm_migrate.report.mask import HIDDEN, mask, mask_span
from vllm_migrate.report.preview import preview
from vllm_migrate.rules.finding import Fix

LINE = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=120)
WORDS = st.lists(st.text("abc`'\"|*_<>&%,:@#[]{}$多🚀", min_size=1, max_size=12), max_size=12).map(" ".join)


@given(LINE, st.integers(0, 120), st.integers(0, 20), st.integers(20, 100))
def test_an_excerpt_fits_and_marks_something(line: str, start: int, length: int, room: int) -> None:
    start = min(start, len(line))
    out = excerpt(line, start, min(start + length, len(line)), room)
    assert cells(out.text) <= room
    assert 0 <= out.start < out.end
    assert out.text.isprintable() or all(c.isprintable() or cells(c) == 0 for c in out.text)


@given(WORDS, st.integers(10, 60))
def test_filling_keeps_every_word(text: str, width: int) -> None:
    lines = fill(text, width, "> ", "  ")
    assert " ".join(lines).split() == f"> {text}".split()
    assert all(cells(line) <= width or len(line.split()) <= 2 for line in lines)


@given(WORDS, WORDS, st.sampled_from(["api_key", "HF_TOKEN", "--password", "db-secret"]))
def test_a_secret_goes_and_masking_twice_is_masking_once(before: str, after: str, key: str) -> None:
    text = f"{before} {key}=zq9-zq9-zq9 {after}"
    once = mask(text)
    assert "zq9-zq9-zq9" not in once and HIDDEN in once
    assert "zq9" not in mask(once)


@given(st.text(max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_a_span_stays_in_its_line(text: str, start: int, end: int) -> None:
    start, end = sorted((min(start, len(text)), min(end, len(text))))
    shown, low, high = mask_span(text, start, end)
    assert 0 <= low <= high <= len(shown)


@given(
    st.text("ab\n: ", max_size=40),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5), st.text("xy\n", max_size=4))),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_preview_accounts_for_every_changed_line(maker: Any, text: str, raw: list[tuple[int, int, str]]) -> None:
    edits, at = [], 0
    for start, length, new in sorted(raw):
        if at <= start <= len(text):
            at = min(start + length, len(text))
            edits.append(Edit(start, at, new))
            at += 1
    file = maker("a.yaml", text).file
    lines = preview({file: edits})
    before, after = text.split("\n"), apply_edits(text, edits).split("\n")
    for sign, line in lines:
        (before if sign == "-" else after).remove(line)
    assert sorted(line for line in before if line.strip()) == sorted(line for line in after if line.strip())


@given(LINE.filter(lambda line: line.strip()), WORDS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_format_takes_any_text(maker: Any, line: str, words: str) -> None:
    make = maker("conf/a.yaml", line + "\n")
    report = Draft("0.8.5", "0.18.1")
    finding = make.finding(line, message=line, why=words, depends_on=(line,), old={line: words})
    report.add(*make.planned(finding, Edit(0, 0, words + "\n"), fix=Fix(words or "x", "safe", ())))
    for name in FORMATS:
        render(name, report, color=True, width=60).encode("utf-8")
    json.loads(render("json", report))
    json.loads(render("sarif", report))
    ElementTree.fromstring(render("junit", report).encode("utf-8"))
    commands = [line for line in render("github", report).split("\n") if line.startswith("::")]
    assert len(commands) == 1
