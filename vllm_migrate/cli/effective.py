"""`vllm-migrate effective PATH`: every engine's settings at both releases side by side."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm_migrate.cli.calls import options_of

if TYPE_CHECKING:
    from vllm_migrate.resolve.table import Cell
    from vllm_migrate.run.effective import EngineView
    from vllm_migrate.run.session import Releases


def run(call: Namespace) -> int:
    """Print every engine's settings; the exit code."""
    from vllm_migrate.library import run_effective

    releases, engines = run_effective(options_of(call))
    if call.output_format == "json":
        print(json.dumps(as_json(releases.source, releases.target, engines), indent=2, allow_nan=False))
    else:
        show(releases, engines, call.everything)
    return 0


def as_json(source: str, target: str, engines: Sequence[EngineView]) -> dict[str, object]:
    """The contract of `effective --output-format json`."""
    out = []
    for engine in engines:
        settings = [
            {"option": row.option, "from": _cell(row.source), "to": _cell(row.target)} for row in engine.settings
        ]
        out.append({**engine._asdict(), "settings": settings})
    return {"schema": 1, "from": source, "to": target, "engines": out}


def _cell(cell: Cell) -> dict[str, object]:
    return {"value": cell.value, "origin": cell.origin, "depends_on": cell.depends_on}


def show(releases: Releases, engines: Sequence[EngineView], everything: bool) -> None:
    """One table an engine."""
    from rich.console import Console

    from vllm_migrate.report.side_by_side import SideBySide

    console = Console(highlight=False)
    console.print(
        f"vLLM {releases.source} ({releases.source_why}) -> {releases.target} ({releases.target_why})",
        markup=False,
        soft_wrap=True,
    )
    if not engines:
        console.print("no vLLM engine was recognised", markup=False)
        return
    tables = SideBySide(console, releases.source, releases.target, everything)
    for engine in engines:
        title = f"{engine.path}  {engine.id}  ({engine.role})"
        tables.show(engine.path, title, list(engine.settings))
    tables.legend()
