"""`vllm-migrate schema RELEASE`: JSON Schema of the file `vllm serve --config` reads."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vllm_migrate.errors import UsageError


def command(
    release: Annotated[str, typer.Argument(metavar="RELEASE", help="A release in the catalog.")],
) -> None:
    """Print a JSON Schema (2020-12) for editors: names, defaults, choices, deprecations of one release."""
    from vllm_migrate.catalog import schema, store

    try:
        found = schema.schema(store.load(), release)
    except store.UnknownRelease as error:
        raise UsageError(str(error), "`vllm-migrate releases` lists them; `catalog add` adds one") from error
    print(json.dumps(found, ensure_ascii=False, indent=1))
