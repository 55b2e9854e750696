"""What the playground asks of the linter: one JSON object in, one out. Runs in the page's worker, under Pyodide.

Request: {"files": {path: text}, "from", "to", "engine", "gpu": text, "" where the files decide}. Answer: `answer` says.
Places are offsets in UTF-16 code units, as JavaScript counts them.
"""

from __future__ import annotations

import json
from typing import Any

from vllm_migrate import UsageError, __version__, fix, lint
from vllm_migrate.catalog import store
from vllm_migrate.knowledge.load import load
from vllm_migrate.report.finding import Finding, Region
from vllm_migrate.report.headline import sentence
from vllm_migrate.report.model import Report


def facts() -> str:
    """What the form offers: the tool's version, the releases of the catalog, newest first, and the GPUs that are known."""
    releases = list(reversed(store.load().releases))
    return json.dumps({"version": __version__, "releases": releases, "gpus": sorted(load().gpus)})


def answer(request: str) -> str:
    """Lint and fix the files. {"error", "remedy"} for a call that is wrong, else {"from", "to", "why", "files", "engines",
    "notes", "problems", "findings", "safe", "all"}; the last two are the new texts by path of `fix` and `fix --unsafe`."""
    asked = json.loads(request)
    files: dict[str, str] = asked["files"]
    move: dict[str, Any] = {
        "files": files,
        "from_": asked["from"] or None,
        "to": asked["to"] or None,
        "from_engine": asked["engine"] or "auto",
        "gpu": asked["gpu"] or None,
    }
    try:
        report = lint(**move)
        texts = {name: fix(**move, unsafe=unsafe).texts for name, unsafe in (("safe", False), ("all", True))}
    except UsageError as error:
        return json.dumps({"error": error.message, "remedy": error.remedy})
    return json.dumps({**_report(report, files), **texts})


def _report(report: Report, files: dict[str, str]) -> dict[str, Any]:
    return {
        "from": report.source,
        "to": report.target,
        "why": [report.source_why, report.target_why],
        "files": report.files,
        "engines": report.engines,
        "notes": list(report.notes),
        "problems": [{"path": problem.path, "message": problem.message} for problem in report.problems],
        "findings": [_finding(finding, files) for finding in report.findings],
    }


def _finding(finding: Finding, files: dict[str, str]) -> dict[str, Any]:
    fixed = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "kind": finding.kind,
        "message": sentence(finding.message),
        "why": finding.why and sentence(finding.why),
        "advice": finding.advice and sentence(finding.advice),
        "depends_on": list(finding.depends_on),
        "children": list(finding.children),
        "engine": finding.engine._asdict() if finding.engine else None,
        "line": finding.line,
        **_span(finding.region, files),
        "fix": fixed
        and {
            "safety": fixed.safety,
            "title": fixed.title,
            "reason": fixed.reason,
            "needs": fixed.needs,
            "preview": fixed.preview,
            "edits": [{**_span(edit.region, files), "text": edit.text} for edit in fixed.edits],
        },
    }


def _span(region: Region, files: dict[str, str]) -> dict[str, Any]:
    text = files.get(region.path, "")
    start = _offset(text, region.line, region.column)
    return {"path": region.path, "start": start, "end": _offset(text, region.end_line, region.end_column)}


def _offset(text: str, line: int, column: int) -> int:
    """UTF-16 code units before a place, which counts from 1 in lines and code points."""
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    before = text[: at + column - 1]
    return len(before) + sum(character > "\uffff" for character in before)
