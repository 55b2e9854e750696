"""Mending broken continuations: the lost overrides become arguments of the command they were written for.

Blank lines in between go, blanks behind a backslash go, a missing backslash comes; comment lines in between cannot stay
(a comment ends the command), so they move in front of it, word for word.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed
from vllm_migrate.documents.shell.edit import check_line_ends
from vllm_migrate.documents.shell.expand import Word
from vllm_migrate.documents.shell.proof import reread, shown

if TYPE_CHECKING:
    from vllm_migrate.documents.shell.document import Broken, ShellDocument

_COMMENT = re.compile(r"#[^\r\n]*")


def plan_join(document: ShellDocument, command: int) -> list[Edit]:
    """Edits that join all that is lost after command number `command`. Raises CannotEdit when nothing is."""
    owner = document.commands[command]
    if not owner.lost:
        raise CannotEdit("this command has lost nothing")
    text = document.source.text
    edits: list[Edit] = []
    moved: list[str] = []
    for broken in owner.lost:
        edits.append(_join(text, document, broken, moved))
    if moved:
        at = _line_start(text, owner.start)
        indent = text[at : owner.start]
        if indent.strip(" \t"):
            raise CannotEdit("the command does not start its line, so the comments in it have no place")
        newline = document.source.newline
        edits.insert(0, Edit(at, at, "".join([indent + comment + newline for comment in moved])))
    check_line_ends(text, edits)
    return edits


def _join(text: str, document: ShellDocument, broken: Broken, moved: list[str]) -> Edit:
    """Replace what stands between the command and what it lost by one continuation."""
    head = document.commands[broken.command]
    then = document.commands[broken.command + 1]
    start = _line_start(text, then.start)
    newline = document.source.newline
    if broken.reason == "missing":
        return Edit(head.end, head.end, " \\")
    at = broken.at
    moved += _COMMENT.findall(text, at, start)
    while at and text[at - 1] in " \t":
        at -= 1
    gap = text[at : broken.at] or " "
    return Edit(at, start, gap + "\\" + newline)


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def prove_join(document: ShellDocument, command: int, edits: list[Edit]) -> ShellDocument:
    """The document after the edits. Raises ProofFailed unless the command gained exactly what it had lost."""
    after = reread(document.source, edits)
    expected = _expected(document, command)
    if [[shown(word) for word in made.words] for made in after.commands] != expected:
        raise ProofFailed("the arguments are not those of the command and what it lost")
    if sorted(_comments(document)) != sorted(_comments(after)):
        raise ProofFailed("a comment changed")
    if len(after.lost) != len(document.lost) - len(document.commands[command].lost):
        raise ProofFailed("another continuation is broken now")
    return after


def _expected(document: ShellDocument, command: int) -> list[list[tuple[str, bool]]]:
    rows: list[list[tuple[str, bool]]] = []
    for made in document.commands:
        words = [shown(word) for word in made.words]
        if any(broken.reason == "space" and broken.command == made.index for broken in document.commands[command].lost):
            words.pop()  # the escaped blank that stood for an argument
        if made.after == command:
            rows[-1] += [_assignment(name, word) for name, word in made.assignments] + words
        else:
            rows.append(words)
    return rows


def _assignment(name: str, word: Word) -> tuple[str, bool]:
    value, known = shown(word)
    return f"{name}={value}", known


def _comments(document: ShellDocument) -> list[str]:
    return [document.source.text[start:end] for start, end in document.comments]
