"""The statements of a script as they are read: commands in the making, what they assign, redirect and read, and the
compound commands around them."""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.expand import Array, Assign, Script, Word
from vllm_migrate.documents.shell.lexer import TOKEN, Lexer
from vllm_migrate.documents.shell.skip import compiled, heredoc_end

_MAX_SCOPES = 200  # deeper nesting is not followed: everything below shares one scope

TARGET = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
CHANGED = r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:<<|>>|[-+*/%&|^])?=(?!=))"
DECLARE = frozenset(("export", "local", "declare", "typeset", "readonly"))
_ASSIGNING = DECLARE | {"alias", "eval", "let"}  # their arguments may be `name=(...)`
_SETTERS = frozenset(("read", "mapfile", "readarray", "unset", "getopts", "printf", "let", "wait"))
NAME = re.compile(r"[A-Za-z_]\w*\Z")

# What may come next. NEEDED: a command must (after `then`, `&&`); BODY: the compound command of a function must;
# EMPTY: a command may, nothing was read in this list; PREFIXED: after `!` or `time`; NEXT: after a separator;
# COMMAND: a simple command is in hand; CLOSED: a compound one ended; REDIRECTED: so did its redirections.
NEEDED, BODY, EMPTY, PREFIXED, NEXT, COMMAND, CLOSED, REDIRECTED = range(8)
BEGINS = frozenset((NEEDED, EMPTY, PREFIXED, NEXT))
ENDED = frozenset((COMMAND, CLOSED, REDIRECTED))


class Heredoc:
    """`<<END`: text[start:end] is the body. `quoted`: no expansion inside. `command` is the index of the
    command that reads it, -1 for a compound one; `target` the word a `>` of that command writes to.
    """

    __slots__ = ("command", "delimiter", "end", "quoted", "start", "tabs", "target", "value")

    def __init__(self, delimiter: str, quoted: bool, tabs: bool) -> None:
        self.delimiter = delimiter
        self.quoted = quoted
        self.tabs = tabs
        self.start = self.end = 0
        self.command = -1
        self.target: Word | None = None
        self.value: Word | None = None  # the variable it is read into


class Raw:
    """A command as scanned, before expansion. `words` may be empty (assignments or redirections alone).

    `broken` is how its last continuation breaks ("", "blank", "comment", "note", "space"), `broken_at` where the
    backslash is. `joined`: it hangs on the command before it by `&&`, `||` or `|`, or that one on it.
    """

    __slots__ = (
        "assignments",
        "broken",
        "broken_at",
        "end",
        "heredocs",
        "redirects",
        "scope",
        "start",
        "sure",
        "words",
    )

    def __init__(self, start: int, scope: int, sure: bool) -> None:
        self.start = self.end = start
        self.scope = scope
        self.sure = sure
        self.words: list[Word] = []
        self.assignments: list[tuple[str, Word]] = []
        self.redirects: list[tuple[str, Word]] = []
        self.heredocs: list[Heredoc] = []
        self.broken = ""
        self.broken_at = 0


class Block:
    """An open compound command; `function` is the scope of the function around it, 0 for none. `opened` is where it
    begins, `word` what it begins with; `phase` what was read of it last."""

    __slots__ = ("function", "kind", "opened", "phase", "scope", "word")

    def __init__(self, kind: str, scope: int, function: int, opened: int, word: str) -> None:
        self.kind = kind
        self.scope = scope
        self.function = function
        self.opened = opened
        self.word = self.phase = word


