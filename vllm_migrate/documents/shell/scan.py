"""One pass over a shell script: commands, assignments, arrays, heredocs, scopes, each word with its offsets.

Lenient: what bash would refuse is passed over, never raised; only nesting beyond MAX_NESTING is (Unreadable).
Not a full grammar: the inside of `$(...)`, `[[ ]]` and `(( ))` is opaque, and so is a string handed to `bash -c` (see
shell.ShellDocument.nested).
"""

from __future__ import annotations

import re

from vllm_migrate.documents.shell.expand import Array, Assign, Script, Word
from vllm_migrate.documents.shell.skip import compiled, heredoc_end, skip

MAX_NESTING = 200  # of quotes and substitutions in one word
_MAX_SCOPES = 200  # deeper nesting is not followed: everything below shares one scope

# `${...}` without blanks, quotes or commands inside, at most one more inside; the rest goes the slow way (_slow).
_BARE = r"""[^{}'"`$\\ \t\r\n;&|<>()]*+"""
_WORD = rf"""(?:[^ \t\r\n;&|<>()\\'"$`]++ | '[^']*+'
    | "(?:[^"\\$`]++|\\[\s\S]|\$(?![({{])|\$\{{[^{{}}'"`$\\()]*+(?:\$\{{[^{{}}'"`$\\()]*+\}})?[^{{}}'"`$\\()]*+\}})*+"
    | \$\{{{_BARE}(?:\$\{{{_BARE}\}})?{_BARE}\}} | \$(?![({{'"]) | \\[^\r\n]
    | (?:\\\r?\n)++(?![ \t\r\n;&|<>()]|\\?\Z))"""
_TOKEN = re.compile(
    rf"""(?:[ \t]++|\\\r?\n|\\\Z)*+
    (?: (?P<comment>\#[^\r\n]*) | (?P<word>{_WORD}++(?=[ \t\r\n;&|<>)]|(?<![?*+@!])\(|\Z)) | (?P<line>\r\n?|\n)
    | (?P<op>&&|\|\||;;&|;;|;&|\|&|&>>|&>|<<<|<<-|<<|<&|>&|>>|>\||<>|[<>](?!\()|[;&|()]) | (?P<eof>\Z) | (?P<odd>) )""",
    re.X,
)
_CHUNK = rf"{_WORD}++"
_TARGET = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
_PARENS = re.compile(r"[ \t]*\([ \t]*\)")
_ENDS = " \t\r\n;&|<>()"
_CHANGED = r"([A-Za-z_]\w*)\s*(?:\+\+|--|(?:<<|>>|[-+*/%&|^])?=(?!=))"
_COMPOUND = ("if", "then", "elif", "else", "fi", "while", "until", "for", "select", "do", "done", "case", "esac")
_KEYWORDS = frozenset((*_COMPOUND, "{", "}", "!", "time", "function", "[[", "coproc"))
DECLARE = frozenset(("export", "local", "declare", "typeset", "readonly"))
_SETTERS = frozenset(("read", "mapfile", "readarray", "unset", "getopts", "printf", "let", "wait"))
_NAME = re.compile(r"[A-Za-z_]\w*\Z")


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
    """An open compound command; `function` is the scope of the function around it, 0 for none."""

    __slots__ = ("function", "kind", "scope")

    def __init__(self, kind: str, scope: int, function: int) -> None:
        self.kind = kind
        self.scope = scope
        self.function = function


