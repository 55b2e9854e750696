"""Proof of edits in a shell script: the edited text has exactly the intended arguments, and nothing else new."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.documents.interface import Edit, ProofFailed, Source, Unreadable, apply_edits
from vllm_migrate.documents.shell.document import Command, ShellDocument, WordOp, parse_shell
from vllm_migrate.documents.shell.expand import Word
from vllm_migrate.documents.shell.nested import nested, spans
from vllm_migrate.documents.shell.scan import DECLARE

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_ELEMENTS = re.compile(r"\A(\w+\+?=)\([\s\S]*\)\Z")
_SUBSTITUTED = re.compile(r"\w+=\"?\$\(")


def prove(document: ShellDocument, edits: list[Edit], ops: list[WordOp]) -> ShellDocument:
    """The document of the edited text. Raises ProofFailed unless exactly the intended arguments changed."""
    if document.outer is not None:
        return _prove_nested(document, document.outer, edits, ops)
    after = reread(document, edits)
    check(document, after, ops)
    return after


def reread(document: ShellDocument, edits: list[Edit]) -> ShellDocument:
    """The document with its text edited. Raises ProofFailed where edits overlap or bash would refuse the text."""
    source = document.source
    others = source.text.replace("\r\n", "")
    if "\r" in others or ("\r" in source.text and "\n" in others):
        raise ProofFailed("some of its lines end in CRLF and some do not, and bash takes each CR for a part of a word")
    try:
        text = apply_edits(source.text, document.unfolded(edits))
        after = parse_shell(Source(source.path, source.encode(text), text, source.bom, source.newline))
    except (ValueError, Unreadable) as error:
        raise ProofFailed(f"the edited text does not parse: {error}") from None
    after.argument_of = document.argument_of
    return after


def check(document: ShellDocument, after: ShellDocument, ops: list[WordOp]) -> None:
    """Raises ProofFailed unless `after` is `document` with `ops` made on it."""
    for what, had, has in _unchanged(document, after, ops):
        if had != has:
            raise ProofFailed(f"{what} changed")
    wanted = _wanted(document, ops)
    for index in sorted(_touched(document, ops)):
        if [shown(word) for word in after.commands[index].words] != _expected(document.commands[index], wanted):
            raise ProofFailed(f"the arguments of command {index} are not the intended ones")


def shown(word: Word) -> tuple[str, bool]:
    """A word as compared: its value, or its text when the value is not known."""
    value = word.value
    return (word.raw, False) if value is None else (value, True)


def _touched(document: ShellDocument, ops: list[WordOp]) -> set[int]:
    """The commands whose arguments may change: those named, and all that expand an array in which a word changes."""
    touched = {op.command for op in ops}
    held = [document.commands[op.command].words[op.word].array for op in ops]
    names = {array.name for array in held if array is not None}
    if names:
        holders: dict[str, list[str]] = {}  # the arrays that a name stands in
        for name, arrays in document.arrays.items():
            for mentioned in _mentioned([item for array in arrays for item in array.items]):
                holders.setdefault(mentioned, []).append(name)
        reached = list(names)
        while reached:
            new = [name for name in holders.get(reached.pop(), ()) if name not in names]
            names.update(new)
            reached += new
        users = [command for command in document.commands if command.written[0].raw not in DECLARE]
        touched |= {command.index for command in users if not names.isdisjoint(_mentioned(command.written))}
    return touched


def _mentioned(words: list[Word]) -> set[str]:
    """Every name that may be one of a variable in words that expand something."""
    return {name for word in words if "$" in word.raw for name in _IDENTIFIER.findall(word.raw)}


Wanted = dict[int, dict[str, list[str]]]


def _wanted(document: ShellDocument, ops: list[WordOp]) -> Wanted:
    """The texts of each kind of operation on a word, by the word's offset: the users of an array share its words."""
    wanted: Wanted = {}
    for start, kind, texts in dict.fromkeys(
        (document.commands[op.command].words[op.word].start, op.kind, op.texts) for op in ops
    ):
        wanted.setdefault(start, {}).setdefault(kind, []).extend(texts)
    return wanted


