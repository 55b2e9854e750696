"""Runs the commands whose options stand in a table: parsed by argparse, so that a hook's call never imports typer."""

from __future__ import annotations

from importlib import import_module

from vllm_migrate.cli.options import COMMANDS
from vllm_migrate.cli.parser import parse


def run_tabled(argv: list[str]) -> int | None:
    """Run the command that the words name; its exit code, or None where it has no table.

    Raises VllmMigrateError for what is wrong with the words or the files.
    """
    if argv[0] in COMMANDS:
        return _run(argv[0], argv[1:])
    if argv[0] == "smoke" and len(argv) > 1:
        from vllm_migrate.cli import smoke

        if argv[1] in smoke.COMMANDS:
            return smoke.run(argv[1], argv[2:])
    return None


def _run(name: str, words: list[str]) -> int:
    """Run a command of the table."""
    call = parse(COMMANDS[name], words)
    command = import_module(f"vllm_migrate.cli.{name}")
    code: int = command.run(call)
    return code
