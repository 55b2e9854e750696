"""What the playground asks of the library, as JSON. Runs in the browser under Pyodide, and in the tests without it.

One text, judged under its file name as a project in memory. Nothing is read, written or sent.
"""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from typing import NamedTuple

from vllm_migrate import Finding, Report, TextEdit, UsageError, fix, lint
from vllm_migrate.catalog import store

ORDER = {"error": 0, "warning": 1, "info": 2}
LONGEST = 200_000  # characters: what a page judges without freezing


class Request(NamedTuple):
    """A text and how it is judged; `source` and `target` are releases, "" where the text or the default decides."""

    name: str
    text: str
    source: str = ""
    target: str = ""
    engine: str = "auto"
    review: bool = False


def judge(request: str) -> str:
    """The findings and the fixed text of a request, both JSON; `error` and `remedy` where it cannot be judged."""
    asked = Request(**json.loads(request))
    if len(asked.text) > LONGEST:
        return json.dumps({"error": f"the text is longer than {LONGEST:,} characters", "remedy": "use the command line"})
    files = {asked.name: asked.text}
    releases = {"from_": asked.source or None, "to": asked.target or None}
    try:
        report = lint(files=files, from_engine=asked.engine, **releases)
        plan = fix(files=files, from_engine=asked.engine, unsafe=asked.review, **releases)
    except UsageError as error:
        return json.dumps({"error": error.message, "remedy": error.remedy})
    fixed = plan.texts.get(asked.name, asked.text)
    return json.dumps(
        {
            "from": report.source,
            "to": report.target,
            "why": why(report),
            "findings": [described(finding) for finding in sorted(findings, key=urgency)],
            "problems": [f"{problem.line}: {problem.message}" for problem in report.problems],
            "notes": list(report.notes),
            "fixed": fixed,
            "changes": changes(asked.text, fixed),
        }
    )


def apply(request: str) -> str:
    """A text with the edits of one finding, as `judge` described them."""
    asked = json.loads(request)
    lines = asked["text"].split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    text = asked["text"]
    for start_line, start_column, end_line, end_column, new in sorted(asked["edits"], reverse=True):
        start, end = starts[start_line - 1] + start_column - 1, starts[end_line - 1] + end_column - 1
        text = text[:start] + new + text[end:]
    return json.dumps(text)


def releases() -> str:
    """The releases of the catalog, newest first."""
    return json.dumps(list(reversed(store.load().releases)))


def urgency(finding: Finding) -> tuple[bool, int, int]:
    """The order on the page: what the file settles before the checklist, errors first, then by line."""
    return finding.kind == "checklist", ORDER[finding.severity], finding.line


def why(report: Report) -> str:
    """Why these two releases."""
    return "; ".join(reason for reason in (report.source_why, report.target_why) if reason)


def described(finding: Finding) -> dict[str, object]:
    """A finding as the page shows it."""
    region, offered = finding.region, finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "checklist": finding.kind == "checklist",
        "message": finding.message,
        "why": finding.why,
        "advice": finding.advice,
        "depends_on": list(finding.depends_on),
        "line": region.line,
        "end_line": region.end_line,
        "engine": finding.engine.id if finding.engine else "",
        "fix": None if offered is None else offered.title,
        "safety": finding.safety,
        "reason": "" if offered is None else offered.reason,
        "needs": "" if offered is None else offered.needs,
        "edits": [] if offered is None else [edit(change) for change in offered.edits if change.region.path == region.path],
    }


def edit(change: TextEdit) -> tuple[int, int, int, int, str]:
    """An edit as lines, columns and its text."""
    region = change.region
    return region.line, region.column, region.end_line, region.end_column, change.text


def changes(old: str, new: str) -> list[tuple[int, int, int, int]]:
    """The ranges of lines that differ: from and to in the old text, from and to in the new one; from 0, ends excluded."""
    matcher = SequenceMatcher(None, old.split("\n"), new.split("\n"), autojunk=False)
    return [codes[1:] for codes in matcher.get_opcodes() if codes[0] != "equal"]
