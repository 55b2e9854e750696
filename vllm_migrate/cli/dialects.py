"""`vllm-migrate dialects [ID]`: the frameworks that are recognised, or all about one."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vllm_migrate.cli.terminal import say
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load, whole


def command(
    ident: Annotated[str | None, typer.Argument(metavar="[ID]", help="Explain this one.", show_default=False)] = None,
    output_format: Annotated[str, typer.Option(help="text or json.", metavar="FORMAT")] = "text",
) -> None:
    """List the frameworks whose files are understood, or explain one."""
    dialects = sorted(load().dialects, key=lambda d: str(d["id"]))
    if ident is not None:
        chosen = [dialect for dialect in dialects if dialect["id"] == ident]
        if not chosen:
            raise UsageError(f"no dialect is called {ident!r}", "one of " + ", ".join(str(d["id"]) for d in dialects))
        told = whole("dialects", ident, chosen[0])
        print(json.dumps(told, indent=2) if output_format == "json" else page(told))
        return
    if output_format == "json":
        rows = [{k: d[k] for k in ("id", "title", "carriers", "repository", "verified")} for d in dialects]
        print(json.dumps({"schema": 1, "dialects": rows}, indent=2))
        return
    width = max(len(str(dialect["id"])) for dialect in dialects)
    for dialect in dialects:
        carriers = dialect["carriers"]
        kinds = ", ".join(map(str, carriers)) if isinstance(carriers, list) else ""
        say(f"{str(dialect['id']).ljust(width)}  {kinds:12}  {dialect['title']} ({dialect['repository']})", cut=True)


def page(dialect: dict[str, object]) -> str:
    """All about one dialect, for people."""
    out = [f"{dialect['id']}: {dialect['title']}", "", str(dialect["about"]).strip(), ""]
    out.append(f"repository: {dialect['repository']} (verified: {dialect['verified']})")
    engines = dialect.get("engines")
    for engine in engines if isinstance(engines, list) else []:
        out.append(f"engine: {engine['role']} at {engine.get('root') or 'the top'}")
    pins = dialect.get("pins")
    for pin in pins if isinstance(pins, list) else []:
        if "key" in pin:
            out.append(f"a setting is written as: {pin['key']}")
        elif "say" in pin:
            out.append(f"cannot be set: {pin['say']}")
    if dialect.get("upgrade"):
        out.append(f"upgrade: {str(dialect['upgrade']).strip()}")
    evidence = dialect.get("evidence")
    for entry in evidence if isinstance(evidence, list) else []:
        place = entry.get("release") or entry.get("commit") or ""
        out.append(f"evidence: {place} {entry.get('file', '')} {entry.get('symbol', '')}".rstrip())
    return "\n".join(out)
