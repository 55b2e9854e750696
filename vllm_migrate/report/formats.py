"""The formats by name. Each is one module with a `render`, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

Render = Callable[["Report"], str]

FORMATS = ("text", "concise", "json", "sarif", "github", "gitlab", "junit", "markdown", "html", "statistics")


def render(name: str, report: Report, *, color: bool = False, width: int = 100) -> str:
    """The report in a format, ending in a newline. color, width: for terminals; the machine formats have neither."""
    if name not in FORMATS:
        raise KeyError(name)
    if name == "text":
        from vllm_migrate.report.text import render as text

        return text(report, color=color, width=width)
    if name == "concise":
        from vllm_migrate.report.concise import render as concise

        return concise(report, color=color)
    if name == "statistics":
        from vllm_migrate.report.statistics import render as statistics

        return statistics(report, color=color)
    from importlib import import_module

    machine: Render = import_module(f"vllm_migrate.report.{name}").render
    return machine(report)
