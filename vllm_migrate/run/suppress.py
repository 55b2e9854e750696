"""Suppression comments: what a user has looked at and decided to keep.

    max-num-seqs: 64  # vllm-migrate: ignore[VM101] measured, no effect here
    # vllm-migrate: ignore[prefix-caching-default, VM105]
    enable-prefix-caching: true
    # vllm-migrate: ignore-file[VM4] this model is only served

In brackets stand codes, beginnings of codes, or names; without brackets every rule is meant. A rule that is named
without square brackets (`ignore(VM105)`, `ignore: VM105`) is a mistake and hides nothing: taken for a reason, it would
hide every other rule too. A comment at the end of a
line counts for that line. A comment on a line of its own counts for the next line (other comments between do no harm);
where that line begins a command that backslashes continue, for all of it: a shell has no room for a comment
inside one. `ignore-file` in the first lines counts for the file, and so does a plain `ignore` that heads the file with
a blank line, or a document marker, below it. In JSON the comment begins with `//`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

MARK = "vllm-migrate:"
LINE, FILE = "ignore", "ignore-file"
HEAD_LINES = 20
MARKS_PER_LINE = 8
# Words of other tools that people try first.
MISTAKEN = ("ign", "disable", "noqa", "skip", "nolint", "suppress", "off")
# What stands between the word and a rule that is named without square brackets.
BETWEEN = " \t:,=-–—"
OPENERS = "([{<\"'`"


class Suppression:
    """One comment. first, last: the lines it counts for (0, 0: the file); codes: lower case, empty for every rule."""

    __slots__ = ("bracket", "codes", "column", "first", "last", "line", "reason", "used")

    def __init__(self, line: int, column: int, codes: tuple[str, ...], reason: str, bracket: int) -> None:
        self.line = line
        self.column = column
        self.codes = codes
        self.reason = reason
        self.bracket = bracket  # offset of the closing bracket in the text; -1 without
        self.first = self.last = line
        self.used: set[str] = set()

    def names(self, code: str, name: str) -> str | None:
        """Which of its codes means a rule ("" when it means every rule); None when it does not mean it."""
        if not self.codes:
            return ""
        return next((given for given in self.codes if means(given, code, name)), None)


def means(given: str, code: str, name: str) -> bool:
    """Whether what stands in brackets (in lower case) means a rule."""
    return given == name.lower() or (given[:2] == "vm" and code.lower().startswith(given))


class KnownRules:
    """Which rules there are, and which of them this run looks at. rules: code, name and whether it does."""

    __slots__ = ("_known", "_rules")

    def __init__(self, rules: Iterable[tuple[str, str, bool]]) -> None:
        self._rules = list(rules)
        self._known: dict[str, tuple[bool, bool]] = {}

    @property
    def names(self) -> set[str]:
        return {name for _, name, _ in self._rules}

    def exists(self, given: str) -> bool:
        """Whether what stands in brackets means any rule."""
        return self._find(given)[0]

    def looks_at(self, given: str) -> bool:
        """Whether this run looks at every rule that it means, and it means one."""
        return self._find(given) == (True, True)

    def tells(self, given: str) -> bool:
        """Whether this run can tell that it hides nothing: it means no rule, or all that it means are looked at."""
        return self._find(given) != (True, False)

    def _find(self, given: str) -> tuple[bool, bool]:
        known = self._known.get(given)
        if known is None:
            meant = [judged for code, name, judged in self._rules if means(given, code, name)]
            known = self._known[given] = (bool(meant), all(meant))
        return known


class Unused:
    """A suppression, or the part of one, that no finding needed. codes is empty for one without brackets."""

    __slots__ = ("codes", "column", "line")

    def __init__(self, line: int, column: int, codes: tuple[str, ...]) -> None:
        self.line = line
        self.column = column
        self.codes = codes


class Malformed:
    """A comment that was meant as a suppression and is none."""

    __slots__ = ("column", "line", "message")

    def __init__(self, line: int, column: int, message: str) -> None:
        self.line = line
        self.column = column
        self.message = message


class Suppressions:
    """The suppressions of one file."""

    __slots__ = ("_by_line", "_wide", "all", "malformed")

    def __init__(self) -> None:
        self.all: list[Suppression] = []
        self.malformed: list[Malformed] = []
        self._by_line: dict[int, list[Suppression]] = {}
        self._wide: list[Suppression] = []  # for a command over several lines, and at last for the file

    def add(self, suppression: Suppression) -> None:
        self.all.append(suppression)
        if suppression.first == 0:
            self._wide.append(suppression)
        elif suppression.first < suppression.last:
            self._wide.insert(0, suppression)
        else:
            self._by_line.setdefault(suppression.first, []).append(suppression)

    @classmethod
    def parse(cls, text: str, names: Collection[str] = ()) -> Suppressions:
        """The suppressions in a text. A text without any costs one search. names: of rules, to tell them from a reason."""
        out = cls()
        if MARK in text:
            _Parser(text, out, names).parse()
        return out

    def match(self, code: str, name: str, line: int) -> Suppression | None:
        """The suppression of a finding, which is now used; the one nearest to the line before one for the file."""
        near: list[Suppression] = self._by_line.get(line, [])
        for suppression in near + self._wide:
            if suppression.first == 0 or suppression.first <= line <= suppression.last:
                given = suppression.names(code, name)
                if given is not None:
                    suppression.used.add(given)
                    return suppression
        return None

    def unused(self, judged: Callable[[str], bool] | None = None) -> list[Unused]:
        """What no finding needed. `judged`: whether a rule (as the comment names it) was looked at in this run."""
        out = []
        for suppression in self.all:
            if not suppression.codes:
                if not suppression.used:
                    out.append(Unused(suppression.line, suppression.column, ()))
                continue
            idle = tuple(c for c in suppression.codes if c not in suppression.used and (judged is None or judged(c)))
            if idle:
                out.append(Unused(suppression.line, suppression.column, idle))
        return out


class _Parser:
    def __init__(self, text: str, out: Suppressions, names: Collection[str]) -> None:
        self.text = text
        self.names = names
        self.out = out
        self.spans = line_spans(text)
        # The first line with content: what stands above it heads the file.
        self.content = next((n for n in range(1, len(self.spans) + 1) if not self._empty(n)), len(self.spans) + 1)
        self.below: dict[int, tuple[int, int]] = {}

    def line(self, number: int) -> str:
        if not 1 <= number <= len(self.spans):
            return ""
        start, end = self.spans[number - 1]
        return self.text[start:end]

    def parse(self) -> None:
        for number in range(1, len(self.spans) + 1):
            line = self.line(number)
            at = line.find(MARK)
            for _ in range(MARKS_PER_LINE):
                if at < 0:
                    break
                following = line.find(MARK, at + 1)
                self._comment(number, line, at, following if following >= 0 else len(line))
                at = following

    def _comment(self, number: int, line: str, at: int, end: int) -> None:
        leader = comment_start(line, at)
        if leader < 0:
            return
        column, body = leader + 1, line[at + len(MARK) : end]
        words = body.lstrip()
        length = next((i for i, c in enumerate(words) if not (c.isalnum() or c in "-_")), len(words))
        word, rest = words[:length], words[length:].lstrip()
        if word not in (LINE, FILE):
            if word.lower().startswith(MISTAKEN):
                self._malformed(number, column, f"{word!r} is not known: write ignore[CODE] or ignore-file[CODE]")
            return
        codes: tuple[str, ...] = ()
        bracket = -1
        if rest.startswith("["):
            close = rest.find("]")
            codes = tuple(code.strip().lower() for code in rest[1:close].split(",") if code.strip())
            if close < 0 or not codes:
                self._malformed(number, column, "no closing bracket" if close < 0 else "no code between the brackets")
                return
            bracket = self.spans[number - 1][0] + end - len(rest) + close
            rest = rest[close + 1 :]
        elif words[length : length + 1] in ("(", "=") or self._names_a_rule(rest):
            self._malformed(number, column, f"this hides nothing: rules go in square brackets, {word}[CODE]")
            return
        reason = rest.strip().rstrip("#/").strip().lstrip(":-–— ")
        self._add(Suppression(number, column, codes, reason, bracket), word, line[:leader].strip() == "")

    def _names_a_rule(self, rest: str) -> bool:
        """Whether what follows the word, and no square bracket, is a rule and not a reason."""
        bare = rest.lstrip(BETWEEN)
        if bare.startswith("["):
            return True
        bare = bare.lstrip(OPENERS)
        length = next((i for i, c in enumerate(bare) if not (c.isalnum() or c in "-_")), len(bare))
        named = bare[:length]
        return (
            named.lower() in self.names
            or (named[:2] == "VM" and named[2:].isalnum())
            or (named[:2].lower() == "vm" and named[2:].isdecimal())
        )

    def _add(self, suppression: Suppression, word: str, own_line: bool) -> None:
        number = suppression.line
        if word == FILE:
            if number > HEAD_LINES:
                message = f"ignore-file only works in the first {HEAD_LINES} lines"
                self._malformed(number, suppression.column, message)
                return
            suppression.first = suppression.last = 0
        elif own_line:
            self._cover_next(suppression)
        self.out.add(suppression)

    def _cover_next(self, suppression: Suppression) -> None:
        """Let a comment on a line of its own count for what follows it."""
        first, last = self._following(suppression.line)
        if suppression.line < self.content and self.line(first).strip() in ("", "---"):
            suppression.first = suppression.last = 0
        else:
            suppression.first, suppression.last = first, last

    def _following(self, number: int) -> tuple[int, int]:
        """The lines of what follows the comments at a line."""
        if number not in self.below:
            first = number + 1
            while is_comment(self.line(first)):
                first += 1
            last = first
            while continues(self.line(last)):
                last += 1
            for comment in range(number, first):
                self.below[comment] = (first, last)
        return self.below[number]

    def _empty(self, number: int) -> bool:
        line = self.line(number)
        return line.strip() in ("", "---") or is_comment(line)

    def _malformed(self, line: int, column: int, message: str) -> None:
        self.out.malformed.append(Malformed(line, column, message))


def comment_start(line: str, at: int) -> int:
    """Where the comment begins whose text begins at `at`; -1 when no comment does."""
    before = line[:at].rstrip(" \t")
    for leader in ("#", "//"):
        if before.endswith(leader):
            start = len(before) - len(leader)
            while start and before[start - 1] == leader[0]:
                start -= 1
            if start == 0 or before[start - 1] in " \t,]})\"'":
                return start
    return -1


def line_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each line, without its newline: \\n, \\r\\n or \\r."""
    spans, start = [], 0
    if "\r" not in text:
        for line in text.split("\n"):
            spans.append((start, start + len(line)))
            start += len(line) + 1
        return spans
    for line in text.replace("\r\n", "\n\n").replace("\r", "\n").split("\n"):
        spans.append((start, start + len(line)))
        start += len(line) + 1
    # A \r\n was counted as two ends: drop the empty line between them.
    return [
        s for s in spans if not (s[0] and s[0] == s[1] and text[s[0] - 1] == "\r" and text[s[0] : s[0] + 1] == "\n")
    ]


def is_comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "//"))


def continues(line: str) -> bool:
    """Whether a line ends with a backslash that is not itself escaped."""
    return not is_comment(line) and (len(line) - len(line.rstrip("\\"))) % 2 == 1
