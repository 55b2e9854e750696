"""Compound commands: `if`, loops, `case`, functions, `(( ))`, and the words that open, divide and close them."""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.condition import ShellTest
from vllm_migrate.documents.shell.lexer import TOKEN
from vllm_migrate.documents.shell.skip import compiled
from vllm_migrate.documents.shell.statements import (
    BEGINS,
    BODY,
    CHANGED,
    CLOSED,
    EMPTY,
    NAME,
    NEEDED,
    NEXT,
    PREFIXED,
    Statements,
)

# In the head of a loop over numbers, what may hold a `;` of its own.
_OPAQUE = r"""\\[\s\S] | \$\([^()]*\) | \$\{[^{}]*(?:\}|\Z) | "[^"]*" | '[^']*'"""
PARENS = re.compile(r"[ \t]*\([ \t]*\)")
_PREFIX_OPTIONS = re.compile(r"(?:[ \t]+-p(?=\s|\Z))?(?:[ \t]+--(?=\s|\Z))?")
_COPROC_NAME = re.compile(r"[ \t]+[A-Za-z_]\w*(?=[ \t]*\(|[ \t]+(?:\{|\[\[|if|while|until|for|select|case)\s)")
_COMPOUND = ("if", "then", "elif", "else", "fi", "while", "until", "for", "select", "do", "done", "case", "esac")
KEYWORDS = frozenset((*_COMPOUND, "{", "}", "!", "time", "function", "[[", "]]", "in", "coproc"))
_CLOSING = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}"))


