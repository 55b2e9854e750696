"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line.

GitHub shows ten annotations of a kind for a step; the log holds them all. Other lines pass through as plain log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.finding import Finding
from vllm_migrate.report.fingerprint import relative
from vllm_migrate.report.headline import fixable, found, headlines
from vllm_migrate.report.layout import clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> Iterator[str]:
    for line in (*headlines(report), *(f"note: {clean(note)}" for note in report.notes)):
        yield _plain(line) + "\n"
    for finding in report.findings:
        if finding.minor:  # a pull request is not to be annotated with what asks nothing
            yield _plain(f"{finding.place}: {finding.code} {finding.name}: {clean(finding.message)}") + "\n"
        else:
            yield _command(finding, report.root) + "\n"
    if not report.quiet:
        counts = report.counts()
        yield _plain(f"{found(report, counts)} {fixable(counts)}".rstrip()) + "\n"


def _command(finding: Finding, root: str) -> str:
    region = finding.region
    properties = {"file": clean(relative(region.path, root)), "line": str(region.line)}
    if region.end_line == region.line:
        # GitHub takes columns only where a note begins and ends on one line; its end column is the last one marked.
        properties["col"] = str(region.column)
        properties["endColumn"] = str(max(region.column, region.end_column - 1))
    else:
        properties["endLine"] = str(region.end_line)
    properties["title"] = f"{finding.code} {finding.name}"
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[finding.severity]} {listed}::{_data(_body(finding))}"


def _body(finding: Finding) -> str:
    parts = [clean(finding.message)]
    if finding.why:
        parts.append(f"why: {clean(finding.why)}")
    if finding.fix is not None and finding.safety != "none":
        parts.append(f"fix ({finding.safety}): {clean(finding.fix.title)}")
        parts += [clean(line) for line in finding.preview]
    elif finding.advice:
        parts.append(f"advice: {clean(finding.advice)}")
    if finding.depends_on:
        parts.append("depends on: " + "; ".join(clean(reason) for reason in finding.depends_on))
    return "\n".join(parts)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(line: str) -> str:
    """A log line that no runner takes for a command."""
    return line.replace("::", ": :").replace("##[", "# #[")
