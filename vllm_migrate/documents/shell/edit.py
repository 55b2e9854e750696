"""Edits of arguments in a shell script, in the style the script already has (proof: shell_proof).

A new argument of a command spread over lines gets a line of its own, with the indentation of its neighbours and
their backslash, if they have one (line ends are blanks in a folded YAML scalar); in an array a line of its own; on a
one-line command it stands on that line. Nothing else moves.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from vllm_migrate.documents.interface import CannotEdit, Edit
from vllm_migrate.documents.shell.document import ShellDocument, WordOp
from vllm_migrate.documents.shell.expand import Array, Word
from vllm_migrate.documents.shell.quote import quote, requote

_TAIL = re.compile(r"[ \t]*(\\\r?\n)?")
_FOLD = re.compile(r"[ \t]*(\r?\n)")
_REST = re.compile(r"[ \t]*(#[^\r\n]*)?(?=\r?\n|\Z)")
_BLANK = re.compile(r"\s")
_LINE_END = re.compile(r"\r?\n")
_BREAK = re.compile(r"\\?\r?\n")


class _Slot(NamedTuple):
    """A written word and the list it stands in: a command's words or an array's elements."""

    words: list[Word]
    place: int
    array: Array | None

    @property
    def word(self) -> Word:
        return self.words[self.place]


class _Wish(NamedTuple):
    """All that is asked of one written word; `instead` is None while the word stays, () when it is deleted."""

    slot: _Slot
    before: list[str]
    behind: list[str]
    instead: tuple[str, ...] | None


def plan(document: ShellDocument, ops: list[WordOp]) -> list[Edit]:
    """Raises CannotEdit where no safe splice exists: words cut out of a string, words whose value is not
    known.
    """
    text = document.layout
    wishes = _wishes(document, ops)
    gone = {start for start, wish in wishes.items() if wish.instead == ()}
    for wish in wishes.values():
        heir = _heir(wish, gone, wishes)
        if heir is not None:
            heir.before[:0] = wish.behind
            wish.behind.clear()
    edits: list[Edit] = []
    done: set[int] = set()
    for start, wish in wishes.items():
        if start in gone:
            if start not in done:
                edits += _delete_run(text, wish.slot, wishes, done)
            continue
        if wish.before:
            edits.append(_insert_before(text, wish.slot, wish.before))
        texts = wish.behind
        if wish.instead is not None:
            edit, rest = _replace(wish.slot.word, wish.instead[0]), wish.instead[1:]
            if rest and wish.instead[0].startswith("-"):  # a flag keeps its value beside it
                edit, rest = edit._replace(text=f"{edit.text} {quote(rest[0])}"), rest[1:]
            edits.append(edit)
            texts = [*rest, *texts]
        if texts:
            edits.append(_insert_after(text, wish.slot, texts))
    edits.sort()
    if any(a.end > b.start for a, b in pairwise(edits)):
        raise CannotEdit("these changes touch the same place")
    _check_line_ends(text, edits)
    return edits


def _check_line_ends(text: str, edits: list[Edit]) -> None:
    """Raises CannotEdit where what is written, or what is left, would end its line in CRLF: bash takes the CR into the last word."""
    if any("\r" in edit.text or text.startswith("\r", edit.end) for edit in edits):
        raise CannotEdit("lines end in CRLF here, and bash takes the CR into the last word of a line")


def _wishes(document: ShellDocument, ops: list[WordOp]) -> dict[int, _Wish]:
    """Operations by the offset of the word they are about; the same one through two users of an array counts
    once.
    """
    wishes: dict[int, _Wish] = {}
    seen: set[tuple[int, str, tuple[str, ...]]] = set()
    for op in ops:
        slot = _slot(document, op)
        start = slot.word.start
        if (start, op.kind, op.texts) in seen:
            continue
        seen.add((start, op.kind, op.texts))
        wish = wishes.setdefault(start, _Wish(slot, [], [], None))
        if op.kind == "insert_after":
            wish.behind.extend(op.texts)
        elif op.kind == "insert_before":
            wish.before.extend(op.texts)
        elif wish.instead is not None:
            raise CannotEdit("these changes touch the same word")
        elif op.kind == "delete" or (op.kind == "replace" and op.texts):
            wishes[start] = wish._replace(instead=op.texts if op.kind == "replace" else ())
        else:
            raise CannotEdit(f"no such change: {op.kind} {op.texts}")
    return wishes


def _heir(wish: _Wish, gone: set[int], wishes: dict[int, _Wish]) -> _Wish | None:
    """The next word, when it is deleted: what was to stand behind this one takes its place."""
    index, words = wish.slot.place + 1, wish.slot.words
    if not wish.behind or index == len(words) or words[index].start not in gone:
        return None
    return wishes[words[index].start]


def _slot(document: ShellDocument, op: WordOp) -> _Slot:
    if not 0 <= op.command < len(document.commands):
        raise CannotEdit(f"no command {op.command}")
    command = document.commands[op.command]
    if not 0 <= op.word < len(command.words):
        raise CannotEdit(f"command {op.command} has no word {op.word}")
    word = command.words[op.word]
    if document.outer is not None and any(quote(text) != text for text in (*op.texts, word.raw)):
        raise CannotEdit("the word stands inside a quoted script, and needs quotes of its own")
    if word.via and word.array is None:
        raise CannotEdit(f"the word comes out of the string in ${word.via}")
    blanks = bool(word.via) and any(not text or _BLANK.search(text) for text in op.texts)
    if blanks and any(written.raw.startswith("${" + word.via + "[") for written in command.written):
        raise CannotEdit(f"${{{word.via}[@]}} is expanded without quotes, so no element can hold blanks")
    words = word.array.items if word.array is not None else command.written
    index = bisect_left(words, word.start, key=_start)
    if index < len(words) and (words[index].start, words[index].end) == (word.start, word.end):
        if op.kind in ("delete", "insert_before") and index == 0 and word.array is None:
            raise CannotEdit("the command's name cannot be moved")
        return _Slot(words, index, word.array)
    raise CannotEdit("the word is not written in its command")  # a field of a split word


def _start(word: Word) -> int:
    return word.start


# --- where a word stands on its line


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1


def _leads(text: str, word: Word) -> bool:
    """The word is the first thing on its line."""
    return not text[_line_start(text, word.start) : word.start].strip(" \t")


def _indent(text: str, slot: _Slot) -> str:
    """Indentation of a new line next to the word: that of its own line, or of the next one if the list starts
    on it.
    """
    word = slot.word
    start = _line_start(text, word.start)
    head = text[start : word.start]
    own = head[: len(head) - len(head.lstrip(" \t"))]
    first_on_line = start + len(own)
    if any(other.start == first_on_line for other in (slot.words if slot.array is not None else slot.words[1:])):
        return own
    for other in slot.words:
        if other.start > word.start and _leads(text, other):
            at = _line_start(text, other.start)
            return text[at : other.start]
    return own + "    "


def _break(text: str, slot: _Slot) -> str:
    """What ends a line between two words of the list: with a backslash, unless line ends are blanks there."""
    found = next((m[0] for a, b in _gaps(slot) if (m := _BREAK.search(text, a, b))), "")
    newline = found.lstrip("\\") or ("\r\n" if "\r\n" in text else "\n")
    return newline if slot.array is not None or found == newline else f" \\{newline}"


def _spread(text: str, slot: _Slot) -> bool:
    """The list has words on more than one line."""
    return any(_BREAK.search(text, a, b) for a, b in _gaps(slot))


def _tail(text: str, slot: _Slot) -> re.Match[str] | None:
    """Blanks behind the word, and in group 1 the end of its line if the list goes on behind it."""
    folds = slot.array is None and slot.place + 1 < len(slot.words)
    return (_FOLD.match(text, slot.word.end) if folds else None) or _TAIL.match(text, slot.word.end)


def _gaps(slot: _Slot) -> Iterator[tuple[int, int]]:
    if slot.array is not None:
        yield slot.array.open, slot.words[0].start
    yield from ((a.end, b.start) for a, b in pairwise(slot.words))


def _lines(texts: list[str]) -> list[str]:
    """Quoted texts, a flag and its value together: `--max-num-seqs 8` is one line."""
    lines: list[str] = []
    flag = False
    for text in texts:
        if flag and not text.startswith("-"):
            lines[-1] += " " + quote(text)
        else:
            lines.append(quote(text))
        flag = text.startswith("-") and "=" not in text
    return lines


# --- the changes


def _insert_after(text: str, slot: _Slot, texts: list[str]) -> Edit:
    word, lines = slot.word, _lines(texts)
    if not _spread(text, slot):
        return Edit(word.end, word.end, "".join([" " + line for line in lines]))
    indent = _indent(text, slot)
    tail = _tail(text, slot)
    if tail is not None and tail[1]:
        at = tail.end()
        back = text[word.end : at]
        return Edit(at, at, "".join([indent + line + back for line in lines]))
    rest = _REST.match(text, word.end) if slot.array is not None else None
    end = _break(text, slot)
    if rest is not None:
        return Edit(rest.end(), rest.end(), "".join([end + indent + line for line in lines]))
    if slot.array is None and slot.place + 1 < len(slot.words):
        return Edit(word.end, word.end, "".join([" " + line for line in lines]))
    return Edit(word.end, word.end, "".join([end + indent + line for line in lines]))


def _insert_before(text: str, slot: _Slot, texts: list[str]) -> Edit:
    word = slot.word
    glue = " "
    if _spread(text, slot) and _leads(text, word):
        glue = _glue(text, slot)
    return Edit(word.start, word.start, "".join([line + glue for line in _lines(texts)]))


def _glue(text: str, slot: _Slot) -> str:
    """What stands between two words on lines of their own."""
    return _break(text, slot) + _indent(text, slot)


def _replace(word: Word, new: str) -> Edit:
    if word.value is None:
        raise CannotEdit(f"the value is not known here: {word.raw}")
    return Edit(word.start, word.end, requote(word.raw, new))


def _delete_run(text: str, slot: _Slot, wishes: dict[int, _Wish], done: set[int]) -> list[Edit]:
    """Delete the word together with its deleted neighbours, or put what is to stand there in their place."""
    first = last = slot.place
    while first and _is_deleted(slot.words[first - 1], wishes):
        first -= 1
    while last + 1 < len(slot.words) and _is_deleted(slot.words[last + 1], wishes):
        last += 1
    run = slot.words[first : last + 1]
    done.update([word.start for word in run])
    held = [wishes[word.start] for word in run]
    lines = _lines([new for wish in held for new in (*wish.before, *wish.behind)])
    if not lines:
        return [_remove(text, slot, first, last)]
    head = _Slot(slot.words, first, slot.array)
    glue = _glue(text, head) if _spread(text, head) and _leads(text, run[0]) else " "
    edits = [Edit(run[0].start, run[0].end, glue.join(lines))]
    if last > first:
        edits.append(_remove(text, slot, first + 1, last))
    return edits


def _is_deleted(word: Word, wishes: dict[int, _Wish]) -> bool:
    wish = wishes.get(word.start)
    return wish is not None and wish.instead == ()


def _remove(text: str, slot: _Slot, first: int, last: int) -> Edit:
    """Take out words first..last, with their lines if nothing else is on them, and keep the continuation
    whole.
    """
    start, end = slot.words[first].start, slot.words[last].end
    tail = _tail(text, slot._replace(place=last))
    rest = _REST.match(text, end)
    if not _leads(text, slot.words[first]):
        gap = _blanks_before(text, start)
        if text[gap - 1] != "(":
            return Edit(gap, end, "")
    elif tail is not None and tail[1]:
        return Edit(_line_start(text, start), tail.end(), "")
    elif slot.array is not None and rest is not None:
        line = _LINE_END.match(text, rest.end())
        return Edit(_line_start(text, start), line.end() if line else rest.end(), "")
    elif slot.array is None and (
        rest is not None or text.startswith(("'", '"'), end)
    ):  # the end of the string around it
        return Edit(_continuation_before(text, start), end, "")
    return Edit(start, tail.end() if tail else end, "")  # something else follows on the line


def _blanks_before(text: str, at: int) -> int:
    while at and text[at - 1] in " \t":
        at -= 1
    return at


def _continuation_before(text: str, at: int) -> int:
    """Start of the blanks and line ends that lead to `at`, which is not the first word of a command."""
    at = _blanks_before(text, at)
    while text.endswith("\n", 0, at):
        at -= 2 if text[at - 2] == "\r" else 1
        at = _blanks_before(text, at - text.endswith("\\", 0, at))
    return at
