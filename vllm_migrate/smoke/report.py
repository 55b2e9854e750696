"""A verdict for people: one line that answers, the numbers behind it, what they do not show."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vllm_migrate.smoke.verdict import Metric, SmokeVerdict

if TYPE_CHECKING:
    from rich.console import Console

COLORS = {"pass": "green", "fail": "red", "inconclusive": "yellow", "invalid": "red"}
# From this many columns on, a metric says what it means.
WIDE = 110
MEANINGS = {
    "D": "log mean ratio, reference over rollout",
    "b": "relative temperature error",
    "k3": "spread per token (nats)",
    "out": "tokens outside the claimed support",
    "k3_ratio": "spread over the reference run's",
    "head_ratio": "spread over that of the other head",
    "head_rounding": "share of a 16-bit head's rounding in the rollout",
    "mean_ratio": "mean of reference over rollout",
    "mean_x": "mean log ratio (minus a KL, not gated)",
    "mean_abs_x": "mean |log ratio|",
    "ess": "effective sample size, share",
    "k3_mixed_versions": "spread of sequences across a weight update",
    "clip_token_low": "tokens clipped below at epsilon",
    "clip_token_high": "tokens clipped above at epsilon",
    "clip_sequence_low": "sequences clipped below (GSPO)",
    "clip_sequence_high": "sequences clipped above (GSPO)",
    "clip_sequence_low_at_length": "expected at your length",
    "clip_sequence_high_at_length": "expected at your length",
    "clip_token_low_negative_advantage": "of tokens with A < 0, lost below",
    "clip_token_high_positive_advantage": "of tokens with A > 0, lost above",
    "clip_sequence_low_negative_advantage": "of sequences with A < 0, lost below",
    "clip_sequence_high_positive_advantage": "of sequences with A > 0, lost above",
}
DECILE = "k3_decile_"


def render(verdict: SmokeVerdict, console: Console) -> None:
    """Prints the verdict."""
    from rich.text import Text

    headline = Text(verdict.decision.upper(), style=f"bold {COLORS[verdict.decision]}")
    if verdict.blame.layer:
        headline.append(f"  layer: {verdict.blame.layer}", style="default")
    if verdict.blame.suspects:
        word = "suspect" if len(verdict.blame.suspects) == 1 else "suspects"
        word += " (the data cannot tell them apart)" if verdict.blame.decide and len(verdict.blame.suspects) > 1 else ""
        headline.append(f"  {word}: {', '.join(verdict.blame.suspects)}", style="default")
    console.print(headline, soft_wrap=True)
    for reason in verdict.blame.reasons:
        console.print(f"  {reason}", highlight=False, soft_wrap=True, markup=False)
    if verdict.blame.decide:
        console.print(f"  to decide: {verdict.blame.decide}", highlight=False, soft_wrap=True, markup=False)
    if verdict.invalid:
        counted = ", ".join(f"{kind}: {count}" for kind, count in verdict.invalid.items())
        console.print(f"  rows that are no evidence: {counted}", highlight=False, soft_wrap=True, markup=False)
    if verdict.metrics:
        _metrics(verdict.metrics, console)
    columns = " · ".join(f"{key} {value}" for key, value in verdict.columns.items() if value)
    console.print(
        f"{verdict.n_sequences} sequences, {verdict.n_tokens} tokens" + (f"; {columns}" if columns else ""),
        highlight=False,
        soft_wrap=True,
        markup=False,
    )
    if verdict.tokens_needed:
        console.print(f"about {verdict.tokens_needed} tokens would decide", highlight=False, soft_wrap=True)
    for note in verdict.notes:
        console.print(f"- {note}", highlight=False, soft_wrap=True, markup=False)


def _metrics(metrics: dict[str, Metric], console: Console) -> None:
    """A row a metric; the tenths of the sequence, which are ten, in one line."""
    from rich.table import Table

    wide = console.width >= WIDE
    heads = ["", "value", "interval", "margin", "", *(["meaning"] if wide else [])]
    table = Table(*heads, box=None, pad_edge=False, header_style="dim")
    rows = [
        (name, number(metric.value), _interval(metric), _margin(metric), metric.gate or "")
        for name, metric in metrics.items()
        if not name.startswith(DECILE)
    ]
    for index, column in enumerate(table.columns):
        column.no_wrap = True
        if index < len(rows[0]):  # numbers are never cut short; what they mean may be
            column.min_width = max(len(row[index]) for row in rows)
    for row in rows:
        gate = f"[{COLORS[row[-1]]}]{row[-1]}[/]" if row[-1] else ""
        table.add_row(*row[:-1], gate, *([_meaning(row[0])] if wide else []))
    console.print(table)
    tenths = [number(metric.value) for name, metric in metrics.items() if name.startswith(DECILE)]
    if tenths:
        line = "k3 by tenths of the sequence: " + " ".join(tenths)
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def number(value: float) -> str:
    """Four significant digits; a count of nothing is a dash."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.4f}" if 0.001 <= abs(value) < 10_000 or value == 0 else f"{value:.2e}"


def _interval(metric: Metric) -> str:
    return "" if metric.low == metric.high else f"{number(metric.low)} to {number(metric.high)}"


def _margin(metric: Metric) -> str:
    return "" if metric.margin is None else f"{metric.margin:g}"


def _meaning(name: str) -> str:
    for prefix in ("step_", "probe_"):
        if name.startswith(prefix):
            return f"{prefix[:-1]}: {MEANINGS.get(name.removeprefix(prefix), '')}"
    return MEANINGS.get(name, "")
