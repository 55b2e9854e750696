"""The expression in `[[ ... ]]`: nothing in it is a command, but bash refuses the file where it is not well formed."""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.lexer import Lexer

_BLANKS = re.compile(r"(?:[ \t]++|\\\r?\n)*+")
_LINES = re.compile(r"(?:[ \t\r\n]++|\\\r?\n|(?<=[\s(&|])\#[^\r\n]*)*+")
_UNARY = re.compile(r"-[abcdefghknoprstuvwxzGLNORS]\Z")
_BINARY = frozenset(("=", "==", "!=", "=~", "-ef", "-nt", "-ot", "-eq", "-ne", "-lt", "-le", "-gt", "-ge"))
_REGEXP_ENDS = " \t\r\n;&<>)"


class ShellTest:
    """Reads one expression; `at` is where it goes on."""

    def __init__(self, lexer: Lexer, opened: int) -> None:
        self.lexer = lexer
        self.text = lexer.text
        self.opened = opened
        self.at = opened + 2

    def read(self) -> int:
        """The offset after `]]`. Raises Unreadable."""
        self._either()
        if self._word() != "]]":
            raise self._refused()
        return self.at

    def _refused(self) -> Exception:
        if self.at >= len(self.text):
            return self.lexer.refused(self.opened, "`[[` is never closed")
        return self.lexer.refused(self.at, "not a condition that bash reads between `[[` and `]]`")

    def _skip(self, pattern: re.Pattern[str]) -> None:
        m = pattern.match(self.text, self.at)
        if m is not None:
            self.at = m.end()

    def _takes(self, sign: str) -> bool:
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _either(self) -> None:
        """Terms joined by `||` and `&&`."""
        self._term()
        while self._takes("&&") or self._takes("||"):
            self._term()

    def _term(self) -> None:
        self._skip(_LINES)
        if self._takes("("):
            self.lexer.enter(self.at - 1)
            self._either()
            if not self._takes(")"):
                raise self._refused()
            self.lexer.nesting -= 1
            self._skip(_LINES)
            return
        start = self.at
        word = self._word()
        if word == "!":
            self._term()
            return
        if word in ("", "]]"):
            self.at = start
            raise self._refused()
        if _UNARY.match(word):
            self._operand()
        else:
            self._comparison()

    def _comparison(self) -> None:
        """What follows the first word of a term."""
        self._skip(_BLANKS)
        start = self.at
        if self._takes("&&") or self._takes("||") or self._takes(")"):
            self.at = start
            return
        if self.text[start : start + 1] in ("<", ">") and self.text[start + 1 : start + 2] not in (
            "<",
            ">",
            "(",
            "&",
            "|",
        ):
            self.at += 1
            self._operand()
            return
        word = self._word()
        if word == "]]":
            self.at = start
        elif word == "=~":
            self._regexp()
        elif word in _BINARY:
            self._operand(glob=word in ("=", "==", "!="))
        else:
            self.at = start
            raise self._refused()

    def _operand(self, glob: bool = False) -> None:
        self._skip(_BLANKS)
        start = self.at
        if self._word(glob) in ("", "]]"):
            self.at = start
            raise self._refused()
        self._skip(_LINES)

    def _word(self, glob: bool = False) -> str:
        """The next word as written; "" where none follows on the line."""
        self._skip(_BLANKS)
        start, text = self.at, self.text
        first = text[start : start + 1]
        if not first or first in "\r\n;&|()#" or (first in "<>" and text[start + 1 : start + 2] != "("):
            return ""
        self.at = self.lexer.word_end(start, glob)
        return text[start : self.at]

    def _regexp(self) -> None:
        """The word after `=~`, in which brackets, round ones too, and bars are part of the pattern."""
        self._skip(_BLANKS)
        text, n, start = self.text, len(self.text), self.at
        while self.at < n and text[self.at] not in _REGEXP_ENDS:
            c = text[self.at]
            if c == "(":
                self.at = self.lexer.group(self.at)
            elif c in "'\"`":
                self.at = self.lexer.quote(self.at)
            elif c == "$":
                self.at = self.lexer.dollar(self.at)
            else:
                self.at += 2 if c == "\\" else 1
        if self.at == start or text[start : self.at] == "]]":
            self.at = start
            raise self._refused()
        self._skip(_LINES)
