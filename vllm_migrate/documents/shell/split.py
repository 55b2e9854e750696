"""From the words of a command as written to its arguments: arrays and unquoted variables taken apart as a
shell does.
"""

from __future__ import annotations

import re
from itertools import pairwise

from vllm_migrate.documents.shell.expand import MAX_DEPTH, MAX_WORDS, Piece, Word

_ALL = re.compile(r"(\"?)\$\{([A-Za-z_]\w*)\[[@]\](?:\+\"?\$\{\2\[@\]\}\"?)?\}\1\Z|\$\{([A-Za-z_]\w*)\[\*\]\}\Z")
_NAME = re.compile(r"\$\{?([A-Za-z_]\w*)")
_SPACE = re.compile(r"[ \t\r\n]")
_QUOTES = re.compile(r"[ \t\r\n'\"]")
_OPERATOR = re.compile(r"[0-9]*[<>]|[;&|]")
_BLANKS = re.compile(r"[ \t\r\n]+|[^ \t\r\n]+")
_MARKS = re.compile(r"['\"]|[ \t\r\n]+|[^ \t\r\n'\"]+")


def arguments(words: list[Word]) -> list[Word]:
    """The words of a command with arrays and unquoted variables taken apart as the shell would."""
    for word in words:
        if "$" in word.raw:
            break
    else:
        return words
    out: list[Word] = []
    again = words[0].script.outer is not None
    for word in words:
        _argument(word, word, out, 0, again)
    if again:
        ends = (at for at, word in enumerate(out) if word.via and len(word.pieces) == 1 and _OPERATOR.match(word.raw))
        del out[next(ends, len(out)) :]
    return out


def _argument(word: Word, seen: Word, out: list[Word], depth: int, again: bool) -> None:
    """Append what `word` becomes; `seen` is the same word with the array it came from. `again`: a shell reads what the
    expansion gave, with its quotes."""
    raw = word.raw
    if "$" not in raw or depth > MAX_DEPTH or len(out) > MAX_WORDS:
        out.append(seen)
        return
    name = array_name(raw) if raw[-1] in '}"' and "[" in raw else ""
    if name:
        joined = raw.endswith("[*]}")
        found = word.script.elements(name, word.start, word.scope, joined)
        if found is None:
            out.append(seen)
            return
        for array, item, maybe in found:
            here = array if item.script is word.script else None  # an edit of this script reaches no other's
            element = item.seen(name, here, maybe or seen.maybe)
            if raw[0] == "$" and any(
                piece.known and (_QUOTES if again else _SPACE).search(piece.text) for piece in item.pieces
            ):
                loose = [piece._replace(loose=True) for piece in item.pieces]
                out += [_field(word, element, field) for field in _split(loose, again)]
            else:
                _argument(item, element, out, depth + 1, again)
        return
    if not word.script.may_split(raw) or not any(piece.loose and piece.known for piece in word.pieces):
        out.append(seen)
        return
    fields = _split(word.pieces, again)
    if len(fields) == 1 and fields[0] == word.pieces:
        out.append(seen)
        return
    for field in fields:
        out.append(_field(word, seen, field))


def _split(pieces: list[Piece], again: bool) -> list[list[Piece]]:
    """Fields of a word: text that came from an unquoted expansion is split at blanks, and vanishes when
    empty. `again`: not at those in quotes, which go.
    """
    fields: list[list[Piece]] = []
    fresh, quote = True, ""
    for piece in pieces:
        plain = not (piece.loose and piece.known)
        for part in (piece,) if plain else _parts(piece, again):
            mark = "" if plain else part.text[:1]
            if mark and not quote and mark in " \t\r\n":
                fresh = True
                continue
            if again and not plain and (mark == quote if quote else mark in ("'", '"')):
                quote = "" if quote else mark
                part = part._replace(text="", hint="", end=part.start)
            if fresh:
                fields.append([])
            fields[-1].append(part)
            fresh = False
    return fields


def _parts(piece: Piece, again: bool) -> list[Piece]:
    """The text of a piece, its blanks and, where `again`, its quotes by themselves."""
    found = (_MARKS if again else _BLANKS).finditer(piece.text)
    return [_slice(piece, m.start(), m.end()) for m in found]


def _slice(piece: Piece, start: int, end: int) -> Piece:
    text = piece.text[start:end]
    if piece.exact:
        return piece._replace(text=text, hint=text, start=piece.start + start, end=piece.start + end)
    return piece._replace(text=text, hint=text)


def _field(word: Word, seen: Word, pieces: list[Piece]) -> Word:
    """One field of a split word. It stands inside the variable's string, so no edit can reach it by itself."""
    inside = all(first.end <= then.start for first, then in pairwise(pieces))
    start, end = (pieces[0].start, pieces[-1].end) if inside else (word.start, word.end)
    field = Word(word.script, start, end, "".join([piece.text for piece in pieces]), word.scope)
    m = _NAME.search(word.raw)
    field.via, field._pieces = m[1] if m else word.raw, pieces
    field.maybe = seen.maybe or any(piece.maybe for piece in pieces)
    return field


def array_name(raw: str) -> str:
    """NAME of a word that is all of an array, `"${NAME[@]}"`, also in its `${NAME[@]+...}` form; else ""."""
    m = _ALL.match(raw)
    return (m[2] or m[3]) if m else ""
