"""From what a rule proposes to edits: the operations of each action, grouped by document, planned and proved there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vllm_migrate.dialects.embedded import in_host, prove_outside
from vllm_migrate.dialects.model import Use, Written
from vllm_migrate.dialects.runs import generated, is_record
from vllm_migrate.documents.interface import SET, CannotEdit, Op, ProofFailed, Unreadable
from vllm_migrate.fixes.carriers import file_edits, lowered, writer_of
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.spelling import NoSpelling
from vllm_migrate.rules.finding import is_inside

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vllm_migrate.dialects.model import Subject
    from vllm_migrate.dialects.tree import File
    from vllm_migrate.documents.interface import Edit
    from vllm_migrate.fixes.lists import ListPlan
    from vllm_migrate.fixes.ops import DocumentOp
    from vllm_migrate.rules.finding import Action, Firing

Item = TypeVar("Item")
Edits = dict["File", list["Edit"]]


class Plan(NamedTuple):
    """What fixes come to.

    edits: by file on disk; applied: the findings that they settle; refused: those that they do not, each with the reason.
    outside: edits that reach into parents outside of the PATHs, which are shown and not written; shown: what `edits` and
    `outside` settle together.
    """

    edits: Edits
    applied: tuple[Firing, ...] = ()
    refused: tuple[tuple[Firing, str], ...] = ()
    outside: Mapping[File, list[Edit]] = {}
    shown: tuple[Firing, ...] = ()

    @property
    def reason(self) -> str:
        """Of the plan for one finding: why there are no edits, "" where there are."""
        return self.refused[0][1] if self.refused else ""


ONLY_WITH = "only together with the fix of "


class Draft(NamedTuple):
    """The fix of one finding: its operations, the edits that make them, and the reason where it cannot be made; elsewhere: no
    file of the user's can hold it, and the framework's code would have to."""

    finding: Firing
    ops: list[FileOp]
    edits: Edits
    reason: str = ""
    elsewhere: bool = False

    @property
    def plan(self) -> Plan:
        """The same by file on disk."""
        refused = ((self.finding, self.reason),) if self.reason else ()
        return Plan(on_disk(self.edits), () if refused else (self.finding,), refused)


def draft(finding: Firing) -> Draft:
    """The edits of a finding's fix by itself, not read back."""
    try:
        made = Draft(finding, ops := ops_of(finding), drafts_of(ops, False))
        on_disk(made.edits)  # the cells of a notebook may not take them
        return made
    except (CannotEdit, ProofFailed, Unreadable) as error:
        return Draft(finding, [], {}, str(error), isinstance(error, NoSpelling))


def ops_of(finding: Firing) -> list[FileOp]:
    """The operations that make a finding's fix, each once. Raises CannotEdit."""
    return _once(op for engine, actions in finding.changes for action in actions for op in _ops(action, engine))


def edits_of(ops: Iterable[FileOp]) -> Edits:
    """Edits by file on disk; each document is proved to have changed as `ops` ask and in nothing else.

    Raises CannotEdit, ProofFailed.
    """
    return on_disk(drafts_of(ops, True))


def drafts_of(ops: Iterable[FileOp], proved: bool) -> Edits:
    """Edits that make `ops`, at offsets in the text of the document that they are about; without `proved` most are only
    planned (see `file_edits`). Raises CannotEdit, ProofFailed."""
    groups = _lowered(_grouped(ops))
    if any(is_record(file.outermost) for file in groups):
        raise CannotEdit("it records a finished run: the fix belongs in the configuration that started it")
    for outer in dict.fromkeys(file.outermost for file in groups):
        if line := generated(outer):
            raise CannotEdit(f"the file is generated (line {line} or its name says so): edit what it is generated from")
    made: Edits = {}
    lists: list[ListPlan] = []
    for file, documents in groups.items():
        if file.inside is not None and file.inside.kind == "list":
            from vllm_migrate.fixes.lists import plan_list

            lists.append(plan_list(file, documents[0]))
            made[file] = lists[-1].edits
        else:
            made[file] = file_edits(file, documents, proved)
    if proved:
        if lists:
            from vllm_migrate.fixes.lists import prove_lists

            prove_lists(lists)
        prove_outside(list(made.items()))
    return made


def on_disk(drafts: Edits) -> Edits:
    """Edits by the files that the documents stand in. Raises CannotEdit."""
    out: Edits = {}
    for file, edits in drafts.items():
        out.setdefault(file.outermost, []).extend(in_host(file, edits))
    return out


Groups = dict["File", dict[int, "list[DocumentOp]"]]


def _grouped(ops: Iterable[FileOp]) -> Groups:
    """Operations by file and by the number of the document in it."""
    out: Groups = {}
    for file, index, op in ops:
        out.setdefault(file, {}).setdefault(index, []).append(op)
    return out


def _lowered(groups: Groups) -> Groups:
    """The groups with those of containers put to the documents they stand in, so that each is planned and proved once."""
    ops: list[FileOp] = []
    for file, documents in groups.items():
        for index, group in documents.items():
            below = lowered(file, group)
            ops.extend([FileOp(file, index, op) for op in group] if below is None else below)
    return _grouped(ops)


def _once(items: Iterable[Item]) -> list[Item]:
    out: list[Item] = []
    for item in items:
        if item not in out:
            out.append(item)
    return out


def _ops(action: Action, engine: Subject) -> list[FileOp]:
    kind, option, value, written = action
    if kind == "core":
        return _without_old_engine(engine)
    if isinstance(written, Written) and is_inside(action):
        from vllm_migrate.fixes.inside import ops_inside

        return ops_inside(engine, action.option.rpartition(".")[2], action.value, written, action.kind == "drop")
    writer = writer_of(engine, written)
    place = written.written if isinstance(written, Use) else written
    if place is None or kind == "set":
        return writer.set(option, value)
    return writer.drop(place, option) if kind == "drop" else writer.respell(place, option, value)


def _without_old_engine(engine: Subject) -> list[FileOp]:
    """The operations that take the request for the V0 engine away; none where a program makes it. Raises CannotEdit."""
    pin = engine.dialect.engine_core_pin
    if pin is not None:
        tree = engine.root.at(pin.path) if engine.root is not None else None
        if tree is None or tree.place.node.shared:
            return []
        return [FileOp(tree.place.file, tree.place.index, Op(SET, tree.place.path, pin.write))]
    fact = engine.facts.get("env.VLLM_USE_V1")
    written = fact.written if fact is not None else None
    if written is None or (written.tree is None and engine.file.data is not None):
        return []
    return writer_of(engine, written).drop(written, written.option)
