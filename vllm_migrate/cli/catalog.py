"""`vllm-migrate catalog add|list|remove`: releases of your own beside the shipped ones."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Manage your own vLLM releases next to the shipped ones.",
)


@app.command()
def add(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="An sdist, a wheel, a source tree, or a Python interpreter.")
    ],
    release: Annotated[str | None, typer.Option(help="The version to store it under.", metavar="VERSION")] = None,
) -> None:
    """Read a release from its source and keep it in your cache folder. vLLM is never imported."""
    from vllm_migrate.catalog import added, store

    shipped = set(store.load().shipped)
    name, gaps = added.add(source, release, lambda step: print(_said(step), file=sys.stderr))
    cat = store.load()
    for gap in gaps:
        print(f"not followed: {gap}", file=sys.stderr)
    instead = " (in place of the shipped one)" if name in shipped else ""
    flags = len(cat.names("cli", name)) + len(cat.names("frontend", name))
    arguments = sum(not cat.is_async_only(argument, name) for argument in cat.names("engine", name))
    print(f"added vLLM {name}{instead}: {arguments} engine arguments, {flags} flags")
    print(f"kept in {store.cache_folder()}")


def _said(step: str) -> str:
    return step if step.startswith("unpacking") else f"reading {step}"


@app.command("list")
def list_added() -> None:
    """List the releases you added."""
    from vllm_migrate.catalog import details, store

    cat = store.load()
    origins = details.load(cat).origins
    for release in cat.releases:
        if cat.is_added(release):
            print(f"{release}  {origins[release].get('artefact', '')}")


@app.command()
def remove(release: Annotated[str, typer.Argument(metavar="RELEASE", help="A release you added.")]) -> None:
    """Remove a release you added."""
    from vllm_migrate.catalog import added

    added.remove(release)
    print(f"removed vLLM {release}")
