"""`vllm-migrate explain CODE or OPTION`: a rule's page, or an option's life over all releases."""

from __future__ import annotations

from typing import Annotated

import typer

from vllm_migrate.cli.terminal import say, width
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.rules.files import as_rules, page_of

SETTINGS = {"ignore_unknown_options": True}  # an option of vLLM may be named as its flag


def command(
    what: Annotated[str, typer.Argument(metavar="CODE|OPTION", help="VM101, prefix-caching-default, swap_space, ...")],
) -> None:
    """Say all about a rule (by code or name), or show an option's life as a line of releases."""
    from vllm_migrate.knowledge import page

    knowledge = load()
    known = knowledge.rule(what)
    if known is not None:
        say(page.rule_page(known, rule_page(known.name), min(width(), 100)))
        return
    of_files = next((rule for rule in as_rules() if what.lower() in (rule.code.lower(), rule.name)), None)
    if of_files is not None:
        say(page.rule_page(of_files, page_of(of_files.name), min(width(), 100)))
        return
    text = _option(what)
    if text is None:
        import difflib

        from vllm_migrate.catalog import store

        names = [word for rule in knowledge.rules for word in (rule.code, rule.name)] + store.load().all_names("engine")
        near = difflib.get_close_matches(what.upper() if what[:2].lower() == "vm" else what, names, n=3)
        remedy = f"did you mean {', '.join(near)}?" if near else "`vllm-migrate rules` lists the rules"
        raise UsageError(f"{what!r} is neither a rule nor an option of vLLM", remedy)
    say(text)


def _option(name: str) -> str | None:
    """An option's life as text; None when no release ever had it."""
    from vllm_migrate.catalog import store
    from vllm_migrate.catalog.history import explain_option, render_text

    found = explain_option(store.load(), name)
    return render_text(found) if found else None
