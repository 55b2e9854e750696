"""SARIF 2.1.0 (OASIS): results with fixes, fingerprints and suppressions; the rules that fired with their texts.

Columns are code points, end columns exclusive, as in our own regions. Paths below the working directory are relative
to %SRCROOT%; the rest are file: URIs. Code scanning services compute `primaryLocationLineHash` themselves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from vllm_migrate.knowledge.load import rule_page
from vllm_migrate.knowledge.records import Explain
from vllm_migrate.report.fingerprint import of_item, relative
from vllm_migrate.report.headline import sentence
from vllm_migrate.report.items import Change, Item, Region, items_of
from vllm_migrate.report.mask import HIDDEN

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
LONGEST = 1000  # GitHub takes 1024 characters of a rule's description
FINGERPRINT = "vllmMigrate/v1"

Object = dict[str, object]


def render(report: Report) -> str:
    log = {"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run_object(report)]}
    return json.dumps(log, indent=1) + "\n"


def run_object(report: Report) -> Object:
    shown = items_of(report)
    hidden = [(Item(finding, None), reason) for finding, reason in report.suppressed]
    rules = _Rules(report)
    results = [_result(item, rules, report.root) for item in shown]
    for item, reason in hidden:
        result = _result(item, rules, report.root)
        result["suppressions"] = [_suppression(reason)]
        results.append(result)
    name, _, version = report.tool.partition(" ")
    driver: Object = {"name": name, "semanticVersion": version, "rules": rules.objects}
    run: Object = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
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

    def __init__(self, report: Report) -> None:
        self.objects: list[Object] = []
        self._index: dict[str, int] = {}
        self._known = {rule.code: rule for rule in report.rules}

    def index(self, item: Item) -> int:
        if item.code not in self._index:
            self._index[item.code] = len(self.objects)
            self.objects.append(self._object(item))
        return self._index[item.code]

    def _object(self, item: Item) -> Object:
        rule = self._known.get(item.code)
        title = rule.title if rule is not None else item.name.replace("-", " ")
        explain = rule_page(rule.name).explain if rule is not None else Explain(item.why or title, "", "")
        what, why, write = (" ".join(part.split()) for part in explain)
        about = " ".join(part for part in (what, why) if part) or title
        ways = f"\n\nWhat to write: {write}" if write else ""
        return {
            "id": item.code,
            "name": item.name,
            "shortDescription": {"text": _plain(title)},
            "fullDescription": {"text": _plain(_shortened(about))},
            "help": {"text": _plain(f"{about}{ways}\n\nvllm-migrate explain {item.code}")},
            "defaultConfiguration": {"level": LEVELS[rule.severity if rule is not None else item.severity]},
            "properties": {"tags": ["vllm", item.layer]},
        }


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rpartition(" ")[0] + "..."


def _result(item: Item, rules: _Rules, root: str) -> Object:
    out: Object = {
        "ruleId": item.code,
        "ruleIndex": rules.index(item),
        "level": LEVELS[item.severity],
        "message": {"text": message(item)},
        "locations": [_place(item, root)],
        "partialFingerprints": {FINGERPRINT: of_item(item, root)},
    }
    if item.children:
        out["relatedLocations"] = [
            {**_location(Region(path, 1, 1, 1, 1), root), "id": i, "message": {"text": "inherits this"}}
            for i, path in enumerate(item.children)
        ]
    if item.changes:
        out["fixes"] = [_fix(item, root)]
    out["properties"] = {
        "layer": item.layer,
        "option": item.option,
        "old": item.old,
        "new": item.new,
        "safety": item.fix,
        "dependsOn": list(item.depends_on),
    }
    return out


def message(item: Item) -> str:
    """What happens, why it matters and what to do, as one text."""
    parts = [sentence(item.message), f"Why: {sentence(item.why)}" if item.why else ""]
    if item.fix != "none":
        parts.append(f"Fix ({item.fix}): {sentence(item.title)}")
    elif item.advice:
        parts.append(f"Advice: {sentence(item.advice)}")
    if item.depends_on:
        parts.append(f"Depends on: {'; '.join(item.depends_on)}.")
    return _plain(" ".join(part for part in parts if part))


def _plain(text: str) -> str:
    """Text without what SARIF gives a meaning: links `[text](where)` and placeholders `{0}`."""
    if "](" in text:
        text = text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    for digit in "0123456789":
        text = text.replace(f"{{{digit}}}", f"{{{{{digit}}}}}")
    return text


def _place(item: Item, root: str) -> Object:
    region = _region(item.region)
    line, start, end = item.source_line()
    if end > start and item.region.end_line == item.region.line and HIDDEN not in line:
        region["snippet"] = {"text": line[start:end]}
    return {"physicalLocation": {"artifactLocation": artifact(item.path, root), "region": region}}


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


def _fix(item: Item, root: str) -> Object:
    changes: dict[str, list[Change]] = {}
    for change in item.changes:
        changes.setdefault(change.region.path, []).append(change)
    return {
        "description": {"text": f"{item.title} ({item.fix})"},
        "artifactChanges": [
            {"artifactLocation": artifact(path, root), "replacements": [_replacement(change) for change in group]}
            for path, group in changes.items()
        ],
    }


def _replacement(change: Change) -> Object:
    return {"deletedRegion": _region(change.region), "insertedContent": {"text": change.text}}


def _suppression(reason: str) -> Object:
    out: Object = {"kind": "inSource", "status": "accepted"}
    if reason:
        out["justification"] = reason
    return out
