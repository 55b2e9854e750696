"""`vllm-migrate rules`: every rule, one line each."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from vllm_migrate.cli.terminal import say
from vllm_migrate.knowledge.load import load
from vllm_migrate.rules.files import as_records


def command(
    output_format: Annotated[str, typer.Option(help="text or json.", metavar="FORMAT")] = "text",
) -> None:
    """List the rules: code, name, severity, layer, the best safety of its fix, title."""
    rules = load().rules + as_records()
    if output_format == "json":
        fields = ("code", "name", "title", "layer", "severity")
        rows = [{**{f: rule[f] for f in fields}, "fix": safety(rule)} for rule in rules]
        print(json.dumps({"schema": 1, "rules": rows}, indent=2))
        return
    widths = [max(len(str(rule[field])) for rule in rules) for field in ("name", "severity", "layer")]
    for rule in rules:
        cells = [str(rule[f]).ljust(w) for f, w in zip(("name", "severity", "layer"), widths, strict=True)]
        say(f"{rule['code']}  {'  '.join(cells)}  {safety(rule):6}  {rule['title']}", cut=True)


def safety(rule: dict[str, object]) -> str:
    """The best a rule's fix can be: safe, review, or none."""
    fix = rule.get("fix")
    return str(fix["safety"]) if isinstance(fix, dict) else "none"
