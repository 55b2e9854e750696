"""One place where a rule fired, and the change that would settle it."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.model import Spot, Subject, Written

SEVERITIES = ("info", "warning", "error")


class Act(NamedTuple):
    """One part of a fix. kind: set (option gets value), drop (the written setting goes), core (the old engine's evidence).

    Of a call (`written` is where a use stands): argument (the keyword `option` gets the value), remove-argument (it goes).
    """

    kind: str
    option: str
    value: object = None
    written: Written | None = None


class Proposal(NamedTuple):
    """A fix before it is planned into edits. with_rules: names of rules whose fixes must be made with this one."""

    title: str
    safety: str  # safe, review, none
    acts: list[Act]
    needs: str = ""
    with_rules: tuple[str, ...] = ()


class Finding:
    """severity: error, warning, info. old and new: effective values at the two releases. depends_on: what decides it.

    engine is None for findings about a file. children: paths of other files that inherit the place and are concerned too.
    """

    __slots__ = (
        "advice",
        "children",
        "code",
        "depends_on",
        "engine",
        "home",
        "inheritors",
        "key",
        "layer",
        "message",
        "name",
        "new",
        "old",
        "option",
        "proposal",
        "severity",
        "spot",
        "why",
    )

    def __init__(
        self, code: str, name: str, severity: str, layer: str, message: str, spot: Spot, engine: Subject | None = None
    ) -> None:
        self.code = code
        self.name = name
        self.severity = severity
        self.layer = layer
        self.message = message
        self.spot = spot
        self.engine = engine
        self.option = ""
        self.old: object = None
        self.new: object = None
        self.why = ""
        self.advice = ""
        self.depends_on: tuple[str, ...] = ()
        self.proposal: Proposal | None = None
        self.children: list[str] = []
        self.home: tuple[str, str] | None = None  # file and mapping that a new setting of the engine goes to
        # Engines that would inherit the pin and ran differently before, each as a sentence part.
        self.inheritors: list[str] = []
        self.key = ""  # the dotted path of the place, for the fingerprint


def identity(finding: Finding) -> tuple[str, str, int, str]:
    """Findings with equal identity are one: the same rule on the same place about the same option."""
    return (finding.code, finding.spot.file.path, finding.spot.start, finding.option)
