"""A finding as every output and every caller sees it: frozen, plain data, without secrets and without its file.

It holds its place in numbers, its texts, values as JSON can hold them, and the fix that is offered. `findings.py` makes
it of what the rules found; it outlives the document, and travels between processes.
"""

from __future__ import annotations

from typing import NamedTuple

SEVERITIES = ("info", "warning", "error")


class Region(NamedTuple):
    """A span of a file: lines and columns from 1, columns in code points, the end column is that after the last one.

    cell: of a notebook, the cell, and line and column in it; zeros elsewhere.
    """

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    cell: tuple[int, int, int] = (0, 0, 0)


FINDING, CHECKLIST = "finding", "checklist"
# Layers in which an info is a matter of rounding or speed.
# Errors of a configuration with which the program starts all the same, without what is written.
RUNNING = ("yaml-false-dropped", "broken-continuation", "nested-key-lost")
SLIGHT = ("numerics", "performance", "inference-path")
TRAINING = ("rl_rollout", "reference", "teacher")


class TextEdit(NamedTuple):
    """One edit of a fix: put `text` in the place of `region`. requested: the file was among the PATHs."""

    region: Region
    text: str
    requested: bool


class EngineName(NamedTuple):
    """The engine that a finding is about: its id in its file, its role, the id of its dialect."""

    id: str
    role: str
    dialect: str


class OfferedFix(NamedTuple):
    """What a finding offers to write.

    safety: safe (`fix` writes it), review (`fix --unsafe` does), none (nothing can be written; `reason` says why, where
    there was a fix to try). edits: empty where none is offered, and where one would show a secret. preview: the change
    as signs (`-` goes, `+` comes) and lines. files: the files it changes, by path. needs: the oldest release that takes it;
    conflicts: path, line and text of what installs an older one. cost, drop_when: of a pin, see `rules.finding.Fix`.
    """

    safety: str
    title: str
    reason: str = ""
    needs: str = ""
    edits: tuple[TextEdit, ...] = ()
    preview: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bool], ...] = ()
    conflicts: tuple[tuple[str, int, str], ...] = ()
    cost: str = ""
    drop_when: tuple[str, str] | None = None


class SourceLine(NamedTuple):
    """The first line of a finding's place without its secrets, and the span in it (code points from 0)."""

    text: str
    start: int
    end: int


class Finding(NamedTuple):
    """One place where a rule fired.

    code, name: of the rule; severity: error, warning or info; layer: what of a run it moves; region: its place; offsets:
    the same in code points of the text; key: the dotted path of the place; option: what it is about, "" for a file; old,
    new: effective values at the two releases ({"expr": text} where neither file nor source decides); why, advice: texts,
    "" where there are none; depends_on: reasons why it may not hold; engine: None for a finding about a file; children:
    paths of files that inherit the place and are concerned too; fix: None where the rule has none; source: its line in the
    file; kind: "finding", or "checklist" for what no edit and no setting can settle; project, releases: whose, and its two;
    holders: what its engine is called in its file (service, workload, container), from the outside in.
    """

    code: str
    name: str
    severity: str
    layer: str
    message: str
    region: Region
    offsets: tuple[int, int]
    why: str = ""
    advice: str = ""
    option: str = ""
    key: str = ""
    old: object = None
    new: object = None
    depends_on: tuple[str, ...] = ()
    engine: EngineName | None = None
    children: tuple[str, ...] = ()
    fix: OfferedFix | None = None
    source: SourceLine = SourceLine("", 0, 0)
    kind: str = FINDING
    project: str = ""
    releases: tuple[str, str] = ("", "")
    holders: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.region.path

    @property
    def line(self) -> int:
        return self.region.line

    @property
    def place(self) -> str:
        """`path:line:column`; of a notebook, those in a cell."""
        cell, line, column = self.region.cell
        if cell:
            return f"{self.region.path}:cell {cell}:{line}:{column}"
        return f"{self.region.path}:{self.region.line}:{self.region.column}"

    @property
    def safety(self) -> str:
        """What `fix` does with it: safe (writes it), review (writes it with --unsafe), none."""
        return self.fix.safety if self.fix is not None else "none"

    @property
    def trains(self) -> bool:
        """Whether its engine's logprobs or answers enter a loss."""
        return self.engine is not None and self.engine.role in TRAINING

    @property
    def minor(self) -> bool:
        """A change that asks nothing of anybody: an info of the checklist about an engine that does not train, or that moves what one
        computes within its noise and has no edit."""
        if self.kind != CHECKLIST or self.severity != "info":
            return False
        return not self.trains or (self.safety == "none" and self.layer in SLIGHT)

    @property
    def preview(self) -> list[str]:
        """The fix as lines: `- ` what goes, `+ ` what comes."""
        return [f"{sign} {line}" for sign, line in self.fix.preview] if self.fix is not None else []


def order(finding: Finding) -> tuple[str, int, int, int, str, str]:
    """By place, the more severe first: the order of every output."""
    start, end = finding.offsets
    return (finding.region.path, start, end, -SEVERITIES.index(finding.severity), finding.code, finding.option)
