"""Engines at two releases side by side, as the table that `effective` prints. Imports rich: not on the way of a lint."""

from __future__ import annotations

import json
import os
import textwrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vllm_migrate.report.layout import clean, column_widths
from vllm_migrate.report.mask import mask_value
from vllm_migrate.resolve.table import REFUSED, Cell, SettingRow

WIDE = 110  # columns from which origins are words; below, they are a letter each
WORDS = {"resolved at run time": "run time", "framework default": "framework", "vLLM default": "vLLM"}
LETTERS = {"resolved at run time": "r", "framework default": "f", "vLLM default": "d"}
LEGEND = ":N line N of the file, f set by the framework, d vLLM's default, r resolved at run time"


class SideBySide:
    """The tables of one run. Reasons of what is not known are numbered (?1) and told once under each table."""

    def __init__(self, console: Console, everything: bool) -> None:
        self.console = console
        self.everything = everything
        self.wide = console.width >= WIDE

    def show(self, path: str, title: str, known: list[str], releases: tuple[str, str], rows: list[SettingRow]) -> None:
        """One engine: what is known of it, what changes, what may, and, with `everything`, what stays."""
        reasons: dict[str, int] = {}
        stays = [row for row in rows if not row.changed]
        changes = [row for row in rows if row.changed and not _open(row)]
        may_change = [row for row in rows if row.changed and _open(row)]
        self.console.print()
        self.console.print(clean(title), style="bold", markup=False, soft_wrap=True)
        for line in known:
            self.console.print("  " + clean(line), style="dim", markup=False, soft_wrap=True)
        if not changes and not may_change:
            self.console.print("nothing changes", markup=False)
        parts = [("changes", changes, "bold"), ("may change", may_change, None)]
        parts += [("stays", stays, None)] if self.everything else []
        parts = [part for part in parts if part[1]]
        if parts:
            self.console.print(self._table(path, parts, releases, reasons))
        for reason, number in reasons.items():
            self._note(f"?{number}", reason)
        if stays and not self.everything:
            self.console.print(f"{len(stays)} unchanged settings hidden (--all shows them)", markup=False)

    def _note(self, mark: str, text: str) -> None:
        lines = textwrap.wrap(
            clean(text), max(self.console.width - 5, 20), break_on_hyphens=False, break_long_words=False
        )
        for at, line in enumerate(lines):
            self.console.print(f"{mark if at == 0 else '':4} {line}", markup=False, soft_wrap=True)

    def legend(self) -> None:
        if not self.wide:
            self.console.print()
            self.console.print(LEGEND, markup=False)

    def _table(
        self,
        path: str,
        parts: list[tuple[str, list[SettingRow], str | None]],
        releases: tuple[str, str],
        reasons: dict[str, int],
    ) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1) if self.wide else (0, 1, 0, 0))
        lines = [[self._line(path, row, reasons) for row in rows] for _, rows, _ in parts]
        table.add_column(parts[0][0], no_wrap=True)
        heads = ["", releases[0], "", releases[1], ""]
        room = self.console.width - len(heads) * (2 if self.wide else 1)
        _, *widths = column_widths([heads, *(line for part in lines for line in part)], room, (1, 3))
        # Origins are told apart by their place, not by a title: a second "from" would be read as a release.
        for head, width in zip(heads[1:], widths, strict=True):
            table.add_column(head, overflow="fold", width=width, style="" if head else "dim")
        for number, ((name, _, style), mine) in enumerate(zip(parts, lines, strict=True)):
            if number:
                table.add_row(name, style="dim")
            for line in mine:
                # As texts: what stands in brackets in a value is no markup.
                table.add_row(*map(Text, line), style=style)
        return table

    def _line(self, path: str, row: SettingRow, reasons: dict[str, int]) -> list[str]:
        """The cells of a setting: its name, then value and origin at both releases."""
        cells = [part for side in (row.source, row.target) for part in self._cell(row.option, path, side, reasons)]
        return [clean(cell) for cell in (row.option, *cells)]

    def _cell(self, option: str, path: str, cell: Cell, reasons: dict[str, int]) -> tuple[str, str]:
        """The value, and where it comes from."""
        if cell.origin == REFUSED:
            return "rejected", ""
        if cell.absent:
            return "-", ""
        origin = self._origin(path, cell.origin)
        value = mask_value(option, cell.value)
        if cell.depends_on is None:
            return word(value), origin
        numbers = ",".join(str(reasons.setdefault(reason, len(reasons) + 1)) for reason in cell.reasons)
        options = [value] if not cell.undecided else value if isinstance(value, list) else []
        return " or ".join(map(word, options)) + " " * bool(options) + f"?{numbers}", origin

    def _origin(self, path: str, origin: str) -> str:
        known = (WORDS if self.wide else LETTERS).get(origin)
        if known is not None or origin == "unknown":
            return known or ""
        file, colon, line = origin.rpartition(":")
        if not colon:
            return origin
        if file == path:
            return f"line {line}" if self.wide else f":{line}"
        return f"{os.path.basename(file)}:{line}"


def _open(row: SettingRow) -> bool:
    """Whether either side is not known."""
    return row.source.depends_on is not None or row.target.depends_on is not None


def word(value: object) -> str:
    """A value as a configuration would write it."""
    if value is None:
        return "unset"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)
