"""The output for people: what matters first, then rule by rule, with every place, each reason and each edit once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import CHECKLIST, RUNNING, SEVERITIES, Finding
from vllm_migrate.report.full import HEADING, NARROWEST, Page, summary
from vllm_migrate.report.headline import headlines, plural, severities
from vllm_migrate.report.layout import cells, clean, excerpt
from vllm_migrate.report.model import NOTHING
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vllm_migrate.report.model import Report

FOR_INFORMATION = "For information: what else changes"
SHOWN_PLACES = 6
SHOWN_GROUPS = 4
SHOWN_FILES = 5
# The layer of what stops an engine, and one that changes no number.
STOPS, SPEED = "broken-config", "performance"


class Group(NamedTuple):
    """Findings of one rule that say the same and offer the same edit, at one place or more.

    joined: groups of other rules that this very edit settles too.
    """

    findings: list[Finding]
    joined: list[Group]

    @property
    def first(self) -> Finding:
        return self.findings[0]


def render(
    report: Report, *, color: bool = False, links: bool = False, width: int = 100, everything: bool = False
) -> Iterator[str]:
    """everything: no list is cut short."""
    page = Page(Paint(color, links), max(width, NARROWEST), report.proved)
    page.engines = engine_words(report.findings)
    for line in headlines(report):
        page.prose("", line, style="bold")
    for note in report.notes:
        page.prose("note: ", note)
    findings = [finding for finding in report.findings if finding.kind != CHECKLIST]
    _outline(page, [*findings, *(f for f in report.findings if f.kind == CHECKLIST and f.severity == "error")])
    listed = _rules(f for f in report.findings if f.kind == CHECKLIST and not f.minor)
    said = {f.message for f in report.findings if not f.minor}
    minor = _rules(f for f in report.findings if f.minor and (everything or f.message not in said))
    rules = [*_rules(findings), *listed, *(minor if everything else ())]
    reasons = Reasons(rules)
    heading = ""
    for groups in rules:
        page.blank()
        before, heading = heading, _heading(groups[0].first)
        if heading != before:
            page.prose("", heading, style="bold")
            page.blank()
        yield page.taken()
        _rule(page, groups, reasons, everything)
    if minor and not everything:
        page.blank()
        page.prose("", f"{FOR_INFORMATION} (--all shows more)", style="bold")
        for groups in minor:
            _briefly(page, groups)
    if not report.quiet and report.files:
        page.blank()
        summary(page, report)
    yield page.taken()


def engine_words(findings: Iterable[Finding]) -> dict[tuple[str, tuple[str, ...]], str]:
    """A word for each engine of a file with several, by path and holders: those holders that tell it from the others."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for finding in findings:
        if finding.holders:
            found.setdefault(finding.path, {})[finding.holders] = None
    words: dict[tuple[str, tuple[str, ...]], str] = {}
    for path, several in found.items():
        for names in several if len(several) > 1 else ():
            telling = [name for place, name in enumerate(names) if any(_at(other, place) != name for other in several)]
            words[path, names] = "/".join(telling)
    return words


def _at(names: tuple[str, ...], place: int) -> str:
    return names[place] if place < len(names) else ""


def _heading(finding: Finding) -> str:
    if finding.kind != CHECKLIST:
        return ""
    return FOR_INFORMATION if finding.minor else HEADING


def _briefly(page: Page, groups: list[Group]) -> None:
    """What a rule says, each sentence on a line of its own, without places."""
    code = page.paint.link(groups[0].first.code, rule_url(groups[0].first.name))
    for number, message in enumerate(dict.fromkeys(group.first.message for group in groups)):
        page.prose(f"{code} " if not number else "      ", message, "  ")


class Reasons:
    """What findings depend on. A reason is told once; where it comes again, by the number it then got."""

    def __init__(self, rules: list[list[Group]]) -> None:
        seen: dict[str, int] = {}
        for group in (inner for groups in rules for outer in groups for inner in (outer, *outer.joined)):
            for reason in group.first.depends_on:
                seen[reason] = seen.get(reason, 0) + 1
        again = (reason for reason, times in seen.items() if times > 1)
        self._numbers = {reason: number for number, reason in enumerate(again, 1)}
        self._told: set[str] = set()

    def of(self, finding: Finding) -> tuple[list[str], list[str]]:
        """The reasons to tell now, with their numbers; the numbers of those that were told."""
        new = [reason for reason in finding.depends_on if reason not in self._told]
        told = [f"[{self._numbers[reason]}]" for reason in finding.depends_on if reason in self._told]
        self._told.update(new)
        return [f"{reason} [{self._numbers[reason]}]" if reason in self._numbers else reason for reason in new], told


def _outline(page: Page, findings: list[Finding]) -> None:
    """Which engines do not start, what is written in vain, and where something changes that the loss is made of."""
    wrong = [f for f in findings if f.severity == "error" and f.layer == STOPS and f.kind != CHECKLIST]
    stops, vain = [f for f in wrong if f.name not in RUNNING], [f for f in wrong if f.name in RUNNING]
    moves = [f for f in findings if f.severity != "info" and f.layer not in (STOPS, SPEED) and f.trains]
    for label, found in (("will not start: ", stops), ("has no effect: ", vain), ("changes the loss: ", moves)):
        if found:
            page.prose(label, _where(found))


def _where(findings: list[Finding]) -> str:
    """Files with the codes found in each; of many files their number, and how many each code is found in."""
    codes: dict[str, set[str]] = {}
    files: dict[str, set[str]] = {}
    for finding in findings:
        codes.setdefault(finding.path, set()).add(finding.code)
        files.setdefault(finding.code, set()).add(finding.path)
    if len(codes) <= SHOWN_FILES:
        return ", ".join(f"{path} ({', '.join(sorted(names))})" for path, names in codes.items())
    often = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))
    return f"{len(codes)} files ({', '.join(f'{code} in {len(paths)}' for code, paths in often)})"


