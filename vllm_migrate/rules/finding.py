"""One place where a rule fired, and the fix that would settle it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.dialects.model import Spot, Subject, Use, Written
from vllm_migrate.dialects.situation import PinnedAt

SEVERITIES = ("info", "warning", "error")
CHECKLIST = "checklist"


class Action(NamedTuple):
    """One part of a fix.

    kind: set (the option, unwritten so far, gets the value), respell (`written` becomes the option with the value), drop
    (`written` goes), core (the request for the old engine goes). With a Use as `written`, set and drop are of the
    keyword `option` of that call.
    """

    kind: str
    option: str
    value: object = None
    written: Written | Use | None = None

    @property
    def pins(self) -> bool:
        """Whether it writes an option that is not written yet."""
        return self.kind == "set" and self.written is None


class Fix(NamedTuple):
    """What a rule proposes to write. safety: safe, review or none; needs: the first release that accepts the fixed file, ""
    for any; with_rules: names of rules whose fixes must be made with this one; conflicts: what installs a release before that;
    with_version: its safety where that is moved too; cost, drop_when: of a pin, what it costs, and since which release ("": no
    release alone) and why it can go."""

    title: str
    safety: str
    actions: tuple[Action, ...]
    needs: str = ""
    with_rules: tuple[str, ...] = ()
    conflicts: tuple[PinnedAt, ...] = ()
    with_version: str = "review"
    cost: str = ""
    drop_when: tuple[str, str] | None = None


class Firing(NamedTuple):
    """severity: error, warning, info. old and new: effective values at the two releases. depends_on: what decides it.

    engine is None for findings about a file. key: the dotted path of the place, for the fingerprint. kind: "finding", or
    "checklist" where no edit and no setting can settle it. others: the same on further engines that a variable reaches, whose
    fixes are made with this one's.
    """

    code: str
    name: str
    severity: str
    layer: str
    message: str
    spot: Spot
    engine: Subject | None = None
    option: str = ""
    key: str = ""
    old: object = None
    new: object = None
    why: str = ""
    advice: str = ""
    depends_on: tuple[str, ...] = ()
    fix: Fix | None = None
    kind: str = "finding"
    others: tuple[Firing, ...] = ()

    @property
    def changes(self) -> Iterator[tuple[Subject, tuple[Action, ...]]]:
        """Every engine that its fix changes, with what is changed."""
        for each in (self, *self.others):
            assert each.engine is not None and each.fix is not None
            yield each.engine, each.fix.actions

    @property
    def replaces_variable(self) -> bool:
        """Whether its fix writes settings of an engine in place of a variable, which others may read."""
        actions = self.fix.actions if self.fix is not None else ()
        drops = (action.written for action in actions if action.kind == "drop")
        variable = any(isinstance(each, Written) and each.option.startswith("env.") for each in drops)
        return variable and any(action.pins for action in actions)


def is_inside(action: Action) -> bool:
    """Whether an action is about a key inside an option's mapping."""
    written = action.written
    return isinstance(written, Written) and written.number < 0 and not written.option and "." in action.option


def identity(finding: Firing) -> tuple[str, str, int, str]:
    """Findings with equal identity are one: the same rule on the same place about the same option."""
    spot = finding.spot
    return (finding.code, spot.file.path, spot.file.source.on_file(spot.start), finding.option)
