"""One line a finding: `path:line:column: CODE [~] message`; a legend at the end says what the marks mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.headline import fixable, found, headlines, legend, mark
from vllm_migrate.report.layout import clean
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report


def render(report: Report, *, color: bool = False, links: bool = False) -> Iterator[str]:
    paint = Paint(color, links)
    for line in (*headlines(report), *(f"note: {clean(note)}" for note in report.notes)):
        yield line + "\n"
    for finding in report.findings:
        yield _line(finding, report.proved, paint) + "\n"
    if not report.quiet:
        counts = report.counts()
        yield found(report, counts) + "\n"
        if ways := fixable(counts):
            yield ways + "\n"
        if marks := legend(report):
            yield marks + "\n"
        if report.role:
            yield from (f"{clean(line)}\n" for line in report.role.split("\n"))


def _line(finding: Finding, proved: bool, paint: Paint) -> str:
    shown = mark(finding.safety, proved)
    marked = paint(finding.safety, f" {shown}") if shown else ""
    severity = paint(finding.severity, finding.severity)
    kind = " (checklist)" if finding.kind == CHECKLIST else ""
    code = paint.link(finding.code, rule_url(finding.name))
    place = paint("bold", clean(finding.place))
    return f"{place}: {severity} {code} {finding.name}{kind}{marked}: {clean(finding.message)}"
