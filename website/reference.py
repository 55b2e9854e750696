"""Reference pages that are made for the site and never committed: commands, dialects, options by release."""

from __future__ import annotations

from vllm_migrate.catalog import store
from vllm_migrate.catalog.diff import shown
from vllm_migrate.cli.options import COMMANDS
from vllm_migrate.cli.parser import help_text
from vllm_migrate.knowledge.load import dialect_page, load

SECTIONS = {
    "engine": ("Engine arguments", "What `EngineArgs` takes, and `vllm serve --config` and `LLM()` with it."),
    "frontend": ("Server flags", "Flags of `vllm serve` that are no engine arguments."),
    "sampling": ("Sampling parameters", "Keywords of `SamplingParams`."),
    "env": ("Environment variables", "What `vllm/envs.py` declares."),
}


def commands() -> str:
    """Every command with a table of options, as `--help` prints it."""
    parts = ["# Commands", "", "`rules`, `dialects`, `releases`, `schema`, `explain` and `catalog` have a `--help` too."]
    for table in COMMANDS.values():
        parts += ["", f"## {table.name}", "", "```text", help_text(table).rstrip(), "```"]
    return "\n".join(parts) + "\n"


def dialects() -> str:
    """Every framework that is understood: where it was read from and how a setting is written."""
    found = sorted(load().dialects, key=lambda dialect: dialect.id)
    parts = ["# Dialects", "", f"{len(found)} ways of writing vLLM settings are understood."]
    for dialect in found:
        page = dialect_page(dialect.id)
        parts += ["", f"## {dialect.id}", "", f"**{dialect.title}**, `{dialect.repository}`. Files: {', '.join(dialect.carriers)}.", ""]
        parts += [page.about.strip(), ""]
        parts += [f"- {pin.say}" if pin.say else f"- A setting is written as `{pin.key}`." for pin in dialect.pins]
    return "\n".join(parts) + "\n"


def options(section: str) -> str:
    """Every option of a section with its life over the releases."""
    title, about = SECTIONS[section]
    catalog = store.load()
    first, last = catalog.releases[0], catalog.releases[-1]
    parts = [f"# {title}", "", about, "", f"Releases {first} to {last}, read from each release's own source.", ""]
    parts += ["| option | from | until | default | changes of the default |", "|---|---|---|---|---|"]
    for name in catalog.all_names(section):
        parts.append(_row(name, catalog.life(section, name), first))
    return "\n".join(parts) + "\n"


def _row(name: str, life: store.Life, first: str) -> str:
    since, until = life[0][0], life[-1][1]
    defaults: list[tuple[str, str]] = []
    for start, _, facts in life:
        text = shown(facts.default, 50)
        if not defaults or defaults[-1][1] != text:
            defaults.append((start, text))
    changed = ", ".join(f"{start}: {_code(text)}" for start, text in defaults[1:])
    begin = "" if since == first else since
    return f"| `{name}` | {begin} | {f'gone in {until}' if until else ''} | {_code(defaults[0][1])} | {changed} |"


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|").replace("\n", " ")


def pages() -> dict[str, str]:
    """Path below the documentation, and text."""
    made = {"reference/commands.md": commands(), "reference/dialects.md": dialects()}
    return made | {f"reference/options/{section}.md": options(section) for section in SECTIONS}
