"""Engines at two releases as a page of its own (HTML without script or request) and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from vllm_migrate.report.html import head, text
from vllm_migrate.report.layout import clean
from vllm_migrate.report.mask import mask_value
from vllm_migrate.report.side_by_side import word
from vllm_migrate.resolve.table import REFUSED, Cell, SettingRow

WIDE = """
table{display:block;overflow-x:auto;max-width:100%}td{vertical-align:top;min-width:6rem}td:first-child{padding-left:.5rem}
td code{overflow-wrap:normal;word-break:normal}tr.changed{background:var(--soft)}
tr.changed td:first-child{border-left:4px solid var(--warning)}
summary{cursor:pointer}summary:focus-visible,a:focus-visible{outline:2px solid var(--info)}a{color:var(--info)}
@media (max-width:40rem){thead{display:none}tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}
td details{display:inline-block;vertical-align:top}
tbody,table{display:block}
td{display:block;border:0;padding:.1rem .5rem}td[data-release]::before{content:attr(data-release) ": ";opacity:.7}}
"""


class Shown(NamedTuple):
    """One engine as it is shown: its title, what is known of it, its two releases and its settings."""

    title: str
    known: list[str]
    releases: tuple[str, str]
    rows: list[SettingRow]

    def parts(self) -> Iterator[tuple[str, list[SettingRow]]]:
        yield "changes", [row for row in self.rows if row.changed]
        yield "stays", [row for row in self.rows if not row.changed]


def as_html(engines: Iterable[Shown], everything: bool) -> Iterator[str]:
    """The page: what changes is marked, what stays is folded, an origin opens when it is clicked."""
    yield f"{head('vllm-migrate: engines', WIDE)}\n<h1>Effective settings</h1>\n"
    for engine in engines:
        yield f"<h2><code>{text(engine.title)}</code></h2>\n"
        yield f'<p class="muted">{"<br>".join(map(text, engine.known))}</p>\n'
        for name, rows in engine.parts():
            table = "".join(_table(engine.releases, rows, name == "changes"))
            if name == "changes":
                yield table if rows else "<p>Nothing changes.</p>\n"
            elif rows:
                opened = " open" if everything else ""
                yield f"<details{opened}><summary>{_staying(rows)}</summary>\n{table}</details>\n"
    yield "</body>\n</html>\n"


def _table(releases: tuple[str, str], rows: list[SettingRow], changed: bool) -> Iterator[str]:
    heads = "".join(f"<th>vLLM {text(release)}</th>" for release in releases)
    yield f"<table><thead><tr><th>option</th>{heads}</tr></thead><tbody>\n"
    mark = ' class="changed"' if changed else ""
    for row in rows:
        cells = "".join(
            f'<td data-release="{text(release)}">{_cell(row.option, cell)}</td>'
            for release, cell in zip(releases, (row.source, row.target), strict=True)
        )
        yield f"<tr{mark}><td><code>{text(row.option)}</code></td>{cells}</tr>\n"
    yield "</tbody></table>\n"


def _cell(option: str, cell: Cell) -> str:
    value = f"<code>{text(value_of(option, cell))}</code>"
    said = [_origin(cell.origin)] if cell.origin not in ("", "unknown", REFUSED) else []
    said += [f"depends on {text(reason)}" for reason in cell.reasons]
    if not said or cell.absent:
        return value
    return f'<details><summary>{value}</summary><span class="muted">{"<br>".join(said)}</span></details>'


def _origin(origin: str) -> str:
    file, _, line = origin.rpartition(":")
    if not (file and line.isdecimal()) or file.startswith("/"):
        return text(origin)
    return f'<a href="./{text(quote(file))}">{text(origin)}</a>'


def as_markdown(engines: Iterable[Shown], everything: bool) -> Iterator[str]:
    """A table per engine; what stays only with `everything`."""
    for number, engine in enumerate(engines):
        yield "\n" * bool(number) + f"### {_plain(engine.title)}\n\n"
        yield "".join(f"{_plain(line)}  \n" for line in engine.known) + "\n"
        for name, rows in engine.parts():
            if name == "stays" and not everything:
                yield f"\n{_staying(rows)}.\n" if rows else ""
                continue
            if not rows:
                yield "Nothing changes.\n" if name == "changes" else ""
                continue
            yield f"| {name} | vLLM {engine.releases[0]} | from | vLLM {engine.releases[1]} | from |\n|---|---|---|---|---|\n"
            for row in rows:
                cells = [part for cell in (row.source, row.target) for part in (value_of(row.option, cell), _why(cell))]
                yield "| " + " | ".join(map(_plain, (row.option, *cells))) + " |\n"


def _why(cell: Cell) -> str:
    said = [] if cell.absent or cell.origin in ("unknown", REFUSED) else [cell.origin]
    return "; ".join((*said, *(f"depends on {reason}" for reason in cell.reasons)))


def value_of(option: str, cell: Cell) -> str:
    """The value in one word; what is not decided says what it may be."""
    if cell.origin == REFUSED:
        return "rejected"
    if cell.absent:
        return "no such option"
    value = mask_value(option, cell.value)
    if not cell.undecided:
        return word(value)
    return " or ".join(map(word, value)) if isinstance(value, list) and value else "not known"


def _staying(rows: list[SettingRow]) -> str:
    return "1 setting stays as it is" if len(rows) == 1 else f"{len(rows)} settings stay as they are"


def _plain(words: str) -> str:
    """Text for a cell of a Markdown table: nothing in it is markup."""
    out = escape(clean(words), quote=False)
    return "".join(f"\\{char}" if char in "|\\`*_[]~" else char for char in out).replace("\n", " ")
