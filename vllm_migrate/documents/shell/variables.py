"""Edits of variables in a shell script: `export X=1`, `X=1`, and `X=1` in front of a command; and their proof."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed
from vllm_migrate.documents.shell.edit import check_line_ends
from vllm_migrate.documents.shell.expand import Word
from vllm_migrate.documents.shell.proof import reread
from vllm_migrate.documents.shell.quote import quote, requote
from vllm_migrate.documents.shell.scan import DECLARE

if TYPE_CHECKING:
    from vllm_migrate.documents.shell.document import Command, ShellDocument, VariableOp

_REST = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")
_NEXT = re.compile(r"[ \t]*;[ \t]*(?=[^;\s])|(?:[ \t]|\\\r?\n)+(?=[^\s;&|#)])")


class _Place(NamedTuple):
    """An assignment: its name, value, where `name` starts, and the `export` it is an argument of."""

    name: str
    value: Word
    start: int
    declared: Command | None


def plan_variables(document: ShellDocument, ops: list[VariableOp]) -> list[Edit]:
    """Raises CannotEdit where the assignment is not found, or something hangs on it."""
    text = document.source.text
    edits: list[Edit] = []
    for op in ops:
        if op.kind == "export":
            edits.append(_export(document, op))
            continue
        place = _find(document, op.at)
        if op.kind == "replace":
            edits.append(
                Edit(place.value.start, place.value.end, requote(place.value.raw, op.value) if op.value else "''")
            )
        elif op.kind == "delete":
            edits.append(_delete(text, place))
        else:
            raise CannotEdit(f"no such change: {op.kind}")
    check_line_ends(text, edits)
    return sorted(edits)


def _places(document: ShellDocument) -> list[_Place]:
    """Every scalar assignment of the script, in order."""
    found: dict[int, _Place] = {}
    for made in document.script.assigns.values():
        for assign in made:
            if assign.value is not None and not assign.value.body:
                found[assign.value.start] = _Place(assign.name, assign.value, assign.start, None)
    for command in document.commands:
        for name, value in command.assignments:
            start = document.source.text.rindex(name, 0, value.start)
            found[value.start] = _Place(name, value, start, None)
        if command.written[0].raw in DECLARE:
            for word in command.written[1:]:
                at = word.start + word.raw.find("=") + 1
                if at in found:
                    found[at] = found[at]._replace(declared=command)
    return [found[at] for at in sorted(found)]


def _find(document: ShellDocument, at: int) -> _Place:
    for place in _places(document):
        if place.value.start == at:
            return place
    raise CannotEdit("no assignment there")


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _export(document: ShellDocument, op: VariableOp) -> Edit:
    text = document.source.text
    if not 0 <= op.command < len(document.commands) or not op.name.isidentifier():
        raise CannotEdit("nowhere to put the variable")
    command = document.commands[op.command]
    at = _line_start(text, command.start)
    indent = text[at : command.start]
    if indent.strip(" \t") or text.endswith(("\\\n", "\\\r\n"), 0, at):
        raise CannotEdit("the command does not start its line")
    line = f"export {op.name}={quote(op.value) if op.value else ''}"
    return Edit(at, at, indent + line + document.source.newline)


def _delete(text: str, place: _Place) -> Edit:
    start, end = place.start, place.value.end
    if place.declared is not None:
        words = place.declared.written
        if len(words) > 2:
            while text[start - 1] in " \t":
                start -= 1
            return Edit(start, end, "")
        start = words[0].start
    line = _line_start(text, start)
    rest = _REST.match(text, end)
    if rest is not None and not text[line:start].strip(" \t") and not text.endswith(("\\\n", "\\\r\n"), 0, line):
        if place.value.scope:
            return Edit(start, end, ":")  # a branch may hold nothing else
        return Edit(line, rest.end(), "")
    following = _NEXT.match(text, end)
    if following is None:
        raise CannotEdit(f"something hangs on the assignment of {place.name}")
    return Edit(start, following.end(), "")


def prove_variables(document: ShellDocument, ops: list[VariableOp], edits: list[Edit]) -> ShellDocument:
    """The document after the edits. Raises ProofFailed."""
    after = reread(document.source, edits)
    replaced = {op.at: op.value for op in ops if op.kind == "replace"}
    gone = {op.at for op in ops if op.kind == "delete"}
    pending = [(op.name, op.value) for op in ops if op.kind == "export"]
    kept: Counter[tuple[str, str, bool]] = Counter()
    for place in _places(document):
        at = place.value.start
        if at in replaced:
            pending.append((place.name, replaced[at]))
        elif at not in gone:
            kept[_key(place)] += 1
    for place in _places(after):
        value = (place.name, place.value.value or "")
        if kept[_key(place)] > 0:
            kept[_key(place)] -= 1
        elif place.value.value is not None and value in pending:
            pending.remove(value)
        else:
            raise ProofFailed(f"{place.name} has an unintended value")
    if pending or any(kept.values()):
        raise ProofFailed("the variables are not the intended ones")
    if _commands(document) != _commands(after):
        raise ProofFailed("a command changed")
    return after


def _key(place: _Place) -> tuple[str, str, bool]:
    return place.name, place.value.raw, place.declared is not None


def _commands(document: ShellDocument) -> list[list[str]]:
    """Every command's written words but for assignments; one that is nothing else, or a lone `:`, does not count."""
    rows = []
    for command in document.commands:
        names = [word.raw for word in command.written]
        if names[0] in DECLARE:
            names = [names[0], *[raw for raw in names[1:] if "=" not in raw]]
            if len(names) == 1:
                continue
        if names != [":"]:
            rows.append(names)
    return rows
