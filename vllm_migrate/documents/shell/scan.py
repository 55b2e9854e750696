"""One pass over a shell script: commands, assignments, arrays, heredocs, scopes, each word with its offsets.

What bash refuses is refused (Unreadable, with the place): whatever is never closed, and whatever closes or continues
nothing. The inside of `$(...)` is read for that alone; `[[ ]]` and `(( ))` hold no commands; a string handed to `bash -c`
stays a string (see shell.ShellDocument.nested).
"""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.condition import Condition
from vllm_migrate.documents.shell.expand import Array, Assign, Script, Word
from vllm_migrate.documents.shell.lexer import TOKEN, Lexer
from vllm_migrate.documents.shell.skip import compiled, heredoc_end

_MAX_SCOPES = 200  # deeper nesting is not followed: everything below shares one scope

_TARGET = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
_SUBSCRIPT = re.compile(r"[A-Za-z_]\w*\[")
_PARENS = re.compile(r"[ \t]*\([ \t]*\)")
_DESCRIPTOR = re.compile(r"[0-9]+\Z|\{[A-Za-z_]\w*\}\Z")
_PREFIX_OPTIONS = re.compile(r"(?:[ \t]+-p(?=\s|\Z))?(?:[ \t]+--(?=\s|\Z))?")
_COPROC_NAME = re.compile(r"[ \t]+[A-Za-z_]\w*(?=[ \t]*\(|[ \t]+(?:\{|\[\[|if|while|until|for|select|case)\s)")
_CHANGED = r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:<<|>>|[-+*/%&|^])?=(?!=))"
_COMPOUND = ("if", "then", "elif", "else", "fi", "while", "until", "for", "select", "do", "done", "case", "esac")
_KEYWORDS = frozenset((*_COMPOUND, "{", "}", "!", "time", "function", "[[", "]]", "in", "coproc"))
_CLOSING = frozenset(("then", "elif", "else", "fi", "do", "done", "esac", "}"))
DECLARE = frozenset(("export", "local", "declare", "typeset", "readonly"))
_ASSIGNING = DECLARE | {"alias", "eval", "let"}  # their arguments may be `name=(...)`
_SETTERS = frozenset(("read", "mapfile", "readarray", "unset", "getopts", "printf", "let", "wait"))
_NAME = re.compile(r"[A-Za-z_]\w*\Z")

# What may come next. NEEDED: a command must (after `then`, `&&`); BODY: the compound command of a function must;
# EMPTY: a command may, nothing was read in this list; PREFIXED: after `!` or `time`; NEXT: after a separator;
# COMMAND: a simple command is in hand; CLOSED: a compound one ended; REDIRECTED: so did its redirections.
_NEEDED, _BODY, _EMPTY, _PREFIXED, _NEXT, _COMMAND, _CLOSED, _REDIRECTED = range(8)
_BEGINS = frozenset((_NEEDED, _EMPTY, _PREFIXED, _NEXT))
_ENDED = frozenset((_COMMAND, _CLOSED, _REDIRECTED))


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

    `broken` is how its last continuation breaks ("", "blank", "comment", "space"), `broken_at` where the
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


class _Block:
    """An open compound command; `function` is the scope of the function around it, 0 for none. `opened` is where it
    begins, `word` what it begins with; `phase` what was read of it last."""

    __slots__ = ("function", "kind", "opened", "phase", "scope", "word")

    def __init__(self, kind: str, scope: int, function: int, opened: int, word: str) -> None:
        self.kind = kind
        self.scope = scope
        self.function = function
        self.opened = opened
        self.word = self.phase = word


