"""Names of vLLM's Prometheus metrics in dashboards, alert rules and autoscalers (YAML or JSON)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vllm_migrate.dialects.model import Program, Spot, Use, Written
from vllm_migrate.dialects.recognition import origin_of
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.records import Dialect

# KServe's agent puts its own prefix before what it collects.
_METRIC = re.compile(r"(?<![\w.-])(?:kserve_)?(vllm:[a-z]\w+)")


def programs_of(file: File, dialects: Sequence[Dialect], workspace: Workspace) -> list[Program]:
    """The queries in a file as a program: each metric that they name is a use, in the order of the text."""
    out = []
    for dialect in dialects:
        names = [entry.name for entry in dialect.uses if entry.metrics]
        uses = [_use(name, file, match) for match in _named(file) for name in names] if names else []
        if uses:
            origin = origin_of(file, dialect, workspace).of_role("serving")
            out.append(Program(f"{dialect.id}:.", origin, {}, uses))
    return out


def _named(file: File) -> Iterator[re.Match[str]]:
    text = file.source.text
    for match in _METRIC.finditer(text):
        start = max(text.rfind("\n", 0, match.start()), text.rfind("\r", 0, match.start())) + 1
        if not text[start : match.start()].lstrip().startswith("#"):
            yield match


def _use(name: str, file: File, match: re.Match[str]) -> Use:
    spot = Spot(file, *match.span())
    return Use(name, Written(match[1], f"use.{name}", None, spot, spot), section="metric")
