"""One fix, from its options to a plan: every edit proved, nothing written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.documents.text.write import CannotWrite
from vllm_migrate.errors import UsageError
from vllm_migrate.fixes.apply import UNSAFE
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.fixes.write import write_all
from vllm_migrate.report.finding import TextEdit
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.checklist import counted
from vllm_migrate.run.filtering import filtered, selection_of
from vllm_migrate.run.judging import Result, Run
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.run.whole import settle


class WriteResult(NamedTuple):
    """The paths that were written, and why others could not be."""

    paths: tuple[str, ...] = ()
    failed: tuple[CannotWrite, ...] = ()


class FixPlan(NamedTuple):
    """What a fix would write.

    plan: the edits, the findings they settle, those that are refused and why, and what would change in parents outside
    the PATHs; findings: all that were found; files: how many input files there were; notes: what to say of the run itself;
    stdin: the text came from standard input, and there is no file to write; engines: how many were found.
    """

    plan: Plan
    findings: tuple[Firing, ...]
    files: int
    disk: Disk = DISK
    notes: tuple[str, ...] = ()
    stdin: bool = False
    engines: int = 0

    @property
    def settled(self) -> int:
        """How many findings it settles, as `lint` counts them."""
        return counted(self.plan.applied)

    @property
    def waiting(self) -> tuple[int, tuple[str, ...]]:
        """How many more findings fixes that need review would settle, and their rules."""
        firings = [finding for finding, why in self.plan.refused if why == UNSAFE]
        return counted(firings), tuple(f"{finding.code} {finding.name}" for finding in firings)

    @property
    def refused(self) -> list[tuple[Firing, str]]:
        """The findings whose fix cannot be made, and why."""
        return [(finding, why) for finding, why in self.plan.refused if why != UNSAFE]

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


def fix(options: Options, disk: Disk = DISK) -> FixPlan:
    """Plan and prove everything. Raises UsageError where the options or the configuration are wrong."""
    session = Session(options, disk)
    run = session.judged()
    return planned(session, run, run.finish())


def planned(
    session: Session,
    run: Run,
    result: Result,
    held: Callable[[str], bool] | None = None,
    refuse: Callable[[tuple[Firing, ...]], Sequence[tuple[Firing, str]]] | None = None,
) -> FixPlan:
    """The plan of a run that has judged its files, with its result.

    held: whether the file at a path is left as it is; no fix is made by half for that. refuse: of all findings those whose
    fixes are not made, each with why.
    """
    rules = session.rules()
    selection = selection_of(session.settings, rules)
    chosen = filtered(result, session.settings, selection, rules)
    findings = tuple(candidate.fired for candidate in chosen.kept if candidate.fired is not None)
    refused = tuple(refuse(findings)) if refuse is not None else ()
    kept = {id(finding) for finding, _ in refused}
    wanted = tuple(finding for finding in findings if id(finding) not in kept)
    plan = settle(session, run, result.findings, wanted, session.settings.unsafe, held)
    plan = plan._replace(refused=(*plan.refused, *refused))
    return FixPlan(
        plan,
        findings,
        result.files,
        session.disk,
        tuple(session.settings.remarks(True)),
        any(e.stdin for e in session.inputs),
        result.engines,
    )
