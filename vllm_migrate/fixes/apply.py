"""Fixes of many findings made together: planned per document, proved, and only then offered or written."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.model import Subject
from vllm_migrate.dialects.situation import Situate, Situation, everywhere
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import CannotEdit, ProofFailed, apply_edits
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.plan import Draft, Edits, Plan, draft, drafts_of, edits_of, on_disk, ops_of, prove_together
from vllm_migrate.fixes.prove import Prover
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Action, Firing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vllm_migrate.fixes.carriers import Document


class Fixer:
    """Plans and proves. One per run; the files are those of the run."""

    def __init__(
        self,
        catalog: Catalog,
        knowledge: Knowledge,
        disk: Disk = DISK,
        situate: Situate = everywhere(Situation()),  # noqa: B008 - an immutable tuple
    ) -> None:
        self.disk = disk
        self.situate = situate
        self.catalog = catalog
        self.knowledge = knowledge
        self._last: View | None = None  # several findings of one engine are proved one after the other

    def plan(self, finding: Firing) -> Plan | None:
        """The edits of a finding by itself, proved; None where its rule proposes none."""
        return None if finding.fix is None else self.settle([draft(finding)])[0]

    def settle(self, drafts: list[Draft], under: Workspace | None = None) -> list[Plan]:
        """Drafts whose edits do not touch each other, proved together; where that fails, each half by itself."""
        made = [draft for draft in drafts if draft.edits]
        try:
            if made:
                edits, after = prove_together(made)
                self.prove(edits, [draft.finding for draft in made], under, after)
        except (CannotEdit, ProofFailed, ValueError):
            if len(drafts) == 1:
                return [self._alone(drafts[0], under)]
            half = len(drafts) // 2
            return [*self.settle(drafts[:half], under), *self.settle(drafts[half:], under)]
        return [draft.plan for draft in drafts]

    def _alone(self, draft: Draft, under: Workspace | None) -> Plan:
        """The plan of one draft, with other edits where those that it has fail their proof."""
        if not draft.edits:
            return draft.plan
        try:
            edits = drafts_of(draft.ops, True)
            self.prove(on_disk(edits), [draft.finding], under)
        except (CannotEdit, ProofFailed) as error:
            return draft._replace(edits={}, reason=str(error)).plan
        return draft._replace(edits=edits).plan

    def prove(
        self,
        edits: Edits,
        findings: Sequence[Firing],
        under: Workspace | None = None,
        after: Sequence[Document] = (),
    ) -> None:
        """Read every engine concerned back from the edited texts. Raises ProofFailed.

        under: has read the other files; after: edited files that were read already.
        """
        texts = {os.path.normpath(f.path): apply_edits(f.source.text, e) for f, e in edits.items()}
        workspace = Workspace([], texts, disk=self.disk, under=under, situate=self.situate)
        for document in after:
            workspace.hold(File(document.source, document, False))
        prover = Prover(self.catalog, self.knowledge, workspace)
        by_engine: dict[int, tuple[Subject, list[Action]]] = {}
        for finding in findings:
            assert finding.engine is not None and finding.fix is not None
            entry = by_engine.setdefault(id(finding.engine), (finding.engine, []))
            entry[1].extend(finding.fix.actions)
        # A pin in a shared parent reaches every engine below it: what any of these fixes sets may change in all.
        changed = {action.option for _, actions in by_engine.values() for action in actions}
        for engine, actions in by_engine.values():
            prover.check(engine, self._unedited(engine), actions, changed)

    def _unedited(self, engine: Subject) -> View:
        """What an engine runs with at the target as it is written now."""
        if self._last is None or self._last.engine is not engine:
            self._last = View(engine, engine.target, self.catalog, self.knowledge)
        return self._last


class Plannable(NamedTuple):
    """A finding whose fix can be planned by itself, with its operations."""

    finding: Firing
    ops: list[FileOp]


Refused = list[tuple[Firing, str]]


def fix_all(findings: list[Firing], fixer: Fixer, unsafe: bool, barred: Callable[[File], bool] | None = None) -> Plan:
    """Make every fix that may be made (safe ones; with `unsafe` those to review too), all together and proved together.

    barred: whether a file may not be changed; a fix that reaches into one is not made at all, rather than by half.
    When the whole does not prove, findings are added one at a time, so that one that cannot be written spoils no other.
    """
    refused: Refused = []
    candidates: list[Plannable] = []
    for finding in _selected(findings, unsafe, refused):
        try:
            ops = ops_of(finding)
            drafts_of(ops, False)
        except (CannotEdit, ProofFailed) as error:
            refused.append((finding, str(error)))
            continue
        if barred is None or not any(barred(op.file.outermost) for op in ops):
            candidates.append(Plannable(finding, ops))
    made, edits = _most(candidates, fixer, refused)
    orphans = _orphans(findings, made)
    if orphans:
        refused += orphans
        taken_back = {id(finding) for finding, _ in orphans}
        kept = [candidate for candidate in made if id(candidate.finding) not in taken_back]
        made, edits = _one_by_one(kept, fixer, refused)
    return Plan(edits, tuple(candidate.finding for candidate in made), tuple(refused))


def _selected(findings: list[Firing], unsafe: bool, refused: Refused) -> list[Firing]:
    wanted: list[Firing] = []
    for finding in findings:
        fix = finding.fix
        if fix is None:
            continue
        if fix.safety == "none" or (fix.safety == "review" and not unsafe):
            refused.append((finding, "needs --unsafe" if fix.safety == "review" else finding.advice))
            continue
        wanted.append(finding)
    return wanted


def _most(candidates: list[Plannable], fixer: Fixer, refused: Refused) -> tuple[list[Plannable], Edits]:
    """All of them where they prove together, else those that prove by themselves, else as many of these as do."""
    with suppress(CannotEdit, ProofFailed, ValueError):
        return candidates, _together(candidates, fixer)
    sound: list[Plannable] = []
    for candidate in candidates:
        try:
            edits_of(candidate.ops)
            sound.append(candidate)
        except (CannotEdit, ProofFailed) as error:
            refused.append((candidate.finding, str(error)))
    if len(sound) < len(candidates):
        with suppress(CannotEdit, ProofFailed, ValueError):
            return sound, _together(sound, fixer)
    return _one_by_one(sound, fixer, refused)


def _one_by_one(candidates: list[Plannable], fixer: Fixer, refused: Refused) -> tuple[list[Plannable], Edits]:
    kept: list[Plannable] = []
    edits: Edits = {}
    for candidate in candidates:
        try:
            edits = _together([*kept, candidate], fixer)
        except (CannotEdit, ProofFailed, ValueError) as error:
            refused.append((candidate.finding, str(error)))
            continue
        kept.append(candidate)
    return kept, edits


def _together(candidates: list[Plannable], fixer: Fixer) -> Edits:
    """The edits that make all of them, proved. Raises CannotEdit, ProofFailed, and ValueError where edits overlap."""
    ops: list[FileOp] = []
    for candidate in candidates:
        ops.extend(op for op in candidate.ops if op not in ops)
    edits = edits_of(ops)
    fixer.prove(edits, [candidate.finding for candidate in candidates])
    return edits


def _orphans(findings: list[Firing], made: list[Plannable]) -> Refused:
    """Fixes that are only right with others (`with_rules`) which were found on the same engine but not made."""
    applied = {id(candidate.finding) for candidate in made}
    orphans: Refused = []
    for finding, _ in made:
        partners = finding.fix.with_rules if finding.fix else ()
        unmade = [
            f.name
            for f in findings
            if f.name in partners and f.engine is finding.engine and id(f) not in applied and f.fix is not None
        ]
        if unmade:
            orphans.append((finding, "only together with the fix of " + ", ".join(unmade)))
    return orphans
