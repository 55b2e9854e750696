"""One place where a rule fired, and the change that would settle it."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.model import Engine, Spot, Written

SEVERITIES = ("info", "warning", "error")


class Act(NamedTuple):
    """One part of a fix. kind: set (option gets value), drop (the written setting goes), core (the old engine's evidence).

    Of a call (`written` is a Use): argument (the keyword `option` gets the value), remove-argument (it goes).
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


class Finding(NamedTuple):
    """severity: error, warning, info. old and new: effective values at the two releases. depends_on: what decides it.

    engine is None for findings about a file. key: the dotted path of the place, for the fingerprint.
    """

    code: str
    name: str
    severity: str
    layer: str
    message: str
    spot: Spot
    engine: Engine | None = None
    option: str = ""
    key: str = ""
    old: object = None
    new: object = None
    why: str = ""
    advice: str = ""
    depends_on: tuple[str, ...] = ()
    proposal: Proposal | None = None


def identity(finding: Finding) -> tuple[str, str, int, str]:
    """Findings with equal identity are one: the same rule on the same place about the same option."""
    return (finding.code, finding.spot.file.path, finding.spot.start, finding.option)
