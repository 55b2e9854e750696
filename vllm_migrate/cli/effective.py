"""`vllm-migrate effective PATH`: every engine's settings at both releases side by side."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from vllm_migrate.cli import terminal
from vllm_migrate.cli.calls import options_of
from vllm_migrate.dialects.situation import Known
from vllm_migrate.report.headline import move_of
from vllm_migrate.report.model import Project

if TYPE_CHECKING:
    from vllm_migrate.report.engines import Shown
    from vllm_migrate.resolve.table import Cell
    from vllm_migrate.run.effective import Effective, EngineSituation, EngineView


def run(call: Namespace) -> int:
    """Print every engine's settings; the exit code."""
    from vllm_migrate.library import run_effective

    found = run_effective(options_of(call))
    if call.output_format == "json":
        print(json.dumps(as_json(found), indent=2, allow_nan=False))
    elif call.output_format in ("html", "markdown"):
        from vllm_migrate.report.engines import as_html, as_markdown

        page = as_html if call.output_format == "html" else as_markdown
        sys.stdout.write("".join(page(map(shown, found.engines), call.everything)))
    else:
        show(found, call.everything)
    return 0


def shown(engine: EngineView) -> Shown:
    """An engine for a page."""
    from vllm_migrate.report.engines import Shown

    title = f"{engine.path}  {engine.id}  ({engine.role})"
    situation = engine.situation
    return Shown(title, situation_lines(situation), situation.releases, list(engine.settings))


def as_json(found: Effective) -> dict[str, object]:
    """The contract of `effective --output-format json`."""
    engines = list(map(_engine, found.engines))
    return {"schema": 1, "from": found.source.value, "to": found.target.value, "engines": engines}


def _engine(engine: EngineView) -> dict[str, object]:
    situation = engine.situation
    return {
        "path": engine.path,
        "id": engine.id,
        "role": engine.role,
        "dialect": engine.dialect,
        "project": situation.project,
        "from": situation.source.value,
        "to": situation.target.value,
        "situation": {
            name: part._asdict() if isinstance(part, Known) else part
            for name, part in situation._asdict().items()
            if name != "project"
        },
        "settings": [
            {"option": row.option, "from": _cell(row.source), "to": _cell(row.target)} for row in engine.settings
        ],
    }


def _cell(cell: Cell) -> dict[str, object]:
    return {"value": cell.value, "origin": cell.origin, "depends_on": cell.depends_on}


def show(found: Effective, everything: bool) -> None:
    """One table an engine, below what is known of it."""
    from vllm_migrate.report.side_by_side import SideBySide

    console = terminal.console()
    if not found.engines:
        console.print("no vLLM engine was recognised", markup=False)
        return
    tables = SideBySide(console, everything)
    for engine in found.engines:
        title = f"{engine.path}  {engine.id}  ({engine.role})"
        situation = engine.situation
        tables.show(engine.path, title, situation_lines(situation), situation.releases, list(engine.settings))
    tables.legend()


def situation_lines(situation: EngineSituation) -> list[str]:
    """What is known of an engine, a line a part; what nothing shows is left out."""
    source, target = situation.source, situation.target
    lines = [move_of(Project("", source.value, target.value, source.because, target.because))]
    parts = [
        ("core", situation.core),
        ("role", situation.role),
        ("framework", situation.framework),
        ("GPU", situation.gpu),
    ]
    parts += [("executor", situation.executor)]
    for name, part in parts:
        if part is not None and (part.value or part.because):
            lines.append(f"{name}: {part.value or 'undetermined'}" + (f" ({part.because})" if part.because else ""))
    if situation.unread:
        lines.append("not read: " + ", ".join(situation.unread))
    return lines
