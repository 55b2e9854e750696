"""`diff` on a terminal: one table per kind of change."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from vllm_migrate.catalog.changes import KINDS, Change
from vllm_migrate.catalog.diff import TITLES, describe, headline, whole_story

LEAST, GAP = 24, 2  # columns that a change keeps; between two columns of the table


def show(old: str, new: str, found: list[Change], console: Console | None = None) -> None:
    """Draw the changes from `old` to `new`."""
    console = console or Console(highlight=False)
    console.print(f"vLLM {old} -> {new}: {len(found)} changes", style="bold", markup=False)
    for line in headline(old, new, found):
        console.print(f"  {line}", markup=False)
    for kind in KINDS:
        mine = [change for change in found if change.kind == kind]
        if mine:
            console.print()
            console.print(_table(f"{TITLES[kind]} ({len(mine)})", mine, console.width))
    for line in whole_story(found):
        console.print(line, markup=False)


def _table(title: str, found: list[Change], columns: int) -> Table:
    """Names stay whole as far as the terminal is wide enough for them."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, title_style="bold")
    since = max(len("since"), *(len(change.since) for change in found))
    section = max(len("section"), *(len(change.section) for change in found))
    room = columns - since - section - 3 * GAP
    option = max(len("option"), min(max(len(change.option) for change in found), room - LEAST))
    for heading, width in (("since", since), ("section", section), ("option", option), ("change", room - option)):
        table.add_column(heading, width=max(width, 1), overflow="fold")
    for change in found:
        cells = (change.since, change.section, change.option, describe(change))
        table.add_row(*(cell.replace("[", "\\[") for cell in cells))
    return table
