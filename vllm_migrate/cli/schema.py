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
    """Print a JSON Schema (2020-12): of what `vllm serve --config` reads at a release, of a framework's files with --dialect,
    or of vllm-migrate's own files and output.

    vllm-migrate schema 0.18.1 > serve.schema.json                    the keys of `vllm serve --config`
    vllm-migrate schema 0.18.1 --dialect nemo-rl > nemo.schema.json   a framework's configuration
    vllm-migrate schema config > vllm-migrate.schema.json             vllm-migrate.toml; likewise rule, dialect, lock, lint
    """
    from vllm_migrate.run.schemas import named

    print(json.dumps(named(name, dialect), ensure_ascii=False, indent=1))
