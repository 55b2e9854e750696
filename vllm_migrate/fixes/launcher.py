"""Environment variables among the words of what starts a program: `env A=1 vllm serve`, `docker run -e A=1 IMAGE`.

One goes together with the flag that carries it. Where it is not plain whose value the word is, nothing goes.
"""

from __future__ import annotations

import os
import re

from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.documents.shell.document import Command, ShellDocument, WordOp
from vllm_migrate.documents.shell.scan import DECLARE
from vllm_migrate.fixes.ops import DropVariable

# Flags whose one value is `NAME=value`: docker, podman, nerdctl, kubectl, apptainer, enroot, ray, beaker.
FLAGS = frozenset(("-e", "--env"))
# The same of some programs only (Open MPI), for which others have a switch of that name.
FLAGS_OF = {"-x": frozenset(("mpirun", "mpiexec", "orterun", "prterun"))}
# Switches of programs that take assignments as words of their own, and the end of options.
SWITCHES_OF = {
    "env": frozenset(("-", "-i", "--ignore-environment", "-v", "--debug")),
    "sudo": frozenset(("-E", "--preserve-env", "-n", "-H")),
}
_SEVERAL = re.compile(r"[,;]\s*[A-Za-z_]\w*=")  # `--env A=1,B=2` of apptainer
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def launcher_words(document: ShellDocument, drop: DropVariable) -> list[WordOp]:
    """The operations that take away a variable that is a word of a command; none for an assignment or an `export`.

    Raises CannotEdit where it is not plain what else the word belongs to.
    """
    for command in document.commands:
        if command.written[0].raw in DECLARE:
            continue
        for at, word in enumerate(command.words):
            if (word.start, word.end) == (drop.start, drop.end):
                return [WordOp("delete", command.index, place) for place in _own(command, at, drop.name)]
    return []


def _own(command: Command, at: int, name: str) -> list[int]:
    """The word that sets a variable, and its flag where that is a word of its own."""
    words = command.words
    text = words[at].value or ""
    if _SEVERAL.search(text):
        raise CannotEdit(f"the word that sets {name} sets others too")
    if text.startswith("-"):
        return [at]  # `--env=A=1`, `-eA=1`
    if not at:
        raise CannotEdit(f"the word that sets {name} is in the program's place")
    flag = words[at - 1]
    if _is_flag(command, at - 1):
        more = at + 1 < len(words) and _ASSIGNMENT.match(words[at + 1].raw)
        if more or flag.array is not words[at].array:
            raise CannotEdit(f"it is not known what else {flag.raw} takes besides {name}")
        return [at - 1, at]
    if not _is_complete(command, at - 1):
        raise CannotEdit(f"it is not known whether {name} is a value of {flag.raw}")
    return [at]


def _is_flag(command: Command, at: int) -> bool:
    text = command.words[at].value
    return text in FLAGS or (text in FLAGS_OF and not _programs(command, at).isdisjoint(FLAGS_OF[text]))


def _is_complete(command: Command, at: int) -> bool:
    """Whether a word surely takes none of those behind it."""
    word = command.words[at]
    if word.value is None:
        return word.raw.startswith('"') and not word.prefix.startswith("-") and word.prefix != ""
    if not word.value.startswith("-") or word.value == "--" or "=" in word.value:
        return True
    return any(word.value in SWITCHES_OF.get(program, ()) for program in _programs(command, at))


def _programs(command: Command, end: int) -> set[str]:
    return {os.path.basename(word.value or "") for word in command.words[:end]}
