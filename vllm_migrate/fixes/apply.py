"""Fixes of many findings made together: planned per file, proved, and only then offered or written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import DELETE, INSERT, CannotEdit, Edit, Op, ProofFailed, apply_edits
from vllm_migrate.fixes.offer import Offer, Placed
from vllm_migrate.fixes.plan import Change, plan
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Act, Finding
from vllm_migrate.run.judging import Question

if TYPE_CHECKING:
    from collections.abc import Callable


class Fixer:
    """Plans and proves. One per run; the files are those of the run."""

    def __init__(self, question: Question, catalog: Catalog, knowledge: Knowledge, disk: Disk = DISK) -> None:
        self.disk = disk
        self.question = question
        self.catalog = catalog
        self.knowledge = knowledge
        self._last: View | None = None  # several findings of one engine are proved one after the other

    def edits(self, changes: list[Change], proved: bool = True) -> dict[File, list[Edit]]:
        """Edits per file; each file's document is proved to hold the changes and nothing else.

        Without `proved` they are only planned. Raises CannotEdit, ProofFailed.
        """
        if len(changes) == 1 and changes[0].file.inside is None:
            file, index, op = changes[0]
            return {file: _document_edits(file, index, [op], proved)}
        grouped: dict[tuple[int, int], tuple[File, int, list[object]]] = {}
        for change in changes:
            _group(grouped, change.file, change.document, [change.op])
        out: dict[File, list[Edit]] = {}
        for file, index, ops in _lowered(grouped).values():
            out.setdefault(file.outermost, []).extend(_document_edits(file, index, ops, proved))
        return out

    def prove(self, edits: dict[File, list[Edit]], findings: list[Finding]) -> None:
        """Read every engine concerned back from the edited texts. Raises ProofFailed."""
        from vllm_migrate.fixes.prove import Prover  # a lint that only plans proves nothing

        texts = {os.path.normpath(f.path): apply_edits(f.source.text, e) for f, e in edits.items()}
        prover = Prover(self.question, self.catalog, self.knowledge, texts, self.disk)
        by_engine: dict[int, tuple[Engine, list[Act]]] = {}
        for finding in findings:
            assert finding.engine is not None and finding.proposal is not None
            entry = by_engine.setdefault(id(finding.engine), (finding.engine, []))
            entry[1].extend(finding.proposal.acts)
        # A pin in a shared parent reaches every engine below it: what any of these fixes sets may change in all.
        changed = {act.option for _, acts in by_engine.values() for act in acts}
        for engine, acts in by_engine.values():
            prover.check(engine, self._unedited(engine), acts, changed)

    def _unedited(self, engine: Engine) -> View:
        """What an engine runs with at the target as it is written now."""
        if self._last is None or self._last.engine is not engine:
            question = self.question
            self._last = View(engine, question.target, self.catalog, self.knowledge, question.assumptions)
        return self._last

    def offer(self, finding: Finding, proved: bool = True) -> Offer | None:
        """What a finding offers by itself; advice (safety none, with the reason) where no edit can be offered."""
        proposal = finding.proposal
        if proposal is None:
            return None
        try:
            edits = self.edits(plan(finding), proved)
            if proved and edits:
                self.prove(edits, [finding])
        except (CannotEdit, ProofFailed) as error:
            return Offer("none", proposal.title, [], [], str(error))
        placed = [Placed(file, edit) for file, each in edits.items() for edit in each]
        return Offer(proposal.safety, proposal.title, placed, [], "", proposal.needs)


Groups = dict[tuple[int, int], tuple[File, int, list[object]]]


def _group(groups: Groups, file: File, index: int, ops: list[object]) -> None:
    groups.setdefault((id(file), index), (file, index, []))[2].extend(ops)


def _lowered(groups: Groups) -> Groups:
    """The groups with those of containers put to the documents they stand in, so that each is planned and proved once."""
    if all(file.inside is None for file, _, _ in groups.values()):
        return groups
    from vllm_migrate.fixes.carried import is_container, lowered

    out: Groups = {}
    for file, index, ops in groups.values():
        for one in lowered(file, ops) if is_container(file) else [(file, index, ops)]:
            _group(out, *one)
    return out


def _document_edits(file: File, index: int, ops: list[object], proved: bool) -> list[Edit]:
    if file.inside is not None:
        from vllm_migrate.fixes.carried import carried_edits

        return carried_edits(file, index, ops)
    if file.data is not None:
        data_ops = in_order(ops)
        edits = file.data.plan(data_ops, index)
        if proved:
            file.data.prove(data_ops, edits, index)
        return edits
    from vllm_migrate.fixes.words import word_edits

    return word_edits(file, ops)


def in_order(changes: list[object]) -> list[Op]:
    """Changes to the items of a list last, from its end to its beginning, so that their numbers stay right."""
    ops = [op for op in changes if isinstance(op, Op)]
    if len(ops) == 1:
        return ops
    items = [op for op in ops if op.kind in (DELETE, INSERT) and isinstance(op.path[-1], int)]
    return [op for op in ops if op not in items] + sorted(items, key=_number, reverse=True)


def _number(op: Op) -> int:
    return op.path[-1] if isinstance(op.path[-1], int) else 0


class Outcome:
    """What a fix run came to. texts: new text per file; applied and refused findings, the latter with the reason."""

    __slots__ = ("applied", "edits", "refused")

    def __init__(self) -> None:
        self.edits: dict[File, list[Edit]] = {}
        self.applied: list[Finding] = []
        self.refused: list[tuple[Finding, str]] = []


def fix_all(
    findings: list[Finding], fixer: Fixer, unsafe: bool, barred: Callable[[File], bool] | None = None
) -> Outcome:
    """Make every fix that may be made (safe ones; with `unsafe` those to review too), all together and proved together.

    barred: whether a file may not be changed; a fix that reaches into one is not made at all, rather than by half.
    When the whole does not prove, findings are added one at a time, so that one that cannot be written spoils no other.
    """
    outcome = Outcome()
    wanted = _selected(findings, unsafe, outcome)
    plans: list[tuple[Finding, list[Change]]] = []
    for finding in wanted:
        try:
            changes = plan(finding)
            fixer.edits(changes)
            if barred is None or not any(barred(change.file.outermost) for change in changes):
                plans.append((finding, changes))
        except (CannotEdit, ProofFailed) as error:
            outcome.refused.append((finding, str(error)))
    if not _try(plans, fixer, outcome):
        _one_by_one(plans, fixer, outcome)
    _drop_orphans(findings, fixer, outcome)
    return outcome


def _selected(findings: list[Finding], unsafe: bool, outcome: Outcome) -> list[Finding]:
    wanted: list[Finding] = []
    for finding in findings:
        proposal = finding.proposal
        if proposal is None:
            continue
        if proposal.safety == "none" or (proposal.safety == "review" and not unsafe):
            outcome.refused.append((finding, "needs --unsafe" if proposal.safety == "review" else finding.advice))
            continue
        wanted.append(finding)
    return wanted


def _try(plans: list[tuple[Finding, list[Change]]], fixer: Fixer, outcome: Outcome) -> bool:
    try:
        edits = fixer.edits(_unique(plans))
        fixer.prove(edits, [finding for finding, _ in plans])
    except (CannotEdit, ProofFailed, ValueError):
        return False
    outcome.edits = edits
    outcome.applied = [finding for finding, _ in plans]
    return True


def _unique(plans: list[tuple[Finding, list[Change]]]) -> list[Change]:
    out: list[Change] = []
    for _, changes in plans:
        out.extend(change for change in changes if change not in out)
    return out


def _one_by_one(plans: list[tuple[Finding, list[Change]]], fixer: Fixer, outcome: Outcome) -> None:
    kept: list[tuple[Finding, list[Change]]] = []
    for candidate in plans:
        trial = [*kept, candidate]
        try:
            edits = fixer.edits(_unique(trial))
            fixer.prove(edits, [finding for finding, _ in trial])
        except (CannotEdit, ProofFailed, ValueError) as error:
            outcome.refused.append((candidate[0], str(error)))
            continue
        kept = trial
        outcome.edits = edits
    outcome.applied = [finding for finding, _ in kept]


def _drop_orphans(findings: list[Finding], fixer: Fixer, outcome: Outcome) -> None:
    """Take back fixes that are only right with others (`with_rules`) which were found on the same engine but not made."""
    applied = {id(finding) for finding in outcome.applied}
    orphans = []
    for finding in outcome.applied:
        partners = finding.proposal.with_rules if finding.proposal else ()
        unmade = [
            f.name
            for f in findings
            if f.name in partners and f.engine is finding.engine and id(f) not in applied and f.proposal is not None
        ]
        if unmade:
            orphans.append((finding, "only together with the fix of " + ", ".join(unmade)))
    if not orphans:
        return
    keep = [f for f in outcome.applied if all(f is not orphan for orphan, _ in orphans)]
    outcome.applied, outcome.edits = [], {}
    outcome.refused.extend(orphans)
    _one_by_one([(finding, plan(finding)) for finding in keep], fixer, outcome)
