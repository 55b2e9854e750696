"""What one run has to tell, whatever the format: two releases, findings with what they offer to write, and remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate import __version__
from vllm_migrate.rules.finding import SEVERITIES

if TYPE_CHECKING:
    from vllm_migrate.dialects.workspace import Problem
    from vllm_migrate.fixes.plan import FixPlan
    from vllm_migrate.knowledge.records import Rule
    from vllm_migrate.rules.finding import Finding

NEVER = "never"


class Entry(NamedTuple):
    """A finding and its edits (None: its rule proposes none)."""

    finding: Finding
    plan: FixPlan | None


class Counts(NamedTuple):
    """Findings by severity; of these, how many `fix` writes (safe), writes with --unsafe (review), cannot (advice)."""

    error: int
    warning: int
    info: int
    safe: int
    review: int
    advice: int

    @property
    def total(self) -> int:
        return self.error + self.warning + self.info


class Report:
    """source, target: releases as text; source_why, target_why: where each comes from ("uv.lock:12 pins it").

    files: input files; engines: those that were found (None: not counted); suppressed: findings with the reason that
    the comment gives; notes: remarks on the run itself; fail_on: a severity or "never"; paths, arguments: the PATHs and
    other words of the call, to be repeated in what to do next; rules: those that are judged, for formats that describe
    rules; root: the folder that machine formats make absolute paths relative to ("": where we run); quiet: no summary.
    """

    __slots__ = (
        "arguments",
        "engines",
        "entries",
        "fail_on",
        "files",
        "notes",
        "paths",
        "problems",
        "quiet",
        "root",
        "rules",
        "source",
        "source_why",
        "suppressed",
        "target",
        "target_why",
        "tool",
    )

    def __init__(self, source: str, target: str, source_why: str = "", target_why: str = "") -> None:
        self.tool = f"vllm-migrate {__version__}"
        self.source = source
        self.target = target
        self.source_why = source_why
        self.target_why = target_why
        self.files = 0
        self.engines: int | None = None
        self.entries: list[Entry] = []
        self.suppressed: list[tuple[Finding, str]] = []
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.fail_on = "warning"
        self.paths: list[str] = []
        self.arguments: list[str] = []
        self.rules: tuple[Rule, ...] = ()
        self.root = ""
        self.quiet = False

    def add(self, finding: Finding, plan: FixPlan | None = None) -> None:
        self.entries.append(Entry(finding, plan))

    @property
    def findings(self) -> list[Finding]:
        return [entry.finding for entry in self.entries]

    def sorted_entries(self) -> list[Entry]:
        """By place, the graver first: the order of every output."""
        return sorted(self.entries, key=lambda entry: _order(entry.finding))

    def gravest(self) -> Finding:
        """The first of the gravest findings; there is one."""
        worst = max(SEVERITIES.index(finding.severity) for finding, _ in self.entries)
        return min((f for f, _ in self.entries if f.severity == SEVERITIES[worst]), key=_order)

    def counts(self) -> Counts:
        number = dict.fromkeys(("error", "warning", "info", "safe", "review", "none"), 0)
        for entry in self.entries:
            number[entry.finding.severity] += 1
            number[fix_of(*entry)] += 1
        return Counts(*number.values())

    def failing(self) -> int:
        """How many findings are at or above `fail_on`."""
        if self.fail_on == NEVER:
            return 0
        least = SEVERITIES.index(self.fail_on)
        return sum(1 for finding in self.findings if SEVERITIES.index(finding.severity) >= least)


def fix_of(finding: Finding, plan: FixPlan | None) -> str:
    """What `fix` does with a finding: safe (writes it), review (writes it with --unsafe), none."""
    return "none" if plan is None or plan.refused or finding.fix is None else finding.fix.safety


def _order(finding: Finding) -> tuple[str, int, int, int, str, str]:
    spot = finding.spot
    return (spot.file.path, spot.start, spot.end, -SEVERITIES.index(finding.severity), finding.code, finding.option)
