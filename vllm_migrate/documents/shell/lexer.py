"""Where the words of a shell script end: quotes, expansions and subscripts, refused where they are never closed."""

from __future__ import annotations

import re

from vllm_migrate.documents.interface import Source, Unreadable
from vllm_migrate.documents.shell.skip import compiled

MAX_NESTING = 100  # of quotes and substitutions in one word

# `${...}` without blanks, quotes or commands inside, at most one more inside; the rest goes the slow way (word_end).
_BARE = r"""[^{}'"`$\\ \t\r\n;&|<>()]*+"""
_WORD = rf"""(?:[^ \t\r\n;&|<>()\\'"$`]++ | '[^']*+'
    | "(?:[^"\\$`]++|\\[\s\S]|\$\$|\$(?![({{\[])|\$\{{[^{{}}'"`$\\()]*+(?:\$\{{[^{{}}'"`$\\()]*+\}})?[^{{}}'"`$\\()]*+\}})*+"
    | \$\{{{_BARE}(?:\$\{{{_BARE}\}})?{_BARE}\}} | \$\$ | \$(?![({{'"\[]) | \\[^\r\n]
    | (?:\\\r?\n)++(?![ \t\r\n;&|()]|[<>](?!\()|\\?\Z))"""
TOKEN = re.compile(
    rf"""(?:[ \t]++|\\\r?\n|\\\Z)*+
    (?: (?P<comment>\#[^\r\n]*) | (?P<word>{_WORD}++(?=[ \t\r\n;&|)]|[<>](?!\()|(?<![?*+@!])\(|\Z)) | (?P<line>\r\n?|\n)
    | (?P<op>&&|\|\||;;&|;;|;&|\|&|&>>|&>|<<<|<<-|<<|<&|>&|>>|>\||<>|[<>](?!\()|[;&|()]) | (?P<eof>\Z) | (?P<odd>) )""",
    re.X,
)
_CHUNK = rf"{_WORD}++"
_GLUED = re.compile(r"(?:\\\r?\n)*+(?![ \t\r\n;&|()]|[<>](?!\()|\\?\Z)")
_SINGLE = re.compile(r"'[^']*+'")
_ANSI = re.compile(r"\$'(?:[^'\\]|\\[\s\S])*+'")
_TICK = re.compile(r"`(?:[^`\\]|\\[\s\S])*+`")
_ENDS = " \t\r\n;&|<>()"
# What matters inside double quotes, `${...}`, and brackets: those of arithmetic, and others.
_STRING = r"""\\[\s\S] | \$\$ | (?P<quote>`) | (?P<dollar>\$[{(\[]) | (?P<close>") """
_GROUP = r"""\\[\s\S] | \$\$ | (?P<ansi>\$') | (?P<quote>['"`]) | (?P<dollar>\$[{(\[]) | (?P<process>[<>]\() |"""
_ARITHMETIC = r"""\\[\s\S] | \$\$ | (?P<ansi>\$') | (?P<quote>['"`]) | (?P<dollar>\$\() |"""
_BRACES = _GROUP + r" (?P<close>\})"
_ROUND = r" (?P<open>\() | (?P<close>\))"
_SQUARE = r" (?P<open>\[) | (?P<close>\])"


class Lexer:
    """Ends of words and of what they hold. `nesting` counts the constructs around the place being read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.nesting = 0
        self.extglob = "extglob" in text  # bash reads `!(a)` as a pattern only where `shopt -s extglob` came before

    def refused(self, at: int, message: str, reason: str = "syntax") -> Unreadable:
        """The error of something wrong at offset `at`."""
        return Unreadable(reason, message, *Source("", b"", self.text, False, "\n").position(at))

    def substitution(self, at: int) -> int:
        """After the commands in `$(...)`, `<(...)` or `>(...)` that opens at `at`. Raises Unreadable."""
        raise NotImplementedError

    def word_end(self, start: int, glob: bool = False) -> int:
        """After the word that starts at `start`, however its quotes nest. `glob`: patterns such as `@(a|b)` may stand in it.

        Raises Unreadable where a quote or bracket in it is never closed.
        """
        text, n, i = self.text, len(self.text), start
        chunk = compiled(_CHUNK).match
        glob = glob or self.extglob
        while i < n:
            m = chunk(text, i)
            if m is not None:
                i = m.end()
                continue
            c = text[i]
            if c in "'\"`":
                i = self.quote(i)
            elif c == "$":
                i = self.dollar(i)
            elif (c in "<>" and text.startswith("(", i + 1)) or (
                c == "(" and glob and i > start and text[i - 1] in "?*+@!" and text[i - 2 : i] != "$@"
            ):
                i = self.substitution(i) if c != "(" else self.group(i)
            elif c in _ENDS or (c == "\\" and i > start):
                break
            else:
                i += 1
        return max(i, min(start + 1, n))

    def rest(self, at: int) -> int:
        """The end of the word whose parenthesis closes before `at`: `a=(b)c` is one."""
        return self.word_end(at) if _GLUED.match(self.text, at) else at

    def quote(self, at: int) -> int:
        """After the quoted text or the backticks that open at `at`."""
        c = self.text[at]
        if c == '"':
            return self.pair(at, _STRING, '"')
        m = (_SINGLE if c == "'" else _TICK).match(self.text, at)
        if m is None:
            raise self.refused(at, f"a {'single quote' if c == chr(39) else 'backtick'} is never closed")
        return m.end()

    def dollar(self, at: int) -> int:
        """After the expansion, or the `$'...'`, that opens at `at`; of a lone dollar, and of `$"`, after the dollar."""
        text = self.text
        following = text[at + 1 : at + 2]
        if following == "{":
            return self.pair(at, _BRACES, "${")
        if following == "[":
            return self.pair(at, _ARITHMETIC + _SQUARE, "$[")
        if following == "(":
            return (
                self.pair(at, _ARITHMETIC + _ROUND, "$((", 2) if text.startswith("(", at + 2) else self.substitution(at)
            )
        if following == "'":
            m = _ANSI.match(text, at)
            if m is None:
                raise self.refused(at, "a single quote is never closed")
            return m.end()
        return at + 1

    def arithmetic(self, at: int) -> int:
        """After the parenthesis that closes the one at `at`, with arithmetic in between."""
        return self.pair(at, _ARITHMETIC + _ROUND, "(")

    def group(self, at: int) -> int:
        """After the parenthesis that closes the one at `at`, with a pattern in between."""
        return self.pair(at, _GROUP + _ROUND, "(")

    def subscript(self, at: int) -> int:
        """After the bracket that closes the one at `at`."""
        return self.pair(at, _GROUP + _SQUARE, "[")

    def pair(self, at: int, inside: str, opener: str, count: int = 1) -> int:
        """After what closes `opener` at `at`; `count` brackets are open after it."""
        self.enter(at)
        search = compiled(inside).search
        i = at + len(opener)
        while count:
            m = search(self.text, i)
            if m is None:
                raise self.refused(
                    at, "a double quote is never closed" if opener == '"' else f"`{opener}` is never closed"
                )
            kind, i = m.lastgroup, m.end()
            if kind == "close":
                count -= 1
            elif kind == "open":
                count += 1
            elif kind == "quote":
                i = self.quote(m.start())
            elif kind == "dollar" or kind == "ansi":
                i = self.dollar(m.start())
            elif kind == "process":
                i = self.substitution(m.start())
        self.nesting -= 1
        return i

    def enter(self, at: int) -> None:
        """One more construct is open. Raises Unreadable("too-deep")."""
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.refused(at, f"quotes and substitutions nest deeper than {MAX_NESTING}", "too-deep")