class Statements(Lexer):
    """What has been read so far, and the statement in hand; `_state` says what may come next.

    `gaps` are indexes of commands whose successor does not follow directly (a keyword, an assignment or a
    bracket stands between them).
    """

    def __init__(self, text: str, outer: Script | None = None) -> None:
        super().__init__(text)
        self.script = Script(outer)
        self.commands: list[Raw] = []
        self.exports: list[tuple[str, Word]] = []
        self.heredocs: list[Heredoc] = []
        self.comments: list[tuple[int, int]] = []
        self.gaps: set[int] = set()
        self._blocks = [Block("top", 0, 0, 0, "")]
        self._scope = 0
        self._state = EMPTY
        self._raw: Raw | None = None
        self._pending: list[Heredoc] = []
        self._listed = False  # after && or ||
        self._piped = False  # after |
        self._function = False  # the next compound command is a function's body
        self._plain: list[Assign | Array] = []  # assignments of the statement in hand
        self._comment_at = -1
        self._redirect = ""
        self._at = 0  # where the last operator or keyword stands

    def _sign(self) -> str:
        """The operator or the word at `_at`, for a message."""
        m = re.compile(r"[;&|]{1,3}|[<>]{1,3}[&|]?|\(\)?|[^\s;&|()<>]{1,40}").match(self.text, self._at)
        return m[0] if m else self.text[self._at : self._at + 1]

    def _unexpected(self, at: int) -> Exception:
        self._at = at
        return self.refused(at, f"`{self._sign()}` is not expected here")

    def _make(self, start: int, end: int) -> Word:
        return Word(self.script, start, end, self.text[start:end], self._scope)

    def _begin(self, start: int) -> Raw:
        if self._raw is None:
            if self._state not in BEGINS:
                raise self._unexpected(start)
            sure = not (self._listed or self._piped)
            self._raw = Raw(start, self._scope, sure)
            self._state = COMMAND
        return self._raw

    def _subscript(self, at: int, end: int) -> int:
        """The end of a word with a subscript that opens at `at`: in it blanks do not end the word."""
        close = self.subscript(at)
        return end if close <= end else self.word_end(close - 1)

    def _argument(self, word: Word, end: int) -> int:
        """`export A=1`, `local A=(...)`: arguments that assign."""
        raw = self._raw
        if raw is None or raw.words[0].raw not in _ASSIGNING:
            return end
        m = TARGET.match(word.raw)
        if m is None:
            return end
        if raw.words[0].raw not in DECLARE:
            if m.end() == len(word.raw) and self.text.startswith("(", end):
                raw.end = word.end = self._elements(end, [])
                word.raw = self.text[word.start : word.end]
            return raw.end
        sure = raw.sure
        if m.end() == len(word.raw) and self.text.startswith("(", end):
            end = self._array(m[1], word.start, end, bool(m[3]), sure)
            word.end, word.raw = end, self.text[word.start : end]
        else:
            value = self._make(word.start + m.end(), end)
            known = raw.words[0].raw != "local" or self._blocks[-1].function > 0  # elsewhere `local` fails
            assign = Assign(m[1], value if known else None, word.start, end, self._scope, sure, bool(m[3]), bool(m[2]))
            self._assign(assign, raw.words[0].raw in ("local", "declare", "typeset"))
            if raw.words[0].raw == "export" or any(w.raw.startswith("-") and "x" in w.raw for w in raw.words[1:2]):
                self.exports.append((m[1], value))
        raw.end = end
        return end

    def _assignment(self, m: re.Match[str], start: int, end: int) -> int:
        raw = self._begin(start)
        if m.end() == end and self.text.startswith("(", end):
            raw.end = self._array(m[1], start, end, bool(m[3]), raw.sure)
            return raw.end
        value = self._make(m.end(), end)
        raw.assignments.append((m[1], value))
        self._plain.append(Assign(m[1], value, start, end, self._scope, raw.sure, bool(m[3]), bool(m[2])))
        raw.end = end
        return end

    def _assign(self, assign: Assign, local: bool = False) -> None:
        self.script.assigns.setdefault(assign.name, []).append(assign)
        function = self._blocks[-1].function
        if function and not local:
            self.script.by_functions.setdefault(assign.name, set()).add(function)

    def _unset(self, name: str, at: int) -> None:
        """`name` gets a value that the file does not show."""
        self._assign(Assign(name, None, at, at, self._scope, True, False, False))

    def _array(self, name: str, start: int, paren: int, append: bool, sure: bool) -> int:
        array = Array(name, start, paren + 1, self._scope, sure, append)
        array.end = self._elements(paren, array.items)
        self.script.arrays.setdefault(name, []).append(array)
        return array.end

    def _elements(self, paren: int, items: list[Word]) -> int:
        """After the list of words that opens at `paren`."""
        text, pos = self.text, paren + 1
        while True:
            m = TOKEN.match(text, pos)
            kind = m.lastgroup if m is not None else "eof"
            if m is None or kind == "eof":
                raise self.refused(paren, "`(` is never closed")
            pos = m.end()
            if kind == "word" or kind == "odd":
                at = m.start(kind)
                pos = pos if kind == "word" else self.word_end(at)
                if text[at] == "[":
                    pos = self._subscript(at, pos)
                items.append(self._make(at, pos))
            elif kind == "comment":
                self.comments.append(m.span("comment"))
            elif kind == "op":
                if m["op"] == ")":
                    return pos
                raise self._unexpected(m.start("op"))

    def _newline(self, at: int) -> None:
        if self._redirect:
            raise self.refused(self._at, f"nothing follows `{self._sign()}`")
        if self._state in ENDED or self._state == PREFIXED:
            self._state = NEXT
        raw = self._raw
        if raw is not None:
            gap = self.text[raw.end : at if self._comment_at < 0 else self._comment_at]
            if "\\" in gap:
                raw.broken = "blank" if self._comment_at < 0 else "comment"
                raw.broken_at = raw.end + gap.index("\\")
            elif raw.words and raw.words[-1].raw in ("\\ ", "\\\t"):
                raw.broken, raw.broken_at = "space", raw.words[-1].start
            elif self._comment_at >= 0 and self.text[self._comment_at : at].rstrip("\r").endswith("\\"):
                raw.broken, raw.broken_at = "note", self.text.rindex("\\", 0, at)
            else:
                noted = next((word for word in raw.words if word.raw[:3] in ("\\ #", "\\\t#")), None)
                if noted is not None:
                    raw.broken, raw.broken_at = "space", noted.start
            self._finish()
        self._comment_at = -1

    def _finish(self) -> None:
        """The statement in hand ends."""
        raw, self._raw = self._raw, None
        self._redirect = ""
        self._listed = self._piped = False
        if raw is None:
            return
        for heredoc in raw.heredocs:
            heredoc.command = len(self.commands) if raw.words else -1
            heredoc.target = next((word for op, word in raw.redirects if ">" in op), None)
        if raw.words:
            self.commands.append(raw)
            name = raw.words[0].raw
            if name in _SETTERS or name in (".", "source", "eval", "set"):
                self._builtin(name, raw)
        else:
            for made in self._plain:
                if isinstance(made, Assign):
                    self._assign(made)
            self._gap()
        self._plain = []

    def _gap(self) -> None:
        self.gaps.add(len(self.commands) - 1)

    def _builtin(self, name: str, raw: Raw) -> None:
        """Builtins that change variables by name, or could change any."""
        if name in (".", "source", "eval"):
            if not (len(raw.words) > 1 and raw.words[1].raw.rstrip("\"'").endswith("activate")):
                self.script.sourced.append(raw.end)
            return
        names = [word.raw for word in raw.words[1:]]
        if name == "printf":
            names = names[1:2] if names[:1] == ["-v"] else []
        elif name == "let":
            names = [m[1] for word in names for m in compiled(CHANGED).finditer(word)]
        elif name in ("set", "wait"):
            names = []
        read = raw.heredocs[-1] if name == "read" and raw.heredocs and "-d" in " ".join(names) else None
        targets = [word for word in names if NAME.match(word)]
        for target in targets:
            if read is not None and len(targets) == 1:
                read.target = None
                self._from_heredoc(target, raw, read)
            else:
                self._unset(target, raw.start)

    def _from_heredoc(self, name: str, raw: Raw, heredoc: Heredoc) -> None:
        """`read -r -d '' NAME <<END`: the body is the value; it is filled in when the body has been read."""
        value = Word(self.script, raw.end, raw.end, "", self._scope)
        value.body = "quoted" if heredoc.quoted else "plain"
        heredoc.value = value
        self._assign(Assign(name, value, raw.start, raw.end, self._scope, True, False, False))

    def _redirected(self, start: int, end: int) -> int:
        op, self._redirect = self._redirect, ""
        raw = self._raw
        word = self._make(start, end)
        if op in ("<<", "<<-"):
            mark = word.value
            quoted = any(c in word.raw for c in "'\"\\")
            heredoc = Heredoc(word.raw if mark is None else mark, quoted, op == "<<-")
            heredoc.start = start
            self._pending.append(heredoc)
            if raw is not None:
                raw.heredocs.append(heredoc)
        elif raw is not None:
            raw.redirects.append((op, word))
        if raw is not None:
            raw.end = end
        return end

    def _unended(self, heredoc: Heredoc) -> Exception:
        return self.refused(heredoc.start, f"the heredoc is never closed: no line is `{heredoc.delimiter}`")

    def _bodies(self, pos: int) -> int:
        n, after = len(self.text), "\r\n" if self._blocks[0].kind == "top" else "\r\n)"
        for heredoc in self._pending:
            opened, heredoc.start = heredoc.start, pos
            heredoc.end, pos = heredoc_end(self.text, pos, n, heredoc.delimiter, heredoc.tabs, after)
            if heredoc.end == pos and heredoc.delimiter:
                heredoc.start = opened
                raise self._unended(heredoc)
            self.heredocs.append(heredoc)
            if heredoc.value is not None:
                heredoc.value.start, heredoc.value.end = heredoc.start, heredoc.end
                heredoc.value.raw = self.text[heredoc.start : heredoc.end]
        self._pending.clear()
        return pos

    def _push(self, kind: str, word: str) -> None:
        scope = self._scope
        transparent = kind == "group" and not (self._listed or self._piped)
        if not transparent and len(self._blocks) < _MAX_SCOPES:
            scope = len(self.script.scopes)
            self.script.scopes.append(self._scope)
            if kind in ("loop", "function"):
                self.script.rerun.add(scope)
        function = scope if kind == "function" else self._blocks[-1].function
        self._blocks.append(Block(kind, scope, function, self._at, word))
        self._scope = scope
        self._function = self._listed = self._piped = False
        self._state = NEEDED
        self._gap()

    def _pop(self) -> None:
        """Close the innermost block."""
        self._blocks.pop()
        self._scope = self._blocks[-1].scope
        self._state = CLOSED
        self._gap()
