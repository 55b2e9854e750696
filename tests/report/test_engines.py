"""Engines as an HTML page and as Markdown: what changes is marked, nothing from a file is markup, no secret is shown."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from vllm_migrate.report.engines import Shown, as_html, as_markdown, value_of
from vllm_migrate.resolve.table import REFUSED, Cell, SettingRow

EVIL = '<script>alert("x")</script>|`a`'
SECRET = "hf_abcdefghijklmnopqrstuvwxyz0123456789"


def row(option: str, source: Cell, target: Cell) -> SettingRow:
    return SettingRow(option, source, target, source.value != target.value)


ROWS = [
    row("enable_prefix_caching", Cell(False, "conf/a b.yaml:12", None), Cell(True, "vLLM default", None)),
    row("swap_space", Cell(4, "conf/a.yaml:3", None), Cell(None, REFUSED, None)),
    row("max_num_seqs", Cell(256, "vLLM default", None), Cell([256, 1024], "unknown", "the GPU", False)),
    row("evil", Cell(EVIL, EVIL, None), Cell("b", "", None)),
    row("hf_token", Cell(SECRET, "x.sh:1", None), Cell(None, "unknown", None)),
    row("dtype", Cell("bfloat16", "x.sh:1", None), Cell("bfloat16", "x.sh:1", None)),
]
ENGINE = Shown(
    f"conf/a.yaml  {EVIL}  (rl_rollout)", ["vLLM 0.8.5 -> 0.18.1", f"GPU: {EVIL}"], ("0.8.5", "0.18.1"), ROWS
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    page = "".join(as_html([ENGINE], False))
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not {tag for tag, _ in tags.seen} & {"script", "link", "img", "iframe"}
    assert "default-src 'none'" in page and SECRET not in page
    links = [attrs["href"] for tag, attrs in tags.seen if tag == "a"]
    assert "./conf/a%20b.yaml" in links and all(link and link.startswith("./") for link in links)
    assert sum(attrs.get("class") == "changed" for _, attrs in tags.seen) == len(ROWS) - 1
    assert "1 setting stays" in page and "<details open>" not in page
    assert "<details open>" in "".join(as_html([ENGINE], True))


def test_markdown_is_a_table_whose_cells_are_no_markup() -> None:
    text = "".join(as_markdown([ENGINE], False))
    assert SECRET not in text and "dtype" not in text and "1 setting stays as it is." in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {6}
    assert "<script>" not in text
    assert "| dtype | bfloat16 |" in "".join(as_markdown([ENGINE], True))


def test_values_in_words() -> None:
    assert value_of("swap_space", Cell(None, REFUSED, None)) == "rejected"
    assert value_of("x", Cell(None, "", None, absent=True)) == "no such option"
    assert value_of("x", Cell(None, "vLLM default", None)) == "unset"
    assert value_of("x", Cell([True, False], "unknown", "the GPU", undecided=True)) == "true or false"
    assert value_of("x", Cell(None, "unknown", "the GPU", undecided=True)) == "not known"
