"""`lint --output-format json`: one object, and a contract (schema 1). New keys get a new number.

    {"schema": 1, "tool", "from", "to", "files": int, "projects": [{"root", "from", "to", "why"}], "findings": [{
      "code", "name", "severity": "error|warning|info", "layer", "kind": "finding|checklist", "project", "from", "to", "path",
      "line", "column", "end_line", "end_column": int from 1, columns in code points, the end after the last one,
      "engine": {"id", "role", "dialect"} or null for a finding about a file,
      "option", "old", "new", "message", "why", "advice": text or null, "url", "depends_on": text or null, "children": [path],
      "fix": {"safety": "safe|review|none", "title", "needs": specifier or null, "conflicts": [{"path", "line", "pin"}],
        of a pin "cost", "drop_when": {"since": release or null, "because"}, "edits": [
        {"path", "start_line", "start_column", "end_line", "end_column", "text"}]} or null,
      "fingerprint"}]}

A value that neither file nor source decides is {"expr": text}. One finding a line, by path and place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import Finding, TextEdit
from vllm_migrate.report.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.report.model import Report

SCHEMA = 1


def render(report: Report) -> Iterator[str]:
    head = {
        "schema": SCHEMA,
        "tool": report.tool,
        "from": report.source,
        "to": report.target,
        "files": report.files,
        "projects": [
            {"root": project.root, "from": project.source, "to": project.target, "why": project.why}
            for project in report.projects
        ],
    }
    yield json.dumps(head)[:-1] + ', "findings": ['
    for number, finding in enumerate(report.findings):
        yield (",\n  " if number else "\n  ") + json.dumps(finding_object(finding, report.root))
    yield "\n]}\n" if report.findings else "]}\n"


def finding_object(finding: Finding, root: str = "") -> dict[str, object]:
    """One finding, as the contract has it."""
    region, engine = finding.region, finding.engine
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "layer": finding.layer,
        "kind": finding.kind,
        "project": finding.project,
        "from": finding.releases[0],
        "to": finding.releases[1],
        "path": region.path,
        "line": region.line,
        "column": region.column,
        "end_line": region.end_line,
        "end_column": region.end_column,
        **({"cell": region.cell[0]} if region.cell[0] else {}),
        "engine": engine._asdict() if engine is not None else None,
        "option": finding.option,
        "old": finding.old,
        "new": finding.new,
        "message": finding.message,
        "why": finding.why or None,
        "advice": finding.advice or None,
        "url": rule_url(finding.name),
        "depends_on": "; ".join(finding.depends_on) or None,
        "children": list(finding.children),
        "fix": _fix(finding),
        "fingerprint": fingerprint(finding, root),
    }


def _fix(finding: Finding) -> dict[str, object] | None:
    fix = finding.fix
    if fix is None:
        return None
    title = fix.title or finding.advice or fix.reason
    needs = f">={fix.needs}" if fix.needs else None
    edits = [_edit(edit) for edit in fix.edits]
    conflicts = [{"path": path, "line": line, "pin": pin} for path, line, pin in fix.conflicts]
    made: dict[str, object] = {"safety": fix.safety, "title": title, "needs": needs, "conflicts": conflicts}
    if fix.drop_when is not None:
        since, because = fix.drop_when
        made |= {"cost": fix.cost, "drop_when": {"since": since or None, "because": because}}
    return {**made, "edits": edits}


def _edit(edit: TextEdit) -> dict[str, object]:
    region = edit.region
    return {
        "path": region.path,
        "start_line": region.line,
        "start_column": region.column,
        "end_line": region.end_line,
        "end_column": region.end_column,
        "text": edit.text,
    }
