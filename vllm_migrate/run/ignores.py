"""`lint --add-ignores`: a suppression comment for every finding that is reported, written where its line allows one."""

from __future__ import annotations

from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace, parse
from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Source, Unreadable, apply_edits
from vllm_migrate.documents.text.write import write_atomic
from vllm_migrate.run.add_ignores import add_ignores
from vllm_migrate.run.merge import Candidate


def write_ignores(candidates: list[Candidate], disk: Disk) -> list[str]:
    """Write the comments; notes on it. A line that can hold none is named."""
    workspace = Workspace([], disk=disk)
    by_path: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_path.setdefault(candidate.place, []).append(candidate)
    notes: list[str] = []
    for path, here in by_path.items():
        file = workspace.load(path)
        if file is None:
            notes.append(f"{path}: no comment written, the file cannot be read")
            continue
        source = file.source
        wanted = [(candidate.line, candidate.code) for candidate in here]
        added = add_ignores(path, source.text, wanted, keeps_meaning=_Meaning(file).kept)
        if added.edits:
            write_atomic(path, source, apply_edits(source.text, added.edits), disk.writable)
            notes.append(f"{path}: suppressed {len({*wanted}) - len(added.refused)} findings")
        notes.extend(f"{path}:{line}: no comment can be written for this line" for line in added.refused)
    return notes


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
