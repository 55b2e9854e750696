"""`vllm-migrate diff A B`: what changed between two releases, from the catalog."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from vllm_migrate.errors import UsageError

FORMATS = ("text", "json", "markdown")


def command(
    old: Annotated[str, typer.Argument(metavar="A", help="The release you come from.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The release you go to.")],
    kind: Annotated[
        list[str] | None, typer.Option(help="Only these kinds of change, such as removed,default.", metavar="KIND")
    ] = None,
    option: Annotated[str | None, typer.Option(help="Only options whose name holds this.", metavar="NAME")] = None,
    rl: Annotated[bool, typer.Option("--rl", help="Only what can move an RL run.")] = False,
    layer: Annotated[str | None, typer.Option(help="Only this layer, such as semantic.", metavar="LAYER")] = None,
    output_format: Annotated[str, typer.Option(help="text, json or markdown.", metavar="FORMAT")] = "text",
) -> None:
    """Show what is removed, renamed, new, deprecated, or has another default, resolution or choices."""
    from vllm_migrate.catalog import changes, diff, store

    kinds = [one for given in kind or () for one in given.split(",")]
    _check("kind", kinds, changes.KINDS)
    _check("layer", [layer] if layer else [], diff.LAYERS)
    _check("output format", [output_format], FORMATS)
    cat = store.load()
    try:
        old, new = cat.canonical(old), cat.canonical(new)
    except store.UnknownRelease as error:
        raise UsageError(str(error), "`vllm-migrate releases` lists them; `catalog add` adds one") from error
    found = diff.select(diff.diff(cat, old, new), kinds, option, rl, layer)
    if output_format == "text" and sys.stdout.isatty():
        from vllm_migrate.catalog.tables import show as draw

        draw(old, new, found)
        return
    show = {"text": diff.as_text, "json": diff.as_json, "markdown": diff.as_markdown}[output_format]
    print(show(old, new, found))


def _check(what: str, given: list[str], known: tuple[str, ...]) -> None:
    for one in given:
        if one not in known:
            raise UsageError(f"no {what} {one!r}", f"known: {', '.join(known)}")
