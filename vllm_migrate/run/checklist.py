"""What only code or people elsewhere can settle: each item once a project, unless the configuration acknowledges it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vllm_migrate.report.finding import CHECKLIST, SEVERITIES, Finding, order
from vllm_migrate.run.config import Config
from vllm_migrate.run.select import selects_rule

if TYPE_CHECKING:
    from vllm_migrate.rules.finding import Firing

Part = TypeVar("Part")


class Acknowledged(NamedTuple):
    """An item that the configuration says is seen to: the rule (code, prefix or name), a pattern of paths ("": all), the
    reason, and file:line of the entry."""

    rule: str
    path: str
    reason: str
    place: str


class Checked(NamedTuple):
    """findings: with each item of the checklist once a project; acknowledged: items with the reason; unused: entries of the
    configuration that match nothing, in words."""

    findings: list[Finding]
    acknowledged: list[tuple[Finding, str]]
    unused: list[str]


def checked(findings: Iterable[Finding], config: Config) -> Checked:
    """The findings of a run as they are reported."""
    entries = [Acknowledged(*entry) for entry in config.acknowledged()]
    used: set[int] = set()
    out: list[Finding] = []
    known: list[tuple[Finding, str]] = []
    items: dict[tuple[object, ...], list[Finding]] = {}
    for finding in findings:
        if finding.kind != CHECKLIST:
            out.append(finding)
            continue
        number = _entry_for(finding, entries, config)
        if number is None:
            items.setdefault(_item(finding.project, finding.releases, finding, finding.safety), []).append(finding)
        else:
            used.add(number)
            known.append((finding._replace(fix=None), entries[number].reason))
    for item in items.values():
        out += _one(item)
    unused = [
        f"{entry.place}: acknowledges {entry.rule}{f' in {entry.path}' if entry.path else ''}, but nothing there needs acknowledging"
        for number, entry in enumerate(entries)
        if number not in used
    ]
    return Checked(sorted(out, key=order), known, unused)


def _entry_for(finding: Finding, entries: list[Acknowledged], config: Config) -> int | None:
    """The number of the entry that acknowledges a finding."""
    path = os.path.relpath(finding.path, config.root or os.curdir).replace(os.sep, "/")
    for number, entry in enumerate(entries):
        if selects_rule(entry.rule, finding.code, finding.name) and (
            not entry.path or config.matches(entry.path, path)
        ):
            return number
    return None


def counted(fired: Sequence[Firing]) -> int:
    """How many findings with a fix these are in a report: an item of the checklist counts once, as in `checked`."""
    items = {
        _item(situation.project, (situation.source.value, situation.target.value), one, one.fix.safety)
        for one in fired
        if one.kind == CHECKLIST and one.engine is not None and one.fix is not None
        for situation in [one.engine.situation]
    }
    return len(items) + sum(one.kind != CHECKLIST or one.engine is None or one.fix is None for one in fired)


def _item(project: str, releases: tuple[str, str], found: Finding | Firing, safety: str) -> tuple[object, ...]:
    """What findings share that are one item: with an edit, also what is said of it, so that one edit stands for all."""
    item = (project, releases, found.code, found.option)
    if found.fix is None or safety == "none":
        return item
    return (*item, found.severity, found.message, found.why, found.advice, found.depends_on, found.fix.title, safety)


def _one(findings: list[Finding]) -> list[Finding]:
    """An item that stands in several places: where it is most severe, with the edits of all; the other files are its children.

    Edits that touch each other stay with their findings.
    """
    first = min(findings, key=lambda finding: (-SEVERITIES.index(finding.severity), order(finding)))
    others = {path for finding in findings for path in (finding.path, *finding.children)} - {first.path}
    fix = first.fix
    if fix is not None and len(findings) > 1:
        fixes = [finding.fix for finding in findings if finding.fix is not None]
        edits = _unique(edit for each in fixes for edit in each.edits)
        if len({(edit.region.path, edit.region.line, edit.region.column) for edit in edits}) < len(edits):
            return findings
        files = _unique(file for each in fixes for file in each.files)
        conflicts = _unique(pin for each in fixes for pin in each.conflicts)
        fix = fix._replace(edits=edits, files=files, conflicts=conflicts)
    return [first._replace(children=tuple(sorted(others)), fix=fix)]


def _unique(parts: Iterable[Part]) -> tuple[Part, ...]:
    return tuple(dict.fromkeys(parts))
