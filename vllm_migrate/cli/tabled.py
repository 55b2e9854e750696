"""Runs commands: each has a table of options, which argparse parses, so that a hook's call never imports typer."""

from __future__ import annotations

from importlib import import_module

from vllm_migrate.cli.options import COMMANDS
from vllm_migrate.cli.parser import parse

GROUPS = ("smoke", "catalog")  # modules with commands of their own


def run_tabled(argv: list[str]) -> int | None:
    """Run the command that the words name; its exit code, or None if they name none.

    Raises VllmMigrateError for what is wrong with the words or the files.
    """
    if argv[0] in COMMANDS:
        return _run(argv[0], argv[1:])
    if argv[0] in GROUPS and len(argv) > 1:
        group = import_module(f"vllm_migrate.cli.{argv[0]}")
        if argv[1] in group.COMMANDS:
            code: int = group.run(argv[1], argv[2:])
            return code
    return None


def _run(name: str, words: list[str]) -> int:
    """Run a command of the table."""
    call = parse(COMMANDS[name], words)
    command = import_module(f"vllm_migrate.cli.{name}")
    code: int = command.run(call)
    return code
