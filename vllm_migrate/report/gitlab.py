"""GitLab's Code Quality report: a JSON array of the subset of Code Climate issues that merge requests show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vllm_migrate.report.finding import Finding
from vllm_migrate.report.fingerprint import fingerprint, relative

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

LEVELS = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report) -> Iterator[str]:
    seen: dict[str, int] = {}
    for finding in report.findings:
        mark = fingerprint(finding, report.root)
        seen[mark] = number = seen.get(mark, 0) + 1
        # GitLab drops issues that share a fingerprint with one before.
        issue = _issue(finding, mark if number == 1 else f"{mark}-{number}", report.root)
        yield (",\n  " if len(seen) > 1 or number > 1 else "[\n  ") + json.dumps(issue)
    yield "\n]\n" if seen else "[]\n"


def _issue(finding: Finding, mark: str, root: str) -> dict[str, object]:
    region = finding.region
    return {
        "description": f"{finding.code} {finding.name}: {finding.message}",
        "check_name": finding.code,
        "fingerprint": mark,
        "severity": LEVELS[finding.severity],
        "location": {"path": relative(region.path, root), "lines": {"begin": region.line, "end": region.end_line}},
    }
