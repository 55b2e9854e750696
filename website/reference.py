"""The reference pages that are made of the program's own tables: commands, dialects, options by release, JSON."""

from __future__ import annotations

import inspect

from vllm_migrate.catalog import changes, store
from vllm_migrate.catalog.diff import shown
from vllm_migrate.catalog.history import Story, explain_option
from vllm_migrate.cli import catalog as own_releases
from vllm_migrate.cli import smoke
from vllm_migrate.cli.options import COMMANDS
from vllm_migrate.cli.parser import help_text
from vllm_migrate.knowledge.docs import GITHUB
from vllm_migrate.knowledge.load import dialect_page, load
from vllm_migrate.knowledge.records import Dialect
from vllm_migrate.report import json as json_report

SECTIONS = {
    "engine": (
        "Engine arguments",
        "Arguments of `EngineArgs` and `AsyncEngineArgs`; `vllm serve` has them as flags, in kebab case.",
    ),
    "sampling": ("Sampling parameters", "Parameters of `SamplingParams`."),
    "env": ("Environment variables", "What `vllm/envs.py` declares."),
}


def pages() -> dict[str, str]:
    """Every generated page by its path below docs/."""
    out = {"commands.md": commands(), "dialects.md": dialects(), "json.md": json_page()}
    return out | {f"options-{section}.md": options(section) for section in SECTIONS}


def commands() -> str:
    out = [
        "# Commands",
        "",
        "What `--help` prints.",
    ]
    groups = {"": COMMANDS, " smoke": smoke.COMMANDS, " catalog": own_releases.COMMANDS}
    for program, table in ((f"vllm-migrate{name}", table) for name, table in groups.items()):
        for command in table.values():
            out += ["", f"## {program.removeprefix('vllm-migrate').strip()} {command.name}".replace("##  ", "## ")]
            out += ["", "```text", help_text(command, program).rstrip(), "```"]
    return "\n".join(out) + "\n"


def dialects() -> str:
    found = sorted(load().dialects, key=lambda dialect: dialect.title.lower())
    out = [
        "# Dialects",
        "",
        f"{len(found)} ways in which frameworks write vLLM settings. `vllm-migrate dialects ID` describes one.",
    ]
    for dialect in found:
        out += ["", f"## {dialect.title}", "", _prose(dialect_page(dialect.id).about), ""]
        out += [f"- id `{dialect.id}`, written in {', '.join(dialect.carriers)}", f"- read from {_repository(dialect)}"]
        out += [
            f"- an engine of role `{engine.role}` at {f'`{engine.root}`' if engine.root else 'the top'}"
            for engine in dialect.engines
        ]
        out += [
            f"- cannot be set: {_prose(pin.say)}" if pin.say else f"- a setting is written as `{pin.key}`"
            for pin in dialect.pins
        ]
        if dialect.upgrade:
            out.append(f"- {_prose(dialect.upgrade)}")
    return "\n".join(out) + "\n"


def _prose(text: str) -> str:
    """One paragraph; what looks like an element of HTML (`--no-<option>`) is shown as it stands."""
    return " ".join(text.split()).replace("<", "&lt;")


def _repository(dialect: Dialect) -> str:
    name = dialect.repository
    return f"[{name}]({GITHUB}/{name})" if name.count("/") == 1 and " " not in name else name


def options(section: str) -> str:
    """The life of each option of a section of the catalog."""
    catalog = store.load()
    title, about = SECTIONS[section]
    first, last = catalog.releases[0], catalog.releases[-1]
    out = [
        f"# {title} by release",
        "",
        f"{about} {len(catalog.releases)} releases, {first} to {last}, read from their source.",
    ]
    out += ["", "| option | releases | defaults |", "|---|---|---|"]
    for name in catalog.all_names(section):
        explained = explain_option(catalog, name)
        assert explained is not None
        story = next(story for story in explained.stories if (story.section, story.option) == (section, name))
        out.append(f"| {' | '.join((f'`{name}`', _releases(story, first), _defaults(story)))} |")
    return "\n".join(out) + "\n"


def _releases(story: Story, first: str) -> str:
    since, until = story.spans[0].since, story.spans[-1].until
    words = ["all" if since == first else f"since {since}"] if until is None else [f"{since} to before {until}"]
    if story.replaced_by:
        words.append(f"then `{story.replaced_by}`")
    if until is None and story.spans[-1].facts.deprecated:
        words.append("deprecated")
    return ", ".join(words)


def _defaults(story: Story) -> str:
    out: list[str] = []
    for span in story.spans:
        default = _cell(shown(changes.declared_default(span.facts), 60))
        if not out or not out[-1].endswith(default):
            out.append(default if not out else f"{span.since}: {default}")
    return "<br>".join(out)


def _cell(text: str) -> str:
    return "`" + text.replace("|", "\\|").replace("`", "'").replace("\n", " ") + "`"


def json_page() -> str:
    contract = inspect.getdoc(json_report) or ""
    return f"# JSON output\n\n`vllm-migrate lint --output-format json`\n\n```text\n{contract}\n```\n"
