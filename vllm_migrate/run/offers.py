"""What the findings of one file, or of a run, offer to write: planned, or as the plan of the whole run has it, which is proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Unreadable, apply_edits
from vllm_migrate.documents.steps import limited
from vllm_migrate.fixes.plan import ONLY_WITH, Draft, Plan, draft, drafts_of, on_disk
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.filtering import selection_of
from vllm_migrate.run.select import Selection
from vllm_migrate.run.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.dialects.tree import File
    from vllm_migrate.dialects.workspace import Workspace


TURNS = 20  # of proving together what touches the same places


class Presenter:
    """Makes findings for reports of those that rules made, with their offers.

    selection: others offer nothing. whole: what a fix of the run would write; without it an offer is planned only.
    """

    def __init__(self, detail: Detail, selection: Selection | None = None, whole: Plan | None = None) -> None:
        self._detail = detail
        self._selection = selection
        self._whole = whole
        shown = (*whole.applied, *whole.shown) if whole is not None else ()
        self._settled = {id(finding) for finding in shown}
        self._proved: set[tuple[File, Edit]] = set()
        self._reasons = {id(finding): reason for finding, reason in (whole.refused if whole is not None else ())}

    def __call__(self, findings: list[Firing], workspace: Workspace | None = None) -> list[Finding]:
        """One for each, in order. workspace: has read their files."""
        wanted = [finding for finding in findings if self._offers(finding)]
        with limited():
            drafts = _with_partners(list(map(draft, wanted)))
        if self._whole is not None:
            settled = [made for made in drafts if id(made.finding) in self._settled and not made.reason]
            self._proved = _parts(self._whole, settled)
            self._prove_in_turns(settled)
        plans = {id(made.finding): self._plan(made) for made in drafts}
        elsewhere = {id(made.finding) for made in drafts if made.elsewhere}
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

    def _plan(self, made: Draft) -> Plan:
        """The edits of a fix by itself, where the whole plan makes it; else the reason why not."""
        whole, finding = self._whole, made.finding
        if whole is None or made.reason:
            return made.plan
        if id(finding) not in self._settled:
            reason = self._reasons.get(id(finding)) or "it cannot be written together with the others"
            return made._replace(edits={}, reason=reason).plan
        plan = made.plan
        if self._is_proved(plan):
            return plan
        try:
            return plan._replace(edits=on_disk(drafts_of(made.ops, True)))
        except (CannotEdit, ProofFailed) as error:
            return made._replace(edits={}, reason=str(error)).plan

    def _is_proved(self, plan: Plan) -> bool:
        return all((file, edit) in self._proved for file, edits in plan.edits.items() for edit in edits)

    def _prove_in_turns(self, drafts: list[Draft]) -> None:
        """Prove the fixes that stand alone otherwise than among the others: in each turn one of every place, all together."""
        plans = [(made, made.plan) for made in drafts]
        for _ in range(TURNS):
            plans = [(made, plan) for made, plan in plans if not self._is_proved(plan)]
            turn, plans = _apart(plans)
            if len(turn) < 2:
                return
            try:
                edits = on_disk(drafts_of([op for made in turn for op in made.ops], True))
            except (CannotEdit, ProofFailed, Unreadable):
                continue  # each is proved by itself
            self._proved |= _parts(Plan(edits), turn)


def _apart(plans: list[tuple[Draft, Plan]]) -> tuple[list[Draft], list[tuple[Draft, Plan]]]:
    """Fixes that touch no place of one another, the first of each place, and the others."""
    each: dict[File, dict[Edit, None]] = {}
    for _, plan in plans:
        for file, edits in plan.edits.items():
            each.setdefault(file, {}).update(dict.fromkeys(edits))
    place = {
        (file, edit): (file, number)
        for file, edits in each.items()
        for number, (mine, _) in enumerate(_regions(list(edits), []))
        for edit in mine
    }
    taken: set[tuple[File, int]] = set()
    chosen: list[Draft] = []
    rest: list[tuple[Draft, Plan]] = []
    for made, plan in plans:
        places = {place[file, edit] for file, edits in plan.edits.items() for edit in edits}
        if taken.isdisjoint(places):
            chosen.append(made)
        else:
            rest.append((made, plan))
        taken |= places
    return chosen, rest


def _with_partners(drafts: list[Draft]) -> list[Draft]:
    """The drafts, where a fix is elsewhere, too, that is right only with one which the framework's own code would have to hold."""
    names = {(id(made.finding.engine), made.finding.name) for made in drafts if made.elsewhere}
    out = []
    for made in drafts:
        partners = made.finding.fix.with_rules if made.finding.fix is not None else ()
        missing = [partner for partner in partners if (id(made.finding.engine), partner) in names]
        reason = made.reason or ONLY_WITH + ", ".join(missing)
        out.append(made._replace(edits={}, reason=reason, elsewhere=True) if missing else made)
    return out


def _parts(whole: Plan, drafts: list[Draft]) -> set[tuple[File, Edit]]:
    """The edits of fixes by themselves that come to what the whole plan writes at their place, which is proved."""
    out: set[tuple[File, Edit]] = set()
    apart: dict[File, dict[Edit, None]] = {}
    for made in drafts:
        for file, edits in made.plan.edits.items():
            apart.setdefault(file, {}).update(dict.fromkeys(edits))
    for file, each in apart.items():
        together = [*whole.edits.get(file, ()), *whole.outside.get(file, ())]
        for mine, theirs in _regions(list(each), list(dict.fromkeys(together))):
            if _come_to_the_same(file.source.text, mine, theirs):
                out.update((file, edit) for edit in mine)
    return out


def _regions(mine: list[Edit], theirs: list[Edit]) -> Iterator[tuple[list[Edit], list[Edit]]]:
    """Edits of two plans by the stretches of the text that they touch."""
    region: tuple[list[Edit], list[Edit]] = ([], [])
    end = -1
    for edit, number in sorted([(e, 0) for e in mine] + [(e, 1) for e in theirs], key=lambda each: each[0][:2]):
        if edit.start > end and end >= 0:
            yield region
            region = ([], [])
        region[number].append(edit)
        end = max(end, edit.end)
    if end >= 0:
        yield region


def _come_to_the_same(text: str, mine: list[Edit], theirs: list[Edit]) -> bool:
    start, end = min(edit.start for edit in (*mine, *theirs)), max(edit.end for edit in (*mine, *theirs))
    try:
        one, other = (
            apply_edits(text[start:end], [Edit(e.start - start, e.end - start, e.text) for e in edits])
            for edits in (mine, theirs)
        )
    except ValueError:  # some of them overlap
        return False
    return one == other


def presenter_of(session: Session, detail: Detail, whole: Plan | None = None) -> Presenter:
    """A presenter for a run of the session. Raises UsageError for a selector that means no rule."""
    return Presenter(detail, selection_of(session.settings, session.rules()), whole)
