"""What only code or people elsewhere can settle: each item once a project, unless the configuration acknowledges it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from vllm_migrate.report.finding import CHECKLIST, SEVERITIES, Finding, order
from vllm_migrate.run.config import Config
from vllm_migrate.run.select import selects_rule


class Acknowledged(NamedTuple):
    """An item that the configuration says is seen to: the rule (code, prefix or name), a pattern of paths ("": all), the
    reason, and file:line of the entry."""

    rule: str
    path: str
    reason: str
    place: str


class Checked(NamedTuple):
    """findings: with each item of the checklist that no edit settles once a project;
    acknowledged: items with the reason; unused: entries of the
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
    items: dict[tuple[str, tuple[str, str], str, str], list[Finding]] = {}
    for finding in findings:
        if finding.kind != CHECKLIST:
            out.append(finding)
            continue
        number = _entry_for(finding, entries, config)
        if number is None and finding.safety != "none":  # each of its edits is offered by itself
            out.append(finding)
        elif number is None:
            items.setdefault((finding.project, finding.releases, finding.code, finding.option), []).append(finding)
        else:
            used.add(number)
            known.append((finding._replace(fix=None), entries[number].reason))
    out += map(_one, items.values())
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


def _one(findings: list[Finding]) -> Finding:
    """An item of the checklist that stands in several places: where it is most severe; the other files are its children."""
    first = min(findings, key=lambda finding: (-SEVERITIES.index(finding.severity), order(finding)))
    others = {path for finding in findings for path in (finding.path, *finding.children)} - {first.path}
    return first._replace(children=tuple(sorted(others)))
