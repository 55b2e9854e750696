"""Colours of a terminal, as plain ANSI codes."""

from __future__ import annotations

CODES = {
    "error": "1;31",
    "warning": "1;33",
    "info": "1;36",
    "bold": "1",
    "dim": "2",
    "frame": "94",
    "code": "1",
    "safe": "32",
    "review": "33",
    "none": "2",
    "write": "32",
    "drop": "31",
}


class Paint:
    """`paint("error", text)`: the text in a style, or as it is when colour is off. links: whether texts may lead somewhere."""

    __slots__ = ("links", "on")

    def __init__(self, on: bool, links: bool = False) -> None:
        self.on = on
        self.links = links

    def link(self, text: str, url: str) -> str:
        """The text as a terminal's hyperlink (OSC 8); as it is where there are none."""
        return f"\x1b]8;;{url}\x1b\\{text}\x1b]8;;\x1b\\" if self.links else text

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{CODES[style]}m{text}\x1b[0m" if self.on and text else text
