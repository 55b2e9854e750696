"""The formats by name. Each is one module with a `render`, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from vllm_migrate.report.findings import Detail

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "full", "statistics")
# What a format shows of a finding; the others show the fix as lines.
DETAILS = {
    "text": Detail(edits=False),
    "full": Detail(edits=False),
    "html": Detail(edits=False),
    "concise": Detail(edits=False, preview=False, source=False),
    "statistics": Detail(edits=False, preview=False, source=False),
    "gitlab": Detail(edits=False, preview=False, source=False),
    "json": Detail(preview=False, source=False),
    "sarif": Detail(preview=False),
}
LINES = Detail(edits=False, source=False)


def detail_of(name: str) -> Detail:
    """What has to be made of each finding for a format."""
    return DETAILS.get(name, LINES)


def render(
    name: str, report: Report, *, color: bool = False, links: bool = False, width: int = 100, everything: bool = False
) -> Iterator[str]:
    """The report in a format, piece by piece; together they end in a newline.

    color, links (codes lead to the page of their rule), width: for terminals; the machine formats have none of them.
    everything: the text cuts no list short. Raises KeyError for a format that there is none of.
    """
    if name not in FORMATS:
        raise KeyError(name)
    module = import_module(f"vllm_migrate.report.{name}")
    style: dict[str, object] = {"color": color} if name in ("text", "full", "concise", "statistics") else {}
    if name in ("text", "full", "concise"):
        style["links"] = links
    if name in ("text", "full"):
        style["width"] = width
    if name == "text":
        style["everything"] = everything
    pieces: Iterator[str] = module.render(report, **style)
    return pieces
