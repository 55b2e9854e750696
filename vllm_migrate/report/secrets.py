"""Patterns of secrets in text; loaded only for a text that hints at one (see mask.py)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.documents.text.finding_secrets import IN_ADDRESS, drawn, tokens_in

# A value: quoted, a bracketed list, a header's scheme and its credential, or up to white space and flow punctuation.
VALUE = r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\[[^\]\n]*\]|(?:Bearer|Basic)\s+[^\s,;}"']+|[^\s,;}"'\]]+)"""

# key: value, key=value, "key": value; and `--key value` on a command line.
# A key begins where a run of word characters does, so that a long run is looked at once.
ASSIGNED = re.compile(
    r"""(?<![\w.\-])(?:[^\WA-Za-z_]|[.\-])*+(?P<key>[A-Za-z_][\w.\-]*+)["']?+\s*+[:=]\s*""" + VALUE, re.IGNORECASE
)
FLAG = re.compile(r"--(?P<key>[A-Za-z][\w.\-]*+)\s++" + VALUE.replace("[^\\s,;}\"'\\]]+)", "(?!--)[^\\s,;}\"'\\]]+)"))
# A block mapping's plain value runs to the end of its line or to a comment.
LINE = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?["']?(?P<key>[A-Za-z_][\w.\-]*)["']?[ \t]*:[ \t]+"""
    r"""(?P<value>[^\s"'\[{|>&*!#].*?)[ \t]*(?=[ \t]#|$)""",
    re.MULTILINE,
)


def assignments(text: str) -> Iterator[tuple[str, int, int]]:
    """Keys with the span of what is assigned to them."""
    for pattern in (LINE, FLAG):
        for match in pattern.finditer(text):
            yield match["key"], *match.span("value")
    at = 0
    while (found := ASSIGNED.search(text, at)) is not None:
        yield found["key"], *found.span("value")
        # The value may itself begin with the next assignment (`env: HF_TOKEN=x`).
        at = found.start("value")


def shapes(text: str) -> Iterator[tuple[int, int]]:
    """Spans of what has the shape of a well-known kind of token, and passwords in addresses."""
    yield from tokens_in(text)
    for match in IN_ADDRESS.finditer(text):
        if match["user"] is None or drawn(match["user"]):
            yield match.span(match.lastgroup or 0)
