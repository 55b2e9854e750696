"""Workflow commands of GitHub Actions: each finding becomes an annotation on its line.

GitHub shows ten annotations of a kind for a step; the log holds them all. Other lines pass through as plain log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.fingerprint import relative
from vllm_migrate.report.headline import fixable, found, headline
from vllm_migrate.report.items import Item, items_of
from vllm_migrate.report.layout import clean

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}


def render(report: Report) -> str:
    lines = [_plain(headline(report)), *(_command(item, report.root) for item in items_of(report))]
    if not report.quiet:
        counts = report.counts()
        lines.append(_plain(f"{found(report, counts)} {fixable(counts)}".rstrip()))
    return "\n".join(lines) + "\n"


def _command(item: Item, root: str) -> str:
    region = item.region
    properties = {"file": clean(relative(region.path, root)), "line": str(region.line)}
    if region.end_line == region.line:
        # GitHub takes columns only where a note begins and ends on one line; its end column is the last one marked.
        properties["col"] = str(region.column)
        properties["endColumn"] = str(max(region.column, region.end_column - 1))
    else:
        properties["endLine"] = str(region.end_line)
    properties["title"] = f"{item.code} {item.name}"
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[item.severity]} {listed}::{_data(_body(item))}"


def _body(item: Item) -> str:
    parts = [clean(item.message)]
    if item.why:
        parts.append(f"why: {clean(item.why)}")
    if item.fix != "none":
        parts.append(f"fix ({item.fix}): {clean(item.title)}")
        parts += [clean(line) for line in item.preview]
    elif item.advice:
        parts.append(f"advice: {clean(item.advice)}")
    if item.depends_on:
        parts.append("depends on: " + "; ".join(clean(reason) for reason in item.depends_on))
    return "\n".join(parts)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(line: str) -> str:
    """A log line that no runner takes for a command."""
    return line.replace("::", ": :").replace("##[", "# #[")