class Scanner:
    """Reads `text`; the results are commands, exports, heredocs, comments and `script`.

    `gaps` are indexes of commands whose successor does not follow directly (a keyword, an assignment or a
    bracket stands between them).
    """

    def __init__(self, text: str, outer: Script | None = None) -> None:
        self.text = text
        self.script = Script(outer)
        self.commands: list[Raw] = []
        self.exports: list[tuple[str, Word]] = []
        self.heredocs: list[Heredoc] = []
        self.comments: list[tuple[int, int]] = []
        self.gaps: set[int] = set()
        self._blocks = [_Block("top", 0, 0)]
        self._scope = 0
        self._raw: Raw | None = None
        self._pending: list[Heredoc] = []
        self._listed = False  # after && or ||
        self._piped = False  # after |
        self._function = False  # the next compound command is a function's body
        self._plain: list[Assign | Array] = []  # assignments of the statement in hand
        self._comment_at = -1
        self._redirect = ""

    def run(self) -> None:
        text, n, match, pos = self.text, len(self.text), _TOKEN.match, 0
        while pos < n:
            m = match(text, pos)
            if m is None:  # cannot be: the last alternative matches anything
                break
            kind, pos = m.lastgroup, m.end()
            if kind == "word" or kind == "odd":
                start = m.start(kind)
                end = pos if kind == "word" else self._slow(start)
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
                pos = self._operator(m["op"], pos)
        self._finish()

    # --- words

    def _slow(self, start: int) -> int:
        """End of a word with `$(...)`, nested braces, backticks or an open quote."""
        text, n, i = self.text, len(self.text), start
        chunk = compiled(_CHUNK).match
        while i < n:
            m = chunk(text, i)
            if m is not None:
                i = m.end()
                continue
            c = text[i]
            if (
                c in '"`'
                or text.startswith(("$(", "${"), i)
                or (c in "<>" and text.startswith("(", i + 1) and i == start)
                or (c == "(" and i > start and text[i - 1] in "?*+@!" and text[i - 2 : i] != "$@")
            ):
                i = skip(text, i, n, MAX_NESTING)
            elif c == "'":
                i = n
            elif c == "$":
                i = self._dollar_quote(i)
            elif c in _ENDS or (c == "\\" and i > start):
                break
            else:
                i += 1
        return max(i, min(start + 1, n))

    def _dollar_quote(self, i: int) -> int:
        """After `$'...'`; of `$"` only the dollar."""
        if not self.text.startswith("'", i + 1):
            return i + 1
        m = compiled(r"\$'(?:[^'\\]|\\[\s\S])*+(?:'|\Z)").match(self.text, i)
        return m.end() if m else len(self.text)

    def _make(self, start: int, end: int) -> Word:
        return Word(self.script, start, end, self.text[start:end], self._scope)

    def _begin(self, start: int) -> Raw:
        if self._raw is None:
            sure = not (self._listed or self._piped)
            self._raw = Raw(start, self._scope, sure)
        return self._raw

    def _word(self, start: int, end: int) -> int:
        """A word that is not simply one more argument; returns where to go on."""
        text = self.text
        if self._redirect:
            return self._redirected(start, end)
        if end < len(text) and text[end] in "<>" and text[start:end].isdigit():
            return end  # a file descriptor
        raw = self._raw
        if raw is not None and raw.words:
            word = self._make(start, end)
            raw.words.append(word)
            raw.end = end
            return self._argument(word, end)
        plain = text[start:end]
        if raw is None and plain in _KEYWORDS:
            return self._keyword(plain, start, end)
        m = _TARGET.match(plain)
        if m is not None:
            return self._assignment(m, start, end)
        function = _PARENS.match(text, end)
        if function is not None:
            self._function = True
            return function.end()
        raw = self._begin(start)
        raw.words.append(self._make(start, end))
        raw.end = end
        return end

    def _argument(self, word: Word, end: int) -> int:
        """`export A=1`, `local A=(...)`: arguments that assign."""
        raw = self._raw
        if raw is None or raw.words[0].raw not in DECLARE:
            return end
        m = _TARGET.match(word.raw)
        if m is None:
            return end
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
        if m.end() == end - start and self.text.startswith("(", end):
            raw.end = self._array(m[1], start, end, bool(m[3]), raw.sure)
            return raw.end
        value = self._make(start + m.end(), end)
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
        text, n, pos = self.text, len(self.text), paren + 1
        while pos < n:
            m = _TOKEN.match(text, pos)
            if m is None:
                break
            kind, pos = m.lastgroup, m.end()
            if kind == "word" or kind == "odd":
                at = m.start(kind)
                pos = pos if kind == "word" else self._slow(at)
                array.items.append(self._make(at, pos))
            elif kind == "comment":
                self.comments.append(m.span("comment"))
            elif kind == "op" and m["op"] == ")":
                break
        array.end = pos
        self.script.arrays.setdefault(name, []).append(array)
        return pos

    # --- statements

    def _operator(self, op: str, pos: int) -> int:
        if op[0] in "<>" or op in ("&>", "&>>"):
            self._redirect = op
            return pos
        start = pos - len(op)
        if op == "(":
            if self.text.startswith("(", pos) and self._raw is None:
                return self._arithmetic(start)
            self._finish()
            self._push("function" if self._function else "subshell")
        elif op == ")":
            self._finish()
            self._pop("subshell", "function")
        elif op in (";;", ";&", ";;&"):
            self._finish()
            if self._pop("arm"):
                return self._pattern(pos)
        else:
            if op in ("|", "|&", "&") and self._raw is not None:
                self._raw.sure = False
                self._plain = [a._replace(sure=False) if isinstance(a, Assign) else a for a in self._plain]
            self._finish()
            self._listed = op in ("&&", "||")
            self._piped = op in ("|", "|&")
        return pos

    def _newline(self, at: int) -> None:
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
            self._pending.append(heredoc)
            if raw is not None:
                raw.heredocs.append(heredoc)
        elif raw is not None:
            raw.redirects.append((op, word))
        if raw is not None:
            raw.end = end
        return end

    def _bodies(self, pos: int) -> int:
        for heredoc in self._pending:
            heredoc.start = pos
            heredoc.end, pos = heredoc_end(self.text, pos, len(self.text), heredoc.delimiter, heredoc.tabs)
            self.heredocs.append(heredoc)
            if heredoc.value is not None:
                heredoc.value.start, heredoc.value.end = heredoc.start, heredoc.end
                heredoc.value.raw = self.text[heredoc.start : heredoc.end]
        self._pending.clear()
        return pos

    # --- compound commands

    def _push(self, kind: str) -> None:
        scope = self._scope
        transparent = kind == "group" and not (self._listed or self._piped)
        if not transparent and len(self._blocks) < _MAX_SCOPES:
            scope = len(self.script.scopes)
            self.script.scopes.append(self._scope)
            if kind in ("loop", "function"):
                self.script.rerun.add(scope)
        if len(self._blocks) < 10 * _MAX_SCOPES:
            function = scope if kind == "function" else self._blocks[-1].function
            self._blocks.append(_Block(kind, scope, function))
        self._scope = scope
        self._function = self._listed = self._piped = False
        self._gap()

    def _pop(self, *kinds: str) -> bool:
        """Close the innermost block of one of these kinds, if one is near."""
        for depth in range(1, min(9, len(self._blocks))):
            if self._blocks[-depth].kind in kinds:
                del self._blocks[-depth:]
                self._scope = self._blocks[-1].scope
                self._gap()
                return True
        return False

    def _keyword(self, word: str, start: int, end: int) -> int:
        self._gap()
        if word == "{":
            self._push("function" if self._function else "group")
        elif word == "}":
            self._pop("group", "function")
        elif word == "if":
            self._push("if")
        elif word in ("then", "elif", "else"):
            if self._pop("if"):
                self._push("if")
        elif word == "fi":
            self._pop("if")
        elif word in ("while", "until"):
            self._push("loop")
        elif word in ("for", "select"):
            self._push("loop")
            return self._for(end)
        elif word == "done":
            self._pop("loop")
        elif word == "case":
            return self._case(end)
        elif word == "esac":
            self._pop("arm")
            self._pop("case")
        elif word == "function":
            return self._named_function(end)
        elif word == "[[":
            return self._test(end)
        return end

    def _next(self, pos: int) -> tuple[int, int, int]:
        """(start, end, where to go on) of the next word; start == end when something else comes."""
        m = _TOKEN.match(self.text, pos)
        if m is None or m.lastgroup not in ("word", "odd"):
            return pos, pos, pos
        start = m.start(m.lastgroup)
        end = m.end() if m.lastgroup == "word" else self._slow(start)
        return start, end, end

    def _for(self, pos: int) -> int:
        start, end, after = self._next(pos)
        if start == end:
            m = re.compile(r"[ \t]*\(\(").match(self.text, pos)
            return self._arithmetic(m.end() - 2) if m else pos
        name = self.text[start:end]
        if _NAME.match(name):
            self._unset(name, start)
        while True:  # the list
            start, end, after = self._next(after)
            if start == end or self.text[start:end] == "do":
                return after if start == end else start

    def _named_function(self, pos: int) -> int:
        _, _, pos = self._next(pos)
        m = _PARENS.match(self.text, pos)
        self._function = True
        return m.end() if m else pos

    def _arithmetic(self, at: int) -> int:
        """After `(( ... ))` that opens at `at`; the names it changes are not known any more."""
        end = skip(self.text, at, len(self.text), MAX_NESTING)
        for m in compiled(_CHANGED).finditer(self.text, at, min(end, at + 2000)):
            self._unset(m[1], at)
        self._gap()
        return end

    def _test(self, pos: int) -> int:
        """After `[[ ... ]]`."""
        text, n = self.text, len(self.text)
        while pos < n:
            start, end, after = self._next(pos)
            if start == end:
                m = _TOKEN.match(text, pos)
                pos = max(m.end() if m else pos, pos + 1)
            elif text[start:end] == "]]":
                return after
            else:
                pos = after
        return pos

    def _case(self, pos: int) -> int:
        self._push("case")
        _, _, pos = self._next(pos)
        m = re.compile(r"(?:[ \t\r\n]|\\\r?\n|#[^\n]*\n)*in(?=[ \t\r\n])").match(self.text, pos)
        return self._pattern(m.end()) if m else pos

    def _pattern(self, pos: int) -> int:
        """The patterns of one arm up to their `)`, or `esac`; never commands, so never a lost override."""
        text, n = self.text, len(self.text)
        while pos < n:
            m = _TOKEN.match(text, pos)
            if m is None:
                break
            kind, pos = m.lastgroup, m.end()
            if kind == "comment":
                self.comments.append(m.span("comment"))
            elif kind == "word" or kind == "odd":
                start = m.start(kind)
                pos = pos if kind == "word" else self._slow(start)
                if text[start:pos] == "esac":
                    self._pop("case")
                    return pos
            elif kind == "op" and m["op"] == ")":
                self._push("arm")
                return pos
        return pos
