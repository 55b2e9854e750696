"""Shell scripts (POSIX and bash): commands with their arguments, variables, arrays, heredocs, lost overrides.

What is not decided by the file is unknown, never guessed (see shell_expand). A *lost* override follows a
broken line continuation: the command ended before it, and the shell takes it for a command of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from vllm_migrate.documents.interface import Edit, Source, Unreadable
from vllm_migrate.documents.shell.evaluated import evaluated
from vllm_migrate.documents.shell.expand import Array, Assign, Script, Word
from vllm_migrate.documents.shell.scan import Heredoc, Raw, ShellScanner
from vllm_migrate.documents.shell.split import arguments

__all__ = [
    "Array",
    "Assign",
    "Broken",
    "Command",
    "Heredoc",
    "ShellDocument",
    "Word",
    "WordOp",
    "parse_shell",
]

MAX_CHARS = 1_000_000

# A word no one means as a command: `--flag`, `-O3`, `+key=`, `++key=`, `~key`, `a.b=1`, `group/name=x`.
_OVERRIDE = re.compile(r"-{1,2}[A-Za-z]|\+{1,2}[\w./@]+=|~[A-Za-z_][\w.@]*(?:\Z|=)|[A-Za-z_]\w*[.@/][\w@./-]*=")
_REST = re.compile(r'"?\$(?:[@*]|\{@\})"?\Z|"?\$\{\w+\[@\]\}"?\Z')
_BETWEEN = re.compile(r"(?:[ \t\r\n]|\\\r?\n|#[^\n]*)*")


class Broken(NamedTuple):
    """A broken continuation that loses overrides.

    `reason`: "blank" (a blank line follows the backslash), "comment" (a comment line does), "note" (it
    ends a comment), "space" (blanks stand behind the backslash), "missing" (a line in the middle has no backslash). `at` is the offset of the
    backslash, or of the line's end where it is missing. `command` is the index of the command cut short,
    `lost` the words after it.
    """

    reason: str
    at: int
    command: int
    lost: list[Word]


class WordOp(NamedTuple):
    """One change to the arguments of command number `command`; `word` indexes Command.words; texts are
    literal values.

    insert_after, insert_before: texts become new words there. replace: texts take the word's place. delete:
    it goes.
    """

    kind: str
    command: int
    word: int
    texts: tuple[str, ...] = ()


class Command:
    """One simple command. start and end are the offsets of its first and last word.

    `sure` is False when a branch, a loop, a function, `&&` or a pipe decides whether it runs; then `scope` is
    not 0, or it hangs on another command. `after` is the index of the command whose broken continuation lost
    this one, else -1.
    """

    __slots__ = ("_raw", "_words", "after", "index", "lost")

    def __init__(self, index: int, raw: Raw) -> None:
        self.index = index
        self.after = -1
        self.lost: list[Broken] = []
        self._raw = raw
        self._words: list[Word] | None = None

    def __repr__(self) -> str:
        return f"Command({self.index}, {[word.raw for word in self.written[:4]]!r})"

    @property
    def start(self) -> int:
        return self._raw.start

    @property
    def end(self) -> int:
        return self._raw.end

    @property
    def scope(self) -> int:
        return self._raw.scope

    @property
    def sure(self) -> bool:
        return self._raw.sure and self._raw.scope == 0

    @property
    def written(self) -> list[Word]:
        """The words as they stand, before arrays and variables are taken apart."""
        return self._raw.words

    @property
    def words(self) -> list[Word]:
        """The arguments, the command's name first."""
        if self._words is None:
            self._words = arguments(evaluated(self._raw.words))
        return self._words

    @property
    def assignments(self) -> list[tuple[str, Word]]:
        """`NAME=value` before the command's name."""
        return self._raw.assignments

    @property
    def redirects(self) -> list[tuple[str, Word]]:
        """(operator, target), without heredocs."""
        return self._raw.redirects


