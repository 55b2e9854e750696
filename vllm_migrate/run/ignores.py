"""`lint --add-ignores`: a suppression comment for every finding that is reported, shown or written where its line allows one."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace, parse
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Edit, Source, Unreadable, apply_edits
from vllm_migrate.documents.text.write import CannotWrite, write_atomic
from vllm_migrate.run.add_ignores import add_ignores
from vllm_migrate.run.merge import Candidate


class Comments(NamedTuple):
    """The comments for some findings. edits: by file; settled: the findings that they suppress, by file; left: those for which no
    comment can be written; notes: why not."""

    edits: dict[File, list[Edit]]
    settled: dict[File, list[Candidate]]
    left: list[Candidate]
    notes: list[str]


def plan_ignores(candidates: list[Candidate], disk: Disk, reason: str = "") -> Comments:
    """Comments with this reason. A line that can hold none is named."""
    workspace = Workspace([], disk=disk)
    by_path: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_path.setdefault(candidate.place, []).append(candidate)
    out = Comments({}, {}, [], [])
    for path, here in by_path.items():
        file = workspace.load(path)
        if file is None:
            out.notes.append(f"{path}: no comment, the file cannot be read")
            out.left.extend(here)
            continue
        wanted = [(candidate.line, candidate.code) for candidate in here]
        added = add_ignores(path, file.source.text, wanted, " ".join(reason.split()), _Meaning(file).kept)
        if added.edits:
            out.edits[file] = added.edits
            out.settled[file] = [candidate for candidate in here if candidate.line not in added.refused]
        out.left.extend(here if not added.edits else [each for each in here if each.line in added.refused])
        out.notes.extend(f"{path}:{line}: no comment can be written for this line" for line in added.refused)
    return out


def write_ignores(planned: Comments, disk: Disk) -> Comments:
    """Write them, each file at once; what is left then, with what became of each file in the notes."""
    left, notes = list(planned.left), list(planned.notes)
    for file, edits in planned.edits.items():
        settled = planned.settled[file]
        try:
            write_atomic(file.path, file.source, apply_edits(file.source.text, edits), disk.writable)
        except CannotWrite as error:
            notes.append(f"not written: {error.message}")
            left += settled
        else:
            notes.append(f"{file.path}: suppressed {len(settled)} finding{'s' * (len(settled) != 1)}")
    return planned._replace(left=left, notes=notes)


class _Meaning:
    """What a file says, to be held against an edited text."""

    def __init__(self, file: File) -> None:
        self.path = file.path
        self.before = _meaning(file)

    def kept(self, text: str) -> bool:
        try:
            source = Source(self.path, text.encode(), text, False, "\n")
            return _meaning(File(source, parse(source), True)) == self.before
        except Unreadable:
            return False


def _meaning(file: File) -> object:
    if file.data is not None:
        return [root.plain() for root in file.data.roots]
    if file.shell is not None:
        return [[word.raw for word in command.words] for command in file.shell.commands]
    return None
