"""One line a finding: `path:line:column: CODE [*] message`. `[*]`: a safe fix, `[?]`: one to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.headline import fixable, found, headline
from vllm_migrate.report.items import Item, items_of
from vllm_migrate.report.layout import clean
from vllm_migrate.report.paint import Paint

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

MARKS = {"safe": " [*]", "review": " [?]", "none": ""}


def render(report: Report, *, color: bool = False) -> str:
    paint = Paint(color)
    lines = [headline(report), *(_line(item, paint) for item in items_of(report))]
    if not report.quiet:
        counts = report.counts()
        lines.append(found(report, counts))
        if counts.total:
            lines.append(fixable(counts))
    return "\n".join(lines) + "\n"


def _line(item: Item, paint: Paint) -> str:
    mark = paint(item.fix, MARKS[item.fix])
    severity = paint(item.severity, item.severity)
    return f"{paint('bold', clean(item.place))}: {severity} {item.code} {item.name}{mark}: {clean(item.message)}"
