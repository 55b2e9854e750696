"""SARIF 2.1.0 (OASIS): results with fixes, fingerprints and suppressions; the rules that fired with their texts.

Columns are code points, end columns exclusive, as in our own regions. Paths below the working directory are relative
to %SRCROOT%; the rest are file: URIs. Code scanning services compute `primaryLocationLineHash` themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.knowledge.records import Explain
from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.report.finding import Finding, OfferedFix, Region, TextEdit
from vllm_migrate.report.fingerprint import fingerprint, relative
from vllm_migrate.report.headline import sentence
from vllm_migrate.report.mask import HIDDEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vllm_migrate.report.model import Report

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
LONGEST = 1000  # GitHub takes 1024 characters of a rule's description
FINGERPRINT = "vllmMigrate/v1"

Object = dict[str, object]


def render(report: Report) -> Iterator[str]:
    results = [*((finding, None) for finding in report.findings), *report.suppressed]
    rules = _Rules(finding for finding, _ in results)
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [_run(report, rules)]}
    # The results are by far the most: they are put in the place of an empty list, one by one.
    head, tail = json.dumps(log, indent=1).split('"results": []')
    yield head + '"results": ['
    for number, (finding, reason) in enumerate(results):
        result = _result(finding if reason is None else finding._replace(fix=None), rules, report.root)
        if reason is not None:
            result["suppressions"] = [_suppression(reason)]
        yield ("," if number else "") + "\n    " + json.dumps(result)
    yield ("\n   ]" if results else "]") + tail + "\n"


def _run(report: Report, rules: _Rules) -> Object:
    name, _, version = report.tool.partition(" ")
    driver: Object = {"name": name, "semanticVersion": version, "rules": rules.objects}
    run: Object = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": []}
    run["originalUriBaseIds"] = {"%SRCROOT%": {"description": {"text": "the folder in which vllm-migrate ran"}}}
    run["invocations"] = [_invocation(report)]
    run["properties"] = {
        "from": report.source,
        "to": report.target,
        "fromWhy": report.source_why,
        "toWhy": report.target_why,
    }
    return run


def _invocation(report: Report) -> Object:
    out: Object = {"executionSuccessful": True}
    if report.problems:
        out["toolExecutionNotifications"] = [
            {
                "level": "warning",
                "message": {"text": _plain(problem.message)},
                "descriptor": {"id": problem.reason},
                "locations": [
                    _location(Region(problem.path, max(1, problem.line), 1, max(1, problem.line), 1), report.root)
                ],
            }
            for problem in report.problems
        ]
    return out


class _Rules:
    """The reporting descriptors of the rules that fired, in the order in which they are first needed."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        first: dict[str, Finding] = {}
        for finding in findings:
            first.setdefault(finding.code, finding)
        self._index = {code: number for number, code in enumerate(first)}
        self.objects = [self._object(finding) for finding in first.values()]

    def index(self, finding: Finding) -> int:
        return self._index[finding.code]

    @staticmethod
    def _object(finding: Finding) -> Object:
        rule = load().rule(finding.code)
        title = rule.title if rule is not None else finding.name.replace("-", " ")
        explain = rule_page(rule.name).explain if rule is not None else Explain(finding.why or title, "", "")
        what, why, write = (" ".join(part.split()) for part in (explain.what, explain.why, explain.write))
        about = " ".join(part for part in (what, why) if part) or title
        ways = f"\n\nWhat to write: {write}" if write else ""
        return {
            "id": finding.code,
            "name": finding.name,
            "shortDescription": {"text": _plain(title)},
            "fullDescription": {"text": _plain(_shortened(about))},
            "helpUri": rule_url(finding.name),
            "help": {"text": _plain(f"{about}{ways}\n\nvllm-migrate explain {finding.code}")},
            "defaultConfiguration": {"level": LEVELS[rule.severity if rule is not None else finding.severity]},
            "properties": {"tags": ["vllm", finding.layer]},
        }


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rpartition(" ")[0] + "..."


def _result(finding: Finding, rules: _Rules, root: str) -> Object:
    out: Object = {
        "ruleId": finding.code,
        "ruleIndex": rules.index(finding),
        "level": LEVELS[finding.severity],
        "message": {"text": message(finding)},
        "locations": [_place(finding, root)],
        "partialFingerprints": {FINGERPRINT: fingerprint(finding, root)},
    }
    if finding.children:
        out["relatedLocations"] = [
            {**_location(Region(path, 1, 1, 1, 1), root), "id": i, "message": {"text": "inherits this"}}
            for i, path in enumerate(finding.children)
        ]
    if finding.fix is not None and finding.fix.edits:
        out["fixes"] = [_fix(finding.fix, root)]
    out["properties"] = {
        "layer": finding.layer,
        "kind": finding.kind,
        "option": finding.option,
        "old": finding.old,
        "new": finding.new,
        "safety": finding.safety,
        "dependsOn": list(finding.depends_on),
    }
    return out


def message(finding: Finding) -> str:
    """What happens, why it matters and what to do, as one text."""
    parts = [sentence(finding.message), f"Why: {sentence(finding.why)}" if finding.why else ""]
    if finding.fix is not None and finding.safety != "none":
        parts.append(f"Fix ({finding.safety}): {sentence(finding.fix.title)}")
    elif finding.advice:
        parts.append(f"Advice: {sentence(finding.advice)}")
    if finding.depends_on:
        parts.append(f"Depends on: {'; '.join(finding.depends_on)}.")
    return _plain(" ".join(part for part in parts if part))


def _plain(text: str) -> str:
    """Text without what SARIF gives a meaning: links `[text](where)` and placeholders `{0}`."""
    if "](" in text:
        text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    for digit in "0123456789":
        text = text.replace(f"{{{digit}}}", f"{{{{{digit}}}}}")
    return text


def _place(finding: Finding, root: str) -> Object:
    region = _region(finding.region)
    line, start, end = finding.source
    if end > start and finding.region.end_line == finding.region.line and HIDDEN not in line:
        region["snippet"] = {"text": line[start:end]}
    return {"physicalLocation": {"artifactLocation": artifact(finding.path, root), "region": region}}


def _location(region: Region, root: str) -> Object:
    return {"physicalLocation": {"artifactLocation": artifact(region.path, root), "region": _region(region)}}


def artifact(path: str, root: str) -> Object:
    """An artifactLocation: relative to the source root where the path is, a file: URI where it is absolute."""
    path = relative(path, root)
    uri = quote(path.encode("utf-8", "surrogateescape"), safe="/~@!$&'()*+,;=")
    if path.startswith("/"):
        return {"uri": "file://" + uri}
    return {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _region(region: Region) -> Object:
    return {
        "startLine": region.line,
        "startColumn": region.column,
        "endLine": region.end_line,
        "endColumn": region.end_column,
    }


def _fix(fix: OfferedFix, root: str) -> Object:
    by_path: dict[str, list[TextEdit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.region.path, []).append(edit)
    return {
        "description": {"text": f"{fix.title} ({fix.safety})"},
        "artifactChanges": [
            {"artifactLocation": artifact(path, root), "replacements": [_replacement(edit) for edit in edits]}
            for path, edits in by_path.items()
        ],
    }


def _replacement(edit: TextEdit) -> Object:
    return {"deletedRegion": _region(edit.region), "insertedContent": {"text": edit.text}}


def _suppression(reason: str) -> Object:
    out: Object = {"kind": "inSource", "status": "accepted"}
    if reason:
        out["justification"] = reason
    return out
