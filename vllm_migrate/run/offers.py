"""What the findings of one file offer to write: planned, and where the output offers the edits to apply, proved.

One proof stands for the offers of a file whose edits do not touch each other: they are made together and the file is
read back once. Where that fails each is proved by itself, and one that fails is advice.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vllm_migrate.documents.steps import limited
from vllm_migrate.fixes.plan import Draft, Plan, draft
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.filtering import selection_of
from vllm_migrate.run.select import Selection
from vllm_migrate.run.session import Session

if TYPE_CHECKING:
    from vllm_migrate.dialects.tree import File
    from vllm_migrate.dialects.workspace import Workspace
    from vllm_migrate.documents.interface import Edit
    from vllm_migrate.fixes.apply import Fixer


class Presenter:
    """Makes findings for reports of those that rules made, with their offers.

    fixer: proves the edits that are offered; None where the output offers none. selection: others offer nothing.
    """

    def __init__(self, fixer: Fixer | None, detail: Detail, selection: Selection | None = None) -> None:
        self._fixer = fixer
        self._detail = detail
        self._selection = selection

    def __call__(self, findings: list[Firing], workspace: Workspace) -> list[Finding]:
        """One for each, in order. workspace: has read their files."""
        wanted = [finding for finding in findings if self._offers(finding)]
        with limited():
            drafts = list(map(draft, wanted))
        plans = dict(zip(map(id, wanted), self._made(drafts, workspace), strict=True))
        elsewhere = _elsewhere(drafts)
        return [
            finding_of(
                finding._replace(kind=CHECKLIST) if id(finding) in elsewhere else finding,
                plans.get(id(finding)),
                self._detail,
            )
            for finding in findings
        ]

    def _offers(self, finding: Firing) -> bool:
        selects = self._selection is None or self._selection.selects(finding.code, finding.name)
        return finding.fix is not None and selects

    def _made(self, drafts: list[Draft], workspace: Workspace) -> list[Plan]:
        plans = [draft.plan for draft in drafts]
        if self._fixer is None:
            return plans
        by_file: dict[int, list[int]] = {}
        for number, made in enumerate(drafts):
            if plans[number].edits and made.finding.engine is not None:
                by_file.setdefault(id(made.finding.engine.file.outermost), []).append(number)
        for numbers in by_file.values():
            for group in _apart(plans, numbers):
                settled = self._fixer.settle([drafts[number] for number in group], workspace)
                for number, plan in zip(group, settled, strict=True):
                    plans[number] = plan
        return plans


def _elsewhere(drafts: list[Draft]) -> set[int]:
    """The findings, by id, whose fix only the framework's own code can hold, and those whose fix is right only with such a one."""
    out = {id(made.finding) for made in drafts if made.elsewhere}
    names = {(id(made.finding.engine), made.finding.name) for made in drafts if made.elsewhere}
    for made in drafts:
        partners = made.finding.fix.with_rules if made.finding.fix is not None else ()
        if any((id(made.finding.engine), partner) in names for partner in partners):
            out.add(id(made.finding))
    return out


def presenter_of(session: Session, detail: Detail) -> Presenter:
    """A presenter for a run of the session. Raises UsageError for a selector that means no rule."""
    fixer = session.fixer() if detail.edits else None
    return Presenter(fixer, detail, selection_of(session.settings, session.rules()))


def _apart(plans: list[Plan], numbers: list[int]) -> list[list[int]]:
    """The numbers in groups of plans whose edits do not touch each other."""
    groups: list[list[int]] = []
    for number in numbers:
        group = next((group for group in groups if not _touch([plans[n] for n in (*group, number)])), None)
        if group is None:
            group = []
            groups.append(group)
        group.append(number)
    return groups


def _touch(plans: list[Plan]) -> bool:
    """Whether one edit changes text that another one changes, or stands in it."""
    edits: dict[File, set[Edit]] = {}
    for plan in plans:
        for file, those in plan.edits.items():
            edits.setdefault(file, set()).update(those)
    return any(
        before.end > after.start
        or (before.end == after.start and (before.start < before.end or after.start < after.end))
        for those in edits.values()
        for before, after in pairwise(sorted(those))
    )