def _expected(command: Command, wanted: Wanted) -> list[tuple[str, bool]]:
    """The arguments the command should have."""
    out: list[tuple[str, bool]] = []
    for word in command.words:
        wish = wanted.get(word.start, {})
        out += [(text, True) for text in wish.get("insert_before", ())]
        if "replace" in wish or "delete" in wish:
            out += [(text, True) for text in wish.get("replace", ())]
        else:
            out.append(shown(word))
        out += [(text, True) for text in wish.get("insert_after", ())]
    return out


def _unchanged(before: ShellDocument, after: ShellDocument, ops: list[WordOp]) -> Iterator[tuple[str, object, object]]:
    """(what, before, after) of everything that no operation on arguments may change."""
    touched = {op.command for op in ops if before.commands[op.command].words[op.word].array is None}
    arrays = {id(before.commands[op.command].words[op.word].array) for op in ops}
    flat = [array for made in before.arrays.values() for array in made]
    edited = {place for place, array in enumerate(flat) if id(array) in arrays}

    def commands(document: ShellDocument) -> object:
        rows = [(c.scope, c.sure, c.after, c.assignments, c.redirects, c.written) for c in document.commands]
        return [
            (*row[:3], _texts(row[3]), _texts(row[4]), None if i in touched else _raws(row[5]))
            for i, row in enumerate(rows)
        ]

    def elements(document: ShellDocument) -> object:
        made = [array for arrays in document.arrays.values() for array in arrays]
        return [
            (array.name, array.append, array.sure, None if i in edited else [word.raw for word in array.items])
            for i, array in enumerate(made)
        ]

    def variables(document: ShellDocument) -> object:
        made = document.script.assigns
        return {name: [item.value and item.value.raw for item in items] for name, items in made.items()}

    def heredocs(document: ShellDocument) -> object:
        return [(h.delimiter, h.command, document.source.text[h.start : h.end]) for h in document.heredocs]

    def lost(document: ShellDocument) -> object:
        return [(broken.reason, broken.command) for broken in document.lost]

    def comments(document: ShellDocument) -> object:
        return [document.source.text[start:end] for start, end in document.comments]

    checks = {"another command": commands, "an array": elements, "a variable": variables, "a heredoc": heredocs}
    checks["a broken continuation"] = lost
    if not any(op.kind == "delete" for op in ops):  # a line that goes takes its comment with it
        checks["a comment"] = comments
    for name, check in checks.items():
        yield name, check(before), check(after)


def _texts(pairs: list[tuple[str, Word]]) -> list[tuple[str, str]]:
    return [(name, word.raw) for name, word in pairs]


def _raws(words: list[Word]) -> list[str]:
    """The words as written; of `local A=(...)` without the elements, which are compared as an array."""
    if words[0].raw in DECLARE:
        return [_ELEMENTS.sub(r"\1()", word.raw) for word in words]
    return [word.raw for word in words]


def _prove_nested(document: ShellDocument, outer: ShellDocument, edits: list[Edit], ops: list[WordOp]) -> ShellDocument:
    """The nested document after `edits` are made on the file. Raises ProofFailed."""
    after = reread(outer, edits)
    old, new = nested(outer), nested(after)
    place = next((i for i, sub in enumerate(old) if sub.source.text == document.source.text), -1)
    if place < 0 or len(old) != len(new):
        raise ProofFailed("the script inside the string is not found again")
    start, end, _ = spans(outer)[place]
    if any(edit.start < start or edit.end > end for edit in edits):
        raise ProofFailed("an edit lies outside the string")
    for index, (before, now) in enumerate(zip(old, new, strict=True)):
        check(before, now, ops if index == place else [])
    if _shape(outer) != _shape(after):
        raise ProofFailed("the script around it changed")
    return new[place]


def prove_around(outer: ShellDocument, edits: list[Edit]) -> None:
    """Raise ProofFailed when edits of the scripts nested in `outer` change it around them."""
    after = reread(outer, edits)
    if _shape(outer) != _shape(after) or len(nested(outer)) != len(nested(after)):
        raise ProofFailed("the script around it changed")


def _shape(document: ShellDocument) -> list[list[str]]:
    """The outer commands without the texts of strings and substitutions, which the nested documents compare."""
    return [[_outside(word.raw) for word in command.written] for command in document.commands]


def _outside(raw: str) -> str:
    if raw[0] in "'\"":
        return ""
    substituted = _SUBSTITUTED.match(raw)
    return "--wrap" if raw.startswith("--wrap=") else substituted[0] if substituted is not None else raw
