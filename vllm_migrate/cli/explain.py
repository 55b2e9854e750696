"""`vllm-migrate explain CODE or OPTION`: a rule's page, or an option's life over all releases."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vllm_migrate.cli.parser import check_format, close_to
from vllm_migrate.cli.terminal import say, width
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.knowledge.reading import as_rules, page_of

if TYPE_CHECKING:
    from vllm_migrate.catalog.history import Explanation
    from vllm_migrate.knowledge.records import Rule, RulePage

SETTINGS = {"ignore_unknown_options": True}  # an option of vLLM may be named as its flag
FORMATS = ("text", "html", "markdown")


def command(
    what: Annotated[str, typer.Argument(metavar="CODE|OPTION", help="VM101, prefix-caching-default, swap_space, ...")],
    output_format: Annotated[str, typer.Option(help="text, html or markdown.", metavar="FORMAT")] = "text",
) -> None:
    """Explain a rule by code or name, or show an option's history."""
    check_format(output_format, FORMATS)
    knowledge = load()
    known = knowledge.rule(what)
    if known is not None:
        _rule(known, rule_page(known.name), output_format)
        return
    of_files = next((rule for rule in as_rules() if what.lower() in (rule.code.lower(), rule.name)), None)
    if of_files is not None:
        _rule(of_files, page_of(of_files.name), output_format)
        return
    from vllm_migrate.catalog import history, store

    catalog = store.load()
    found = history.explain_option(catalog, what)
    if found is None:
        names = [word for rule in knowledge.rules for word in (rule.code, rule.name)] + catalog.all_names("engine")
        near = close_to(what.upper() if what[:2].lower() == "vm" else what, names)
        remedy = f"did you mean {near}?" if near else "`vllm-migrate rules` lists the rules"
        raise UsageError(f"{what!r} is neither a rule nor an option of vLLM", remedy)
    _option(found, output_format)


def _rule(rule: Rule, page: RulePage, output_format: str) -> None:
    if output_format == "text":
        from vllm_migrate.knowledge.page import rule_page as as_text

        say(as_text(rule, page, min(width(), 100)))
        return
    from vllm_migrate.report import history

    show = history.rule_html if output_format == "html" else history.rule_markdown
    sys.stdout.writelines(show(rule, page))


def _option(found: Explanation, output_format: str) -> None:
    if output_format == "text":
        from vllm_migrate.catalog.history import render_text

        say(render_text(found, min(width(), 100)))
        return
    from vllm_migrate.report import history

    show = history.option_html if output_format == "html" else history.option_markdown
    sys.stdout.writelines(show(found))
