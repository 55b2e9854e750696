"""`diff` and `explain` as pages (HTML without script or request) and as Markdown: options over the releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.catalog.changes import KINDS
from vllm_migrate.catalog.diff import TITLES, describe, headline
from vllm_migrate.catalog.history import Explanation, Span, Story, late_steps, states, steps
from vllm_migrate.knowledge.page import evidence_line, fix_of, fixes, sections, severities
from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.html import head, prose, text
from vllm_migrate.report.markdown import code, escape
from vllm_migrate.report.markdown import prose as plain

if TYPE_CHECKING:
    from vllm_migrate.catalog.changes import Change
    from vllm_migrate.catalog.store import Catalog
    from vllm_migrate.knowledge.records import Rule, RulePage

STYLE = """
h1 code,h2 code{font-size:inherit}table{width:100%}
td{vertical-align:top;overflow-wrap:anywhere}td:nth-child(-n+2){white-space:nowrap;overflow-wrap:normal}
svg{display:block;width:100%;height:14px;margin:.25rem 0}svg.life{height:22px}
.off{fill:var(--soft)}.on{fill:var(--info)}.at{stroke:currentColor;stroke-width:.25}.cut{fill:Canvas}
.scale{display:flex;justify-content:space-between;font-size:.85rem;opacity:.7}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}a{color:var(--info)}
a:focus-visible{outline:2px solid var(--info)}
li,p,dd{overflow-wrap:anywhere}
@media (max-width:40rem){thead{display:none}table,tbody,tr,td{display:block}td{border:0;padding:.1rem 0}
tr{border-bottom:1px solid var(--line);padding:.4rem 0}td:nth-child(-n+2){display:inline-block;padding-right:.75rem}}
"""
MARK = "the releases that have the option, with a gap where it changed"


def diff_html(catalog: Catalog, old: str, new: str, found: list[Change]) -> Iterator[str]:
    """The page of a `diff`: a table for each kind of change, with the life of each option."""
    yield f"{head(f'vLLM {old} to {new}', STYLE)}\n<h1>vLLM {text(old)} to {text(new)}</h1>\n"
    yield f"<p>{len(found)} changes. A bar shows {MARK}; its two lines are {text(old)} and {text(new)}.</p>\n"
    yield "<ul>" + "".join(f"<li>{text(line)}</li>" for line in headline(old, new, found)) + "</ul>\n"
    by_kind = {kind: [change for change in found if change.kind == kind] for kind in KINDS}
    links = (f'<a href="#{kind}">{TITLES[kind]} ({len(mine)})</a>' for kind, mine in by_kind.items() if mine)
    yield f"<nav>{''.join(links)}</nav>\n"
    for kind, mine in by_kind.items():
        if not mine:
            continue
        yield f'<h2 id="{kind}">{TITLES[kind]} ({len(mine)})</h2>\n<table><thead><tr>'
        yield "<th>since</th><th>section</th><th>option</th><th>change</th></tr></thead><tbody>\n"
        for change in mine:
            bar = _bar_of(catalog, change, (old, new))
            yield (
                f"<tr><td>{text(change.since)}</td><td>{text(change.section)}</td>"
                f"<td><code>{text(change.option)}</code>{bar}</td><td>{text(describe(change))}</td></tr>\n"
            )
        yield "</tbody></table>\n"
    yield "</body>\n</html>\n"


def _bar_of(catalog: Catalog, change: Change, marked: tuple[str, str]) -> str:
    life = catalog.life(change.section, change.option)
    if not life:
        return ""
    places = states(catalog.releases, [Span(*one) for one in life])
    return _bar(catalog.releases, places, marked)


def _bar(releases: tuple[str, ...], places: list[tuple[int, int]], marked: tuple[str, ...] = (), name: str = "") -> str:
    """A timeline: a unit a release, filled where the option is there; a gap where it changed; a line at each of `marked`."""
    there = "; ".join(f"{releases[start]} to {releases[stop - 1]}" for start, stop in places)
    parts = [f'<rect class="off" width="{len(releases)}" height="4"/>']
    parts += [f'<rect class="on" x="{start}" width="{stop - start}" height="4"/>' for start, stop in places]
    starts = [start for start, _ in places]
    parts += [f'<rect class="cut" x="{start - 0.12:g}" width=".24" height="4"/>' for start in starts[1:]]
    lines = [releases.index(release) + 0.5 for release in marked]
    parts += [f'<line class="at" x1="{at:g}" x2="{at:g}" y2="4"/>' for at in lines]
    label = text(f"in {there}")
    return (
        f'<svg{name} viewBox="0 0 {len(releases)} 4" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f"<title>{label}</title>{''.join(parts)}</svg>"
    )


def option_html(found: Explanation) -> Iterator[str]:
    """The page of an option: its life as a bar, then each release that changed it."""
    yield f"{head(f'vLLM: {found.name}', STYLE)}\n<h1><code>{text(found.name)}</code></h1>\n"
    yield f"<p>A bar shows {MARK}.</p>\n"
    first, last = found.releases[0], found.releases[-1]
    for story in found.stories:
        yield f'<h2><code>{text(story.option)}</code> <span class="muted">{text(story.section)}</span></h2>\n'
        yield _bar(found.releases, states(found.releases, story.spans), name=' class="life"')
        yield f'<div class="scale"><span>{text(first)}</span><span>{text(last)}</span></div>\n'
        rows = "".join(f"<dt>{text(release)}</dt><dd>{text(what)}</dd>" for release, what in steps(story))
        yield f"<dl>{rows}</dl>\n"
        if story.doc:
            yield f"<p>{prose(_opening(story))}</p>\n"
        late = "".join(f"<dt>{text(where)}</dt><dd><code>{text(what)}</code></dd>" for where, what in late_steps(story))
        if late:
            yield f"<p>Set later on by:</p>\n<dl>{late}</dl>\n"
    yield "</body>\n</html>\n"


def option_markdown(found: Explanation) -> Iterator[str]:
    """The same as Markdown."""
    yield f"# {code(found.name)}\n"
    for story in found.stories:
        yield f"\n## {code(story.option)} ({story.section})\n\n| release | change |\n|---|---|\n"
        yield "".join(f"| {release} | {escape(what)} |\n" for release, what in steps(story))
        if story.doc:
            yield f"\n{plain(_opening(story))}\n"
        late = late_steps(story)
        if late:
            yield "\nSet later on by:\n\n" + "".join(f"- {code(where)}: {code(what)}\n" for where, what in late)


def _opening(story: Story) -> str:
    """The first paragraph of what vLLM's documentation says."""
    return " ".join(story.doc.split("\n\n")[0].split())


