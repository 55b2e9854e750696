"""`vllm-migrate schema NAME`: JSON Schemas for editors and checks."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A release, or config, rule, dialect, lock, lint.")],
    dialect: Annotated[
        str | None, typer.Option(metavar="DIALECT", help="With a release: for the files of this framework.")
    ] = None,
) -> None:
    """Print a JSON Schema for vLLM, framework or vllm-migrate files.

    The schema (2020-12) describes what `vllm serve --config` reads in a release, a framework's files (with --dialect), or
    vllm-migrate's own files and output.

    \b
    vllm-migrate schema 0.18.1 > serve.schema.json
    vllm-migrate schema 0.18.1 --dialect nemo-rl > nemo.schema.json
    vllm-migrate schema config > vllm-migrate.schema.json
    """
    from vllm_migrate.run.schemas import named

    print(json.dumps(named(name, dialect), ensure_ascii=False, indent=1))
