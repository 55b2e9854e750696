"""The words of a command that a variable holds as one string: `eval "$CMD"`.

They are read a second time, quotes and all, as far as the file decides the string. None of them can be edited.
"""

from __future__ import annotations

import re
import shlex
from itertools import groupby

from vllm_migrate.documents.shell.expand import Piece, Word, cut

MAX_TEXT = 1 << 14
_VARIABLE = re.compile(r'"?\$\{?([A-Za-z_]\w*)\}?"?\Z')
_HOLE = re.compile("[\ue100-\uf000]")
_MAYBE = "\uf001"  # before a word that a branch adds
_STARTS = re.compile(r"(?<=\s)(?=\S)")
_FIRST_HOLE, _MAX_HOLES = 0xE100, 0xF00
_OPERATORS = "();<>|&"


def evaluated(words: list[Word]) -> list[Word]:
    """The words of the longest command in what `eval` gets as a variable; others as they are."""
    if words[0].raw != "eval" or not any(_VARIABLE.match(word.raw) for word in words[1:]):
        return words
    read = _read(words[1:])
    return [words[0], *read] if read else words


def _read(words: list[Word]) -> list[Word]:
    parts: list[str] = []
    holes: list[Piece] = []
    for word in words:
        for piece in cut(word, 0, assigned=True):
            if piece.known:
                parts.append(_STARTS.sub(_MAYBE, piece.text) if piece.maybe else piece.text)
            else:
                holes.append(piece)
                parts.append(chr(_FIRST_HOLE + len(holes) - 1))
        parts.append(" ")
    text = "".join(parts)
    if len(text) > MAX_TEXT or len(holes) > _MAX_HOLES:
        return []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return []
    commands = [
        list(group) for operator, group in groupby(tokens, lambda token: not token.strip(_OPERATORS)) if not operator
    ]
    longest = max(commands, key=len, default=[])
    match = next((found[1] for word in words if (found := _VARIABLE.match(word.raw))), "")
    texts = [piece for word in words for piece in word.pieces if piece.exact]
    return [_word(words[0], token, holes, match, _place(token.replace(_MAYBE, ""), texts)) for token in longest]


def _place(token: str, texts: list[Piece]) -> tuple[int, int] | None:
    """Where a token stands character for character in the string; None where quotes or variables are in it."""
    for piece in texts:
        at = piece.text.find(token)
        if at >= 0:
            return piece.start + at, piece.start + at + len(token)
    return None


def _word(holder: Word, token: str, holes: list[Piece], via: str, place: tuple[int, int] | None) -> Word:
    start, end = place or (holder.start, holder.end)
    maybe, token = _MAYBE in token, token.replace(_MAYBE, "")
    word = Word(holder.script, start, end, token, holder.scope)
    word.via, word.maybe = via, maybe
    word._pieces = []
    at = 0
    for hole in _HOLE.finditer(token):
        word._pieces.extend(_known(holder, token[at : hole.start()]))
        piece = holes[ord(hole[0]) - _FIRST_HOLE]
        word._pieces.append(piece._replace(loose=True, wide=token == hole[0]))
        at = hole.end()
    word._pieces.extend(_known(holder, token[at:]))
    word.raw = "".join([piece.text for piece in word._pieces])
    return word


def _known(holder: Word, text: str) -> list[Piece]:
    """A stretch that stands in the string, unless the shell that reads it again expands something in it."""
    decided = "$" not in text and "`" not in text
    return [Piece(text, decided, text if decided else None, holder.start, holder.end)] if text else []
