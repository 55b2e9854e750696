"""Git's own glob matching, so that a .gitignore means here what it means to git.

A transcription of the behaviour of git's wildmatch, not a translation to regular expressions: those have no word for
its corner cases, and compiling them costs more than the few names that get this far. Text and pattern are strings in
which one character is one byte (see `octets`), because git's `?` and `[...]` take bytes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MATCH, NO_MATCH, ABORT_ALL, ABORT_TO_STARSTAR = 0, 1, 2, 3
SPECIAL = "*?[\\"
END = "\0"


def octets(name: str) -> str:
    """A file name as one character per byte of its encoding."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def wildmatch(pattern: str, text: str, pathname: bool) -> bool:
    """Whether the whole text matches. `pathname`: only `**` matches a slash. False for a pattern that is malformed."""
    try:
        return _match(pattern + END, 0, text + END, 0, pathname, {}) == MATCH
    except RecursionError:  # thousands of stars: no name is meant by it
        return False


def _match(p: str, i: int, text: str, j: int, pathname: bool, known: dict[tuple[int, int], int]) -> int:
    """Match p from i with text from j. `known`: what the parts behind stars came to, so that none is matched twice."""
    start = i
    while (c := p[i]) != END:
        t = text[j]
        if t == END and c != "*":
            return ABORT_ALL
        if c == "*":
            return _star(p, i, start, text, j, pathname, known)
        if c == "[":
            inside, i = _bracket(p, i, t)
            if i < 0:
                return ABORT_ALL
            if not inside or (pathname and t == "/"):
                return NO_MATCH
        elif c == "?":
            if pathname and t == "/":
                return NO_MATCH
        else:
            if c == "\\":
                i += 1
            if p[i] != t:
                return NO_MATCH
        i += 1
        j += 1
    return MATCH if text[j] == END else NO_MATCH


def _rest(p: str, i: int, text: str, j: int, pathname: bool, known: dict[tuple[int, int], int]) -> int:
    """`_match`, where a star comes before."""
    found = known.get((i, j))
    if found is None:
        found = known[i, j] = _match(p, i, text, j, pathname, known)
    return found


def _star(p: str, i: int, start: int, text: str, j: int, pathname: bool, known: dict[tuple[int, int], int]) -> int:
    """Match from the star at p[i]; `start` is where this stretch of the pattern began."""
    before = i - 1
    i += 1
    across = not pathname
    if p[i] == "*":
        while p[i] == "*":
            i += 1
        whole = (before < start or p[before] == "/") and (p[i] in "/\0" or p[i : i + 2] == "\\/")
        if pathname and whole:
            if p[i] == "/" and _rest(p, i + 1, text, j, pathname, known) == MATCH:
                return MATCH
            across = True
    if p[i] == END:
        return MATCH if across or "/" not in text[j:] else NO_MATCH
    if not across and p[i] == "/":
        slash = text.find("/", j)
        return NO_MATCH if slash < 0 else _rest(p, i + 1, text, slash + 1, pathname, known)
    return _stretch(p, i, text, j, across, pathname, known)


def _stretch(p: str, i: int, text: str, j: int, across: bool, pathname: bool, known: dict[tuple[int, int], int]) -> int:
    """Let a star take ever more of the text until the rest of the pattern matches."""
    literal = p[i] if p[i] not in SPECIAL else ""
    while text[j] != END:
        if literal:
            while text[j] != literal and text[j] != END and (across or text[j] != "/"):
                j += 1
            if text[j] != literal:
                return NO_MATCH
        result = _rest(p, i, text, j, pathname, known)
        if result != NO_MATCH:
            if not across or result != ABORT_TO_STARSTAR:
                return result
        elif not across and text[j] == "/":
            return ABORT_TO_STARSTAR
        j += 1
    return ABORT_ALL


def _bracket(p: str, i: int, t: str) -> tuple[bool, int]:
    """Whether byte t is in the set that opens at p[i], and where the set closes; -1 when it never does."""
    i += 1
    negated = p[i] in "!^"
    if negated:
        i += 1
    matched, previous = False, ""
    while True:
        c = p[i]
        if c == END:
            return False, -1
        if c == "\\":
            i += 1
            c = p[i]
            if c == END:
                return False, -1
            matched = matched or t == c
        elif c == "-" and previous and p[i + 1] not in "]\0":
            i += 1
            if p[i] == "\\":
                i += 1
                if p[i] == END:
                    return False, -1
            matched = matched or previous <= t <= p[i]
            c = ""
        elif c == "[" and p[i + 1] == ":":
            close = p.find("]", i + 2)
            if close < 0:
                return False, -1
            if close == i + 2 or p[close - 1] != ":":
                matched = matched or t == "["
            else:
                test = CLASSES.get(p[i + 2 : close - 1])
                if test is None:
                    return False, -1
                matched = matched or test(t)
                i, c = close, ""
        else:
            matched = matched or t == c
        previous = c
        i += 1
        if p[i] == "]":
            return matched != negated, i


def _ascii(test: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda c: c.isascii() and test(c)


CLASSES: dict[str, Callable[[str], bool]] = {
    "alnum": _ascii(str.isalnum),
    "alpha": _ascii(str.isalpha),
    "blank": lambda c: c in " \t",
    "cntrl": lambda c: c < " " or c == "\x7f",
    "digit": _ascii(str.isdigit),
    "graph": lambda c: "!" <= c <= "~",
    "lower": _ascii(str.islower),
    "print": lambda c: " " <= c <= "~",
    "punct": lambda c: "!" <= c <= "~" and not c.isalnum(),
    "space": lambda c: c in " \t\n\r\v\f",
    "upper": _ascii(str.isupper),
    "xdigit": lambda c: c in "0123456789abcdefABCDEF",
}
