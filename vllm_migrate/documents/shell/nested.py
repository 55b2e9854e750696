"""Scripts inside a script: what `bash -c`, `ssh HOST`, `tmux`, `eval` or `sbatch --wrap` get as a string, heredocs that a
shell reads, those that are written to a script, commands that a variable carries into another program's environment, and
what starts a server and leaves what it prints in a variable: `ID=$(docker run ...)`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from vllm_migrate.documents.interface import Source, Unreadable
from vllm_migrate.documents.shell.document import Command, ShellDocument
from vllm_migrate.documents.shell.expand import FILLER
from vllm_migrate.documents.shell.scan import Heredoc, ShellScanner

MAX_NESTED = 20

_SHELLS = frozenset(("bash", "sh", "zsh", "dash", "ksh"))
_SUBMITTERS = frozenset(("sbatch", "qsub", "bsub"))
# Commands whose quoted arguments are command lines.
_CARRIERS = frozenset(("ssh", "tmux", "eval"))
_SCRIPT = re.compile(r"\.(?:sh|bash|slurm|sbatch)[\"']?\Z")
_PROGRAM = re.compile(r"\b(?:python[\d.]*|uv run|vllm|torchrun|accelerate|swift)\s")
_STARTS = re.compile(r"\b(?:(?:docker|podman|nerdctl)\s+run|vllm\s+serve|ray\s+job\s+submit)\b|\bvllm\.entrypoints\b")
_VARIABLE = re.compile(r"\s*\"?\$\{?(\w+)")
_WRAP = re.compile(r"--wrap=?\Z")
_COMMAND_FLAG = re.compile(r"-[a-zA-Z]*c\Z")
_DOUBLE = re.compile(r'"(?:[^"\\]|\\[\s\S])*"\Z')
_ESCAPE = re.compile(r'\\([$`"\\])')
_ESCAPE_HEREDOC = re.compile(r"\\([$`\\])")


def nested(document: ShellDocument) -> list[ShellDocument]:
    """The scripts that `document` holds, in order, at most MAX_NESTED: what `bash -c "..."` and its like get, and heredocs
    that a shell reads. One level: their own strings stay strings.

    Their text is as long as this file's, blank outside of the script, so offsets, positions and edits hold for
    the file. Their variables may come from this one.
    """
    out = []
    for span in spans(document):
        with suppress(Unreadable):  # nests too deep: it stays a string
            out.append(_sub(document, *span))
    return out


def spans(document: ShellDocument) -> list[tuple[int, int, str]]:
    """(start, end, kind) of the scripts that `document` holds."""
    if document.outer is not None or FILLER in document.source.text:
        return []
    return sorted([*_strings(document), *_heredocs(document), *_handed_on(document), *_substituted(document)])[
        :MAX_NESTED
    ]


def _strings(document: ShellDocument) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of the strings that are command lines; kind is the quote around them."""
    for command in document.commands:
        joined = _evaluated(command)
        if joined is not None:
            yield joined
            continue
        first = command.index == 0
        shell, flagged = first and document.argument_of != "", first and document.argument_of == "-c"
        carried = _carries(command)
        mark = "[*]" if _name(command.written[0].raw) == "eval" else "$"  # a variable in an eval is read there
        for word in command.written:
            raw = word.raw
            head, _, wrapped = raw.partition("=")
            if flagged or (carried and (" " in raw or mark in raw)):
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


def _handed_on(document: ShellDocument) -> Iterator[tuple[int, int, str]]:
    """The strings of variables that hold a command for a program that is started: `export COMMAND="..."`, `COMMAND="..." sbatch`."""
    handed = [*document.exports, *(pair for command in document.commands for pair in command.assignments)]
    for name in dict.fromkeys(name for name, _ in handed):
        made = [assign.value for assign in document.script.assigns.get(name, ()) if assign.value is not None]
        for value in [*made, *(word for other, word in handed if other == name)]:
            span = _quoted(value.raw, value.start) if _PROGRAM.search(value.raw) else None
            if span is not None:
                yield span
                break


def _substituted(document: ShellDocument) -> Iterator[tuple[int, int, str]]:
    """The commands whose output a variable gets, of those that may start a server."""
    for made in document.script.assigns.values():
        for value in [assign.value for assign in made if assign.value is not None]:
            head = '"$(' if value.raw[:1] == '"' else "$("
            tail = ")" + head[:-2]
            whole = value.raw.startswith(head) and value.raw.endswith(tail) and value.raw.count("$(") == 1
            if whole and (_STARTS.search(value.raw) or _brings_start(document, value.raw[len(head) :])):
                yield value.start + len(head), value.end - len(tail), "substituted"


def _brings_start(document: ShellDocument, text: str) -> bool:
    """Whether a command begins with an array or a variable that holds what starts a server: `$("${CMD[@]}")`."""
    found = _VARIABLE.match(text)
    if found is None:
        return False
    script, name = document.script, found[1]
    elements = [word.raw for array in script.arrays.get(name, ()) for word in array.items]
    values = [made.value.raw for made in script.assigns.get(name, ()) if made.value is not None]
    return _STARTS.search(" ".join([*elements, *values])) is not None


def _carries(command: Command) -> bool:
    """Whether a command's quoted arguments are command lines: `ssh HOST "..."`, `tmux send-keys "..."`, `eval "..."`."""
    return any(_name(word.raw) in _CARRIERS for word in command.written[:2])


def _evaluated(command: Command) -> tuple[int, int, str] | None:
    """The span of what `eval` joins out of several strings and what stands between them."""
    words = command.written
    if _name(words[0].raw) != "eval" or len(words) < 2 or words[1].raw[:1] != '"' or words[-1].raw[-1:] != '"':
        return None
    if len(words) == 2 and _DOUBLE.match(words[1].raw):
        return None
    return words[1].start + 1, words[-1].end - 1, "joined"


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
    if kind == "joined":  # the quotes inside end one string and begin the next
        inside = inside.replace('"', FILLER)
    if kind in ('"', "plain"):
        inside = (_ESCAPE if kind == '"' else _ESCAPE_HEREDOC).sub(FILLER + r"\1", inside)
    blank = source.blank
    masked = blank[:start] + inside + blank[end:]
    own = kind in ("'", "quoted")  # the outer shell expands nothing: the variables are the inner shell's
    scanner = ShellScanner(masked, None if own else document.script)
    scanner.script.substituted = kind == "substituted"
    scanner.run()
    return ShellDocument(Source(source.path, source.data, masked, source.bom, source.newline), scanner, document)
