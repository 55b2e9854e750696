"""Fixes of many findings made together: planned per document, proved, and only then offered or written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.dialects.situation import Situate, Situation, everywhere
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import CannotEdit, ProofFailed, apply_edits
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.plan import ONLY_WITH, Edits, Plan, draft, drafts_of, edits_of, on_disk, ops_of
from vllm_migrate.fixes.prove import Prover
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Action, Firing, is_inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vllm_migrate.dialects.discover import Discovery

UNSAFE = "needs --unsafe"  # why a fix for review is not made


class Fixer:
    """Plans and proves. One per run; the files are those of the run.

    under: has read the files as they are.
    """

    def __init__(
        self,
        catalog: Catalog,
        knowledge: Knowledge,
        disk: Disk = DISK,
        situate: Situate = everywhere(Situation()),  # noqa: B008 - an immutable tuple
        under: Workspace | None = None,
    ) -> None:
        self.disk = disk
        self.situate = situate
        self.catalog = catalog
        self.knowledge = knowledge
        self.read_back: dict[str, tuple[File, Discovery]] = {}  # by normal path, of the edits that were proved last
        self._under = under
        self._unedited_views: dict[int, View] = {}

    def plan(self, finding: Firing) -> Plan | None:
        """The edits of a finding by itself, proved; None where its rule proposes none."""
        if finding.fix is None:
            return None
        made = draft(finding)
        if not made.edits:
            return made.plan
        try:
            edits = drafts_of(made.ops, True)
            self.prove(on_disk(edits), [finding])
        except (CannotEdit, ProofFailed) as error:
            return made._replace(edits={}, reason=str(error)).plan
        return made._replace(edits=edits).plan

    def prove(self, edits: Edits, findings: Sequence[Firing]) -> None:
        """Read every engine concerned back from the edited texts. Raises ProofFailed."""
        texts = {os.path.normpath(f.path): apply_edits(f.source.text, e) for f, e in edits.items()}
        workspace = Workspace([], texts, disk=self.disk, under=self._under, situate=self.situate)
        prover = Prover(self.catalog, self.knowledge, workspace)
        by_engine: dict[int, tuple[Subject, list[Action]]] = {}
        for engine, made in (change for finding in findings for change in finding.changes):
            by_engine.setdefault(id(engine), (engine, []))[1].extend(made)
        # A pin in a shared parent reaches every engine below it: what any of these fixes sets may change in all.
        changed = {name for _, actions in by_engine.values() for action in actions for name in _names(action)}
        for engine, actions in by_engine.values():
            before = self._unedited(engine)
            # A key that names another option at the target gives that one up.
            numbers = {action.written.number for action in actions if isinstance(action.written, Written)}
            named = {name for number, name in before.delivery.named.items() if number in numbers}
            prover.check(engine, before, actions, changed | named)
        self.read_back.update(prover.found)

    def _unedited(self, engine: Subject) -> View:
        """What an engine runs with at the target as it is written now."""
        view = self._unedited_views.get(id(engine))
        if view is None or view.engine is not engine:
            view = self._unedited_views[id(engine)] = View(engine, engine.target, self.catalog, self.knowledge)
        return view


def _names(action: Action) -> tuple[str, ...]:
    """The options that an action changes: with a key inside a mapping, the option whose mapping that is."""
    return (action.option, action.option.partition(".")[0]) if is_inside(action) else (action.option,)


class Plannable(NamedTuple):
    """A finding whose fix can be planned by itself, with its operations."""

    finding: Firing
    ops: list[FileOp]


Refused = list[tuple[Firing, str]]


def fix_all(findings: list[Firing], fixer: Fixer, unsafe: bool, barred: Callable[[File], bool] | None = None) -> Plan:
    """Make every fix that may be made (safe ones; with `unsafe` those to review too), all together and proved together.

    barred: whether a file may not be changed; a fix that reaches into one is not made at all, rather than by half.
    Fixes of engines that share no file are proved apart; where those of some do not prove together, as many as do are made,
    so that one that cannot be written spoils no other.
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
    edits: Edits = {}
    applied: list[Firing] = []
    for group in _apart(candidates):
        made, those = _most(group, fixer, refused)
        orphans = _orphans(findings, made)
        if orphans:
            refused += orphans
            taken_back = {id(finding) for finding, _ in orphans}
            kept = [candidate for candidate in made if id(candidate.finding) not in taken_back]
            made, those = _most(kept, fixer, refused)
        edits.update(those)
        applied += [candidate.finding for candidate in made]
    order = {id(finding): number for number, finding in enumerate(findings)}
    return Plan(edits, tuple(sorted(applied, key=lambda finding: order[id(finding)])), tuple(refused))


