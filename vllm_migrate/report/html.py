"""One page that needs nothing else: no script, no font, no request. Opens from disk, prints, follows a dark theme."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from vllm_migrate.report.finding import Finding
from vllm_migrate.report.headline import fixable, found, headline, next_steps, settle, severities
from vllm_migrate.report.layout import clean, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--error:#c62828;--warning:#b26a00;--info:#1565c0;--safe:#2e7d32}
@media (prefers-color-scheme:dark){:root{--error:#ff8a80;--warning:#ffcc80;--info:#90caf9;--safe:#a5d6a7}}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}
code,pre{font:14px/1.45 ui-monospace,Menlo,Consolas,monospace}
pre{background:var(--soft);border:1px solid var(--line);border-radius:4px}
pre{padding:.5rem .75rem;overflow-x:auto;margin:.5rem 0}
mark{background:none;color:inherit;text-decoration:underline wavy;text-decoration-skip-ink:none}
article{border:1px solid var(--line);border-left-width:4px;border-radius:4px;padding:.5rem 1rem;margin:.75rem 0}
article.error{border-left-color:var(--error)}article.warning{border-left-color:var(--warning)}
article.info{border-left-color:var(--info)}
.error mark,b.error{color:var(--error)}.warning mark,b.warning{color:var(--warning)}.info mark,b.info{color:var(--info)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .75rem;margin:.5rem 0}dt{font-weight:600}dd{margin:0}
table{border-collapse:collapse;margin:1rem 0}
td,th{border-bottom:1px solid var(--line);padding:.2rem .75rem .2rem 0;text-align:left}
.safe{color:var(--safe)}.muted{opacity:.7}article p{margin:.25rem 0}
@media (max-width:40rem){dl{grid-template-columns:1fr}}
"""

ROOM = 400


def head(title: str, style: str = "") -> str:
    """How every page begins, up to its body: it asks for nothing and runs nothing. style: rules of its own."""
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{text(title)}</title>",
            f"<style>{STYLE}{style}</style>\n</head>\n<body>",
        )
    )


def render(report: Report) -> Iterator[str]:
    counts = report.counts()
    parts = [
        head(f"vllm-migrate: {severities(counts) or 'nothing to report'}"),
        f"<h1>{text(headline(report))}</h1>",
        f"<p>{text(found(report, counts))} {text(fixable(counts))}</p>",
        *(f'<p class="muted">{text(note)}</p>' for note in report.notes),
    ]
    yield "\n".join(parts) + "\n"
    yield from _table(report.findings)
    path = None
    for number, finding in enumerate(report.findings):
        if finding.path != path:
            path = finding.path
            yield f"<h2><code>{text(path)}</code></h2>\n"
        yield "\n".join(_article(finding, number)) + "\n"
    steps, parts = next_steps(report, counts), []
    if steps:
        parts.append("<h2>Next</h2>")
        parts += [f"<p><code>{text(command)}</code> {text(what)}</p>" for command, what in steps]
    parts.append(f'<p class="muted">{text(report.tool)}</p>\n</body>\n</html>')
    yield "\n".join(parts) + "\n"


def _table(findings: tuple[Finding, ...]) -> Iterator[str]:
    if not findings:
        return
    yield "<table><thead><tr><th>severity</th><th>place</th><th>rule</th><th>fix</th></tr></thead><tbody>\n"
    for number, finding in enumerate(findings):
        yield (
            f'<tr><td><b class="{finding.severity}">{finding.severity}</b></td>'
            f'<td><a href="#f{number}"><code>{text(finding.place)}</code></a></td>'
            f"<td>{text(finding.code)} {text(finding.name)}</td>"
            f'<td class="{finding.safety}">{finding.safety}</td></tr>\n'
        )
    yield "</tbody></table>\n"


def _article(finding: Finding, number: int) -> list[str]:
    title = f'<b class="{finding.severity}">{finding.severity}</b> <b>{text(finding.code)} {text(finding.name)}</b>'
    where = f'<span class="muted">{finding.region.line}:{finding.region.column} &middot; {text(finding.layer)}</span>'
    out = [
        f'<article class="{finding.severity}" id="f{number}">',
        f"<p>{title} {where}</p>",
        f"<p>{prose(finding.message)}</p>",
    ]
    out += _source(finding)
    rows = _rows(finding)
    if rows:
        out.append("<dl>" + "".join(f"<dt>{text(term)}</dt><dd>{cell}</dd>" for term, cell in rows) + "</dl>")
    return [*out, "</article>"]


def _source(finding: Finding) -> list[str]:
    line, start, end = finding.source
    if not line.strip():
        return []
    shown = excerpt(line, start, end, ROOM)
    cut = _Cut(shown.text)
    marked = f"{text(cut.to(shown.start))}<mark>{text(cut.to(shown.end))}</mark>{text(cut.to(None))}"
    return [f'<pre><span class="muted">{finding.region.line} | </span>{marked}</pre>']


class _Cut:
    """Takes a text apart at columns of a terminal, from left to right."""

    def __init__(self, text: str) -> None:
        self._rest = text
        self._at = 0

    def to(self, column: int | None) -> str:
        from vllm_migrate.report.layout import cells

        taken = ""
        while self._rest and (column is None or self._at < column):
            c, self._rest = self._rest[0], self._rest[1:]
            taken += c
            self._at += cells(c)
        return taken


def _rows(finding: Finding) -> list[tuple[str, str]]:
    rows = [("why", prose(finding.why))] if finding.why else []
    fix = finding.fix
    if fix is not None and fix.safety != "none":
        needs = f"; needs vLLM &gt;= {text(fix.needs)}" if fix.needs else ""
        block = "".join(f"<pre>{text(line)}</pre>" for line in ["\n".join(finding.preview)] if line)
        rows.append(("fix", f'{prose(fix.title)} <span class="{fix.safety}">({fix.safety}{needs})</span>{block}'))
    elif finding.advice:
        rows.append(("advice", prose(finding.advice)))
    if fix is not None and fix.safety == "none" and fix.reason:
        rows.append(("not fixed", text(fix.reason)))
    if finding.depends_on:
        rows.append(("depends on", "<br>".join(text(reason) for reason in finding.depends_on)))
        ways = dict.fromkeys(way for way in map(settle, finding.depends_on) if way)
        if ways:
            rows.append(("settle it", text("; or ".join(ways))))
    if finding.children:
        rows.append(("inherited by", ", ".join(f"<code>{text(path)}</code>" for path in finding.children)))
    return rows


def prose(words: str) -> str:
    """Text of a rule: what it puts in backticks is code."""
    parts = words.split("`")
    if len(parts) % 2 == 0:
        return text(words)
    return "".join(f"<code>{text(part)}</code>" if i % 2 else text(part) for i, part in enumerate(parts))


def text(words: str) -> str:
    """Text that is no markup."""
    return escape("\n".join(clean(line) for line in words.split("\n")))
