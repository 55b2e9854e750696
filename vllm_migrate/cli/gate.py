"""The way of every text to standard output and standard error: without secrets, and without what acts on a terminal or a runner.

Texts are cleaned where a format is made (`report.layout.clean`, `report.mask`); this is what nothing can pass by: an error's
message, a note, a table, a diff. Escapes are spelled as JSON spells them, so that what is printed stays JSON.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vllm_migrate.documents.text.secrets import hide, known

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO


class OutputClosedError(Exception):
    """Whoever reads went away (`| head`). No OSError, which typer and rich answer each with an exit code of its own."""


class Gate:
    """A stream that writes to another what is safe to be read there."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.colored = bool(os.environ.get("FORCE_COLOR")) or stream.isatty()
        self.commands = False  # whether workflow commands are ours: the format made for a runner
        self.patch = False  # whether the text is a patch for a program, which has to be as the file is

    def write(self, text: str) -> int:
        try:
            return self.stream.write(self.passed(text))
        except BrokenPipeError:
            raise OutputClosedError from None

    def flush(self) -> None:
        try:
            self.stream.flush()
        except BrokenPipeError:
            raise OutputClosedError from None

    def passed(self, text: str) -> str:
        """The text as it is written."""
        if known():
            text = _without_secrets(text)
        if not text.isprintable():  # most pieces have line ends
            text = self._clean(text)
        elif not self.commands and ("::" in text or "##" in text):
            text = harmless_commands(text)
        return text

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def _clean(self, text: str) -> str:
        if not text.replace("\n", "").isprintable():
            text = without_controls(text, self.colored, self.patch)
        return text if self.commands or ("::" not in text and "##" not in text) else harmless_commands(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def beneath(stream: TextIO) -> TextIO:
    """The stream under the gate, for what moves the cursor. Nothing that comes from a file or a worker may be written to it."""
    return stream.stream if isinstance(stream, Gate) else stream


def _without_secrets(text: str) -> str:
    text = hide(text)
    if "\\" in text or "&" in text:  # as JSON and HTML spell it
        from html import escape
        from json import dumps

        for secret in known():
            for spelled in (dumps(secret)[1:-1], dumps(secret, ensure_ascii=False)[1:-1], escape(secret)):
                if spelled in text:
                    text = text.replace(spelled, "***")
    return text


def without_controls(text: str, colored: bool = False, patch: bool = False) -> str:
    """The text with control characters, and those that reorder or hide text, as escapes.

    colored: our colours stay; patch: so do form feeds and their like, which only part lines.
    """
    from vllm_migrate.cli.controls import COLORED, CONTROLS, IN_PATCHES

    return (COLORED if colored else IN_PATCHES if patch else CONTROLS).sub(
        lambda match: match[0] if len(match[0]) > 1 else _escaped(match[0]), text
    )


def harmless_commands(text: str) -> str:
    """The text without lines that a runner of GitHub, Azure or TeamCity takes as orders."""
    from vllm_migrate.cli.controls import COMMANDS

    return COMMANDS.sub(lambda match: (match[1] or "") + f"\\u{ord(match[0][-1]):04x}", text)


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else "\\u{:04x}\\u{:04x}".format(*_surrogates(ord(c)))


def _surrogates(code: int) -> tuple[int, int]:
    code -= 0x10000
    return 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF)
