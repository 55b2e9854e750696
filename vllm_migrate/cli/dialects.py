"""`vllm-migrate dialects [ID]`: the frameworks that are recognised, or all about one."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vllm_migrate.cli.terminal import say
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import dialect_page, load, written
from vllm_migrate.knowledge.records import Dialect


def command(
    ident: Annotated[str | None, typer.Argument(metavar="[ID]", help="Explain this one.", show_default=False)] = None,
    output_format: Annotated[str, typer.Option(help="text or json.", metavar="FORMAT")] = "text",
) -> None:
    """List the frameworks whose files are understood, or explain one."""
    dialects = sorted(load().dialects, key=lambda dialect: dialect.id)
    if ident is not None:
        chosen = next((dialect for dialect in dialects if dialect.id == ident), None)
        if chosen is None:
            raise UsageError(f"no dialect is called {ident!r}", "one of " + ", ".join(d.id for d in dialects))
        text = json.dumps(written("dialects", ident), indent=2) if output_format == "json" else page(chosen)
        print(text)
        return
    if output_format == "json":
        rows = [{k: getattr(d, k) for k in ("id", "title", "carriers", "repository", "verified")} for d in dialects]
        print(json.dumps({"schema": 1, "dialects": rows}, indent=2))
        return
    width = max(len(dialect.id) for dialect in dialects)
    for dialect in dialects:
        kinds = ", ".join(dialect.carriers)
        say(f"{dialect.id.ljust(width)}  {kinds:12}  {dialect.title} ({dialect.repository})", cut=True)


def page(dialect: Dialect) -> str:
    """All about one dialect, for people."""
    told = dialect_page(dialect.id)
    out = [f"{dialect.id}: {dialect.title}", "", told.about.strip(), ""]
    out.append(f"repository: {dialect.repository} (verified: {dialect.verified})")
    out.extend(f"engine: {engine.role} at {engine.root or 'the top'}" for engine in dialect.engines)
    for pin in dialect.pins:
        out.append(f"cannot be set: {pin.say}" if pin.say else f"a setting is written as: {pin.key}")
    if dialect.upgrade:
        out.append(f"upgrade: {dialect.upgrade.strip()}")
    for entry in told.evidence:
        out.append(f"evidence: {entry.release or entry.commit} {entry.file} {entry.symbol}".rstrip())
    return "\n".join(out)
