"""What the findings of one file offer to write: planned, and where the output offers the edits to apply, proved.

One proof stands for the offers of a file whose edits do not touch each other: they are made together and the file is
read back once. Where that fails each is proved by itself, and one that fails is advice.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed
from vllm_migrate.fixes.apply import Fixer, in_order
from vllm_migrate.fixes.offer import Offer
from vllm_migrate.fixes.plan import plan
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.rules.finding import Finding as Fired
from vllm_migrate.run.filtering import selection_of
from vllm_migrate.run.select import Selection
from vllm_migrate.run.session import Session


class Presenter:
    """Makes findings for reports of those that rules made, with their offers. selection: others offer nothing."""

    def __init__(self, fixer: Fixer, detail: Detail, selection: Selection | None = None) -> None:
        self._fixer = fixer
        self._detail = detail
        self._selection = selection

    def __call__(self, findings: list[Fired]) -> list[Finding]:
        """One for each, in order."""
        wanted = [finding for finding in findings if self._offers(finding)]
        offers = dict(zip(map(id, wanted), self._made(wanted), strict=True))
        return [finding_of(finding, offers.get(id(finding)), self._detail) for finding in findings]

    def _offers(self, finding: Fired) -> bool:
        selects = self._selection is None or self._selection.selects(finding.code, finding.name)
        return finding.proposal is not None and selects

    def _made(self, findings: list[Fired]) -> list[Offer | None]:
        planned = [self._fixer.offer(finding, False) for finding in findings]
        if not self._detail.edits:
            return planned
        groups: dict[int, list[int]] = {}
        for number, (finding, offer) in enumerate(zip(findings, planned, strict=True)):
            if offer is not None and offer.edits and finding.engine is not None:
                groups.setdefault(id(finding.engine.file), []).append(number)
        for numbers in groups.values():
            for together in _apart([(number, planned[number]) for number in numbers]):
                if len(together) == 1 or not self._proved([(findings[n], planned[n]) for n in together]):
                    for number in together:
                        planned[number] = self._fixer.offer(findings[number], True)
        return planned

    def _proved(self, group: list[tuple[Fired, Offer | None]]) -> bool:
        """Whether the offers, made together, are in the file what they were planned as, and nothing else is."""
        edits = _merged(offer for _, offer in group)
        findings = [finding for finding, _ in group]
        try:
            self._prove_documents(edits, findings)
            self._fixer.prove(edits, findings)
        except (CannotEdit, ProofFailed, ValueError):
            return False
        return True

    @staticmethod
    def _prove_documents(edits: dict[File, list[Edit]], findings: list[Fired]) -> None:
        """Raise ProofFailed unless each file holds the changes and nothing else; also where only single proofs can tell."""
        changes = [change for finding in findings for change in plan(finding)]
        for file, here in edits.items():
            ops = []
            for change in changes:
                if change.file is file and change.op not in ops:
                    ops.append(change.op)
            indexes = {change.document for change in changes if change.file is file}
            if file.data is None or len(indexes) != 1:
                raise ProofFailed("not one document of data")
            file.data.prove(in_order(ops), here, indexes.pop())
        if any(change.file not in edits for change in changes):
            raise ProofFailed("a document that stands in another one")


def presenter_of(session: Session, detail: Detail) -> Presenter:
    """A presenter for a run of the session. Raises UsageError for a selector that means no rule."""
    return Presenter(session.fixer(), detail, selection_of(session.settings, session.rules()))


def _merged(offers: Iterable[Offer | None]) -> dict[File, list[Edit]]:
    """The edits of several offers by file, each once."""
    edits: dict[File, list[Edit]] = {}
    for offer in offers:
        for file, edit in offer.edits if offer is not None else ():
            here = edits.setdefault(file, [])
            if edit not in here:
                here.append(edit)
    return edits


def _apart(offers: list[tuple[int, Offer | None]]) -> list[list[int]]:
    """The numbers of the offers in groups whose edits do not touch each other."""
    groups: list[list[tuple[int, Offer | None]]] = []
    for one in offers:
        for group in groups:
            if not any(map(_touch, _merged(offer for _, offer in [*group, one]).values())):
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
