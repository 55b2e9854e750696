"""One line a finding: `path:line:column: CODE [*] message`. `[*]`: a safe fix, `[?]`: one to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.headline import fixable, found, headlines, legend
from vllm_migrate.report.layout import clean
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

MARKS = {"safe": " [*]", "review": " [?]", "none": ""}


def render(report: Report, *, color: bool = False, links: bool = False) -> Iterator[str]:
    paint = Paint(color, links)
    for line in headlines(report):
        yield line + "\n"
    for finding in report.findings:
        yield _line(finding, paint) + "\n"
    if not report.quiet:
        counts = report.counts()
        yield found(report, counts) + "\n"
        if counts.total:
            yield fixable(counts) + "\n"
        for mark, meaning in legend(report.findings):
            yield f"{MARKS[mark].strip()} {mark}: {meaning}\n"


def _line(finding: Finding, paint: Paint) -> str:
    mark = paint(finding.safety, MARKS[finding.safety])
    severity = paint(finding.severity, finding.severity)
    kind = " (checklist)" if finding.kind == CHECKLIST else ""
    code = paint.link(finding.code, rule_url(finding.name))
    place = paint("bold", clean(finding.place))
    return f"{place}: {severity} {code} {finding.name}{kind}{mark}: {clean(finding.message)}"
