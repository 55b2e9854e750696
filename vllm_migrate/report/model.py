"""What one run has to tell, whatever the format: two releases, findings with what they offer to write, and remarks."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate import __version__
from vllm_migrate.dialects.workspace import Problem
from vllm_migrate.report.finding import CHECKLIST, SEVERITIES, Finding

NEVER = "never"


class Counts(NamedTuple):
    """Findings by severity, and how many of them have only advice; items of the checklist, which are not counted among them,
    and those of them that only inform; how many of all `fix` writes (safe), and writes with --unsafe (review), and how many of
    these are fixes of checklist items, of those that only inform."""

    error: int
    warning: int
    info: int
    safe: int
    review: int
    advice: int
    checklist: int = 0
    minor: int = 0
    listed_fixes: int = 0
    minor_fixes: int = 0

    @property
    def total(self) -> int:
        return self.error + self.warning + self.info


NOTHING = Counts(0, 0, 0, 0, 0, 0)


class Project(NamedTuple):
    """A move that engines of a run make: the folder whose evidence counts, both releases, and what shows each.

    notes: remarks on the evidence.
    """

    root: str
    source: str
    target: str
    why: str = ""
    target_why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        """Whether the two releases differ."""
        return self.source != self.target


class Report(NamedTuple):
    """The result of a lint.

    source, target: releases as text, those of the options or of the first project; source_why, target_why: where each
    comes from ("uv.lock:12 pins it"); projects: by root, each with its releases. files: how
    many input files there were; engines: how many were found (None: not counted); findings: in the order of every
    output; suppressed: findings with the reason that the comment gives; problems: files that could not be analysed;
    notes: remarks on the run itself; fail_on: a severity or "never"; paths, arguments: the PATHs and other words of the
    call, to be repeated in what to do next; root: the folder that machine formats make absolute paths relative to ("":
    where we run); quiet: no summary; proved: every edit that is offered is one that `fix` writes, otherwise they are planned;
    diff: the suppression comments that would be written; role: what to say of the role that engines are judged in, and the
    lines to paste.
    """

    source: str
    target: str
    source_why: str = ""
    target_why: str = ""
    files: int = 0
    engines: int | None = None
    findings: tuple[Finding, ...] = ()
    suppressed: tuple[tuple[Finding, str], ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    fail_on: str = "warning"
    paths: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    root: str = ""
    quiet: bool = False
    proved: bool = False
    diff: str = ""
    projects: tuple[Project, ...] = ()
    fail_on_checklist: bool = False
    role: str = ""
    tool: str = f"vllm-migrate {__version__}"

    def most_severe(self) -> Finding:
        """The first of the most severe findings. Raises ValueError where there is none."""
        return max(self.findings, key=lambda finding: SEVERITIES.index(finding.severity))

    def counts(self) -> Counts:
        number = dict.fromkeys(("error", "warning", "info", "safe", "review", "none"), 0)
        checklist = minor = listed_fixes = minor_fixes = 0
        for finding in self.findings:
            if finding.kind == CHECKLIST:
                minor += finding.minor
                checklist += not finding.minor
                if finding.safety != "none":
                    number[finding.safety] += 1
                    minor_fixes += finding.minor
                    listed_fixes += not finding.minor
                continue
            number[finding.severity] += 1
            number[finding.safety] += 1
        return Counts(*number.values())._replace(
            checklist=checklist, minor=minor, listed_fixes=listed_fixes, minor_fixes=minor_fixes
        )

    def failing(self) -> int:
        """How many findings are at or above `fail_on`."""
        counted = (f for f in self.findings if f.kind != CHECKLIST or self.fail_on_checklist)
        return sum(fails(finding.severity, self.fail_on) for finding in counted)

    @property
    def exit_code(self) -> int:
        """That of `lint`: 0 nothing at or above `fail_on`, 1 findings, 3 no input files."""
        return 3 if self.files == 0 else 1 if self.failing() else 0


def fails(severity: str, fail_on: str) -> bool:
    """Whether a finding of this severity makes the exit code 1."""
    return fail_on != NEVER and SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)
