"""`vllm-migrate rules`: every rule, one line each."""

from __future__ import annotations

import json
from argparse import Namespace

from vllm_migrate.cli.terminal import say
from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.knowledge.page import safety
from vllm_migrate.knowledge.reading import as_rules, page_of
from vllm_migrate.knowledge.records import Rule


def run(call: Namespace) -> int:
    """Print the list; the exit code."""
    rules = load().rules + as_rules()
    if call.output_format == "json":
        fields = ("code", "name", "title", "layer", "severity", "status", "since")
        rows = [{**{f: getattr(rule, f) for f in fields}, "fix": safety(rule), **_price(rule)} for rule in rules]
        print(json.dumps({"schema": 1, "rules": rows}, indent=2))
        return 0
    widths = [max(len(getattr(rule, field)) for rule in rules) for field in ("name", "severity", "layer")]
    for rule in rules:
        cells = [getattr(rule, f).ljust(w) for f, w in zip(("name", "severity", "layer"), widths, strict=True)]
        say(f"{rule.code}  {'  '.join(cells)}  {safety(rule):6}  {rule.title}", cut=True)
    return 0


def _price(rule: Rule) -> dict[str, object]:
    """What the rule's pin costs and when it can go; of a rule that only advises, why there is no edit."""
    of_files = rule in as_rules()
    page = page_of(rule.name) if of_files else rule_page(rule.name)
    fix = rule.fix
    gone = fix.drop_when if fix is not None else None
    drop_when = {"since": gone.since or None, "because": gone.because} if gone is not None else None
    return {
        "cost": (fix.cost if fix is not None else "") or None,
        "drop_when": drop_when,
        "no_edit": page.no_edit or None,
    }
