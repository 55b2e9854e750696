"""`vllm-migrate effective PATH`: every engine's settings at both releases side by side."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from vllm_migrate.cli.calls import options_of


def run(call: Namespace) -> int:
    """Print every engine's settings; the exit code."""
    from vllm_migrate.library import run_effective

    releases, engines = run_effective(options_of(call))
    if call.output_format == "json":
        print(json.dumps(as_json(releases.source, releases.target, engines), indent=2, allow_nan=False))
    else:
        show(releases, engines, call.everything)
    return 0


def as_json(source: str, target: str, engines: Sequence[Any]) -> dict[str, object]:
    """The contract of `effective --output-format json`."""
    from vllm_migrate.report.mask import mask, mask_value
    from vllm_migrate.resolve.table import Cell, rows

    def cell(option: str, value: Cell) -> dict[str, object]:
        depends = mask(value.depends_on) if value.depends_on is not None else None
        return {"value": mask_value(option, value.value), "origin": value.origin, "depends_on": depends}

    out = []
    for judged in engines:
        engine = judged.engine
        settings = [
            {"option": row.option, "from": cell(row.option, row.source), "to": cell(row.option, row.target)}
            for row in rows(judged.source, judged.target)
        ]
        out.append(
            {
                "path": engine.file.path,
                "id": engine.id,
                "role": engine.role,
                "dialect": engine.name,
                "settings": settings,
            }
        )
    return {"schema": 1, "from": source, "to": target, "engines": out}


def show(releases: Any, engines: Sequence[Any], everything: bool) -> None:
    """One table an engine."""
    from rich.console import Console

    from vllm_migrate.report.side_by_side import SideBySide
    from vllm_migrate.resolve.table import rows

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
    for judged in engines:
        engine = judged.engine
        title = f"{engine.file.path}  {engine.id}  ({engine.role})"
        tables.show(engine.file.path, title, rows(judged.source, judged.target))
    tables.legend()
