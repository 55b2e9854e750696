"""`diff` and `explain` as pages and as Markdown: options over the releases."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from vllm_migrate.catalog import diff, history, store
from vllm_migrate.cli.main import main
from vllm_migrate.report import history as pages

VOID = {"meta", "rect", "line", "br"}


class Reader(HTMLParser):
    """Checks that every element is closed in its turn, and keeps names and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def printed(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words.split()) == 0
    return capsys.readouterr().out


def test_a_diff_as_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    cat = store.load()
    text = printed("diff 0.17.1 0.18.1 --output-format html", capsys)
    read = Reader(text)
    found = diff.diff(cat, "0.17.1", "0.18.1")
    assert sum(tag == "tr" for tag, _ in read.seen) == len(found) + text.count("<thead>")
    assert sum(tag == "svg" for tag, _ in read.seen) == len(found)
    assert "script" not in {tag for tag, _ in read.seen} and "default-src 'none'" in text
    assert not [1 for _, attributes in read.seen if (attributes.get("href") or "#")[0] != "#"]
    kinds = {change.kind for change in found}
    assert kinds == {at for tag, attributes in read.seen if tag == "h2" and (at := attributes.get("id"))}


def test_a_timeline_shows_where_an_option_is(capsys: pytest.CaptureFixture[str]) -> None:
    releases = store.load().releases
    text = printed("explain swap_space --output-format html", capsys)
    Reader(text)
    bar = text[text.index("<svg") : text.index("</svg>")]
    assert f'viewBox="0 0 {len(releases)} 4"' in bar and 'aria-label="in 0.8.5 to 0.17.1"' in bar
    gone = releases.index("0.18.0")
    assert f'<rect class="on" x="0" width="{gone}" height="4"/>' in bar
    assert "<dt>0.18.0</dt><dd>removed (the V1 engine never read it)</dd>" in text


def test_an_option_that_changed_has_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    story = history.explain_option(store.load(), "async_scheduling")
    assert story is not None
    spans = story.stories[0].spans
    assert len(spans) > 1
    text = "".join(pages.option_html(story))
    bar = text[text.index("<svg") : text.index("</svg>")]
    assert bar.count('class="cut"') == len(spans) - 1 and bar.count('class="on"') == len(spans)


def test_an_option_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed("explain swap_space --output-format markdown", capsys)
    assert text.startswith("# `swap_space`\n\n## `swap_space` (engine)\n\n| release | change |\n|---|---|\n| 0.8.5 |")


@pytest.mark.parametrize("code", ["VM101", "VM201", "VM716"])
def test_a_rule_in_every_form(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    text, page, marked = (
        printed(f"explain {code}{form}", capsys) for form in ("", " --output-format html", " --output-format markdown")
    )
    Reader(page)
    for heading in ("What happens", "Why it matters to your loss", "What to write", "Silent when", "Evidence"):
        assert heading in text and f"<h2>{heading}</h2>" in page and f"## {heading}\n" in marked
    assert not re.search(r"\{\w+\}", page + marked)


def test_what_the_forms_do_not_go_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "0.17.1", "0.18.1", ".", "--output-format", "html"]) == 2
    assert "html is only for a whole release" in capsys.readouterr().err
    assert main(["explain", "VM101", "--output-format", "htm"]) == 2
    assert "did you mean html?" in capsys.readouterr().err
