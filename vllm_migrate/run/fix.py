"""One fix, from its options to a plan: every edit proved, nothing written."""

from __future__ import annotations

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
from vllm_migrate.rules.finding import Firing
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
    the PATHs; findings: all that were found; files: how many input files there were.
    """

    plan: Plan
    findings: tuple[Firing, ...]
    files: int
    in_memory: bool = False

    @property
    def texts(self) -> dict[str, str]:
        """The new text of every file that would change, by path."""
        return {file.path: apply_edits(file.source.text, edits) for file, edits in self.plan.edits.items()}

    @property
    def diff(self) -> str:
        """What would change as a unified diff, without secrets; "" for nothing."""
        from vllm_migrate.report.fix import diff

        return "".join(f"{line}\n" for file, edits in self.plan.edits.items() for line in diff(file, edits))

    def write(self) -> WriteResult:
        """Write each file, all at once or not at all; one that cannot be written keeps no other back.

        Raises UsageError for a project in memory.
        """
        if self.in_memory:
            raise UsageError("a project in memory is not written", "`texts` has the new text of each file")
        paths, failed = write_all(self.plan.edits)
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
    plan = _planned(session, findings) if held is None else _free(session, findings, held)
    return FixPlan(plan, findings, result.files, session.disk is not DISK)


def _free(session: Session, findings: tuple[Firing, ...], held: Callable[[str], bool]) -> Plan:
    """What may be written where some files are left as they are."""

    def barred(file: File) -> bool:
        return held(file.path) or not (file.requested or session.options.follow_parents)

    free = [finding for finding in findings if not held(finding.spot.file.outermost.path)]
    return fix_all(free, session.fixer(), session.options.unsafe, barred)


def _planned(session: Session, findings: tuple[Firing, ...]) -> Plan:
    """What may be written, proved by itself; what reaches into parents outside the PATHs is planned to be shown."""
    fixer, unsafe = session.fixer(), session.options.unsafe
    whole = fix_all(list(findings), fixer, unsafe)
    outside = {file: edits for file, edits in whole.edits.items() if not file.requested}
    if not outside or session.options.follow_parents:
        return whole._replace(shown=whole.applied)
    own = fix_all(list(findings), fixer, unsafe, lambda file: not file.requested)
    settled = {id(finding) for finding in (*own.applied, *(finding for finding, _ in own.refused))}
    refused = tuple((finding, why) for finding, why in whole.refused if id(finding) not in settled)
    return own._replace(refused=own.refused + refused, outside=outside, shown=whole.applied)
