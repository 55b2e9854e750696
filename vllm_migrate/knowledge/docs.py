"""The pages of docs/rules/, made from the rule files: `python -m vllm_migrate.knowledge.docs`.

The same rules give the same bytes. `--check` only tells whether the pages are stale (exit 1).
"""

from __future__ import annotations

import sys
from pathlib import Path

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge.build import read_rules, rules_folder
from vllm_migrate.knowledge.models import Evidence, Example, Rule

INDEX = "README.md"
MADE = "<!-- Made from rules/{source} by python -m vllm_migrate.knowledge.docs; edit that. -->"
FAMILIES = {
    "VM1": "A default changed, or resolves differently",
    "VM2": "Removed, renamed, or its values changed",
    "VM3": "Written, but does not reach the engine, or crashes it",
    "VM4": "The RL contract: logprobs, weight updates, precision on both sides",
    "VM5": "Environment variables",
    "VM6": "Shell and overrides",
    "VM7": "Python API and server routes",
    "VM8": "Other",
    "VM9": "Could not be analysed",
}
SAFETY = {
    "safe": "safe: written by `fix --write`",
    "review": "for review: written with `fix --write --unsafe`",
    "none": "advice only",
}


def pages(rules: list[Rule]) -> dict[str, str]:
    """Every page by file name, the index among them."""
    out = {f"{rule.name}.md": page(rule) for rule in rules}
    out[INDEX] = index(rules)
    return out


def index(rules: list[Rule]) -> str:
    lines = [MADE.format(source="*.yaml"), "", "# Rules", ""]
    lines.append(f"{len(rules)} rules. `vllm-migrate explain CODE` prints a page on the terminal. Every example is a test.")
    for family, title in FAMILIES.items():
        members = [rule for rule in rules if rule.code.startswith(family)]
        if not members:
            continue
        lines += [
            "",
            f"## {family}xx: {title}",
            "",
            "| code | rule | severity | layer | fix | examples: fires, silent |",
            "|---|---|---|---|---|---|",
        ]
        for rule in members:
            name = f"[{rule.name}]({rule.name}.md): {rule.title}"
            counts = f"{len(rule.examples.fires)}, {len(rule.examples.silent)}" if rule.examples is not None else ""
            cells = (rule.code, name, _severities(rule), rule.layer, _safety(rule), counts)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def page(rule: Rule) -> str:
    lines = [MADE.format(source=f"{rule.name}.yaml"), "", f"# {rule.code} {rule.name}", "", rule.title + ".", ""]
    lines += [f"Severity: {_severities(rule)}. Layer: {rule.layer}. Fix: {_safety(rule)}.", ""]
    lines += ["## What happens", "", _text(rule.explain.what), ""]
    lines += ["## Why it matters to your loss", "", _text(rule.explain.why), ""]
    lines += ["## What to write", "", _text(rule.explain.write), ""]
    lines += ["## When it is silent", "", _text(rule.silent_when), ""]
    lines += _fix(rule)
    lines += ["## Evidence", "", *[f"- {evidence(item)}" for item in rule.evidence], ""]
    if rule.examples is not None:
        lines += ["## It fires on", ""]
        for example in rule.examples.fires:
            lines += _example(rule, example, True)
        lines += ["## It is silent on", ""]
        for example in rule.examples.silent:
            lines += _example(rule, example, False)
    lines += [f"To silence it at one place: `# vllm-migrate: ignore[{rule.code}] reason`.", ""]
    return "\n".join(lines)


def _severities(rule: Rule) -> str:
    others = sorted({case.severity for case in rule.severity_when} - {rule.severity})
    return rule.severity + (f" ({' or '.join(others)} in some cases)" if others else "")


def _safety(rule: Rule) -> str:
    return rule.fix.safety if rule.fix is not None else "none"


def _fix(rule: Rule) -> list[str]:
    if rule.fix is None:
        return ["## Fix", "", "None: advice only.", ""]
    said = f"At best {SAFETY[rule.fix.safety]}."
    if rule.fix.safety == "safe":
        said += " For review where the finding depends on what the files do not show."
    if rule.fix.needs:
        said += f" The fixed file needs vLLM {rule.fix.needs} or newer."
    if rule.fix.with_rules:
        said += f" Only together with {', '.join(rule.fix.with_rules)}."
    return ["## Fix", "", said, ""]


def evidence(item: Evidence) -> str:
    """One line that says where it can be looked up."""
    if item.measured is not None:
        return f"measured: {item.measured}"
    if item.catalog is not None:
        section, _, option = item.catalog.partition(".")
        state = "absent" if item.absent else "there"
        if "value" in item.model_fields_set:
            state = f"default {_value(item.value)}"
        return f"catalog, vLLM {item.release}: {section} `{option}` {state}"
    thread = item.pr or item.thread
    if thread is not None:
        repository, _, number = thread.partition("#")
        kind = "pull request" if item.pr else "thread"
        return f"{repository} {kind} #{number}"
    origin = f"vLLM {item.release}" if item.release else item.repository or "the framework"
    origin += f" at {item.commit}" if item.commit else ""
    line = f", line {item.line}" if item.line else ""
    parts = [f"`{item.file}`{line}" if item.file else "", f"`{item.symbol}`" if item.symbol else ""]
    return f"{origin}: {', '.join(part for part in parts if part)}"


def _value(value: object) -> str:
    if value is None:
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _example(rule: Rule, example: Example, fires: bool) -> list[str]:
    said = f"{_upper(example.title)} ({example.source} to {example.target}"
    said += f", the source ran {example.from_engine.upper()})" if example.from_engine != "auto" else ")"
    if fires:
        said += f": {example.severity or rule.severity}"
        said += f" on line {example.line}" if example.line is not None else ""
    lines = [said + ".", ""]
    if example.fork:
        changed = " and ".join(f"`{option}` {_value(value)}" for option, value in example.fork.items())
        lines += [f"{example.target} stands for a release of your own whose declared default is {changed}.", ""]
    for name, text in example.files.items():
        kind = "bash" if name.endswith(".sh") else "yaml" if name.endswith((".yaml", ".yml")) else Path(name).suffix[1:]
        lines += [f"`{name}`", "", f"```{kind}", text.rstrip("\n"), "```", ""]
    if example.after is not None:
        lines += [f"Fixed, it has the line `{example.after}`.", ""]
    return lines


def _upper(text: str) -> str:
    """With a capital letter, unless it begins with a name that someone may copy."""
    first = text.partition(" ")[0].rstrip(",.;")
    return text[:1].upper() + text[1:] if first.isalpha() else text


def _text(text: str) -> str:
    return _upper(" ".join(text.split()))


def main(argv: list[str]) -> int:
    rules = rules_folder()
    target = rules.parent / "docs" / "rules"
    made = pages(read_rules(rules))
    kept = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.md")} if target.is_dir() else {}
    if "--check" in argv:
        fresh = kept == made
        print("docs/rules is " + ("fresh" if fresh else "stale: run python -m vllm_migrate.knowledge.docs"))
        return 0 if fresh else 1
    target.mkdir(parents=True, exist_ok=True)
    for name in kept.keys() - made.keys():
        (target / name).unlink()
    for name, text in made.items():
        (target / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} pages")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VllmMigrateError as error:
        sys.exit(f"error: {error.message}")