class ShellScanner(Lexer):
    """Reads `text`; the results are commands, exports, heredocs, comments and `script`.

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
        self._blocks = [_Block("top", 0, 0, 0, "")]
        self._scope = 0
        self._state = _EMPTY
        self._raw: Raw | None = None
        self._pending: list[Heredoc] = []
        self._listed = False  # after && or ||
        self._piped = False  # after |
        self._function = False  # the next compound command is a function's body
        self._plain: list[Assign | Array] = []  # assignments of the statement in hand
        self._comment_at = -1
        self._redirect = ""
        self._at = 0  # where the last operator or keyword stands

    def run(self) -> None:
        """Raises Unreadable, with the place, for what bash refuses: "syntax", "too-deep"."""
        self._read(0)

    def substitution(self, at: int) -> int:
        self.enter(at)
        inside = ShellScanner(self.text)
        inside.nesting, inside.extglob = self.nesting, self.extglob
        inside._blocks[0] = _Block("substitution", 0, 0, at, self.text[at : at + 2])
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
                    if text[end] == "(" or "=" in word.raw:
                        pos = self._argument(word, end)
                else:
                    pos = self._word(start, end)
            elif kind == "line":
                self._newline(m.start("line"))
                if self._pending:
                    pos = self._bodies(pos)
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
        if self._redirect or self._state in (_NEEDED, _BODY):
            raise self.refused(self._at, f"nothing follows `{self._sign()}`")
        if self._pending:
            raise self._unended(self._pending[0])
        self._finish()

    def _sign(self) -> str:
        """The operator or the word at `_at`, for a message."""
        m = re.compile(r"[;&|]{1,3}|[<>]{1,3}[&|]?|\(\)?|[^\s;&|()<>]{1,40}").match(self.text, self._at)
        return m[0] if m else self.text[self._at : self._at + 1]

    def _unexpected(self, at: int) -> Exception:
        self._at = at
        return self.refused(at, f"`{self._sign()}` is not expected here")

    # --- words

    def _make(self, start: int, end: int) -> Word:
        return Word(self.script, start, end, self.text[start:end], self._scope)

    def _begin(self, start: int) -> Raw:
        if self._raw is None:
            if self._state not in _BEGINS:
                raise self._unexpected(start)
            sure = not (self._listed or self._piped)
            self._raw = Raw(start, self._scope, sure)
            self._state = _COMMAND
        return self._raw

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
        if raw is None and text[start:end] in _KEYWORDS:
            self._at = start
            return self._keyword(text[start:end], start, end)
        if _SUBSCRIPT.match(text, start):
            end = self._subscript(text.index("[", start), end)
        m = _TARGET.match(text, start, end)
        if m is not None:
            return self._assignment(m, start, end)
        if raw is None:
            function = _PARENS.match(text, end)
            if function is not None:
                return self._named(start, function.end())
        raw = self._begin(start)
        if not raw.assignments:
            raw.start = start
        raw.words.append(self._make(start, end))
        raw.end = end
        return end

    def _subscript(self, at: int, end: int) -> int:
        """The end of a word with a subscript that opens at `at`: in it blanks do not end the word."""
        close = self.subscript(at)
        return end if close <= end else self.word_end(close - 1)

    def _named(self, start: int, end: int) -> int:
        """After `name()`."""
        if self._state not in _BEGINS:
            raise self._unexpected(start)
        self._at = start
        self._function, self._state = True, _BODY
        return end

    def _argument(self, word: Word, end: int) -> int:
        """`export A=1`, `local A=(...)`: arguments that assign."""
        raw = self._raw
        if raw is None or raw.words[0].raw not in _ASSIGNING:
            return end
        m = _TARGET.match(word.raw)
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
            self.script.wandering.setdefault(assign.name, set()).add(function)

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

    # --- statements

    def _operator(self, op: str, pos: int) -> int:
        at = pos - len(op)
        if self._redirect:
            raise self._unexpected(at)
        state, self._at = self._state, at
        if op[0] in "<>" or op in ("&>", "&>>"):
            if state in (_CLOSED, _REDIRECTED):
                self._state = _REDIRECTED
            else:
                self._begin(at)
            self._redirect = op
            return pos
        if op == "(":
            return self._opened(at)
        if op == ")":
            block = self._blocks[-1]
            if state in _ENDED or state in (_NEXT, _PREFIXED):
                self._finish()
                if block.word == "(":
                    self._pop()
                    return pos
            raise self._unexpected(at)
        if op in (";;", ";&", ";;&"):
            if self._blocks[-1].kind != "arm" or not (state in _ENDED or state in (_NEXT, _EMPTY)):
                raise self._unexpected(at)
            self._finish()
            self._pop()
            return self._pattern(pos)
        if not (state in _ENDED or (op == ";" and state == _PREFIXED)):
            raise self._unexpected(at)
        if op in ("|", "|&", "&") and self._raw is not None:
            self._raw.sure = False
            self._plain = [a._replace(sure=False) if isinstance(a, Assign) else a for a in self._plain]
        self._finish()
        self._state = _NEXT if op in (";", "&") else _NEEDED
        self._listed = op in ("&&", "||")
        self._piped = op in ("|", "|&")
        return pos

    def _opened(self, at: int) -> int:
        """After `(` at a command's place: a subshell, a function's body, or `(( ... ))`."""
        if self._raw is not None or not (self._state in _BEGINS or self._state == _BODY):
            raise self._unexpected(at)
        if self.text.startswith("((", at):
            end = self.arithmetic(at + 1)
            if self.text.startswith(")", end):
                return self._arithmetic(at, end + 1)
        self._push("function" if self._function else "subshell", "(")
        return at + 1

    def _newline(self, at: int) -> None:
        if self._redirect:
            raise self.refused(self._at, f"nothing follows `{self._sign()}`")
        if self._state in _ENDED or self._state == _PREFIXED:
            self._state = _NEXT
        raw = self._raw
        if raw is not None:
            gap = self.text[raw.end : at if self._comment_at < 0 else self._comment_at]
            if "\\" in gap:
                raw.broken = "blank" if self._comment_at < 0 else "comment"
                raw.broken_at = raw.end + gap.index("\\")
            elif raw.words and raw.words[-1].raw in ("\\ ", "\\\t"):
                raw.broken, raw.broken_at = "space", raw.words[-1].start
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
                self.script.sourced.append(raw.start)
            return
        names = [word.raw for word in raw.words[1:]]
        if name == "printf":
            names = names[1:2] if names[:1] == ["-v"] else []
        elif name == "let":
            names = [m[1] for word in names for m in compiled(_CHANGED).finditer(word)]
        elif name in ("set", "wait"):
            names = []
        read = raw.heredocs[-1] if name == "read" and raw.heredocs and "-d" in " ".join(names) else None
        targets = [word for word in names if _NAME.match(word)]
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

    # --- redirections and heredocs

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

    # --- compound commands

    def _push(self, kind: str, word: str) -> None:
        scope = self._scope
        transparent = kind == "group" and not (self._listed or self._piped)
        if not transparent and len(self._blocks) < _MAX_SCOPES:
            scope = len(self.script.scopes)
            self.script.scopes.append(self._scope)
            if kind in ("loop", "function"):
                self.script.rerun.add(scope)
        function = scope if kind == "function" else self._blocks[-1].function
        self._blocks.append(_Block(kind, scope, function, self._at, word))
        self._scope = scope
        self._function = self._listed = self._piped = False
        self._state = _NEEDED
        self._gap()

    def _pop(self) -> None:
        """Close the innermost block."""
        self._blocks.pop()
        self._scope = self._blocks[-1].scope
        self._state = _CLOSED
        self._gap()

    def _keyword(self, word: str, start: int, end: int) -> int:
        """A reserved word at a command's place; returns where to go on."""
        self._gap()
        if word in _CLOSING:
            return self._closing(word, start, end)
        if not (self._state in _BEGINS or (self._state == _BODY and word not in ("!", "time", "function", "coproc"))):
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
            end = Condition(self, start).read()
            self.nesting -= 1
            self._function, self._state = False, _CLOSED
        elif word in ("!", "time"):
            if word == "!" and self._piped:
                raise self._unexpected(start)
            self._state = _PREFIXED
            return _matched(_PREFIX_OPTIONS, self.text, end) if word == "time" else end
        elif word == "coproc":
            if compiled(r"(?:[ \t]|\\\r?\n)*(?:[\r\n;&|)#]|![ \t]|\Z)").match(self.text, end):
                raise self.refused(start, "nothing follows `coproc`")
            self._state = _NEEDED
            return _matched(_COPROC_NAME, self.text, end)
        else:
            raise self._unexpected(start)
        return end

    def _closing(self, word: str, start: int, end: int) -> int:
        """`then`, `fi`, `}` and their like."""
        block = self._blocks[-1]
        if not (self._state in (_NEXT, _CLOSED) or (self._state == _EMPTY and word == "esac")):
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
            block.phase, self._state = word, _NEEDED
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
            if _NAME.match(name):
                self._unset(name, start)
            pos = self._listed_words(end)
        start, end = self._next(self._lines(pos))
        word = self.text[start:end]
        if word not in ("do", "{"):
            raise self._must(self._lines(pos), opened)
        self._blocks[-1].phase = word
        self._at, self._state = start, _NEEDED
        return end

    def _counted(self, pos: int, opened: int) -> int:
        """`((a; b; c))` of a loop, and the separator behind it."""
        m = re.compile(r"(?:[ \t]|\\\r?\n)*\(\(").match(self.text, pos)
        end = self.arithmetic(m.end() - 1) if m is not None else 0
        if m is None or not self.text.startswith(")", end):
            raise self._must(pos, opened)
        if (
            compiled(r"[^;]*;[^;]*;[^;]*").fullmatch(
                compiled(r"\$?\([^()]*\)|\"[^\"]*\"|'[^']*'").sub("", self.text[m.end() : end - 1])
            )
            is None
        ):
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
        m = _PARENS.match(self.text, end)
        return self._named(start, m.end() if m else end)

    def _arithmetic(self, at: int, end: int) -> int:
        """`(( ... ))` from `at` to `end`; the names it changes are not known any more."""
        for m in compiled(_CHANGED).finditer(self.text, at, min(end, at + 2000)):
            self._unset(m[1], at)
        self._function, self._state = False, _CLOSED
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
                self._state = _EMPTY
                return pos


def _matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    m = pattern.match(text, at)
    return m.end() if m is not None else at
