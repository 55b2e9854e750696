"""What the findings of one file offer to write: planned, and where the output offers the edits to apply, proved.

One proof stands for the offers of a file whose edits do not touch each other: they are made together and the file is
read back once. Where that fails each is proved by itself, and one that fails is advice.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

from vllm_migrate.documents.editing import prove
from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed
from vllm_migrate.fixes.carriers import in_order
from vllm_migrate.fixes.plan import Edits, Plan, ops_of, plan
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.filtering import selection_of
from vllm_migrate.run.select import Selection
from vllm_migrate.run.session import Session

if TYPE_CHECKING:
    from vllm_migrate.fixes.apply import Fixer
    from vllm_migrate.fixes.ops import DocumentOp


class Presenter:
    """Makes findings for reports of those that rules made, with their offers.

    fixer: proves the edits that are offered; None where the output offers none. selection: others offer nothing.
    """

    def __init__(self, fixer: Fixer | None, detail: Detail, selection: Selection | None = None) -> None:
        self._fixer = fixer
        self._detail = detail
        self._selection = selection

    def __call__(self, findings: list[Firing]) -> list[Finding]:
        """One for each, in order."""
        wanted = [finding for finding in findings if self._offers(finding)]
        plans = dict(zip(map(id, wanted), self._made(wanted), strict=True))
        return [finding_of(finding, plans.get(id(finding)), self._detail) for finding in findings]

    def _offers(self, finding: Firing) -> bool:
        selects = self._selection is None or self._selection.selects(finding.code, finding.name)
        return finding.fix is not None and selects

    def _made(self, findings: list[Firing]) -> list[Plan | None]:
        planned = [plan(finding) for finding in findings]
        fixer = self._fixer
        if fixer is None:
            return planned
        groups: dict[int, list[int]] = {}
        for number, (finding, made) in enumerate(zip(findings, planned, strict=True)):
            if made is not None and made.edits and finding.engine is not None:
                groups.setdefault(id(finding.engine.file), []).append(number)
        for numbers in groups.values():
            for together in _apart([(number, planned[number]) for number in numbers]):
                if len(together) == 1 or not _proved(fixer, [(findings[n], planned[n]) for n in together]):
                    for number in together:
                        planned[number] = fixer.plan(findings[number])
        return planned


def presenter_of(session: Session, detail: Detail) -> Presenter:
    """A presenter for a run of the session. Raises UsageError for a selector that means no rule."""
    fixer = session.fixer() if detail.edits else None
    return Presenter(fixer, detail, selection_of(session.settings, session.rules()))


def _proved(fixer: Fixer, group: list[tuple[Firing, Plan | None]]) -> bool:
    """Whether the plans, made together, are in the file what they were planned as, and nothing else is."""
    edits = _merged(made for _, made in group)
    findings = [finding for finding, _ in group]
    try:
        _prove_documents(edits, findings)
        fixer.prove(edits, findings)
    except (CannotEdit, ProofFailed, ValueError):
        return False
    return True


def _prove_documents(edits: Edits, findings: list[Firing]) -> None:
    """Raise ProofFailed unless each file holds the changes and nothing else; also where only single proofs can tell."""
    changes = [change for finding in findings for change in ops_of(finding)]
    for file, here in edits.items():
        ops: list[DocumentOp] = []
        for change in changes:
            if change.file is file and change.op not in ops:
                ops.append(change.op)
        indexes = {change.document for change in changes if change.file is file}
        if file.data is None or len(indexes) != 1:
            raise ProofFailed("not one document of data")
        prove(file.data, here, in_order(ops), indexes.pop())
    if any(change.file not in edits for change in changes):
        raise ProofFailed("a document that stands in another one")


def _merged(plans: Iterable[Plan | None]) -> Edits:
    """The edits of several plans by file, each once."""
    edits: Edits = {}
    for made in plans:
        for file, those in made.edits.items() if made is not None else ():
            here = edits.setdefault(file, [])
            here += [edit for edit in those if edit not in here]
    return edits


def _apart(plans: list[tuple[int, Plan | None]]) -> list[list[int]]:
    """The numbers of the plans in groups whose edits do not touch each other."""
    groups: list[list[tuple[int, Plan | None]]] = []
    for one in plans:
        for group in groups:
            if not any(map(_touch, _merged(made for _, made in [*group, one]).values())):
                group.append(one)
                break
        else:
            groups.append([one])
    return [[number for number, _ in group] for group in groups]


def _touch(edits: list[Edit]) -> bool:
    """Whether one edit changes text that another one changes, or stands in it."""
    ordered = sorted(edits)
    return any(
        before.end > after.start
        or (before.end == after.start and (before.start < before.end or after.start < after.end))
        for before, after in pairwise(ordered)
    )