class ShellDocument:
    """A script. `variables`: name to the value word of its last assignment as a statement of its own or by
    `export`.

    `exports`: (name, value word). `comments`: (start, end). `lost`: every broken continuation, in order.
    `outer` is the script that holds this one in a string or heredoc (see nested). `argument_of` says whose arguments the words
    are where the program stands elsewhere: "shell" of a shell, "-c" of a shell with that option, "" of none.
    `layout` is the text as the file has it: with line ends where a scalar around the script makes blanks of them.
    """

    __slots__ = (
        "_sourcing",
        "argument_of",
        "commands",
        "comments",
        "exports",
        "heredocs",
        "layout",
        "lost",
        "outer",
        "script",
        "source",
    )

    def __init__(self, source: Source, scanner: ShellScanner, outer: ShellDocument | None = None) -> None:
        self._hold(source, scanner.script, [Command(index, raw) for index, raw in enumerate(scanner.commands)], outer)
        self.exports = _exports(scanner)
        self.heredocs = scanner.heredocs
        self.comments = scanner.comments
        self.lost = _find_lost(source.text, self.commands, scanner)

    def _hold(
        self, source: Source, script: Script, commands: Sequence[Command], outer: ShellDocument | None = None
    ) -> None:
        """Set every field: a document of these commands, with nothing around them."""
        self.source = source
        self.layout = source.text
        self.outer = outer
        self.argument_of: Literal["", "shell", "-c"] = ""
        self._sourcing: list[Command] | None = None
        self.script = script
        self.commands = list(commands)
        self.exports = []
        self.heredocs = []
        self.comments = []
        self.lost = []

    def unfolded(self, edits: list[Edit]) -> list[Edit]:
        """Edits of the layout as edits of the text: where line ends are blanks, they are in what is written, too."""
        if self.layout == self.source.text:
            return edits
        return [edit._replace(text=edit.text.replace("\r", " ").replace("\n", " ")) for edit in edits]

    @property
    def sourcing(self) -> list[Command]:
        """The commands that read another script into this one: `source FILE`, `. FILE`."""
        if self._sourcing is None:
            named = (command for command in self.commands if len(command.words) > 1)
            self._sourcing = [command for command in named if command.words[0].value in ("source", ".")]
        return self._sourcing

    @property
    def arrays(self) -> dict[str, list[Array]]:
        """name to its assignments (`=` and `+=`) in order."""
        return self.script.arrays

    @property
    def variables(self) -> dict[str, Word]:
        out: dict[str, Word] = {}
        for name, made in self.script.assigns.items():
            values = [assign.value for assign in made if assign.value is not None]
            if values:
                out[name] = values[-1]
        return out

    def shared_with(self, command: int, word: int) -> list[int]:
        """Indexes of the other commands that have the same word through the same array."""
        target = self.commands[command].words[word]
        if target.array is None:
            return []
        at = target.start
        return [
            other.index
            for other in self.commands
            if other.index != command and any(w.start == at and w.array for w in other.words)
        ]


def parse_shell(source: Source) -> ShellDocument:
    """Raises Unreadable: "binary" for NUL bytes, "too-large" above MAX_CHARS, "too-deep", "syntax" for what bash refuses."""
    text = source.text
    if "\0" in text:
        at = source.position(text.index("\0"))
        raise Unreadable("binary", "contains a NUL byte", at.line, at.column)
    if len(text) > MAX_CHARS:
        raise Unreadable("too-large", f"{len(text)} characters, more than {MAX_CHARS}")
    scanner = ShellScanner(text)
    scanner.run()
    return ShellDocument(source, scanner)


def _exports(scanner: ShellScanner) -> list[tuple[str, Word]]:
    """`export A=1`, and `export A` of a variable that was assigned before."""
    exports = list(scanner.exports)
    named = {word.raw for raw in scanner.commands if raw.words[0].raw == "export" for word in raw.words[1:]}
    for name in named & scanner.script.assigns.keys():
        exports += [(name, assign.value) for assign in scanner.script.assigns[name] if assign.value is not None]
    exports.sort(key=lambda export: export[1].start)
    return exports


def _find_lost(text: str, commands: list[Command], scanner: ShellScanner) -> list[Broken]:
    lost: list[Broken] = []
    gaps = scanner.gaps
    for index in range(len(commands) - 1):
        raw, then = scanner.commands[index], scanner.commands[index + 1]
        if index in gaps or raw.scope != then.scope:
            continue
        reason, at = raw.broken, raw.broken_at
        head = then.words[0]
        if not reason:
            first = head.raw[0]
            if not (first in "-+~" or "=" in head.raw):
                continue
            reason, at = "missing", raw.end
        if _follows(text, raw, then, reason) and _is_override(head, reason):
            words = [_whole(text, name, word) for name, word in then.assignments] + commands[index + 1].words
            broken = Broken(reason, at, index, words)
            owner = commands[index]
            while owner.after >= 0:
                owner = commands[owner.after]
            commands[index + 1].after = owner.index
            owner.lost.append(broken)
            lost.append(broken)
    return lost


def _whole(text: str, name: str, value: Word) -> Word:
    """The word `name=value` that a lost override became an assignment of."""
    start = text.rindex(name, 0, value.start)
    return Word(value.script, start, value.end, text[start : value.end], value.scope)


def _follows(text: str, raw: Raw, then: Raw, reason: str) -> bool:
    """Nothing but blanks and comments stands between; for a missing backslash, nothing but the line's end."""
    between = text[raw.end : then.start]
    if reason == "missing":
        options = any(_is_override(word, reason) for word in raw.words[1:][-3:])  # `--flag value` ends in its value
        return options and between.strip(" \t") in ("\n", "\r\n")
    return _BETWEEN.fullmatch(between.lstrip("\\ \t")) is not None


def _is_override(word: Word, reason: str) -> bool:
    if reason != "missing" and _REST.match(word.raw):
        return True
    return _OVERRIDE.match(word.prefix) is not None
