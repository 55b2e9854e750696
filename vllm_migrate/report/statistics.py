"""How often each rule fired, the most frequent first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.finding import SEVERITIES
from vllm_migrate.report.headline import fixable, found, headlines, legend, mark
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report


class RuleTally:
    """One rule's findings: how many, the highest severity among them, and how many `fix` writes, by safety."""

    __slots__ = ("code", "count", "fixes", "name", "severity")

    def __init__(self, code: str, name: str) -> None:
        self.code = code
        self.name = name
        self.severity = SEVERITIES[0]
        self.count = 0
        self.fixes = {"safe": 0, "review": 0, "none": 0}


def tallies(report: Report) -> list[RuleTally]:
    by_code: dict[str, RuleTally] = {}
    for finding in report.findings:
        tally = by_code.setdefault(finding.code, RuleTally(finding.code, finding.name))
        tally.count += 1
        tally.fixes[finding.safety] += 1
        tally.severity = max(tally.severity, finding.severity, key=SEVERITIES.index)
    return sorted(by_code.values(), key=lambda tally: (-tally.count, -SEVERITIES.index(tally.severity), tally.code))


def render(report: Report, *, color: bool = False) -> Iterator[str]:
    paint = Paint(color)
    rows = tallies(report)
    lines = [paint("bold", line) for line in headlines(report)]
    if rows:
        digits = max(5, len(str(rows[0].count)))
        names = max(len(row.name) for row in rows)
        lines.append(f"{'count':>{digits}}  code   severity  {'rule':<{names}}  fixes")
        lines += [_row(row, digits, names, report.proved, paint) for row in rows]
    if not report.quiet:
        counts = report.counts()
        lines.append(found(report, counts))
        if counts.total:
            lines.append(fixable(counts))
        if marks := legend(report):
            lines.append(marks)
    yield "\n".join(lines) + "\n"


def _row(tally: RuleTally, digits: int, names: int, proved: bool, paint: Paint) -> str:
    kinds = [
        f"{mark(kind, proved)} {number} {kind}" for kind, number in tally.fixes.items() if number and kind != "none"
    ]
    severity = paint(tally.severity, f"{tally.severity:<8}")
    return f"{tally.count:>{digits}}  {tally.code}  {severity}  {tally.name:<{names}}  {', '.join(kinds) or '-'}"
