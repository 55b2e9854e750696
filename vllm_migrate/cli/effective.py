"""`vllm-migrate effective PATH`: every engine's settings at both releases side by side."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from vllm_migrate.cli.options import SHARED, Call, store


def command(
    path: Annotated[list[str], typer.Argument(metavar="PATH", help="A file, a folder or -.")],
    source: Annotated[
        str | None, typer.Option("--from", metavar="RELEASE", help="The release of today.", show_default=False)
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="RELEASE", help="The release moved to.", show_default=False)
    ] = None,
    from_engine: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="v0, v1 or auto.", show_default=False)
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(metavar="NAME", help="The GPU (a100, h100, ...).", show_default=False)
    ] = None,
    model_config: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="A folder with config.json and generation_config.json.", show_default=False),
    ] = None,
    stdin_filename: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name that standard input (-) is judged under.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what does not change, too.")] = False,
    output_format: Annotated[str, typer.Option(metavar="FORMAT", help="text or json.")] = "text",
) -> None:
    """Every engine's settings at both releases side by side, each with its origin; changed ones first."""
    from vllm_migrate.run.session import Session

    call = Call(paths=path)
    given = {
        "--from": source,
        "--to": target,
        "--from-engine": from_engine,
        "--gpu": gpu,
        "--model-config": model_config,
        "--stdin-filename": stdin_filename,
    }
    for option in SHARED:
        value = given.get(option.name)
        if value is not None and not store(call, option, value):
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(option.choices)}", param_hint=option.name)
    session = Session(call)
    result = session.run(keep=True)
    if output_format == "json":
        print(
            json.dumps(
                as_json(session.releases.source, session.releases.target, result.judged), indent=2, allow_nan=False
            )
        )
        return
    show(session.releases, result.judged, everything)


def as_json(source: str, target: str, engines: list[Any]) -> dict[str, object]:
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


def show(releases: Any, engines: list[Any], everything: bool) -> None:
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
