"""Markdown and HTML: nothing from a file becomes markup, and nothing is loaded from elsewhere."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from tests.report.drafts import Draft, render
from vllm_migrate.report.finding import Finding, OfferedFix, Region
from vllm_migrate.report.formats import FORMATS
from vllm_migrate.report.headline import fixable
from vllm_migrate.report.markdown import LIMIT, MARKER, code, escape, prose
from vllm_migrate.report.model import Report

HOSTILE = "<script>alert(1)</script> @octocat #12 [x](http://a) *b* `c` |d| ![i](j) _e_ ~~f~~ $g$ &amp; \\* - -->"


class Page(HTMLParser):
    """Collects tags with their attributes and the visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_well_formed_and_self_contained(report: Draft) -> None:
    page = Page(render("html", report))
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    targets = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert targets == ["#f0", "#f1", "#f2", "#f3", "#f4"] and {f"#{name}" for name in ids} == set(targets)
    assert "url(" not in render("html", report) and "@import" not in render("html", report)
    assert "logprobs-mode: processed_logprobs" in page.text
    assert page.text.count("vllm_config") == 2


def test_html_holds_any_text(maker: Any, empty: Draft) -> None:
    make = maker("a<b>&.yaml", f"k: {HOSTILE}\n")
    empty.add(make.finding("<script>", message=HOSTILE, why=HOSTILE, advice=HOSTILE, depends_on=(HOSTILE,)))
    empty.notes.append(HOSTILE)
    page = Page(render("html", empty))
    assert "script" not in {tag for tag, _ in page.tags}
    shown = HOSTILE.replace("`", "")  # backticks of a rule's text make code
    assert page.text.count(shown) + page.text.count(HOSTILE) == 6
    assert "<mark>&lt;script&gt;</mark>alert(1)" in render("html", empty)


def rendered(text: str) -> Page:
    return Page(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text))


@pytest.mark.parametrize("text", [HOSTILE, "- a", "1", "a_b_c __d__", "# no", "> no", "a\nb", "x <!-- y"])
def test_markdown_shows_text_as_it_is(text: str) -> None:
    page = rendered(escape(text))
    assert {tag for tag, _ in page.tags} == {"p"}
    assert page.text.strip().replace("\u2060", "") == " ".join(text.split())


@pytest.mark.parametrize("text", ["a`b", "``", "`a", "a|b", "a``b`c"])
def test_code_spans(text: str) -> None:
    page = rendered(f"| x |\n|---|\n| {code(text, table=True)} |\n")
    assert page.text.split("\n", 1)[-1].strip().endswith(text)
    assert rendered(code(text)).text.strip() == text


@pytest.mark.parametrize("text", ["`a: false` is dropped", "a `b|c` d", "`", "a `` b", "x `<b>` `*y*`", HOSTILE])
def test_backticks_of_a_rule_make_code(text: str) -> None:
    page = rendered(f"| x |\n|---|\n| {prose(text, table=True)} |\n")
    assert {tag for tag, _ in page.tags} <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    shown = text if text.count("`") % 2 else text.replace("`", "")
    assert page.text.split("x", 1)[1].replace("\u2060", "").split() == shown.split()


def test_mentions_and_issue_numbers_are_not_linked(make: Any, empty: Draft) -> None:
    empty.add(make.finding("actor", message=HOSTILE, why=HOSTILE, depends_on=(HOSTILE,)), children=["@octocat"])
    out = render("markdown", empty)
    outside = re.sub(r"`[^`]*`", "", out)
    assert not re.search(r"@\w|#\d", outside)


def test_the_comment(report: Draft) -> None:
    out = render("markdown", report)
    assert out.startswith(MARKER + "\n### vllm-migrate: 2 errors, 2 warnings, 1 info\n")
    page = rendered(out)
    assert [tag for tag, _ in page.tags].count("tr") == 6
    assert "logprobs-mode: processed_logprobs" in page.text
    assert page.open == []


def test_a_comment_keeps_below_the_limit(make: Any, empty: Draft) -> None:
    for i in range(2000):
        empty.add(make.finding("vllm_config", option=str(i), message="m" * 100, why="w" * 200))
    out = render("markdown", empty)
    assert len(out) < LIMIT + 1000
    shown = out.count("| :x: error |")
    assert f"and {2000 - shown} more." in out


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_in_one_newline_and_is_utf8(name: str, report: Draft, empty: Draft) -> None:
    for one in (report, empty, Draft("0.8.5", "0.18.1")):
        out = render(name, one)
        assert out.endswith("\n") and not out.endswith("\n\n")
        out.encode("utf-8")


def test_an_unknown_format(report: Draft) -> None:
    with pytest.raises(KeyError):
        render("pdf", report)


@pytest.mark.parametrize(
    "kinds", list(itertools.product(("finding", "checklist"), ("safe", "review", "none"), repeat=2))
)
def test_fixes_and_advice_add_up_to_the_findings(kinds: tuple[str, ...]) -> None:
    """Those of the checklist and for information are told apart."""
    made = [
        Finding(
            "VM101",
            "n",
            severity,
            "semantic",
            "m",
            Region("a", 1, 1, 1, 2),
            (0, 1),
            kind=kind,
            fix=OfferedFix(safety, "t"),
        )
        for severity, (kind, safety) in zip(("error", "info"), (kinds[:2], kinds[2:]), strict=True)
    ]
    counts = Report("0.8.5", "0.18.1", files=1, findings=tuple(made)).counts()
    assert counts.safe + counts.review + counts.advice - counts.listed_fixes - counts.minor_fixes == counts.total
    said = fixable(counts)
    assert ("of these for the checklist" in said) is bool(counts.listed_fixes)
    assert ("of these for information" in said) is bool(counts.minor_fixes)
