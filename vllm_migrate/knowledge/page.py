"""A rule's page as text, for `explain`."""

from __future__ import annotations

import textwrap

Record = dict[str, object]


def rule_page(rule: Record, width: int = 100) -> str:
    """Everything there is about a rule."""
    explain = rule["explain"]
    assert isinstance(explain, dict)
    out = [f"{rule['code']} {rule['name']}: {rule['title']}", f"{rule['severity']}, {rule['layer']}", ""]
    for title, text in (
        ("What happens", explain["what"]),
        ("Why it matters to your loss", explain["why"]),
        ("What to write", explain["write"]),
        ("Silent when", rule["silent_when"]),
    ):
        out += [title, textwrap.indent(textwrap.fill(str(text), width - 2, break_on_hyphens=False), "  "), ""]
    fix = rule.get("fix")
    if isinstance(fix, dict):
        title = str(fix["title"]).replace("{from}", "the old release").replace("{to}", "the new release")
        out += [f"Fix: {title} ({fix['safety']} at best)", ""]
    evidence = rule["evidence"]
    assert isinstance(evidence, list)
    if evidence:
        out.append("Evidence")
    out.extend(f"  {evidence_line(entry)}" for entry in evidence)
    return "\n".join(out)


def evidence_line(entry: Record) -> str:
    """One piece of evidence in a line."""
    where = entry.get("release") or entry.get("commit") or ""
    if "measured" in entry:
        return f"measured: {entry['measured']}"
    if "catalog" in entry:
        shown = f" = {entry['value']!r}" if "value" in entry else ""
        return f"catalog: {entry['catalog']} at {where}{shown}"
    if "pr" in entry or "thread" in entry:
        return f"{'pull request' if 'pr' in entry else 'thread'} {entry.get('pr') or entry.get('thread')}"
    line = f":{entry['line']}" if "line" in entry else ""
    owner = f"{entry['repository']} " if "repository" in entry else ""
    return f"{owner}{where} {entry.get('file', '')}{line} {entry.get('symbol', '')}".strip()