def _rules(findings: Iterable[Finding]) -> list[list[Group]]:
    """The groups of each rule: rules by their gravest finding, then by code."""
    by_code: dict[str, dict[tuple[object, ...], Group]] = {}
    for finding in findings:
        groups = by_code.setdefault(finding.code, {})
        groups.setdefault(_sameness(finding), Group([], [])).findings.append(finding)
    found = [sorted(groups.values(), key=lambda g: -SEVERITIES.index(g.first.severity)) for groups in by_code.values()]
    return _joined(
        sorted(found, key=lambda groups: (-SEVERITIES.index(groups[0].first.severity), groups[0].first.code))
    )


def _joined(rules: list[list[Group]]) -> list[list[Group]]:
    """The same, where a group whose edit an earlier rule makes has gone to that one."""
    first: dict[tuple[object, ...], Group] = {}
    left = []
    for groups in rules:
        alone: list[Group] = []
        for group in groups:
            edit = _edit(group)
            before = first.setdefault(edit, group) if edit is not None else group
            (alone if before.first.code == group.first.code else before.joined).append(group)
        if alone:
            left.append(alone)
    return left


def _edit(group: Group) -> tuple[object, ...] | None:
    """What a group writes, and for which engines; None where it offers nothing."""
    fix = group.first.fix
    if fix is None or not fix.preview or fix.safety == "none":
        return None
    engines = sorted((f.path, f.engine.id if f.engine else "") for f in group.findings)
    return fix.preview, fix.safety, fix.needs, tuple(engines)


def _sameness(finding: Finding) -> tuple[object, ...]:
    """What two findings of a rule share that are shown as one."""
    fix = finding.fix
    edit = (fix.title, fix.safety, fix.needs, fix.reason, tuple(line.strip() for _, line in fix.preview)) if fix else ()
    return finding.severity, finding.message, finding.why, finding.advice, finding.depends_on, edit


def _rule(page: Page, groups: list[Group], reasons: Reasons, everything: bool) -> None:
    """One rule: its name, then what it says of which places."""
    _head(page, groups)
    shown = groups if everything else groups[:SHOWN_GROUPS]
    said: set[str] = set()
    for number, group in enumerate(shown):
        if number:
            page.blank()
        _group(page, group, reasons, said, compact=len(groups) > 1, everything=everything)
    if len(shown) < len(groups):
        left = sum(len(group.findings) for group in groups[len(shown) :])
        page.blank()
        page.prose("", f"... and {plural(left, 'more place')} of {groups[0].first.code} (--all)", "  ")


def _head(page: Page, groups: list[Group]) -> None:
    paint, first = page.paint, groups[0].first
    places = sum(len(group.findings) for group in groups)
    number = Counter(finding.severity for group in groups for finding in group.findings)
    split = f": {severities(NOTHING._replace(**number))}" if len(number) > 1 else ""
    count = f" ({places} places{split})" if places > 1 else ""
    code = paint.link(first.code, rule_url(first.name))
    page.lines.append(f"{paint(first.severity, first.severity)} {code} {paint('bold', first.name)}{count}")


def _group(page: Page, group: Group, reasons: Reasons, said: set[str], compact: bool, everything: bool) -> None:
    """said: messages, reasons and advice of the rule that were shown; compact: a place is one line."""
    finding = group.first
    _statement(page, group, said, compact, everything)
    for other in group.joined:
        _head(page, [other])
        _statement(page, other, set(), other.first.region == finding.region, everything)
        _depends(page, other.first, reasons)
    if finding.fix is not None or finding.advice not in said:
        page.remedy(finding, len(group.joined) + 1)
    said |= {finding.message, finding.why, finding.advice}
    _depends(page, finding, reasons)


def _statement(page: Page, group: Group, said: set[str], compact: bool, everything: bool) -> None:
    """What happens, where, and why it matters; what the rule said of an earlier group is not repeated."""
    finding = group.first
    if finding.message not in said:
        page.prose("", finding.message, "  ")
    if len(group.findings) == 1 and not compact:
        named = clean(page.engine(finding))
        page.lines.append(f"  {page.paint('frame', '-->')} {page.paint('bold', clean(finding.place))}{named}")
        page.source(finding)
        page.children(finding, "      ")
    else:
        _places(page, group.findings, everything)
    if finding.why and finding.why not in said:
        page.prose("why: ", finding.why, "  ")


def _depends(page: Page, finding: Finding, reasons: Reasons) -> None:
    new, told = reasons.of(finding)
    page.depends(new)
    if told:
        page.prose("depends on: " if not new else " " * 12, f"{', '.join(told)} above", "  ")


def _places(page: Page, findings: list[Finding], everything: bool) -> None:
    shown = findings if everything else findings[:SHOWN_PLACES]
    margin = max(cells(clean(finding.place + page.engine(finding))) for finding in shown)
    for finding in shown:
        place, engine = clean(finding.place), clean(page.engine(finding))
        room = page.width - margin - 7
        line, start, end = finding.source
        lead = len(line) - len(line.lstrip())
        text = ""
        if room >= 20 and line.strip():
            text = f"  {excerpt(line.strip(), max(0, start - lead), max(1, end - lead), room).text}"
        page.lines.append(
            f"  {page.paint('frame', '-->')} {page.paint('bold', place)}{engine}{' ' * (margin - cells(place + engine))}{text}".rstrip()
        )
        page.children(finding, "      ")
    if len(shown) < len(findings):
        page.prose("", f"... and {plural(len(findings) - len(shown), 'more place')} (--all)", "      ")
