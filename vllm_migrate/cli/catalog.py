"""`vllm-migrate catalog add|list|remove`: releases of your own beside the shipped ones."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Sequence

from vllm_migrate.cli.options import VALUE, CommandTable, Option
from vllm_migrate.cli.parser import parse

HELP = "Add a release of vLLM to the catalog.\n\nReleases of your own stand next to the shipped ones, in your cache folder."

COMMANDS = {
    command.name: command
    for command in (
        CommandTable(
            "add",
            (
                Option(
                    "SOURCE",
                    VALUE,
                    "An sdist, a wheel, a source tree, or a Python interpreter.",
                    "SOURCE",
                    required=True,
                ),
                Option("--release", VALUE, "The version to store it under.", "VERSION"),
            ),
            "Read a release from its source and keep it in your cache folder.\n\nvLLM is never imported.",
        ),
        CommandTable("list", (), "List the releases you added."),
        CommandTable(
            "remove",
            (Option("RELEASE", VALUE, "A release you added.", "RELEASE", required=True),),
            "Remove a release you added.",
        ),
    )
}


def run(name: str, words: Sequence[str]) -> int:
    """Run one command; the exit code. Raises UsageError, parser.HelpWanted."""
    call = parse(COMMANDS[name], words, "vllm-migrate catalog")
    {"add": _add, "list": _list, "remove": _remove}[name](call)
    return 0


def _add(call: Namespace) -> None:
    from vllm_migrate.catalog import added, store

    shipped = set(store.load().shipped)
    name, gaps = added.add(call.source, call.release, lambda step: print(_said(step), file=sys.stderr))
    cat = store.load()
    for gap in gaps:
        print(f"not followed: {gap}", file=sys.stderr)
    instead = " (in place of the shipped one)" if name in shipped else ""
    flags = len(cat.names("cli", name)) + len(cat.names("frontend", name))
    arguments = sum(not cat.is_async_only(argument, name) for argument in cat.names("engine", name))
    print(f"added vLLM {name}{instead}: {arguments} engine arguments, {flags} flags")
    print(f"kept in {store.cache_folder()}")


def _said(step: str) -> str:
    return step if step.startswith("unpacking") else f"reading {step}"


def _list(call: Namespace) -> None:
    from vllm_migrate.catalog import details, store

    cat = store.load()
    origins = details.load(cat).origins
    for release in cat.releases:
        if cat.is_added(release):
            print(f"{release}  {origins[release].get('artefact', '')}")


def _remove(call: Namespace) -> None:
    from vllm_migrate.catalog import added

    added.remove(call.release)
    print(f"removed vLLM {call.release}")
