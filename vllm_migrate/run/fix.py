"""One fix, from its options to a plan: every edit proved, nothing written."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.documents.text.write import CannotWrite
from vllm_migrate.errors import UsageError
from vllm_migrate.fixes.apply import fix_all
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.fixes.write import write_all
from vllm_migrate.report.finding import TextEdit
from vllm_migrate.rules.finding import SEVERITIES, Firing
from vllm_migrate.run.filtering import filtered, selection_of
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options


class WriteResult(NamedTuple):
    """The paths that were written, and why others could not be."""

    paths: tuple[str, ...] = ()
    failed: tuple[CannotWrite, ...] = ()


class FixPlan(NamedTuple):
    """What a fix would write.

    plan: the edits, the findings they settle, those that are refused and why, and what would change in parents outside
    the PATHs; findings: all that were found; files: how many input files there were; notes: what to say of the run itself.
    """

    plan: Plan
    findings: tuple[Firing, ...]
    files: int
    disk: Disk = DISK
    notes: tuple[str, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        """The new text of every file that would change, by path."""
        return {file.path: apply_edits(file.source.text, edits) for file, edits in self.plan.edits.items()}

    @property
    def edits(self) -> tuple[TextEdit, ...]:
        """Every edit with its place, for an editor that applies them itself."""
        from vllm_migrate.report.findings import text_edits

        return text_edits(self.plan)

    @property
    def diff(self) -> str:
        """What would change as a unified diff, without secrets; "" for nothing."""
        from vllm_migrate.report.fix import diff

        return "".join(f"{line}\n" for file, edits in self.plan.edits.items() for line in diff(file, edits))

    def write(self) -> WriteResult:
        """Write each file, all at once or not at all; one that cannot be written keeps no other back.

        Raises UsageError for a project in memory.
        """
        if type(self.disk) is not Disk:
            raise UsageError("a project in memory cannot be written", "`texts` has the new text of each file")
        paths, failed = write_all(self.plan.edits, self.disk)
        return WriteResult(tuple(paths), tuple(failed))


def fix(options: Options, disk: Disk = DISK, held: Callable[[str], bool] | None = None) -> FixPlan:
    """Plan and prove everything. held: whether the file at a path is left as it is; no fix is made by half for that.

    Raises UsageError where the options or the configuration are wrong.
    """
    session = Session(options, disk)
    rules = session.rules()
    selection = selection_of(session.settings, rules)
    result = session.run()
    chosen = filtered(result, session.settings, selection, rules)
    findings = tuple(candidate.fired for candidate in chosen.kept if candidate.fired is not None)
    before = Counter(map(_key, result.findings))

    def make(wanted: tuple[Firing, ...]) -> Plan:
        return _planned(session, wanted) if held is None else _free(session, wanted, held)

    plan = _proved_whole(session, findings, before, make)
    return FixPlan(plan, findings, result.files, session.disk, tuple(session.settings.remarks(True)))


# Plans that are tried before what is left is not written at all.
ROUNDS = 6
Key = tuple[str, str, str, str]


def _key(finding: Firing) -> Key:
    """What stays of a finding when lines move and engines are counted anew."""
    engine = finding.engine.id if finding.engine is not None else ""
    return finding.code, finding.spot.file.path, finding.option, re.sub(r"[%#]\d+", "", engine)


def _proved_whole(
    session: Session, findings: tuple[Firing, ...], before: Counter[Key], make: Callable[[tuple[Firing, ...]], Plan]
) -> Plan:
    """The plan without what would make a finding that was not there before: the edited files are judged again as they will be.

    Each edit is proved by itself and with the others of its engine; this asks whether every file that reads them still
    composes and starts. What breaks it is taken back, the smallest part first.
    """
    plan = make(findings)
    if any(entry.stdin for entry in session.inputs):
        return plan
    taken: dict[int, tuple[Firing, str]] = {}
    for turn in range(2 * ROUNDS):
        gained = _gained(session, before, plan) if plan.edits else []
        culprits = [(new, found) for new in gained for found in _behind(new, plan.applied, turn >= ROUNDS)]
        if not culprits:
            break
        for new, finding in culprits:
            place = f"{new.spot.file.path}:{new.spot.file.source.position(new.spot.start).line}"
            taken[id(finding)] = (finding, f"it would cause {new.code} {new.name} at {place}")
        plan = make(tuple(finding for finding in findings if id(finding) not in taken))
    else:
        refused = tuple((finding, "together, the fixes would cause new findings") for finding in plan.applied)
        plan = Plan({}, (), (*plan.refused, *refused))
    return plan._replace(refused=(*plan.refused, *taken.values()))


def _gained(session: Session, before: Counter[Key], plan: Plan) -> list[Firing]:
    """Findings that were not there before the edits of a plan, those of a parent that is only shown left out."""
    texts = {os.path.normpath(file.path): apply_edits(file.source.text, edits) for file, edits in plan.edits.items()}
    left = before.copy()
    gained = []
    for finding in session.run(texts=texts).findings:
        left[_key(finding)] -= 1
        if left[_key(finding)] < 0:
            gained.append(finding)
    return gained


def _behind(new: Firing, applied: tuple[Firing, ...], wide: bool) -> list[Firing]:
    """Which fixes a new finding comes of; none where it is an info and they mend what stops the engine.

    Those about its option on its engine, else in its files, else those that take something from its engine (what it had was
    evidence of the old one), else all of its engine, else of its files: the least severe alone. wide: all of its files.
    """
    files = {file.path for file in new.engine.files} if new.engine is not None else {new.spot.file.path}
    near = [f for f in applied if f.engine is not None and files & {file.path for file in f.engine.files}]
    if wide:
        return [] if new.severity == "info" else near or list(applied)
    mine = [f for f in near if f.engine is not None and {file.path for file in f.engine.files} == files]
    about = [f for f in near if f.fix is not None and any(_same(action.option, new) for action in f.fix.actions)]
    own = [f for f in about if f in mine]
    fewer = [f for f in mine if f.fix is not None and any(action.kind in ("drop", "core") for action in f.fix.actions)]
    found = own or about or fewer or mine or near or list(applied)
    mildest = min((SEVERITIES.index(f.severity) for f in found), default=0)
    # An option that stops the engine is not kept because it shows which core ran at the source.
    if new.severity == "info" and SEVERITIES[mildest] == "error":
        return []
    return [f for f in found if mildest == SEVERITIES.index(f.severity)]


def _same(option: str, new: Firing) -> bool:
    """Whether an option is what a finding is about: by its name, or by the last part of a key."""
    last = new.key.rpartition(".")[2].replace("-", "_").removeprefix("no_")
    return option in (new.option, last)


def _free(session: Session, findings: tuple[Firing, ...], held: Callable[[str], bool]) -> Plan:
    """What may be written where some files are left as they are."""

    def barred(file: File) -> bool:
        return held(file.path) or not (file.requested or session.options.follow_parents)

    free = [finding for finding in findings if not held(finding.spot.file.outermost.path)]
    return fix_all(free, session.fixer(), session.settings.unsafe, barred)


def _planned(session: Session, findings: tuple[Firing, ...]) -> Plan:
    """What may be written, proved by itself; what reaches into parents outside the PATHs is planned to be shown."""
    fixer, unsafe = session.fixer(), session.settings.unsafe
    whole = fix_all(list(findings), fixer, unsafe)
    outside = {file: edits for file, edits in whole.edits.items() if not file.requested}
    if not outside or session.options.follow_parents:
        return whole._replace(shown=whole.applied)
    own = fix_all(list(findings), fixer, unsafe, lambda file: not file.requested)
    settled = {id(finding) for finding in (*own.applied, *(finding for finding, _ in own.refused))}
    refused = tuple((finding, why) for finding, why in whole.refused if id(finding) not in settled)
    return own._replace(refused=own.refused + refused, outside=outside, shown=whole.applied)
