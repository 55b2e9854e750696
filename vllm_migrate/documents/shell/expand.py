"""Words of a shell script and what they expand to, as far as the file alone decides it.

A word is cut into pieces: literal text, or an expansion the file does not decide (an environment variable,
`$1`, `$(...)`). `value` is the text when every piece is literal. `hint` is the text when no environment
variable and no argument says otherwise and no branch is taken: `${ENGINE:-vllm}` has no value and the hint
`vllm`.

Nothing is executed. Glob characters stay as they are. Limits keep a hostile script cheap (MAX_TEXT,
MAX_WORDS, MAX_DEPTH, MAX_DEFAULTS).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from vllm_migrate.documents.shell.quote import ansi, brace_expansions
from vllm_migrate.documents.shell.skip import compiled, skip

MAX_TEXT = 1 << 16
MAX_WORDS = 5_000
MAX_DEPTH = 40
MAX_DEFAULTS = 10
MAX_EXPANSIONS = 200_000
MAX_STEPS = 200
FILLER = "\ue000"

_PLAIN = re.compile(r"[\w./:=+,@%^\-\[\]*?!#]*")
_PIECE = re.compile(
    r"""(?P<lit>[^\\'"$`{<>~]++) | '(?P<sq>[^']*)' | \$'(?P<ansi>(?:[^'\\]|\\[\s\S])*+)' | \$?(?P<dq>")
    | \\\r?\n(?P<join>) | \\(?P<esc>[\s\S]) | (?P<brace>\{) | (?P<tilde>~) | \$\{(?P<only>[A-Za-z_]\w*)\}
    | (?P<exp>\$[{(]|`|[<>]\() | \$(?P<name>[A-Za-z_]\w*|[0-9@*\#?$!_-]) | (?P<other>[\s\S])""",
    re.X,
)
_QUOTED = re.compile(
    r"""(?P<lit>[^\\"$`]++) | (?P<end>") | \\\r?\n(?P<join>) | \\(?P<esc>[$`"\\]) | \$\{(?P<only>[A-Za-z_]\w*)\}
    | (?P<exp>\$[{(]|`) | \$(?P<name>[A-Za-z_]\w*|[0-9@*\#?$!_-]) | (?P<other>[\s\S])""",
    re.X,
)
# Inside single quotes of a nested script: a filler stands for the backslash that kept its `$` from the script around it.
_SINGLE = re.compile(
    rf"""(?P<lit>(?:{FILLER}[\s\S]|[^$`{FILLER}])++) | \$\{{(?P<only>[A-Za-z_]\w*)\}} | (?P<exp>\$[{{(]|`)
    | \$(?P<name>[A-Za-z_]\w*|[0-9@*\#?$!_-]) | (?P<other>[\s\S])""",
    re.X,
)
_NAMES = re.compile(r"\$\{?([A-Za-z_]\w*)")
_SPLITS = re.compile(r"\s|\\|''|\"\"|\$'")
_TORN = r"\$\{?\w*(?:\\\r?\n)+[\w{(]"  # a continuation inside a name: `$NA\` newline `ME`
_PARAMETER = re.compile(r"\$\{(?P<name>[A-Za-z_]\w*|[0-9]+|[@*])(?P<op>:?[-=+?])?(?P<arg>[\s\S]*)\}\Z")


class Piece(NamedTuple):
    """A stretch of a word. `text` is literal when `known`, else the expansion as written.

    start and end are source offsets; `exact` says that text stands there character for character. `loose`:
    from an unquoted expansion, so the shell splits it at blanks. `wide`: an undecided one that may become any
    number of words. `maybe`: a branch adds it as words of its own (`CMD="$CMD --flag"`). `assumed`: undecided for the one reason
    that the caller may set what `${X:-default}` has a default for; `hint` is that.
    """

    text: str
    known: bool
    hint: str | None
    start: int
    end: int
    exact: bool = False
    loose: bool = False
    wide: bool = False
    maybe: bool = False
    assumed: bool = False


class Word:
    """One word: text[start:end] of the source.

    `via` names the array or variable whose expansion brought the word into a command ("" when it stands there
    itself); `array` is then the assignment that holds it, or None when it is cut out of a string and cannot
    be edited. `maybe` says that a branch decides whether the word is there. `filler`: see Script.filler.
    """

    __slots__ = ("_pieces", "_value", "array", "body", "end", "maybe", "raw", "scope", "script", "start", "via")

    def __init__(self, script: Script, start: int, end: int, raw: str, scope: int) -> None:
        self.script = script
        self.start = start
        self.end = end
        self.raw = raw
        self.scope = scope
        self.via = ""
        self.array: Array | None = None
        self.maybe = False
        self.body = ""
        self._pieces: list[Piece] | None = None
        self._value: str | None = None

    def __repr__(self) -> str:
        return f"Word({self.raw!r} at {self.start})"

    def seen(self, via: str, array: Array | None, maybe: bool) -> Word:
        """This word as an expansion brings it into a command."""
        word = Word(self.script, self.start, self.end, self.raw, self.scope)
        word.via, word.array, word.maybe, word._pieces = via, array, maybe or self.maybe, self._pieces
        return word

    @property
    def pieces(self) -> list[Piece]:
        if self._pieces is None:
            self._pieces = cut(self, 0)
        return self._pieces

    @property
    def value(self) -> str | None:
        """The argument the program gets; None when something outside the file decides it."""
        if self._value is None:
            if self._pieces is None and _PLAIN.fullmatch(self.raw):
                self._value = self.raw
            elif all(self._decided(piece) for piece in self.pieces):
                self._value = "".join([piece.text for piece in self.pieces])
        return self._value

    def _decided(self, piece: Piece) -> bool:
        """A piece that a branch adds is decided only in a word that is there with it."""
        return piece.known and (self.maybe or not piece.maybe)

    @property
    def hint(self) -> str | None:
        """The value with defaults (`${X:-default}`) taken and branches not; None when that is not known
        either.
        """
        parts = []
        for piece in self.pieces:
            if piece.hint is None:
                return None
            parts.append(piece.hint)
        return "".join(parts)

    @property
    def assumed(self) -> str | None:
        """The value of one word unless the caller sets another (`${X:-default}`); None where that is not known either, or more
        than the caller decides.
        """
        parts = []
        for piece in self.pieces:
            text = piece.text if self._decided(piece) else piece.hint if piece.assumed else None
            if text is None or (piece.assumed and piece.loose and len(text.split()) != 1):
                return None
            parts.append(text)
        return "".join(parts)

    @property
    def prefix(self) -> str:
        """The literal text before the first undecided part: `key=` of `key=$X`."""
        parts = []
        for piece in self.pieces:
            if not self._decided(piece):
                break
            parts.append(piece.text)
        return "".join(parts)

    @property
    def unknown(self) -> str:
        """The first undecided part as written; "" when the value is known."""
        for piece in self.pieces:
            if not self._decided(piece):
                return piece.text
        return ""

    @property
    def wide(self) -> bool:
        """The word may become any number of arguments: `"$@"`, an unquoted unknown `$X`, an array from
        elsewhere.
        """
        pieces = self.pieces
        return any(piece.wide for piece in pieces) and all(piece.wide or piece.loose for piece in pieces)

    @property
    def quoted(self) -> str:
        """The quote around the word, or around its value after `key=`; "" when there is none."""
        for part in (self.raw, self.raw.partition("=")[2]):
            if len(part) > 1 and part[0] in "'\"" and part.find(part[0], 1) == len(part) - 1:
                return part[0]
        return ""


class Assign(NamedTuple):
    """`name=value` as a statement. `sure`: always made when its scope runs. value None: set by `read`, `for`,
    `unset`...
    """

    name: str
    value: Word | None
    start: int
    end: int
    scope: int
    sure: bool
    append: bool
    indexed: bool


class Array:
    """`name=( ... )` or `name+=( ... )` from start to end; `open` is the offset after the parenthesis."""

    __slots__ = ("append", "end", "items", "name", "open", "scope", "start", "sure")

    def __init__(self, name: str, start: int, opened: int, scope: int, sure: bool, append: bool) -> None:
        self.name = name
        self.start = start
        self.open = self.end = opened
        self.scope = scope
        self.sure = sure
        self.append = append
        self.items: list[Word] = []


class Script:
    """What a script assigns, by name and in order, and how its scopes nest. `scopes[i]` is the parent of
    scope i.

    `rerun` are scopes whose text can run after later text (loops, functions). `by_functions` are names to which
    functions (by their scope) assign, so whenever one is called. `sourced` are offsets of
    `source`, `.` and `eval`: after one of them any variable may have changed. `outer` is the script around a
    nested one, whose variables it sees too; `filler` is then a character that stands for nothing, where the
    outer quoting had a backslash.
    """

    __slots__ = (
        *("_cache", "_splits", "arrays", "assigns", "budget", "filler"),
        *("outer", "rerun", "scopes", "sourced", "by_functions", "substituted"),
    )

    def __init__(self, outer: Script | None = None) -> None:
        self.outer = outer
        self.substituted = False  # in `$(...)`, which has all that the script around it has
        self.filler = FILLER if outer is not None else ""
        self.assigns: dict[str, list[Assign]] = {}
        self.arrays: dict[str, list[Array]] = {}
        self.scopes: list[int] = [0]
        self.rerun: set[int] = set()
        self.by_functions: dict[str, set[int]] = {}
        self.sourced: list[int] = []
        self.budget = MAX_EXPANSIONS
        self._splits: dict[str, bool] = {}
        self._cache: dict[tuple[tuple[int, bool], ...], tuple[list[Piece], bool] | None] = {}

    def encloses(self, outer: int, inner: int) -> bool:
        while inner > outer:
            inner = self.scopes[inner]
        return inner == outer

    def repeats(self, scope: int) -> bool:
        while scope:
            if scope in self.rerun:
                return True
            scope = self.scopes[scope]
        return False

    def lookup(
        self, name: str, at: int, scope: int, depth: int, escaped: bool = False
    ) -> tuple[list[Piece], bool] | None:
        """Pieces of the last sure assignment before `at`, and whether they are certain; None: not assigned here.

        `escaped`: not what the outer script has, which leaves a `\\$NAME` alone.
        """
        made = self.assigns.get(name)
        if made is None:
            if self.outer is not None and not escaped and name not in self.arrays:
                return self.outer.lookup(name, at, 0, depth)
            return ([], False) if name in self.arrays else None
        i = bisect_right(made, at, key=_end)
        certain = i == len(made) or not self.repeats(scope)
        certain = certain and all(self.encloses(caller, scope) for caller in self.by_functions.get(name, ()))
        parts: list[tuple[Word | None, bool]] = []
        for assign in reversed(made[max(0, i - MAX_STEPS) : i]):
            if not (assign.sure and self.encloses(assign.scope, scope)):
                added = _added(assign)
                certain = certain and added is not None
                parts.append((added, True))
                continue
            parts.append((assign.value, False))
            if assign.value is None or not assign.append:
                return self._assigned(parts[::-1], certain and not self._sourced(assign.end, at), depth)
        return [], False

    def is_fresh(self, name: str, at: int) -> bool:
        """Whether nothing in the script has assigned a variable before `at`, so that the caller alone may have."""
        if self.outer is not None or name in self.arrays or name in self.by_functions:
            return False
        return all(made.end > at for made in self.assigns.get(name, ()))

    def may_split(self, raw: str, inside: str = "", depth: int = 0) -> bool:
        """Whether a variable in `raw`, the value of `inside`, may hold blanks or nothing; cheap, errs to True."""
        if self.outer is not None:
            return True
        for name in _NAMES.findall(raw):
            if name not in self._splits:
                self._splits[name] = True  # while it is being looked at: a circle may
                raws = [made.value.raw for made in self.assigns.get(name, ()) if made.value is not None]
                self._splits[name] = depth > MAX_DEPTH or any(
                    not raw or _SPLITS.search(raw) or self.may_split(raw, name, depth + 1) for raw in raws
                )
            if self._splits[name] and name != inside:
                return True
        return False

    def _sourced(self, start: int, end: int) -> bool:
        return bisect_left(self.sourced, start) < bisect_left(self.sourced, end)

    def _assigned(
        self, parts: list[tuple[Word | None, bool]], certain: bool, depth: int
    ) -> tuple[list[Piece], bool] | None:
        """The pieces of values, one after the other, and whether they are certain. With each: whether a branch adds it."""
        key = tuple((word.start if word is not None else -1, maybe) for word, maybe in parts)
        if key not in self._cache:
            self._cache[key] = None  # what refers to itself is not decided
            pieces: list[Piece] = []
            for word, maybe in parts:
                found = cut(word, depth + 1, assigned=True) if word is not None else []
                pieces += [piece._replace(hint="", maybe=True) for piece in found] if maybe else found
            small = len(pieces) < MAX_WORDS and sum([len(piece.text) for piece in pieces]) < MAX_TEXT
            decided = small and parts[0][0] is not None
            self._cache[key] = (pieces, True) if decided else ([], False)
        found_pieces = self._cache[key]
        return found_pieces and (found_pieces[0], found_pieces[1] and certain)

    def elements(self, name: str, at: int, scope: int, joined: bool = False) -> list[tuple[Array, Word, bool]] | None:
        """(array, element, maybe) of `"${name[@]}"` at `at`; None: not assigned here, or too much of it. `joined`:
        of `${name[*]}` in a string, also where the script around the string has the array.

        The last sure assignment counts; without one, the first that a branch makes. `maybe` elements hang on
        a branch.
        """
        made = self.arrays.get(name)
        if made is None and (joined or self.substituted) and self.outer is not None and name not in self.assigns:
            return self.outer.elements(name, at, 0)
        if made is None or name in self.assigns:
            return None
        parts, undetermined, i = [], False, bisect_right(made, at, key=_end)
        made = made[:i]
        while i:
            i -= 1
            array = made[i]
            sure = array.sure and self.encloses(array.scope, scope)
            self.budget -= 1
            if array.append:
                parts.append((array, not sure))
            elif sure:
                parts.append((array, undetermined))
                break
            else:
                first, undetermined = i, True
        else:
            if not parts and not undetermined:
                return None
            if undetermined:
                parts = [(array, True) for array in made[first:] if array.append or array is made[first]][::-1]
        found = [(array, item, maybe) for array, maybe in reversed(parts) for item in array.items]
        self.budget -= len(found)
        return found if self.budget > 0 else None


_OWN = r"(\"?)\$(?:%(name)s\b|\{%(name)s\})"


def _added(assign: Assign) -> Word | None:
    """What an assignment adds behind the value that its variable had, as words of its own; None where it does not."""
    value = assign.value
    if value is None:
        return None
    if not assign.append:
        own = compiled(_OWN % {"name": assign.name}).match(value.raw)
        if own is None:
            return None
        start, rest = value.start + own.end(), value.raw[own.end() :]
        quote = own[1]
        value = Word(value.script, start - len(quote), value.end, quote + rest, value.scope)
    first = value.raw.lstrip("\"'")[:1] if value.raw[:1] in "\"'" else ""
    return value if first in (" ", "\t", "\n", "\\") else None


def _end(made: Assign | Array) -> int:
    return made.end


def cut(word: Word, depth: int, assigned: bool = False) -> list[Piece]:
    """The pieces of a word. `assigned`: the right side of `name=`, where braces do not expand and tildes do."""
    raw, at = word.raw, word.start
    if "$" not in raw and _PLAIN.fullmatch(raw):
        return [Piece(raw, True, raw, at, word.end, True)]
    if depth > MAX_DEPTH or ("\\" in raw and compiled(_TORN).search(raw)):
        return [_undecided(raw, at, word.end)]
    cutter = _Cutter(word, depth, assigned)
    if word.body == "quoted":
        cutter.literal(raw, 0, len(raw), True)
    elif word.body:
        cutter.quoted(0, len(raw), True)
    else:
        cutter.open(0, len(raw))
    return cutter.out


def _undecided(
    text: str, start: int, end: int, hint: str | None = None, loose: bool = False, wide: bool = False
) -> Piece:
    return Piece(text, False, hint, start, end, False, loose, wide)


class _Cutter:
    """Cuts one word; `out` grows."""

    def __init__(self, word: Word, depth: int, assigned: bool) -> None:
        self.word = word
        self.raw = word.raw
        self.base = word.start
        self.depth = depth
        self.assigned = assigned
        self.out: list[Piece] = []
        self.braces = {} if assigned or "{" not in self.raw else brace_expansions(self.raw)

    def literal(self, text: str, start: int, end: int, exact: bool = False) -> None:
        filler = self.word.script.filler
        if filler and filler in text:
            text, exact = text.replace(filler, ""), False
        self.out.append(Piece(text, True, text, self.base + start, self.base + end, exact))

    def unknown(self, start: int, end: int, loose: bool, wide: bool = False) -> None:
        text = self.raw[start:end]
        self.out.append(_undecided(text, self.base + start, self.base + end, None, loose, wide or loose))

    def open(self, i: int, end: int) -> None:
        """Text outside double quotes."""
        while i < end:
            m = _PIECE.match(self.raw, i, end)
            if m is None:
                return
            kind, j = m.lastgroup, m.end()
            if kind == "lit":
                self.literal(m[0], i, j, True)
            elif kind == "sq" and self.word.script.outer is not None and not self.word.script.substituted:
                self.single(i + 1, j - 1)
            elif kind == "sq":
                self.literal(m["sq"], i, j)
            elif kind == "dq":
                j = self.quoted(j, end)
            elif kind == "esc":
                self.literal(m["esc"], i, j)
            elif kind == "ansi":
                self.literal(ansi(m["ansi"]), i, j)
            elif kind == "name" or kind == "only":
                self.parameter(m[kind], i, j, loose=True)
            elif kind == "exp":
                j = skip(self.raw, i, end)
                self.expansion(i, j, loose=True)
            elif kind == "brace" and i in self.braces:
                j = self.braces[i]
                self.unknown(i, j, loose=True)
            elif kind == "tilde" and self._home(i, j, end):
                self.unknown(i, j, loose=False)
            elif m[0] == "'":  # never closed
                j = end
                self.unknown(i, j, loose=False)
            elif kind != "join":
                self.literal(m[0], i, j, True)
            i = j

    def _home(self, i: int, j: int, end: int) -> bool:
        starts = i == 0 or (self.assigned and self.raw[i - 1] == ":")
        return starts and (j == end or self.raw[j] == "/")

    def quoted(self, i: int, end: int, body: bool = False) -> int:
        """Text inside double quotes from i; the offset after the closing quote. `body`: a heredoc, up to end."""
        opened = i - 1
        before = len(self.out)
        while i < end:
            m = _QUOTED.match(self.raw, i, end)
            if m is None:
                break
            kind, j = m.lastgroup, m.end()
            if kind == "end" and not body:
                if len(self.out) == before:
                    self.literal("", opened, j)
                return j
            if kind == "esc":
                self.literal(m["esc"], i, j)
            elif kind == "name" or kind == "only":
                self.parameter(m[kind], i, j, loose=False)
            elif kind == "exp":
                j = skip(self.raw, i, end)
                self.expansion(i, j, loose=False)
            elif kind != "join":
                self.literal(m[0], i, j, True)
            i = j
        if not body:  # the quote is never closed
            self.unknown(opened, end, loose=False)
        return end

    def single(self, i: int, end: int) -> None:
        """Text inside single quotes of a script in a string or heredoc, where the script around it has expanded its variables."""
        if i == end:
            self.literal("", i - 1, end + 1)
        while i < end:
            m = _SINGLE.match(self.raw, i, end)
            assert m is not None
            kind, j = m.lastgroup, m.end()
            if kind == "name" or kind == "only":
                self.parameter(m[kind], i, j, loose=False)
            elif kind == "exp":
                j = skip(self.raw, i, end)
                self.expansion(i, j, loose=False)
            else:
                self.literal(m[0], i, j, True)
            i = j

    def expansion(self, start: int, end: int, loose: bool) -> None:
        """`${...}`, `$(...)`, backticks, `<(...)`."""
        m = _PARAMETER.match(self.raw[start:end])
        if m is None or (m["arg"] and not m["op"]):
            self.unknown(start, end, loose, wide="[@]" in self.raw[start:end])
        else:
            arg_at = start + m.start("arg")
            self.parameter(m["name"], start, end, loose, m["op"] or "", arg_at, end - 1)

    def parameter(
        self, name: str, start: int, end: int, loose: bool, op: str = "", arg: int = 0, arg_end: int = 0
    ) -> None:
        raw, a, b = self.raw[start:end], self.base + start, self.base + end
        found = None
        if name[0].isalpha() or name[0] == "_":
            escaped = start > 0 and self.raw[start - 1] == FILLER
            found = self.word.script.lookup(name, a, self.word.scope, self.depth, escaped)
        pieces, certain = found or ([], False)
        hint = _joined(pieces) if pieces else None
        assumed = False
        known = certain and all(piece.known for piece in pieces)
        if op in (":-", "-", ":=", "="):
            if known and (hint or ":" not in op):
                op = ""
            elif not hint:
                default = self._default(arg, arg_end, loose)
                if known:
                    self.out += default
                    return
                hint = _joined(default)
                fresh = found is None or self.word.script.is_fresh(name, a)
                assumed = fresh and all(piece.known or piece.assumed for piece in default)
        elif op in (":+", "+"):
            hint = "" if found is None else None
        self.word.script.budget -= len(pieces)
        certain = certain and (loose or self.assigned or not any(piece.maybe for piece in pieces))
        if op in ("", ":?", "?") and certain and self.word.script.budget > 0:
            self.out += _as_used(pieces, loose)
        else:
            undecided = _undecided(raw, a, b, hint, loose, name == "@" or loose)
            self.out.append(undecided._replace(assumed=assumed and bool(hint)))

    def _default(self, start: int, end: int, loose: bool) -> list[Piece]:
        word = self.word
        text = self.raw[start:end]
        if not loose:
            text = '"' + text + '"' if '"' not in text else text
            start -= text != self.raw[start:end]
        inner = Word(word.script, self.base + start, self.base + end, text, word.scope)
        # Each level is read over again by those around it, so that few are gone into.
        return _as_used(cut(inner, self.depth + MAX_DEPTH // MAX_DEFAULTS, assigned=True), loose)


def _as_used(pieces: list[Piece], loose: bool) -> list[Piece]:
    return [piece._replace(loose=loose, wide=loose and not piece.known) for piece in pieces]


def _joined(pieces: list[Piece]) -> str | None:
    hints = [piece.hint for piece in pieces]
    texts = [hint for hint in hints if hint is not None]
    return "".join(texts) if len(texts) == len(hints) else None
