"""A finding as every output shows it: its place in numbers, texts without secrets, values as JSON can hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import Position, Unknown
from vllm_migrate.report.mask import HIDDEN, is_secret, mask, mask_span, mask_value, secret_spans
from vllm_migrate.report.model import fix_of
from vllm_migrate.report.preview import preview

if TYPE_CHECKING:
    from vllm_migrate.dialects.tree import File
    from vllm_migrate.documents.interface import Edit
    from vllm_migrate.fixes.plan import FixPlan
    from vllm_migrate.report.model import Report
    from vllm_migrate.rules.finding import Finding


class Region(NamedTuple):
    """A span of a file: lines and columns from 1, columns in code points, the end column is that after the last one."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class Change(NamedTuple):
    """An edit as outputs offer it: put `text` in the place of `region`. requested: the file was among the PATHs."""

    region: Region
    text: str
    requested: bool


class Item:
    """One finding. fix: safe, review or none (see model.fix_of); changes: its edits, empty where none is offered.

    reason: why there are no edits; needs: the release that the fix needs.
    """

    __slots__ = (
        "advice",
        "children",
        "code",
        "depends_on",
        "finding",
        "fix",
        "key",
        "known",
        "layer",
        "message",
        "name",
        "needs",
        "option",
        "plan",
        "reason",
        "region",
        "severity",
        "title",
        "why",
    )

    def __init__(self, finding: Finding, plan: FixPlan | None) -> None:
        self.finding = finding
        self.plan = plan
        self.region = region_of(finding)
        known = self.known = known_secrets(finding, self.region.line)
        self.code, self.name = finding.code, finding.name
        self.severity, self.layer = finding.severity, finding.layer
        self.message = mask(finding.message, known)
        self.why = mask(finding.why, known)
        self.advice = mask(finding.advice, known)
        self.depends_on = tuple(mask(reason, known) for reason in finding.depends_on)
        self.children = sorted(set(finding.children))
        self.option, self.key = finding.option, finding.key
        self.fix = fix_of(finding, plan)
        proposed = finding.fix if plan is not None else None
        self.title = mask(proposed.title, known) if proposed else ""
        self.reason = mask(plan.reason, known) if plan else ""
        self.needs = proposed.needs if proposed and not self.reason else ""

    @property
    def preview(self) -> list[str]:
        """The fix as lines: `- ` what goes, `+ ` what comes."""
        return [f"{sign} {line}" for sign, line in self.signed]

    @property
    def signed(self) -> list[tuple[str, str]]:
        """The fix as signs and lines."""
        if self.plan is None or self.fix == "none":
            return []
        return [(sign, mask(line, self.known)) for sign, line in preview(self.plan.edits)]

    @property
    def old(self) -> object:
        return mask_value(_secret_key(self.finding), encodable(self.finding.old))

    @property
    def new(self) -> object:
        return mask_value(_secret_key(self.finding), encodable(self.finding.new))

    @property
    def engine(self) -> str:
        return mask(self.finding.engine.id, self.known) if self.finding.engine else ""

    @property
    def role(self) -> str:
        return self.finding.engine.role if self.finding.engine else ""

    @property
    def dialect(self) -> str:
        return self.finding.engine.name if self.finding.engine else ""

    @property
    def changes(self) -> list[Change]:
        """None at all when one holds a secret: it could not be shown whole, and half a fix is none."""
        if self.plan is None or self.fix == "none":
            return []
        out = [_change(file, edit) for file, edits in self.plan.edits.items() for edit in edits]
        return [] if any(mask(change.text, self.known) != change.text for change in out) else out

    @property
    def path(self) -> str:
        return self.region.path

    @property
    def place(self) -> str:
        return f"{self.region.path}:{self.region.line}:{self.region.column}"

    def source_line(self) -> tuple[str, int, int]:
        """The first line of the place without its secrets, and the span in it (code points from 0)."""
        region = self.region
        line = self.finding.spot.file.source.line(region.line)
        end = region.end_column - 1 if region.end_line == region.line else len(line)
        return mask_span(line, region.column - 1, end)


def items_of(report: Report) -> list[Item]:
    """Every finding that is not suppressed, by place."""
    return [Item(*entry) for entry in report.sorted_entries()]


def region_of(finding: Finding) -> Region:
    spot = finding.spot
    file = spot.file
    if file.data is None and file.shell is None and not file.source.data:
        # A file that could not be read has no text to count in: its spot is the line and column of the problem.
        line, column = max(1, spot.start), max(1, spot.end)
        return Region(file.path, line, column, line, column)
    return _region(file, spot.start, spot.end)


def _region(file: File, start: int, end: int) -> Region:
    first: Position = file.source.position(start)
    last: Position = file.source.position(end)
    return Region(file.path, first.line, first.column, last.line, last.column)


def _change(file: File, edit: Edit) -> Change:
    return Change(_region(file, edit.start, edit.end), edit.text, file.requested)


def encodable(value: object) -> object:
    """A value as JSON can hold it: what the file or the source does not decide is {"expr": text}."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, dict):
        return {str(key): encodable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [encodable(inner) for inner in items]
    if isinstance(value, Unknown):
        return {"expr": value.text}
    return {"expr": str(value)}


def _secret_key(finding: Finding) -> str:
    """The name that decides whether the finding's values are secret: its key's, else its option's."""
    return finding.option if is_secret(finding.option) else finding.key


def known_secrets(finding: Finding, number: int) -> tuple[str, ...]:
    """Secrets that the finding's own texts may repeat: its values, and what is hidden on its source line (from 1)."""
    found: list[str] = []
    for value in (finding.old, finding.new):
        if isinstance(value, str) and mask_value(_secret_key(finding), value) == HIDDEN:
            found.append(value)
    source = finding.spot.file.source
    if source.text:
        line = source.line(number)
        found += [line[start:end].strip("\"'") for start, end in secret_spans(line)]
    if not found:
        return ()
    return tuple(sorted({value for value in found if len(value) > 3}, key=len, reverse=True))
