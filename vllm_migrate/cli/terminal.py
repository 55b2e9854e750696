"""What the terminal is: whether to colour, and how wide it is."""

from __future__ import annotations

import os
import sys

from vllm_migrate.cli.gate import Gate
from vllm_migrate.knowledge.site import PUBLISHED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console


def use_color(when: str | None) -> bool:
    """--color decides; else a terminal, unless NO_COLOR is set or TERM is dumb. FORCE_COLOR forces it."""
    if when in ("always", "never"):
        if isinstance(sys.stdout, Gate):
            sys.stdout.colored = when == "always"
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def use_links(color: bool) -> bool:
    """Whether a text may hold hyperlinks to the pages of rules: on a terminal that shows colour, once they are published."""
    return PUBLISHED and color and sys.stdout.isatty()


def console(piped: int = 160) -> Console:
    """Rich's console for standard output: without any style where there is to be no colour, `piped` columns wide where there
    is no terminal.
    """
    from rich.console import Console

    columns = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else piped
    return Console(highlight=False, width=columns, color_system="auto" if use_color(None) else None)


def width() -> int:
    """Columns of the terminal; 100 where there is none."""
    try:
        return int(os.environ.get("COLUMNS", "")) if os.environ.get("COLUMNS") else os.get_terminal_size().columns
    except (OSError, ValueError):
        return 100


def fitted(text: str, columns: int, cut: bool = False) -> str:
    """The text with each line that is too long filled under its own indentation, or cut (for tables)."""
    import textwrap

    out: list[str] = []
    for line in text.split("\n"):
        if len(line) <= columns:
            out.append(line)
        elif cut:
            out.append(line[: max(columns - 3, 0)] + "...")
        else:
            indent = " " * (len(line) - len(line.lstrip()))
            filled = textwrap.fill(
                line.strip(),
                columns,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
                break_long_words=False,
            )
            out.append(filled)
    return "\n".join(out)


def say(text: str, cut: bool = False) -> None:
    """Print a text, fitted to the terminal; as it is where there is none."""
    print(fitted(text, width(), cut) if sys.stdout.isatty() else text)