def rule_html(rule: Rule, page: RulePage) -> Iterator[str]:
    """The page of a rule."""
    yield f"{head(f'{rule.code} {rule.name}', STYLE)}\n<h1>{rule.code} {rule.name}</h1>\n<p>{prose(rule.title)}</p>\n"
    yield f'<p><b class="{rule.severity}">{severities(rule)}</b>, {rule.layer}, {rule.status} since {rule.since}</p>\n'
    for title, body in sections(rule, page):
        yield f"<h2>{title}</h2>\n<p>{prose(body)}</p>\n"
    if fixes(rule):
        yield f"<h2>Fix</h2>\n{''.join(f'<p>{prose(fix_of(fix))}</p>' for fix in fixes(rule))}\n"
    if page.evidence:
        yield f"<h2>Evidence</h2>\n<ul>{''.join(f'<li>{text(evidence_line(one))}</li>' for one in page.evidence)}</ul>\n"
    yield f'<p><a href="{rule_url(rule.name)}">{rule_url(rule.name)}</a></p>\n</body>\n</html>\n'


def rule_markdown(rule: Rule, page: RulePage) -> Iterator[str]:
    """The same as Markdown."""
    yield f"# {rule.code} {rule.name}\n\n{plain(rule.title)}\n\n"
    yield f"{severities(rule)}, {rule.layer}, {rule.status} since {rule.since}\n"
    for title, body in sections(rule, page):
        yield f"\n## {title}\n\n{plain(' '.join(body.split()))}\n"
    if fixes(rule):
        yield "\n## Fix\n" + "".join(f"\n{plain(fix_of(fix))}\n" for fix in fixes(rule))
    if page.evidence:
        yield "\n## Evidence\n\n" + "".join(f"- {escape(evidence_line(one))}\n" for one in page.evidence)
