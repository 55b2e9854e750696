"""The pages of docs/rules/, made from the rule files: `python -m vllm_migrate.knowledge.docs`.

The same rules give the same bytes. `--check` only tells whether the pages are stale (exit 1). `--table` prints, for every
rule, the examples that it fires on and is silent on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge import vocabulary
from vllm_migrate.knowledge.build import RuleFile, read_rules, rules_folder
from vllm_migrate.knowledge.check import signature
from vllm_migrate.knowledge.page import filled, fixes, price, safety, sentence, severities, upper
from vllm_migrate.knowledge.reading import FILE_RULES, FileRule, page_of
from vllm_migrate.knowledge.records import Evidence, Example, FixSpec
from vllm_migrate.knowledge.vocabulary import Term
from vllm_migrate.opening import read_text

INDEX = "README.md"
GITHUB = "https://github.com"
INTRO = """An `error` breaks the run or silently corrupts training; a `warning` changes
behaviour; an `info` cannot reach this run's loss, or is good to know. A `safe` fix restores
what the old engine ran and does nothing else; a `review` fix does more, or depends on something no file shows. The
layer says what changes: what a logprob means (`semantic`), how tokens are computed (`inference-path`), how new
weights reach the engine (`weight-update`), rounding (`numerics`), whether the engine starts (`broken-config`),
or speed and memory (`performance`)."""
MADE = "<!-- Made from rules/{source} by python -m vllm_migrate.knowledge.docs; edit that. -->"
MADE_OF_TABLE = (
    "<!-- Made from vllm_migrate/knowledge/reading.py by python -m vllm_migrate.knowledge.docs; edit that. -->"
)
VOCABULARY = """Conditions stand in rules (`when`, `severity_when`, `fix`, ...), in `rules/effective/`, and in dialects. Each place has its
own words; those of a rule depend on what it applies to (`each`). The build rejects a word that does not exist or is not valid in its
place, and a comparison with a value that cannot occur."""
FAMILIES = {
    "VM1": "A default changed or resolves differently",
    "VM2": "Removed, renamed, or changed values",
    "VM3": "Written, but never reaches the engine or crashes it",
    "VM4": "The RL contract: logprobs, weight updates, precision on both sides",
    "VM5": "Environment variables",
    "VM6": "Shell and overrides",
    "VM7": "Python API and server routes",
    "VM8": "Other",
    "VM9": "Could not be analysed",
}
SAFETY = {
    "safe": "safe: `fix --write` writes it",
    "review": "needs review: `fix --write --unsafe` writes it",
    "none": "advice only",
}


def vocabulary_page() -> str:
    """docs/vocabulary.md: every function, name and fact of conditions."""
    lines = [
        "<!-- Made from vllm_migrate/knowledge/vocabulary.py by python -m vllm_migrate.knowledge.docs; edit that. -->"
    ]
    lines += [
        "",
        "# What conditions may say",
        "",
        VOCABULARY,
        "",
        "## Operators",
        "",
        "| expression | value |",
        "|---|---|",
    ]
    lines += [f"| `{expression}` | {means} |" for expression, means in vocabulary.OPERATORS.items()]
    for title, words in (("Functions", vocabulary.FUNCTIONS), ("Names", vocabulary.NAMES), ("Facts", vocabulary.FACTS)):
        lines += ["", f"## {title}", "", "| word | meaning | where | possible values |", "|---|---|---|---|"]
        lines += [f"| {' | '.join((f'`{_signed(w)}`', w.means, _places(w), _values(w)))} |" for w in words]
    lines += ["", "## Names without number", "", "| name | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {means} |" for name, means in vocabulary.FAMILIES.items()]
    lines += ["", "## Arguments", "", "| kind | what it is |", "|---|---|"]
    lines += [f"| {kind} | {means} |" for kind, means in vocabulary.ARGUMENTS.items()]
    return "\n".join(lines) + "\n"


def _signed(word: Term) -> str:
    return word.name + (signature(word) if word.arguments is not None else "")


def _places(word: Term) -> str:
    places = [place for place in word.places if place != vocabulary.NAMED]
    if set(vocabulary.RULE) <= set(places):
        places = ["rules", *(place for place in places if place not in vocabulary.RULE)]
    return ", ".join(places)


def _values(word: Term) -> str:
    return ", ".join(f"`{value!r}`" for value in word.values) if word.values else "any"


def pages(files: list[RuleFile]) -> dict[str, str]:
    """Every page by file name, the index among them."""
    out = {f"{file.rule.name}.md": page(file) for file in files}
    out |= {f"{rule.name}.md": reading_page(rule) for rule in FILE_RULES}
    out[INDEX] = index(files)
    return out


def index(files: list[RuleFile]) -> str:
    lines = [MADE.format(source="*.yaml"), "", "# Rules", ""]
    lines.append(
        f"{len(files)} rules, and {len(FILE_RULES)} about files that cannot be analysed.\n"
        "`vllm-migrate explain CODE` prints a page on the terminal. Every example is a test."
    )
    lines += ["", INTRO]
    for family, title in FAMILIES.items():
        members = [file for file in files if file.rule.code.startswith(family)]
        if family == "VM9":
            lines += ["", f"## {family}xx: {title}", "", "| code | rule | severity |", "|---|---|---|"]
            lines += [f"| {r.code} | [{r.name}]({r.name}.md): {r.title} | {r.severity} |" for r in FILE_RULES]
            continue
        lines += [
            "",
            f"## {family}xx: {title}",
            "",
            "| code | rule | severity | layer | fix | examples: fires, silent |",
            "|---|---|---|---|---|---|",
        ]
        for file in members:
            name = f"[{file.rule.name}]({file.rule.name}.md): {file.rule.title}"
            counts = f"{len(file.examples.fires)}, {len(file.examples.silent)}"
            cells = (file.rule.code, name, severities(file.rule), file.rule.layer, safety(file.rule), counts)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table(files: list[RuleFile]) -> str:
    """All rules: how many examples, how much evidence, and the titles of what each fires on (+) and is silent on (-)."""
    lines = []
    fires = silent = 0
    for file in files:
        examples = file.examples
        yes, no = examples.fires, examples.silent
        fires, silent = fires + len(yes), silent + len(no)
        checked = sum(bool(item.catalog) for item in file.page.evidence)
        lines.append(
            f"{file.rule.code} {file.rule.name}: fires on {len(yes)}, silent on {len(no)}; "
            f"{len(file.page.evidence)} pieces of evidence, {checked} in the catalog"
        )
        lines += [f"  + {example.title}" for example in yes] + [f"  - {example.title}" for example in no]
    lines.append(f"{len(files)} rules, {fires} examples that fire, {silent} that do not")
    return "\n".join(lines) + "\n"


def page(file: RuleFile) -> str:
    lines = [
        MADE.format(source=f"{file.rule.name}.yaml"),
        "",
        f"# {file.rule.code} {file.rule.name}",
        "",
        file.rule.title + ".",
        "",
    ]
    life = f"{file.rule.status.capitalize()} since {file.rule.since}."
    lines += [f"Severity: {severities(file.rule)}. Layer: {file.rule.layer}. Fix: {safety(file.rule)}. {life}", ""]
    lines += ["## What it says", "", f"> {_said(file)}", ""]
    lines += ["## What happens", "", _text(file.page.explain.what), ""]
    lines += ["## Why it matters to your loss", "", _text(file.page.explain.why), ""]
    lines += ["## What to write", "", _text(file.page.explain.write), ""]
    lines += ["## When it is silent", "", _text(file.page.silent_when), ""]
    lines += _fix(file)
    for title, text in price(file.rule):
        lines += [f"## {title}", "", text, ""]
    lines += ["## Evidence", "", *[f"- {evidence(item)}" for item in file.page.evidence], ""]
    lines += ["## It fires on", ""] if file.examples.fires else []
    for example in file.examples.fires:
        lines += _example(file, example, True)
    lines += ["## It is silent on", ""] if file.examples.silent else []
    for example in file.examples.silent:
        lines += _example(file, example, False)
    lines += [f"To silence it at one place: `# vllm-migrate: ignore[{file.rule.code}] reason`.", ""]
    return "\n".join(lines)


def reading_page(rule: FileRule) -> str:
    """The page of a rule about files that could not be analysed."""
    page = page_of(rule.name)
    lines = [
        MADE_OF_TABLE,
        "",
        f"# {rule.code} {rule.name}",
        "",
        rule.title + ".",
        "",
        f"Severity: {rule.severity}.",
        "",
    ]
    parts = ("Why it matters", page.explain.why), ("What to write", page.explain.write)
    silent = ("When it is silent", page.silent_when), ("Why there is no edit", sentence(page.no_edit))
    for title, text in (*parts, *silent):
        lines += [f"## {title}", "", text, ""]
    lines += [f"To silence it at one place: `# vllm-migrate: ignore[{rule.code}] reason`.", ""]
    return "\n".join(lines)


def _said(file: RuleFile) -> str:
    """The message, with the releases of the first example that fires; what a file decides stands in angle brackets."""
    return _text(_filled(file.rule.message, file)) + "."


def _filled(text: str, file: RuleFile) -> str:
    first = next(iter(file.examples.fires), None)
    for side, release in (("{from}", first.source), ("{to}", first.target)) if first is not None else ():
        text = text.replace(side, release)
    return filled(text, "`<{}>`")


def _fix(file: RuleFile) -> list[str]:
    said = [part for fix in fixes(file.rule) for part in (_edit(fix, file), "")]
    return ["## Fix", "", *(said or [f"None: advice only. {sentence(file.page.no_edit)}", ""])]


def _edit(fix: FixSpec, file: RuleFile) -> str:
    said = f"{_text(_filled(fix.title, file))} ({SAFETY[fix.safety]})."
    if fix.safety == "safe":
        said += " It needs review if the finding depends on what the files do not show."
    if fix.needs:
        said += f" The fixed file needs vLLM {fix.needs} or newer."
    if fix.with_rules:
        said += f" Only together with {', '.join(fix.with_rules)}."
    return said


def evidence(item: Evidence) -> str:
    """One line that says where it can be looked up."""
    if item.measured:
        return f"measured: {item.measured}"
    if item.catalog:
        section, _, option = item.catalog.partition(".")
        state = "absent" if item.absent else "there"
        if item.unset or item.value is not None:
            state = f"default {_value(item.value)}"
        return f"catalog, vLLM {item.release}: {section} `{option}` {state}"
    thread = item.pr or item.thread
    if thread:
        repository, _, number = thread.partition("#")
        kind = "pull" if item.pr else "issues"
        home = "vllm-project/vllm" if repository == "vllm" else repository
        return f"[{home}#{number}]({GITHUB}/{home}/{kind}/{number})"
    origin = f"vLLM {item.release}" if item.release else item.repository or "the framework"
    origin += f" at {item.commit}" if item.commit else ""
    line = f", line {item.line}" if item.line else ""
    parts = [f"{_file(item)}{line}" if item.file else "", f"`{item.symbol}`" if item.symbol else ""]
    return f"{origin}: {', '.join(part for part in parts if part)}"


def _file(item: Evidence) -> str:
    """The file, as a link where it is known whose it is."""
    home, at = ("vllm-project/vllm", f"v{item.release}") if item.release else (item.repository, item.commit)
    if not home or not at:
        return f"`{item.file}`"
    line = f"#L{item.line}" if item.line else ""
    return f"[`{item.file}`]({GITHUB}/{home}/blob/{at}/{item.file}{line})"


def _value(value: object) -> str:
    if value is None:
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _example(file: RuleFile, example: Example, fires: bool) -> list[str]:
    said = f"{upper(example.title)} ({example.source} to {example.target}"
    said += f", the source ran {example.from_engine.upper()})" if example.from_engine != "auto" else ")"
    if fires:
        said += f": {example.severity or file.rule.severity}"
        said += f" on line {example.line}" if example.line else ""
    lines = [said + ".", ""]
    if example.fork:
        changed = " and ".join(f"`{option}` {_value(value)}" for option, value in example.fork.items())
        lines += [f"{example.target} stands for a release of your own whose declared default is {changed}.", ""]
    for name, text in example.files.items():
        kind = "bash" if name.endswith(".sh") else "yaml" if name.endswith((".yaml", ".yml")) else Path(name).suffix[1:]
        lines += [f"`{name}`", "", f"```{kind}", text.rstrip("\n"), "```", ""]
    if example.after:
        lines += [f"Fixed, it has the line `{example.after}`.", ""]
    return lines


def _text(text: str) -> str:
    return upper(" ".join(text.split()))


def listed_codes(listed: str, files: list[RuleFile]) -> str:
    """rules/codes.txt with the rules that it lacks. It only grows: codes are never used again."""
    lines = listed.splitlines()
    known = {line.split()[0] for line in lines}
    fresh = (f"{file.rule.code} {file.rule.name}" for file in files if file.rule.code not in known)
    return "".join(f"{line}\n" for line in sorted((*lines, *fresh)))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        "python -m vllm_migrate.knowledge.docs", description="Write docs/rules/ and docs/vocabulary.md."
    )
    parser.add_argument("--check", action="store_true", help="only say whether the pages are stale (exit 1)")
    parser.add_argument("--table", action="store_true", help="print what every rule fires on and is silent on")
    options = parser.parse_args(argv)
    rules = rules_folder()
    target = rules.parent / "docs" / "rules"
    words = target.parent / "vocabulary.md"
    made = pages(read_rules(rules))
    kept = {path.name: read_text(str(path)) for path in target.glob("*.md")} if target.is_dir() else {}
    if options.table:
        print(table(read_rules(rules)), end="")
        return 0
    if options.check:
        fresh = kept == made and words.is_file() and read_text(str(words)) == vocabulary_page()
        print("docs/rules is " + ("fresh" if fresh else "stale: run python -m vllm_migrate.knowledge.docs"))
        return 0 if fresh else 1
    target.mkdir(parents=True, exist_ok=True)
    words.write_text(vocabulary_page(), encoding="utf-8")
    codes = rules / "codes.txt"
    codes.write_text(listed_codes(read_text(str(codes)), read_rules(rules)), encoding="utf-8")
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
