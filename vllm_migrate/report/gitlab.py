"""GitLab's Code Quality report: a JSON array of the subset of Code Climate issues that merge requests show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vllm_migrate.report.fingerprint import of_item, relative
from vllm_migrate.report.items import Item, items_of

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report) -> str:
    seen: dict[str, int] = {}
    issues = []
    for item in items_of(report):
        mark = of_item(item, report.root)
        seen[mark] = number = seen.get(mark, 0) + 1
        # GitLab drops issues that share a fingerprint with one before.
        issues.append(json.dumps(_issue(item, mark if number == 1 else f"{mark}-{number}", report.root)))
    return "[\n  " + ",\n  ".join(issues) + "\n]\n" if issues else "[]\n"


def _issue(item: Item, mark: str, root: str) -> dict[str, object]:
    region = item.region
    return {
        "description": f"{item.code} {item.name}: {item.message}",
        "check_name": item.code,
        "fingerprint": mark,
        "severity": SEVERITIES[item.severity],
        "location": {"path": relative(region.path, root), "lines": {"begin": region.line, "end": region.end_line}},
    }
