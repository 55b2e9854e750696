"""`vllm-migrate explain`: a rule's page, or an option's life over all releases."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from vllm_migrate.cli.parser import close_to
from vllm_migrate.cli.terminal import say, width
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load, rule_page
from vllm_migrate.knowledge.reading import as_rules, page_of
from vllm_migrate.run.select import is_code

if TYPE_CHECKING:
    from vllm_migrate.catalog.history import Explanation
    from vllm_migrate.knowledge.records import Rule, RulePage


def run(call: Namespace) -> int:
    """Print the page or the history; the exit code."""
    what: str = call.what
    known = load().rule(what)
    of_files = next((rule for rule in as_rules() if what.lower() in (rule.code.lower(), rule.name)), None)
    if known is not None:
        _rule(known, rule_page(known.name), call.output_format)
    elif of_files is not None:
        _rule(of_files, page_of(of_files.name), call.output_format)
    else:
        _option(_history(what), call.output_format)
    return 0


def _history(what: str) -> Explanation:
    """The life of an option. Raises UsageError for a word that is no option's name."""
    from vllm_migrate.catalog import history, store

    catalog = store.load()
    found = history.explain_option(catalog, what)
    if found is None:
        names = [word for rule in load().rules + as_rules() for word in (rule.code, rule.name)]
        known = [] if is_code(what) else [*names, *catalog.all_names("engine")]
        near = close_to(what.upper() if what[:2].lower() == "vm" else what, known)
        remedy = f"did you mean {near}?" if near else "`vllm-migrate rules` lists the rules"
        raise UsageError(f"{what!r} is neither a rule nor an option of vLLM", remedy)
    return found


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