def _apart(candidates: list[Plannable]) -> list[list[Plannable]]:
    """The candidates in groups that share no file, neither one that is edited nor one that an engine is composed of."""
    groups: list[tuple[set[int], list[Plannable]]] = []
    for candidate in candidates:
        files = {id(op.file.outermost) for op in candidate.ops}
        for engine, _ in candidate.finding.changes:
            files.update(id(file.outermost) for file in (engine.file, *engine.files))
        mine = (files, [candidate])
        rest = []
        for group in groups:
            if group[0].isdisjoint(files):
                rest.append(group)
            else:
                mine = (group[0] | mine[0], group[1] + mine[1])
        groups = [*rest, mine]
    return [group for _, group in groups]


def _selected(findings: list[Firing], unsafe: bool, refused: Refused) -> list[Firing]:
    wanted: list[Firing] = []
    for finding in findings:
        fix = finding.fix
        if fix is None:
            continue
        if fix.safety == "none" or (fix.safety == "review" and not unsafe):
            refused.append((finding, UNSAFE if fix.safety == "review" else finding.advice))
            continue
        wanted.append(finding)
    return wanted


def _most(candidates: list[Plannable], fixer: Fixer, refused: Refused) -> tuple[list[Plannable], Edits]:
    """All of them where they prove together; else the most of each half that do, and of both what proves with the rest."""
    if not candidates:
        return [], {}
    try:
        return candidates, _together(candidates, fixer)
    except (CannotEdit, ProofFailed, ValueError) as error:
        if len(candidates) == 1:
            refused.append((candidates[0].finding, str(error)))
            return [], {}
    half = len(candidates) // 2
    first, edits = _most(candidates[:half], fixer, refused)
    second, others = _most(candidates[half:], fixer, refused)
    return _joined(first, edits, second, others, fixer, refused)


def _joined(
    first: list[Plannable], edits: Edits, second: list[Plannable], others: Edits, fixer: Fixer, refused: Refused
) -> tuple[list[Plannable], Edits]:
    """`first`, which proves, and as many of `second`, which proves by itself, as prove with it."""
    if not first or not second:
        return (first, edits) if first else (second, others)
    try:
        return [*first, *second], _together([*first, *second], fixer)
    except (CannotEdit, ProofFailed, ValueError) as error:
        if len(second) == 1:
            refused.append((second[0].finding, str(error)))
            return first, edits
    half = len(second) // 2
    for part in (second[:half], second[half:]):
        first, edits = _joined(first, edits, part, {}, fixer, refused)
    return first, edits


def _together(candidates: list[Plannable], fixer: Fixer) -> Edits:
    """The edits that make all of them, proved. Raises CannotEdit, ProofFailed, and ValueError where edits overlap."""
    edits = edits_of(_distinct(op for candidate in candidates for op in candidate.ops))
    fixer.prove(edits, [candidate.finding for candidate in candidates])
    return edits


def _distinct(ops: Iterable[FileOp]) -> list[FileOp]:
    """Each operation once. What may be asked twice is looked up by the place: a value has no hash."""
    by_place: dict[object, list[FileOp]] = {}
    out = []
    for op in ops:
        those = by_place.setdefault((id(op.file), op.document, op.op[:2]), [])
        if op not in those:
            those.append(op)
            out.append(op)
    return out


def _orphans(findings: list[Firing], made: list[Plannable]) -> Refused:
    """Fixes that are only right with others (`with_rules`) which were found on the same engine but not made."""
    applied = {id(candidate.finding) for candidate in made}
    unmade: dict[int, list[Firing]] = {}
    for finding in findings:
        if id(finding) not in applied and finding.fix is not None:
            unmade.setdefault(id(finding.engine), []).append(finding)
    orphans: Refused = []
    for finding, _ in made:
        partners = finding.fix.with_rules if finding.fix else ()
        missing = [other.name for other in unmade.get(id(finding.engine), ()) if other.name in partners]
        if missing:
            orphans.append((finding, ONLY_WITH + ", ".join(missing)))
    return orphans
