"""The ablation for people: the four layers from top to bottom, each with its pins; for a terminal, and as one page."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from vllm_migrate.report.layout import clean
from vllm_migrate.smoke.ablate import MEANING, Ablation, Outcome, answer, figures, ladder
from vllm_migrate.smoke.report import number

if TYPE_CHECKING:
    from rich.console import Console

LAYERS = {
    "semantic": "What a logprob means",
    "inference-path": "Caches and schedulers",
    "weight-update": "Requests in flight while weights change",
    "numerics": "Precision",
}
EFFECTS = {
    "moves": "moves",
    "none": "no effect",
    "inert": "inert here",
    "default": "default",
    "stops": "stops",
    "unmeasured": "-",
}
COLORS = {"moves": "red", "stops": "red", "none": "green", "inert": "yellow", "default": "dim", "unmeasured": "yellow"}
# Columns of the table, each the sum of these figures: no token is clipped below and above.
COLUMNS = {
    "D": ("D",),
    "k3": ("k3",),
    "k3 of an update": ("update_k3",),
    "mean ratio": ("mean_ratio",),
    "clip token": ("clip_token_low", "clip_token_high"),
    "clip sequence": ("clip_sequence_low", "clip_sequence_high"),
}
WHOLE = "all pins"


def _cells(outcome: Outcome | None) -> list[str]:
    """A figure a column, empty where it was not measured."""
    known = dict(figures(outcome)) if outcome is not None else {}
    values = [[known[name].value for name in names if name in known] for names in COLUMNS.values()]
    return [number(sum(measured)) if measured else "" for measured in values]


def _value(value: object) -> str:
    return "?" if value is None else clean(value if isinstance(value, str) else json.dumps(value))


def render(found: Ablation, console: Console) -> None:
    """Prints the ladder."""
    from rich.table import Table
    from rich.text import Text

    table = Table("", "pin", "without it", "", *COLUMNS, box=None, pad_edge=False, header_style="dim")
    table.add_row("", WHOLE, "", "", *_cells(found.pinned))
    for layer, rows in ladder(found):
        table.add_row(Text(layer, style="bold"))
        for row in rows:
            pin = Text(f"{row.pin.option}={_value(row.pin.value)}")
            effect = Text(EFFECTS[row.effect], style=COLORS[row.effect])
            table.add_row("", pin, Text(_value(row.pin.without)), effect, *_cells(row.outcome))
    console.print(table)
    for layer, rows in ladder(found):
        for row in rows:
            console.print(Text(f"{layer}: without {row.pin.option}: {answer(row)}"), soft_wrap=True)
    for kind in dict.fromkeys(row.effect for row in found.rows):
        console.print(Text(f"{EFFECTS[kind]}: {MEANING[kind]}", style="dim"), soft_wrap=True)
    if not found.rows:
        console.print("the config has no pins, so nothing was removed", soft_wrap=True)


def page(found: Ablation, title: str) -> str:
    """The ladder as one HTML page that asks for nothing."""
    from vllm_migrate.report.html import head

    def text(value: str) -> str:
        return escape(clean(value))

    heads = "".join(f"<th>{head}</th>" for head in ("pin", "without it", "effect", *COLUMNS))
    out = [
        head(title, "table{display:block;overflow-x:auto}"),
        f"<h1>{text(title)}</h1>",
        "<p>Each pin was removed in turn. Read the layers from top to bottom: while one moves, those below it say little.</p>",
        f"<table><thead><tr>{heads}</tr></thead><tbody>",
        f"<tr><td><b>{WHOLE}</b></td><td></td><td></td>{''.join(f'<td>{cell}</td>' for cell in _cells(found.pinned))}</tr>",
        "</tbody></table>",
    ]
    styles = {
        "moves": "error",
        "stops": "error",
        "inert": "warning",
        "none": "info",
        "default": "info",
        "unmeasured": "warning",
    }
    for layer, rows in ladder(found):
        out.append(f"<h2>{LAYERS[layer]}</h2>\n<table><thead><tr>{heads}</tr></thead><tbody>")
        for row in rows:
            cells = [
                f"<code>{text(row.pin.option)}={text(_value(row.pin.value))}</code>",
                f"<code>{text(_value(row.pin.without))}</code>",
                f'<b class="{styles[row.effect]}">{EFFECTS[row.effect]}</b>',
                *_cells(row.outcome),
            ]
            out.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
        out.append("</tbody></table>")
        out += [f"<p><code>{text(row.pin.option)}</code>: {text(answer(row))}</p>" for row in rows]
    shown = dict.fromkeys(row.effect for row in found.rows)
    out += [f'<p class="muted">{EFFECTS[effect]}: {MEANING[effect]}</p>' for effect in shown]
    return "\n".join([*out, "</body>\n</html>"]) + "\n"
