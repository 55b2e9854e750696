"""The output for people: what matters first, then rule by rule, with every place, each reason and each edit once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import CHECKLIST, SEVERITIES, Finding
from vllm_migrate.report.full import HEADING, NARROWEST, Page, listed, summary
from vllm_migrate.report.headline import headlines, plural
from vllm_migrate.report.layout import cells, clean, excerpt
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vllm_migrate.report.model import Report

SHOWN_PLACES = 6
SHOWN_GROUPS = 4
# The layer of what stops an engine, and one that changes no number.
STOPS, SPEED = "broken-config", "performance"


class Group(NamedTuple):
    """Findings of one rule that say the same and offer the same edit, at one place or more."""

    findings: list[Finding]

    @property
    def first(self) -> Finding:
        return self.findings[0]


def render(
    report: Report, *, color: bool = False, links: bool = False, width: int = 100, everything: bool = False
) -> Iterator[str]:
    """everything: no list is cut short."""
    page = Page(Paint(color, links), max(width, NARROWEST), report.proved)
    for line in headlines(report):
        page.prose("", line, style="bold")
    for note in report.notes:
        page.prose("note: ", note)
    findings = [finding for finding in report.findings if finding.kind != CHECKLIST]
    _outline(page, findings)
    rules = [*_rules(findings), *_rules(f for f in report.findings if f.kind == CHECKLIST)]
    edits: dict[tuple[object, ...], str] = {}
    listing = False
    for groups in rules:
        page.blank()
        if groups[0].first.kind == CHECKLIST and not listing:
            listing = True
            page.prose("", HEADING, style="bold")
            page.blank()
        yield page.taken()
        _rule(page, groups, edits, everything)
    if not report.quiet:
        page.blank()
        summary(page, report)
    yield page.taken()


def _outline(page: Page, findings: list[Finding]) -> None:
    """Which engines do not start, and where something changes that the loss is made of."""
    stops = [f for f in findings if f.severity == "error" and f.layer == STOPS]
    moves = [f for f in findings if f.severity != "info" and f.layer not in (STOPS, SPEED) and _trains(f)]
    for label, found in (("will not start: ", stops), ("changes the loss: ", moves)):
        codes: dict[str, list[str]] = {}
        for finding in found:
            names = codes.setdefault(finding.path, [])
            if finding.code not in names:
                names.append(finding.code)
        if codes:
            files = tuple(f"{path} ({', '.join(sorted(names))})" for path, names in codes.items())
            page.prose(label, listed(files))


def _trains(finding: Finding) -> bool:
    return finding.engine is not None and finding.engine.role in ("rl_rollout", "reference", "teacher")


def _rules(findings: Iterable[Finding]) -> list[list[Group]]:
    """The groups of each rule: rules by their gravest finding, then by code."""
    by_code: dict[str, dict[tuple[object, ...], Group]] = {}
    for finding in findings:
        groups = by_code.setdefault(finding.code, {})
        groups.setdefault(_sameness(finding), Group([])).findings.append(finding)
    found = [sorted(groups.values(), key=lambda g: -SEVERITIES.index(g.first.severity)) for groups in by_code.values()]
    return sorted(found, key=lambda groups: (-SEVERITIES.index(groups[0].first.severity), groups[0].first.code))


def _sameness(finding: Finding) -> tuple[object, ...]:
    """What two findings of a rule share that are shown as one."""
    fix = finding.fix
    edit = (fix.title, fix.safety, fix.needs, fix.reason, tuple(line.strip() for _, line in fix.preview)) if fix else ()
    return finding.severity, finding.message, finding.why, finding.advice, finding.depends_on, edit


def _rule(page: Page, groups: list[Group], edits: dict[tuple[object, ...], str], everything: bool) -> None:
    """One rule: its name, then what it says of which places."""
    paint, first = page.paint, groups[0].first
    places = sum(len(group.findings) for group in groups)
    count = f" ({places} places)" if places > 1 else ""
    code = paint.link(first.code, rule_url(first.name))
    page.lines.append(f"{paint(first.severity, first.severity)} {code} {paint('bold', first.name)}{count}")
    shown = groups if everything else groups[:SHOWN_GROUPS]
    said: set[str] = set()
    for number, group in enumerate(shown):
        if number:
            page.blank()
        _group(page, group, edits, said, compact=len(groups) > 1, everything=everything)
    if len(shown) < len(groups):
        left = sum(len(group.findings) for group in groups[len(shown) :])
        page.blank()
        page.prose("", f"... and {plural(left, 'place')} more of {first.code} (--all)", "  ")


def _group(
    page: Page, group: Group, edits: dict[tuple[object, ...], str], said: set[str], compact: bool, everything: bool
) -> None:
    """said: reasons and advice of the rule that were shown; compact: a place is one line."""
    finding = group.first
    page.prose("", finding.message, "  ")
    if len(group.findings) == 1 and not compact:
        page.lines.append(f"  {page.paint('frame', '-->')} {page.paint('bold', clean(finding.place))}")
        page.source(finding)
        page.children(finding, "      ")
    else:
        _places(page, group.findings, everything)
    if finding.why and finding.why not in said:
        page.prose("why: ", finding.why, "  ")
    edit = (*_sameness(finding)[5:], tuple(sorted(f.path for f in group.findings)))
    before = edits.setdefault(edit, finding.code) if finding.fix is not None and finding.fix.preview else finding.code
    if before != finding.code:
        page.prose("fix: ", f"the same edit as {before}, above", "  ")
    elif finding.fix is not None or finding.advice not in said:
        page.remedy(finding)
    said |= {finding.why, finding.advice}
    page.depends(finding)


def _places(page: Page, findings: list[Finding], everything: bool) -> None:
    shown = findings if everything else findings[:SHOWN_PLACES]
    margin = max(cells(clean(finding.place)) for finding in shown)
    for finding in shown:
        place = clean(finding.place)
        room = page.width - margin - 7
        line, start, end = finding.source
        lead = len(line) - len(line.lstrip())
        text = ""
        if room >= 20 and line.strip():
            text = f"  {excerpt(line.strip(), max(0, start - lead), max(1, end - lead), room).text}"
        page.lines.append(
            f"  {page.paint('frame', '-->')} {page.paint('bold', place)}{' ' * (margin - cells(place))}{text}".rstrip()
        )
        page.children(finding, "      ")
    if len(shown) < len(findings):
        page.prose("", f"... and {plural(len(findings) - len(shown), 'place')} more (--all)", "      ")
