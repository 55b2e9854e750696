"""One pass over a shell script: commands, assignments, arrays, heredocs, scopes, each word with its offsets.

What bash refuses is refused (Unreadable, with the place): whatever is never closed, and whatever closes or continues
nothing. The inside of `$(...)` is read for that alone; `[[ ]]` and `(( ))` hold no commands; a string handed to `bash -c`
stays a string (see shell.ShellDocument.nested).
"""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.compound import KEYWORDS, PARENS, Compound
from vllm_migrate.documents.shell.expand import Assign, Word
from vllm_migrate.documents.shell.lexer import TOKEN
from vllm_migrate.documents.shell.statements import (
    BEGINS,
    BODY,
    CLOSED,
    DECLARE,
    EMPTY,
    ENDED,
    NEEDED,
    NEXT,
    PREFIXED,
    REDIRECTED,
    TARGET,
    Block,
    Heredoc,
    Raw,
)

__all__ = ["DECLARE", "Heredoc", "Raw", "ShellScanner"]

_BLANK_LINES = re.compile(r"(?:[ \t]*+(?:\r\n?|\n))++")  # of what stands inside another file there are many
_SUBSCRIPT = re.compile(r"[A-Za-z_]\w*\[")
_DESCRIPTOR = re.compile(r"[0-9]+\Z|\{[A-Za-z_]\w*\}\Z")


class ShellScanner(Compound):
    """Reads `text`; the results are commands, exports, heredocs, comments, gaps and `script`."""

    def run(self) -> None:
        """Raises Unreadable, with the place, for what bash refuses: "syntax", "too-deep"."""
        self._read(0)

    def substitution(self, at: int) -> int:
        self.enter(at)
        inside = ShellScanner(self.text)
        inside.nesting, inside.extglob = self.nesting, self.extglob
        inside._blocks[0] = Block("substitution", 0, 0, at, self.text[at : at + 2])
        end = inside._read(at + 2)
        self.nesting -= 1
        return end

    def _read(self, pos: int) -> int:
        """Read from `pos` to the end of the text, or to the parenthesis that closes a substitution; the offset after it."""
        text, n, match = self.text, len(self.text), TOKEN.match
        while pos < n:
            m = match(text, pos)
            if m is None:  # cannot be: the last alternative matches anything
                break
            kind, pos = m.lastgroup, m.end()
            if kind == "word" or kind == "odd":
                start = m.start(kind)
                end = pos if kind == "word" else self.word_end(start)
                raw = self._raw
                if raw is not None and raw.words and not self._redirect and end < n and text[end] not in "<>":
                    word = Word(self.script, start, end, text[start:end], self._scope)
                    raw.words.append(word)
                    raw.end = pos = end
                    if kind == "odd" and text[start] in "<>":
                        raw.closed = True
                    if text[end] == "(" or "=" in word.raw:
                        pos = self._argument(word, end)
                else:
                    pos = self._word(start, end)
            elif kind == "line":
                self._newline(m.start("line"))
                if self._pending:
                    pos = self._bodies(pos)
                elif (blank := _BLANK_LINES.match(text, pos)) is not None:
                    pos = blank.end()
            elif kind == "comment":
                self.comments.append(m.span("comment"))
                if self._comment_at < 0:
                    self._comment_at = m.start("comment")
            elif kind == "op":
                if m["op"] == ")" and self._blocks[-1].kind == "substitution":
                    self._end()
                    return pos
                pos = self._operator(m["op"], pos)
        if len(self._blocks) > 1 or self._blocks[0].kind != "top":
            raise self.refused(self._blocks[-1].opened, f"`{self._blocks[-1].word}` is never closed")
        self._end()
        return pos

    def _end(self) -> None:
        """The script, or the substitution, ends here."""
        if self._redirect or self._state in (NEEDED, BODY):
            raise self.refused(self._at, f"nothing follows `{self._sign()}`")
        if self._pending:
            raise self._unended(self._pending[0])
        self._finish()

    def _word(self, start: int, end: int) -> int:
        """A word that is not simply one more argument; returns where to go on."""
        text = self.text
        if end < len(text) and text[end] in "<>" and _DESCRIPTOR.match(text[start:end]):
            if self._redirect:
                raise self._unexpected(start)
            return end
        if self._redirect:
            return self._redirected(start, end)
        raw = self._raw
        if raw is not None and raw.words:
            word = self._make(start, end)
            raw.words.append(word)
            raw.end = end
            return self._argument(word, end)
        if raw is None:
            keyword = text[start:end].replace("\\\n", "")  # a continuation may stand inside
            if keyword in KEYWORDS:
                self._at = start
                return self._keyword(keyword, start, end)
        if _SUBSCRIPT.match(text, start):
            end = self._subscript(text.index("[", start), end)
        m = TARGET.match(text, start, end)
        if m is not None:
            return self._assignment(m, start, end)
        if raw is None:
            function = PARENS.match(text, end)
            if function is not None:
                return self._named(start, function.end())
        raw = self._begin(start)
        if not raw.assignments:
            raw.start = start
        raw.words.append(self._make(start, end))
        raw.end = end
        return end

    def _operator(self, op: str, pos: int) -> int:
        at = pos - len(op)
        if self._redirect:
            raise self._unexpected(at)
        state, self._at = self._state, at
        if op[0] in "<>" or op in ("&>", "&>>"):
            if state in (CLOSED, REDIRECTED):
                self._state = REDIRECTED
            else:
                raw = self._begin(at)
                raw.closed = raw.closed or bool(raw.words or raw.assignments) or raw.arrays
            self._redirect = op
            return pos
        if op == "(":
            return self._opened(at)
        if op == ")":
            block = self._blocks[-1]
            if state in ENDED or state in (NEXT, PREFIXED):
                self._finish()
                if block.word == "(":
                    self._pop()
                    return pos
            raise self._unexpected(at)
        if op in (";;", ";&", ";;&"):
            if self._blocks[-1].kind != "arm" or not (state in ENDED or state in (NEXT, EMPTY)):
                raise self._unexpected(at)
            self._finish()
            self._pop()
            return self._pattern(pos)
        if not (state in ENDED or (op == ";" and state == PREFIXED)):
            raise self._unexpected(at)
        if op in ("|", "|&", "&") and self._raw is not None:
            self._raw.sure = False
            self._plain = [a._replace(sure=False) if isinstance(a, Assign) else a for a in self._plain]
        self._finish()
        self._state = NEXT if op in (";", "&") else NEEDED
        self._listed = op in ("&&", "||")
        self._piped = op in ("|", "|&")
        return pos

    def _opened(self, at: int) -> int:
        """After `(` at a command's place: a subshell, a function's body, or `(( ... ))`."""
        if self._raw is not None or not (self._state in BEGINS or self._state == BODY):
            raise self._unexpected(at)
        if self.text.startswith("((", at):
            end = self.arithmetic(at + 1)
            if self.text.startswith(")", end):
                return self._arithmetic(at, end + 1)
        self._push("function" if self._function else "subshell", "(")
        return at + 1
