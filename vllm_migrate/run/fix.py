"""One fix, from its options to a plan: every edit proved, nothing written."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.write import CannotWrite
from vllm_migrate.errors import UsageError
from vllm_migrate.fixes.apply import Outcome, fix_all
from vllm_migrate.fixes.write import write_all
from vllm_migrate.rules.finding import Finding
from vllm_migrate.run.filtering import filtered, selection_of
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options


class Written(NamedTuple):
    """The paths that were written, and why others could not be."""

    paths: tuple[str, ...] = ()
    failed: tuple[CannotWrite, ...] = ()


class FixPlan(NamedTuple):
    """What a fix would write.

    outcome: the edits, the findings they settle, those that are refused and why; findings: all that were found; files:
    how many input files there were; skipped: what would change in parents outside the PATHs, which is only shown;
    offered: the findings that `outcome` and `skipped` settle together.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    files: int
    skipped: dict[File, list[Edit]]
    offered: tuple[Finding, ...]
    in_memory: bool = False

    @property
    def texts(self) -> dict[str, str]:
        """The new text of every file that would change, by path."""
        return {file.path: apply_edits(file.source.text, edits) for file, edits in self.outcome.edits.items()}

    @property
    def diff(self) -> str:
        """What would change as a unified diff, without secrets; "" for nothing."""
        from vllm_migrate.fixes.show import diff

        return "".join(f"{line}\n" for file, edits in self.outcome.edits.items() for line in diff(file, edits))

    def write(self) -> Written:
        """Write each file, all at once or not at all; one that cannot be written keeps no other back.

        Raises UsageError for a project in memory.
        """
        if self.in_memory:
            raise UsageError("a project in memory is not written", "`texts` has the new text of each file")
        paths, failed = write_all(self.outcome.edits)
        return Written(tuple(paths), tuple(failed))


def fix(options: Options, disk: Disk = DISK) -> FixPlan:
    """Plan and prove everything. Raises UsageError where the options or the configuration are wrong."""
    session = Session(options, disk)
    rules = session.rules()
    selection = selection_of(session.settings, rules)
    result = session.run()
    chosen = filtered(result, session.settings, selection, rules)
    findings = tuple(candidate.fired for candidate in chosen.kept if candidate.fired is not None)
    return _planned(session, findings, result.files)


def _planned(session: Session, findings: tuple[Finding, ...], files: int) -> FixPlan:
    """What may be written, proved by itself; what reaches into parents outside the PATHs is planned to be shown."""
    in_memory = session.disk is not DISK
    fixer, unsafe = session.fixer(), session.options.unsafe
    whole = fix_all(list(findings), fixer, unsafe)
    skipped = {file: edits for file, edits in whole.edits.items() if not file.requested}
    if not skipped or session.options.follow_parents:
        return FixPlan(whole, findings, files, {}, tuple(whole.applied), in_memory)
    own = fix_all(list(findings), fixer, unsafe, lambda file: not file.requested)
    settled = {id(finding) for finding in (*own.applied, *(finding for finding, _ in own.refused))}
    own.refused += [(finding, why) for finding, why in whole.refused if id(finding) not in settled]
    return FixPlan(own, findings, files, skipped, tuple(whole.applied), in_memory)
