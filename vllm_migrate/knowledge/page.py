"""A rule's page as text, for `explain`."""

from __future__ import annotations

import re
import textwrap

from vllm_migrate.knowledge.records import Evidence, FixSpec, Rule, RulePage

SAFETIES = ("safe", "review", "none")
# Placeholders that are parts of a sentence, and not values: what a page says in their place.
PARTS = {
    "because": "",
    "removed_in": " in {release}",
    "instead": "",
    "note": "",
    "hint": "",
    "dies": "the engine does not start: vLLM rejects unknown options",
    "refuses": "rejects",
    "successor": "",
    "follows": "the changes from V0 to V1",
    "nor": ", nor does {release}",
}


def rule_page(rule: Rule, page: RulePage, width: int = 100) -> str:
    """Everything there is about a rule."""
    out = [
        f"{rule.code} {rule.name}: {rule.title}",
        f"{rule.severity}, {rule.layer}, {rule.status} since {rule.since}",
        "",
    ]
    for title, text in sections(rule, page):
        out += [title, textwrap.indent(textwrap.fill(text, width - 2, break_on_hyphens=False), "  "), ""]
    if fixes_of(rule):
        out += [f"Fix: {fixes_in_words(rule)}", ""]
    if page.evidence:
        out.append("Evidence")
    out.extend(f"  {evidence_line(entry)}" for entry in page.evidence)
    return "\n".join(out)


def sections(rule: Rule, page: RulePage) -> list[tuple[str, str]]:
    """The parts of a page that have a text, each with its heading."""
    explain = page.explain
    parts = (
        ("What happens", explain.what),
        ("Why it matters to your loss", explain.why),
        ("What to write", explain.write),
        ("Silent when", page.silent_when),
        *price(rule),
        ("Why there is no edit", _sentence(page.no_edit)),
    )
    return [(title, text) for title, text in parts if text]


def fix_of(fix: FixSpec) -> str:
    """What a rule's fix does, and how safe it can be."""
    title = fix.title.replace("{from}", "the old release").replace("{to}", "the new release")
    return f"{filled(title)} ({fix.safety} at best)"


def fixes_of(rule: Rule) -> tuple[FixSpec, ...]:
    """Every fix of a rule, each once: its own, and those of its further parts, which it offers in some cases."""
    fixes = (rule.fix, *(part.fix for part in rule.also))
    return tuple({fix.title: fix for fix in fixes if fix is not None}.values())


def fixes_in_words(rule: Rule) -> str:
    """What the fixes of a rule do, and in which cases there is one."""
    if rule.fix is not None:
        return fix_of(rule.fix)
    return f"in some cases: {'; '.join(map(fix_of, fixes_of(rule)))}"


def best_safety(rule: Rule) -> str:
    """The best that a fix of a rule can be: safe, review, or none."""
    return min((fix.safety for fix in fixes_of(rule)), key=SAFETIES.index, default="none")


def filled(text: str, form: str = "<{}>") -> str:
    """A message or title with its placeholders as readers see them: what a file decides is named in this form."""

    def shown(found: re.Match[str]) -> str:
        return PARTS.get(found[1], form.format(found[1])).replace("{release}", form.format("release"))

    return re.sub(r"\{(\w+)\}", shown, text)


def price(rule: Rule) -> tuple[tuple[str, str], ...]:
    """What a rule's pin costs, and when it can go, each with its heading; nothing of one that pins nothing."""
    fix = rule.fix
    if fix is None or fix.drop_when is None:
        return ()
    return ("What the pin costs", _sentence(fix.cost)), ("When the pin can go", _sentence(fix.drop_when.because))


def _sentence(phrase: str) -> str:
    return f"{phrase[:1].upper()}{phrase[1:]}." if phrase else ""


def evidence_line(entry: Evidence) -> str:
    """One piece of evidence in a line."""
    where = entry.release or entry.commit
    if entry.measured:
        return f"measured: {entry.measured}"
    if entry.catalog:
        shown = f" = {entry.value!r}" if entry.value is not None or entry.unset else ""
        return f"catalog: {entry.catalog} at {where}{shown}"
    if entry.pr or entry.thread:
        return f"{'pull request' if entry.pr else 'thread'} {entry.pr or entry.thread}"
    line = f":{entry.line}" if entry.line else ""
    owner = f"{entry.repository} " if entry.repository else ""
    return f"{owner}{where} {entry.file}{line} {entry.symbol}".strip()
