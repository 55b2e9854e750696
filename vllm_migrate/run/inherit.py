"""Pins in a shared parent: who inherits them, and who ran differently before."""

from __future__ import annotations

import os
from typing import NamedTuple

from vllm_migrate.dialects.model import Subject
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Finding

# Compositions in which a file may have children that inherit from it.
SHARING = frozenset(("hydra", "parent_files", "ordered_files"))

# Per option that a fix may pin: the value at the source, and whether the engine sets its own.
Pins = dict[str, tuple[object, bool]]


class Ran(NamedTuple):
    """What one engine of a file ran with."""

    path: str
    values: Pins


class Ledger:
    """Every engine under the file and mapping in which its pins would be written; light enough to keep for a whole run."""

    __slots__ = ("_homes", "_options")

    def __init__(self, knowledge: Knowledge) -> None:
        self._homes: dict[tuple[str, str], list[Ran]] = {}
        self._options = _pinned_options(knowledge)

    def pins(self, engine: Subject, source: View, target: View) -> Pins | None:
        """What an engine ran with whose pins go to a parent that others may share; None for any other."""
        if home_of(engine) is None:
            return None
        arrived = target.delivery.values
        return {
            option: (source.name(option), option in arrived and arrived[option].written is not None)
            for option in self._options
        }

    def enter(self, engine: Subject, pins: Pins | None) -> None:
        """Note what an engine ran with, at every place from which it inherits."""
        if engine.site is None or pins is None:
            return
        ran = Ran(engine.file.path, pins)
        for path in {os.path.normpath(place.file.path) for place in engine.site.places}:
            self._homes.setdefault((path, engine.site_path), []).append(ran)

    def lower(self, finding: Finding) -> None:
        """Lower a safe pin to `review` when an engine that inherits it ran with another value, and name that engine."""
        fix, home = finding.fix, finding.home
        if fix is None or home is None or finding.engine is None:
            return
        pinned = [action for action in fix.actions if action.pins]
        differing: list[str] = []
        for ran in self._homes.get(home, ()) if pinned else ():
            if ran.path == finding.engine.file.path:
                continue
            said = [text for action in pinned if (text := _otherwise(ran, action.option, action.value))]
            differing.extend(f"{ran.path} {text}" for text in said)
        if differing:
            finding.fix = fix._replace(safety="review" if fix.safety == "safe" else fix.safety)
            finding.inheritors = differing


def merge(findings: list[Finding]) -> list[Finding]:
    """The findings without those that a pin in a parent settles as well: the parent's names the children instead.

    A child whose finding is graver than its parent's keeps it.
    """
    parents: dict[tuple[str, ...], Finding] = {
        (finding.code, finding.option, finding.severity, *finding.home): finding
        for finding in findings
        if finding.home is not None
    }
    kept: list[Finding] = []
    for finding in findings:
        parent = _settled_by(finding, parents)
        if parent is None:
            kept.append(finding)
            continue
        paths = [finding.engine.file.path if finding.engine else "", *finding.children]
        parent.children.extend(path for path in paths if path and path not in parent.children)
    return kept


def _settled_by(finding: Finding, parents: dict[tuple[str, ...], Finding]) -> Finding | None:
    """The finding on a parent, the root of the chain first, whose pin reaches this finding's engine too."""
    engine, fix = finding.engine, finding.fix
    if engine is None or engine.site is None or finding.home is None or fix is None:
        return None
    if any(action.written is not None for action in fix.actions):
        return None
    for place in engine.site.places:
        key = (finding.code, finding.option, finding.severity, os.path.normpath(place.file.path), engine.site_path)
        parent = parents.get(key)
        if (
            parent is not None
            and parent is not finding
            and parent.fix is not None
            and parent.fix.actions == fix.actions
        ):
            return parent
    return None


def home_of(engine: Subject) -> tuple[str, str] | None:
    """(path of the file, dotted path) where a new setting of an engine belongs, when that may be a shared parent."""
    place = engine.home() if engine.file.shell is None and engine.dialect.compose in SHARING else None
    return (os.path.normpath(place.file.path), engine.site_path) if place is not None else None


def _otherwise(ran: Ran, option: str, value: object) -> str:
    """How an engine ran, when not as the pin says and it does not set its own; else ""."""
    known = ran.values.get(option)
    if known is None or known[1]:
        return ""
    if isinstance(known[0], Undetermined):
        return f"may have run with another {option}"
    return "" if same(known[0], value) else f"ran with {option} {known[0]}"


def _pinned_options(knowledge: Knowledge) -> list[str]:
    """The options that any rule's fix sets."""
    out: dict[str, None] = {}
    for rule in knowledge.rules:
        for action in rule.fix.do if rule.fix is not None else ():
            if action.set and "." not in action.set:
                out[action.set] = None
    return list(out)
