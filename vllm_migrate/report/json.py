"""`lint --output-format json`: one object, and a contract (schema 1). New keys get a new number.

    {"schema": 1, "tool", "from", "to", "files": int, "findings": [{
      "code", "name", "severity": "error|warning|info", "layer", "path",
      "line", "column", "end_line", "end_column": int from 1, columns in code points, the end after the last one,
      "engine": {"id", "role", "dialect"} or null for a finding about a file,
      "option", "old", "new", "message", "depends_on": text or null,
      "fix": {"safety": "safe|review|none", "title", "edits": [
        {"path", "start_line", "start_column", "end_line", "end_column", "text"}]} or null,
      "fingerprint"}]}

A value that neither file nor source decides is {"expr": text}. One finding a line, by path and place.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from vllm_migrate.report.fingerprint import of_item
from vllm_migrate.report.items import Change, Item, items_of

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

SCHEMA = 1


def render(report: Report) -> str:
    head = {"schema": SCHEMA, "tool": report.tool, "from": report.source, "to": report.target, "files": report.files}
    findings = [json.dumps(finding_object(item, report.root)) for item in items_of(report)]
    body = "[\n  " + ",\n  ".join(findings) + "\n]" if findings else "[]"
    return json.dumps(head)[:-1] + f', "findings": {body}}}\n'


def finding_object(item: Item, root: str = "") -> dict[str, object]:
    region = item.region
    engine = (
        {"id": item.engine, "role": item.role, "dialect": item.dialect} if item.finding.engine is not None else None
    )
    return {
        "code": item.code,
        "name": item.name,
        "severity": item.severity,
        "layer": item.layer,
        "path": region.path,
        "line": region.line,
        "column": region.column,
        "end_line": region.end_line,
        "end_column": region.end_column,
        "engine": engine,
        "option": item.option,
        "old": item.old,
        "new": item.new,
        "message": item.message,
        "depends_on": "; ".join(item.depends_on) or None,
        "fix": _fix(item),
        "fingerprint": of_item(item, root),
    }


def _fix(item: Item) -> dict[str, object] | None:
    if item.plan is None:
        return None
    title = item.title or item.advice or item.reason
    return {"safety": item.fix, "title": title, "edits": [_edit(change) for change in item.changes]}


def _edit(change: Change) -> dict[str, object]:
    region = change.region
    return {
        "path": region.path,
        "start_line": region.line,
        "start_column": region.column,
        "end_line": region.end_line,
        "end_column": region.end_column,
        "text": change.text,
    }
