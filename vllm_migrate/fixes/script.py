"""Edits of a shell script: words of its commands, and the variables it sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, ProofFailed
from vllm_migrate.documents.shell.document import ShellDocument, WordOp
from vllm_migrate.documents.shell.edit import plan
from vllm_migrate.documents.shell.proof import prove, reread
from vllm_migrate.documents.shell.scan import DECLARE
from vllm_migrate.fixes.launcher import launcher_words
from vllm_migrate.fixes.ops import DropVariable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.fixes.ops import DocumentOp


def plan_script(file: File, ops: Sequence[DocumentOp]) -> list[Edit]:
    """Edits of a script that make `ops`. Raises CannotEdit."""
    assert file.shell is not None
    words, drops = _sorted_out(file, ops)
    edits = plan(file.shell, words) if words else []
    return sorted([*edits, *(_removal(file, drop) for drop in drops)])


def prove_script(file: File, ops: Sequence[DocumentOp], edits: list[Edit]) -> ShellDocument:
    """The script after `edits`. Raises ProofFailed unless they make `ops`, and no other argument or assignment changes."""
    assert file.shell is not None
    words, drops = _sorted_out(file, ops)
    removals = [_removal(file, drop) for drop in drops]
    if not set(removals) <= set(edits):
        raise ProofFailed("a variable is not removed")
    others = [edit for edit in edits if edit not in removals]
    after = prove(file.shell, others, words) if words else file.shell
    return _prove_removed(file, drops, removals, others) if removals else after


def _sorted_out(file: File, ops: Sequence[DocumentOp]) -> tuple[list[WordOp], list[DropVariable]]:
    """The operations on words, and the variables that go with nothing but their assignment."""
    assert file.shell is not None
    words = [op for op in ops if isinstance(op, WordOp)]
    drops: list[DropVariable] = []
    for op in ops:
        if isinstance(op, DropVariable):
            launched = launcher_words(file.shell, op)
            words += launched
            drops += [] if launched else [op]
    return words, drops


def _removal(file: File, drop: DropVariable) -> Edit:
    assert file.shell is not None
    text = file.shell.source.text
    line = text.rfind("\n", 0, drop.start) + 1
    end = text.find("\n", drop.end)
    end = len(text) if end < 0 else end
    head, tail = text[line : drop.start].strip(), text[drop.end : end].strip()
    if head in ("", "export") and (not tail or tail.startswith("#")):
        return Edit(line, min(end + 1, len(text)), "")
    stop = drop.end
    while stop < len(text) and text[stop] in " \t":
        stop += 1
    if text.startswith("\\\n", stop):
        stop += 2
        while stop < len(text) and text[stop] in " \t":
            stop += 1
    return Edit(drop.start, stop, "")


def _prove_removed(file: File, drops: list[DropVariable], removals: list[Edit], others: list[Edit]) -> ShellDocument:
    """The script after all edits. Raises ProofFailed unless `removals` take the assignments of `drops` away and nothing
    else; `others` are edits of the same text that are proved by themselves."""
    assert file.shell is not None
    gone = {drop.name for drop in drops}
    before, after = _edited(file, others), _edited(file, [*others, *removals])
    had, counted = _shape(before, gone)
    has, left = _shape(after, gone)
    if had != has or counted - left != len(set(drops)):
        raise ProofFailed("removing the variable would change the command")
    return after


def _edited(file: File, edits: list[Edit]) -> ShellDocument:
    assert file.shell is not None
    return reread(file.shell, sorted(edits))


def _shape(document: ShellDocument, gone: set[str]) -> tuple[list[list[str]], int]:
    """All words of all commands, with what is assigned in front of them, but for assignments to `gone`; and how many
    those are. Only `export` and its like assign by their words: of any other command every word is compared."""
    rows: list[list[str]] = []
    count = 0
    for command in document.commands:
        exported = command.written[0].raw in DECLARE
        in_front = [(name, f"{name}={word.raw}") for name, word in command.assignments]
        words = [(word.raw.partition("=")[0] if exported else "", word.raw) for word in command.written]
        row = [raw for name, raw in (*in_front, *words) if name not in gone or "=" not in raw]
        count += len(in_front) + len(words) - len(row)
        if row not in ([], ["export"]):
            rows.append(row)
    return rows, count
