"""A rule's page as text, for `explain`."""

from __future__ import annotations

import re
import textwrap

from vllm_migrate.knowledge.records import Evidence, FixSpec, Rule, RulePage

# Names that stay small at the beginning of a sentence.
SMALL = ("verl", "vLLM", "rLLM", "dtype", "hf", "await", "task", "n")
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
    "edit": "replace it with its successor, or drop it if there is none",
    "dialect": "ID",
}


def rule_page(rule: Rule, page: RulePage, width: int = 100) -> str:
    """Everything there is about a rule."""
    out = [
        f"{rule.code} {rule.name}: {rule.title}",
        f"{severities(rule)}, {rule.layer}, {rule.status} since {rule.since}",
        "",
    ]
    for title, text in sections(rule, page):
        out += [title, textwrap.indent(textwrap.fill(text, width - 2, break_on_hyphens=False), "  "), ""]
    out += [f"Fix: {fix_of(fix)}" for fix in fixes(rule)] + [""] * bool(fixes(rule))
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
        ("Why there is no edit", sentence(page.no_edit)),
    )
    return [(title, text) for title, text in parts if text]


def severities(rule: Rule) -> str:
    """The severity of a rule, with those that it has in some cases."""
    cases = {case.severity for part in (rule, *rule.also) for case in part.severity_when}
    others = sorted((cases | {part.severity for part in rule.also}) - {rule.severity})
    return rule.severity + (f" ({' or '.join(others)} in some cases)" if others else "")


def fixes(rule: Rule) -> list[FixSpec]:
    """The fixes of a rule and of its further parts."""
    return [part.fix for part in (rule, *rule.also) if part.fix is not None]


def safety(rule: Rule) -> str:
    """The best that a fix of a rule can be: safe, review, or none."""
    return max((fix.safety for fix in fixes(rule)), key=("none", "review", "safe").index, default="none")


def fix_of(fix: FixSpec) -> str:
    """What a rule's fix does, and how safe it is."""
    title = fix.title.replace("{from}", "the source").replace("{to}", "the target")
    return f"{filled(title)} ({'safe; review in some cases' if fix.safety == 'safe' else fix.safety})"


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
    return ("What the pin costs", sentence(fix.cost)), ("When the pin can go", sentence(fix.drop_when.because))


def sentence(phrase: str) -> str:
    """A phrase as a sentence."""
    return f"{upper(phrase)}." if phrase else ""


def upper(text: str) -> str:
    """With a capital letter, unless it begins with a name that someone may copy."""
    first = text.partition(" ")[0].rstrip(",.;")
    return text[:1].upper() + text[1:] if first.isalpha() and first not in SMALL else text


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