class Compound(Statements):
    """Reads the heads of compound commands and keeps account of those that are open."""

    def _keyword(self, word: str, start: int, end: int) -> int:
        """A reserved word at a command's place; returns where to go on."""
        self._gap()
        if word in _CLOSING:
            return self._closing(word, start, end)
        if not (self._state in BEGINS or (self._state == BODY and word not in ("!", "time", "function", "coproc"))):
            raise self._unexpected(start)
        if word == "{":
            self._push("function" if self._function else "group", word)
        elif word == "if":
            self._push("if", word)
        elif word in ("while", "until"):
            self._push("loop", word)
        elif word in ("for", "select"):
            self._push("loop", word)
            return self._for(end)
        elif word == "case":
            return self._case(end)
        elif word == "function":
            return self._named_function(end)
        elif word == "[[":
            self.enter(start)
            end = ShellTest(self, start).read()
            self.nesting -= 1
            self._function, self._state = False, CLOSED
        elif word in ("!", "time"):
            if word == "!" and self._piped:
                raise self._unexpected(start)
            self._state = PREFIXED
            return _matched(_PREFIX_OPTIONS, self.text, end) if word == "time" else end
        elif word == "coproc":
            if compiled(r"(?:[ \t]|\\\r?\n)*(?:[\r\n;&|)#]|![ \t]|\Z)").match(self.text, end):
                raise self.refused(start, "nothing follows `coproc`")
            self._state = NEEDED
            return _matched(_COPROC_NAME, self.text, end)
        else:
            raise self._unexpected(start)
        return end

    def _closing(self, word: str, start: int, end: int) -> int:
        """`then`, `fi`, `}` and their like."""
        block = self._blocks[-1]
        if not (self._state in (NEXT, CLOSED) or (self._state == EMPTY and word == "esac")):
            raise self._unexpected(start)
        opened = block.opened
        if (word == "then" and block.phase in ("if", "elif")) or (
            word in ("elif", "else", "fi")
            and block.kind == "if"
            and block.phase in ("then", "else")
            and (word == "fi" or block.phase == "then")
        ):
            self._pop()
            if word != "fi":
                self._push("if", "if")
                self._blocks[-1].opened, self._blocks[-1].phase = opened, word
        elif word == "do" and block.kind == "loop" and block.phase in ("while", "until"):
            block.phase, self._state = word, NEEDED
        elif (word, block.phase) in (("done", "do"), ("}", "{")):
            self._pop()
        elif word == "esac" and block.kind == "arm":
            self._pop()
            self._pop()
        else:
            raise self._unexpected(start)
        return end

    def _next(self, pos: int) -> tuple[int, int]:
        """(start, end) of the next word; equal when something else comes."""
        m = TOKEN.match(self.text, pos)
        if m is None or m.lastgroup not in ("word", "odd"):
            return pos, pos
        start = m.start(m.lastgroup)
        return start, m.end() if m.lastgroup == "word" else self.word_end(start)

    def _lines(self, pos: int) -> int:
        """After the line ends and comments that come next."""
        while True:
            m = TOKEN.match(self.text, pos)
            if m is None or m.lastgroup not in ("line", "comment"):
                return pos
            pos = m.end()
            if m.lastgroup == "comment":
                self.comments.append(m.span("comment"))
            elif self._pending:
                pos = self._bodies(pos)

    def _must(self, pos: int, opened: int) -> Exception:
        """The error of what stands at `pos` in the head of a compound command."""
        m = TOKEN.match(self.text, pos)
        if m is None or m.lastgroup == "eof":
            return self.refused(opened, f"`{self._blocks[-1].word}` is never closed")
        return self._unexpected(m.start(m.lastgroup or 0))

    def _for(self, pos: int) -> int:
        """The head of a loop over words, or over numbers, up to its `do` or `{`."""
        opened = self._blocks[-1].opened
        start, end = self._next(pos)
        if start == end:
            pos = self._counted(pos, opened)
        else:
            name = self.text[start:end]
            if name == "in":
                raise self._unexpected(start)
            if NAME.match(name):
                self._unset(name, start)
            pos = self._listed_words(end)
        start, end = self._next(self._lines(pos))
        word = self.text[start:end]
        if word not in ("do", "{"):
            raise self._must(self._lines(pos), opened)
        self._blocks[-1].phase = word
        self._at, self._state = start, NEEDED
        return end

    def _counted(self, pos: int, opened: int) -> int:
        """`((a; b; c))` of a loop, and the separator behind it."""
        m = re.compile(r"(?:[ \t]|\\\r?\n)*\(\(").match(self.text, pos)
        end = self.arithmetic(m.end() - 1) if m is not None else 0
        if m is None or not self.text.startswith(")", end):
            raise self._must(pos, opened)
        if compiled(_OPAQUE).sub("", self.text[m.end() : end - 1]).count(";") != 2:
            raise self.refused(m.end() - 2, "`for ((` needs three expressions")
        end = self._arithmetic(m.end() - 2, end + 1)
        return self._separator(end)

    def _separator(self, pos: int) -> int:
        m = re.compile(r"(?:[ \t]|\\\r?\n)*;(?!;)").match(self.text, pos)
        return m.end() if m is not None else pos

    def _listed_words(self, pos: int) -> int:
        """The words of a loop, and the separator behind them."""
        after = self._separator(pos)
        if after > pos:
            return after
        start, end = self._next(self._lines(pos))
        if self.text[start:end] != "in":
            return pos
        while start < end:
            pos = end
            start, end = self._next(pos)
        m = TOKEN.match(self.text, pos)
        if m is None or (m.lastgroup == "op" and m["op"] != ";"):
            raise self._must(pos, self._blocks[-1].opened)
        return self._separator(pos)

    def _named_function(self, pos: int) -> int:
        start, end = self._next(pos)
        if start == end:
            raise self._must(pos, self._at)
        m = PARENS.match(self.text, end)
        return self._named(start, m.end() if m else end)

    def _arithmetic(self, at: int, end: int) -> int:
        """`(( ... ))` from `at` to `end`; the names it changes are not known any more."""
        for m in compiled(CHANGED).finditer(self.text, at, min(end, at + 2000)):
            self._unset(m[1], at)
        self._function, self._state = False, CLOSED
        self._gap()
        return end

    def _case(self, pos: int) -> int:
        self._push("case", "case")
        opened = self._at
        start, end = self._next(pos)
        if start == end or self.text[start:end] == "in":
            raise self._must(pos, opened)
        pos = self._lines(end)
        start, end = self._next(pos)
        if self.text[start:end] != "in":
            raise self._must(pos, opened)
        return self._pattern(end)

    def _pattern(self, pos: int) -> int:
        """The patterns of one arm up to their `)`, or `esac`; never commands, so never a lost override."""
        opened = self._blocks[-1].opened
        pos = self._lines(pos)
        start, end = self._next(pos)
        if self.text[start:end] == "esac":
            self._pop()
            return end
        wanted = True  # a pattern must come
        if start == end:
            m = TOKEN.match(self.text, pos)
            if m is None or m.lastgroup != "op" or m["op"] != "(":
                raise self._must(pos, opened)
            pos = m.end()
        while True:
            start, end = self._next(pos)
            m = TOKEN.match(self.text, pos)
            if wanted != (start < end):
                raise self._must(pos, opened)
            if start < end:
                pos, wanted = end, False
                continue
            op = m["op"] if m is not None and m.lastgroup == "op" else ""
            if m is None or op not in ("|", ")"):
                raise self._must(pos, opened)
            pos, wanted = m.end(), True
            if op == ")":
                self._at = start
                self._push("arm", "case")
                self._blocks[-1].opened = opened
                self._state = EMPTY
                return pos

    def _named(self, start: int, end: int) -> int:
        """After `name()`."""
        if self._state not in BEGINS:
            raise self._unexpected(start)
        self._at = start
        self._function, self._state = True, BODY
        return end


def _matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    m = pattern.match(text, at)
    return m.end() if m is not None else at
