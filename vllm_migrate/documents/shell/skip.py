"""Where a quoted or bracketed construct of a shell script ends, however it nests. Linear and iterative."""

from __future__ import annotations

import re
from functools import cache

from vllm_migrate.documents.interface import Unreadable

_TICK = r"`(?:[^`\\]|\\[\s\S])*+(?:`|\Z)"
# What matters inside each kind of construct. Compiled on first use: a plain script needs none of them.
_CODE, _STRING, _BRACED, _BRACED_IN_STRING = (
    rf"""\\[\s\S] | '[^']*(?:'|\Z) | (?P<open>"|\$[{{(]|\() | (?P<close>\)) | {_TICK}
    | (?P<comment>(?<=[\s;&|(])\#[^\n]*) | <<<
    | (?P<here><<-?[ \t]*(?P<mark>'[^'\n]*'|"[^"\n]*"|[\w\\.-]+))
    | (?P<line>\n) | (?P<case>\bcase[ \t]{{1,20}}[^\s]{{1,200}}[ \t]{{1,20}}in\b) | (?P<esac>\besac\b)""",
    rf"""\\[\s\S] | (?P<open>\$[{{(]) | (?P<close>") | {_TICK}""",
    rf"""\\[\s\S] | '[^']*(?:'|\Z) | (?P<open>"|\$[{{(]) | (?P<close>\}}) | {_TICK}""",
    rf"""\\[\s\S] | (?P<open>"|\$[{{(]) | (?P<close>\}}) | {_TICK}""",
)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A verbose pattern, compiled when it is first needed: all of them cost milliseconds of every start."""
    return re.compile(pattern, re.X)


class _Frame:
    """One open construct: the pattern of what matters inside, an open `case`, heredocs waiting for their
    bodies.
    """

    __slots__ = ("case", "heredocs", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.case = False
        self.heredocs: list[tuple[str, bool]] = []


def skip(text: str, at: int, end: int, deepest: int = 0) -> int:
    """The offset after the construct that opens at `at`: `"`, `$(`, `${`, `(`, `<(` or a backtick; `end` if
    it never closes. Raises Unreadable("too-deep") where more than `deepest` are open (0: no limit).
    """
    if text[at] == "`":
        m = compiled(_TICK).match(text, at, end)
        return m.end() if m else end
    stack: list[_Frame] = []
    i = _enter(text, at, stack)
    while stack:
        frame = stack[-1]
        m = compiled(frame.pattern).search(text, i, end)
        if m is None:
            return end
        i, kind = m.end(), m.lastgroup
        if len(stack) > deepest > 0:
            raise Unreadable("too-deep", f"quotes and substitutions nest deeper than {deepest}")
        if kind == "open":
            i = _enter(text, m.start(), stack)
        elif kind == "close":
            if not frame.case:  # else the `)` ends a pattern of `case`
                stack.pop()
        elif kind == "here":
            mark = m["mark"].strip("'\"").replace("\\", "")
            frame.heredocs.append((mark, m["here"].startswith("<<-")))
        elif kind == "line":
            for mark, tabs in frame.heredocs:
                i = heredoc_end(text, i, end, mark, tabs, "\r\n)")[1]
            frame.heredocs.clear()
        elif kind in ("case", "esac"):
            frame.case = kind == "case"
    return i


def _enter(text: str, at: int, stack: list[_Frame]) -> int:
    in_string = bool(stack) and stack[-1].pattern in (_STRING, _BRACED_IN_STRING)
    if text[at] == '"':
        stack.append(_Frame(_STRING))
        return at + 1
    if text.startswith("${", at):
        stack.append(_Frame(_BRACED_IN_STRING if in_string else _BRACED))
        return at + 2
    stack.append(_Frame(_CODE))
    return at + (1 if text[at] == "(" else 2)


def heredoc_end(text: str, at: int, end: int, mark: str, tabs: bool, after: str = "\r\n") -> tuple[int, int]:
    """(end of the body that starts at `at`, offset after its delimiter); both `end` when the delimiter never
    comes.

    `tabs`: the delimiter may be indented (`<<-`). `after`: what may stand behind it.
    """
    i = at
    while i < end:
        i = text.find(mark, i, end) if mark else i
        if i < 0:
            break
        start, stop = i, i + len(mark)
        while tabs and start > at and text[start - 1] == "\t":
            start -= 1
        if (start == at or text[start - 1] == "\n") and (stop >= end or text[stop] in after):
            return start, stop
        i = stop if mark else text.find("\n", i, end) + 1 or end
    return end, end
