"""Scripts inside a script: what `bash -c`, `ssh HOST`, `tmux`, `eval` or `sbatch --wrap` get as a string, heredocs that a
shell reads, and those that are written to a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from vllm_migrate.documents.interface import Edit, ProofFailed, Source, Unreadable
from vllm_migrate.documents.shell.document import Command, ShellDocument, WordOp
from vllm_migrate.documents.shell.expand import FILLER
from vllm_migrate.documents.shell.proof import check, reread
from vllm_migrate.documents.shell.scan import Heredoc, Scanner

MAX_NESTED = 20

_SHELLS = frozenset(("bash", "sh", "zsh", "dash", "ksh"))
_SUBMITTERS = frozenset(("sbatch", "qsub", "bsub"))
# Commands whose quoted arguments are command lines.
_CARRIERS = frozenset(("ssh", "tmux", "eval"))
_SCRIPT = re.compile(r"\.(?:sh|bash|slurm|sbatch)[\"']?\Z")
_WRAP = re.compile(r"--wrap=?\Z")
_COMMAND_FLAG = re.compile(r"-[a-zA-Z]*c\Z")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\[\s\S])*"\Z')
_ESCAPE = re.compile(r'\\([$`"\\])')
_ESCAPE_HEREDOC = re.compile(r"\\([$`\\])")
_INK = re.compile(r"[^\r\n]")


def nested(document: ShellDocument) -> list[ShellDocument]:
    """The scripts that `document` holds, in order, at most MAX_NESTED. One level: their own strings stay strings."""
    out = []
    for span in _spans(document):
        with suppress(Unreadable):  # nests too deep: it stays a string
            out.append(_sub(document, *span))
    return out


def _spans(document: ShellDocument) -> list[tuple[int, int, str]]:
    if document.outer is not None or FILLER in document.source.text:
        return []
    return sorted([*_strings(document), *_heredocs(document)])[:MAX_NESTED]


def _strings(document: ShellDocument) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of the strings that are command lines; kind is the quote around them."""
    for command in document.commands:
        shell = flagged = False
        carried = _carries(command)
        for word in command.written:
            raw = word.raw
            head, _, wrapped = raw.partition("=")
            if flagged or (carried and " " in raw):
                span = _quoted(raw, word.start)
            elif _WRAP.match(head) and wrapped:
                span = _quoted(wrapped, word.end - len(wrapped))
            else:
                span = None
            if span is not None:
                yield span
            if flagged:
                break
            flagged = (shell and _COMMAND_FLAG.match(raw) is not None) or raw == "--wrap"
            shell = shell or _name(raw) in _SHELLS


def _carries(command: Command) -> bool:
    """Whether a command's quoted arguments are command lines: `ssh HOST "..."`, `tmux send-keys "..."`, `eval "..."`."""
    return any(_name(word.raw) in _CARRIERS for word in command.written[:2])


def _quoted(raw: str, start: int) -> tuple[int, int, str] | None:
    """The span inside the quotes of a word that is one quoted string."""
    if raw[:1] == "'" and raw.find("'", 1) == len(raw) - 1:
        return start + 1, start + len(raw) - 1, "'"
    return (start + 1, start + len(raw) - 1, '"') if _DOUBLE.match(raw) else None


def _heredocs(document: ShellDocument) -> Iterator[tuple[int, int, str]]:
    for heredoc in document.heredocs:
        if heredoc.command >= 0 and (
            _reads_script(document.commands[heredoc.command]) or _is_script(document, heredoc)
        ):
            yield heredoc.start, heredoc.end, "quoted" if heredoc.quoted else "plain"


def _reads_script(command: Command) -> bool:
    raws = [word.raw for word in command.written]
    if _name(raws[0]) in _SUBMITTERS:
        return True
    if any(_COMMAND_FLAG.match(raw) for raw in raws[1:]):
        return False
    return any(_name(raw) in _SHELLS for raw in raws)


def _is_script(document: ShellDocument, heredoc: Heredoc) -> bool:
    """Whether a heredoc is written to a script: `cat > run.sh <<EOF`, `tee run.sh <<EOF`."""
    command = document.commands[heredoc.command]
    name = _name(command.written[0].raw)
    if name == "cat":
        return heredoc.target is not None and _SCRIPT.search(heredoc.target.raw) is not None
    tee = any(_name(word.raw) == "tee" for word in command.written[:2])
    return tee and _SCRIPT.search(command.written[-1].raw) is not None


def _name(raw: str) -> str:
    return raw.rpartition("/")[2]


def _sub(document: ShellDocument, start: int, end: int, kind: str) -> ShellDocument:
    source = document.source
    text = source.text
    inside = text[start:end]
    if kind in ('"', "plain"):
        inside = (_ESCAPE if kind == '"' else _ESCAPE_HEREDOC).sub(FILLER + r"\1", inside)
    masked = _INK.sub(" ", text[:start]) + inside + _INK.sub(" ", text[end:])
    expanded = kind in ('"', "plain")  # by the outer shell; else the variables are the inner shell's own
    scanner = Scanner(masked, document.script if expanded else None)
    scanner.run()
    return ShellDocument(Source(source.path, source.data, masked, source.bom, source.newline), scanner, document)


def prove_nested(document: ShellDocument, ops: list[WordOp], edits: list[Edit]) -> ShellDocument:
    """The nested document after `edits` are made on the file. Raises ProofFailed."""
    outer = document.outer
    assert outer is not None
    after = reread(outer.source, edits)
    old, new = nested(outer), nested(after)
    place = next((i for i, sub in enumerate(old) if sub.source.text == document.source.text), -1)
    if place < 0 or len(old) != len(new):
        raise ProofFailed("the script inside the string is not found again")
    start, end, _ = _spans(outer)[place]
    if any(edit.start < start or edit.end > end for edit in edits):
        raise ProofFailed("an edit lies outside the string")
    for index, (before, now) in enumerate(zip(old, new, strict=True)):
        check(before, now, ops if index == place else [])
    if _shape(outer) != _shape(after):
        raise ProofFailed("the script around it changed")
    return new[place]


def prove_around(document: ShellDocument, edits: list[Edit]) -> None:
    """Raise ProofFailed when `edits` of a nested document change the script around it."""
    outer = document.outer
    assert outer is not None
    after = reread(outer.source, edits)
    if _shape(outer) != _shape(after) or len(nested(outer)) != len(nested(after)):
        raise ProofFailed("the script around it changed")


def _shape(document: ShellDocument) -> list[list[str]]:
    """The outer commands without the texts of strings, which the nested documents compare."""
    return [
        ["" if word.raw[0] in "'\"" else "--wrap" if word.raw.startswith("--wrap=") else word.raw for word in c.written]
        for c in document.commands
    ]
