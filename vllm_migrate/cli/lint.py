"""`vllm-migrate lint`: what changes for these files between two releases."""

from __future__ import annotations

import sys

from vllm_migrate.cli.options import Call
from vllm_migrate.cli.terminal import use_color, width


def run(call: Call) -> int:
    """Lint; the exit code: 0 nothing at or above --fail-on, 1 findings, 3 no input files."""
    from vllm_migrate import session

    outcome = session.lint(call)
    if outcome.cached is not None:
        sys.stdout.write(outcome.cached)
        return outcome.exit_code
    from vllm_migrate.report.formats import render

    name = call.text("output_format") or "text"
    if call.flag("statistics"):
        name = "statistics"
    target = call.text("output_file")
    text = render(name, outcome.report, color=target is None and use_color(call), width=width())
    if target is not None:
        with open(target, "w", encoding="utf-8") as handle:
            handle.write(text)
    else:
        sys.stdout.write(text)
        session.remember(outcome, text)
    if outcome.report.files == 0:
        print("no input files: give a file or a folder with YAML, shell, TOML, JSON or Python files", file=sys.stderr)
    return outcome.exit_code
