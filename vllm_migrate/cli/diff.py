"""`vllm-migrate diff`: between two releases, for what a repository uses, or between two runs."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from vllm_migrate.cli import terminal
from vllm_migrate.cli.parser import close_to
from vllm_migrate.errors import UsageError

if TYPE_CHECKING:
    from vllm_migrate.catalog.store import Catalog


def run(call: Namespace) -> int:
    """Show what changed; the exit code."""
    if call.output_format == "html" and (call.runs or call.paths):
        raise UsageError(
            "html is only for a whole release", "use --output-format markdown, or leave out --runs and PATHs"
        )
    if call.runs:
        return _runs(call)
    from vllm_migrate.catalog import diff, store

    cat = store.load()
    old, new = _canonical(call.first), _canonical(call.second)
    if call.paths:
        return _used(call, old, new)
    _check_option(cat, call.option)
    found = diff.select(diff.diff(cat, old, new), call.kind or (), call.option, call.rl, call.layer, call.section or ())
    if call.output_format == "html":
        from vllm_migrate.report.history import diff_html

        sys.stdout.writelines(diff_html(cat, old, new, found))
        return 0
    if call.output_format == "text" and sys.stdout.isatty():
        from vllm_migrate.catalog.tables import show as draw

        draw(old, new, found, terminal.console())
        return 0
    show = {"text": diff.as_text, "json": diff.as_json, "markdown": diff.as_markdown}[call.output_format]
    print(show(old, new, found))
    return 0


def _canonical(release: str) -> str:
    from vllm_migrate.catalog import store

    try:
        return store.load().canonical(release)
    except store.UnknownRelease as error:
        raise UsageError(str(error), "`vllm-migrate releases` lists them; `catalog add` adds one") from error


def _used(call: Namespace, old: str, new: str) -> int:
    from vllm_migrate.bump.report import as_json, as_markdown, changes_for

    found = changes_for(tuple(call.paths), old, new)
    if call.output_format == "json":
        print(json.dumps(as_json(found), indent=2))
    else:
        print(as_markdown(found))
    return 0


def _runs(call: Namespace) -> int:
    from vllm_migrate.verify import runs

    if call.paths:
        raise UsageError("--runs compares two folders", "vllm-migrate diff --runs DIR_A DIR_B")
    if call.target:
        _canonical(call.target)
    first, second = (runs.side(path, call.target, call.engine) for path in (call.first, call.second))
    found = runs.moved(first, second)
    if call.output_format == "json":
        print(json.dumps(runs.as_json(first, second, found), indent=2))
        return 0
    show = runs.as_markdown if call.output_format == "markdown" else runs.as_text
    print("\n".join(show(first, second, found)))
    return 0


def _check_option(cat: Catalog, option: str | None) -> None:
    """Raise UsageError for a part of a name that no option of any release has."""
    from vllm_migrate.catalog.diff import spelling
    from vllm_migrate.catalog.store import SECTIONS

    if not option or any(spelling(option) in spelling(name) for each in SECTIONS for name in cat.all_names(each)):
        return
    near = close_to(spelling(option), cat.all_names("engine"))
    raise UsageError(f"no option has {option!r} in its name", f"did you mean {near}?" if near else "")
