"""`vllm-migrate lint`: what changes for these files between two releases."""

from __future__ import annotations

import io
import os
import sys

from vllm_migrate.cli.options import Call
from vllm_migrate.cli.terminal import use_color, width
from vllm_migrate.errors import UsageError

# Formats for programs are UTF-8, whatever the terminal is.
MACHINE = frozenset(("json", "sarif", "github", "gitlab", "junit", "markdown", "html"))


def run(call: Call) -> int:
    """Lint; the exit code: 0 nothing at or above --fail-on, 1 findings, 3 no input files."""
    color, columns = use_color(call), width()
    key = _key(call, color, columns)
    if key is not None:
        from vllm_migrate.run.cache import lookup

        kept = lookup(key)
        if kept is not None:
            sys.stdout.write(kept.text)
            return kept.exit_code
    from vllm_migrate.report.formats import render
    from vllm_migrate.run import session

    outcome = session.lint(call)

    name = call.text("output_format") or "text"
    if call.flag("statistics"):
        name = "statistics"
    target = call.text("output_file")
    text = render(name, outcome.report, color=target is None and color, width=columns)
    if target is not None:
        write_report(target, text)
    else:
        if name in MACHINE and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(text)
        if key is not None and outcome.report.files:
            from vllm_migrate.run.cache import store

            store(key, outcome.dependencies, outcome.exit_code, text)
    if outcome.report.files == 0:
        print("no input files: give a file or a folder with YAML, shell, TOML, JSON or Python files", file=sys.stderr)
    return outcome.exit_code


def write_report(path: str, text: str) -> None:
    """Put the report where --output-file says: a file all at once, into a pipe or a device as it comes."""
    from vllm_migrate.run.files import replace_file

    data = text.encode("utf-8", "backslashreplace")
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as handle:
                handle.write(data)
        else:
            replace_file(path, data, durable=False)
    except OSError as error:
        raise UsageError(f"--output-file: {path}: {error.strerror or error}") from None


def _key(call: Call, color: bool, columns: int) -> list[str] | None:
    """What besides files shapes the text of this call; None when its result is not to be kept."""
    if call.flag("no_cache") or "-" in call.paths:
        return None
    if any(field in call for field in ("output_file", "write_baseline", "add_ignores")):
        return None
    if (call.text("output_format") or "text") not in ("text", "concise"):
        return None
    return [*(f"{field}={call[field]}" for field in sorted(call)), str(color), str(columns)]
