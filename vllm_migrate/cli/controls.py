"""Patterns of what is never printed as it stands; loaded only for a text that holds something unusual (see gate.py)."""

from __future__ import annotations

import re

# C0 without tab and line end, C1, marks and overrides of direction, line separators, invisible tags and fillers.
_CONTROL = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]|\r(?!\n)"
)
CONTROLS = re.compile(_CONTROL)
IN_PATCHES = re.compile(f"(?![\x0b\x0c\x85\u2028\u2029])(?:{_CONTROL})")
COLORED = re.compile(r"\x1b\[[0-9;]*m|\x1b\]8;;[!-~]*\x1b\\|" + _CONTROL)
COMMANDS = re.compile(
    r"((?:^|[\r\n])[ \t]*)(:)(?=:[A-Za-z-]+[^\n]*::)|(?<!#)()(#)(?=#(?:vso|teamcity)?\[[A-Za-z])", re.MULTILINE
)
