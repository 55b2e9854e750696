"""`vllm-migrate lint`: what changes for these files between two releases."""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.cli.bar import progress
from vllm_migrate.cli.gate import Gate
from vllm_migrate.cli.terminal import use_color, use_links, width
from vllm_migrate.errors import UsageError

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report
    from vllm_migrate.run.dependencies import Dependencies

# Formats for programs are UTF-8, whatever the terminal is.
MACHINE = frozenset(("json", "sarif", "github", "gitlab", "junit", "markdown", "html"))
NO_FILES = "no input files: give a file or a folder with YAML, shell, TOML, JSON or Python files"


def run(call: Namespace) -> int:
    """Lint; the exit code: 0 nothing at or above --fail-on, 1 findings, 3 no input files."""
    if call.exit_zero:
        call.fail_on = "never"
    if (call.write or call.reason is not None) and not call.add_ignores:
        raise UsageError("--write and --reason belong to --add-ignores", "`vllm-migrate fix --write` writes fixes")
    if call.add_ignores and call.write and not (call.reason or "").strip():
        raise UsageError("--add-ignores --write needs a reason", "--reason 'why these findings are fine here'")
    if call.statistics and call.output_format not in (None, "text"):
        raise UsageError(
            f"--statistics has no {call.output_format} format", "leave out --statistics or --output-format"
        )
    if call.show_files or call.show_settings:
        return _show(call)
    if call.watch:
        from vllm_migrate.cli.watch import watch

        if "-" in (*call.paths, call.diff):
            raise UsageError("--watch cannot watch standard input")
        return watch(lambda: _lint(call, None)[1])
    key = _key(call, use_color(call.color), width())
    if key is not None:
        from vllm_migrate.run.cache import lookup

        kept = lookup(key)
        if kept is not None:
            sys.stdout.write(kept.text)
            return kept.exit_code
    return _lint(call, key)[0]


def _lint(call: Namespace, key: list[str] | None) -> tuple[int, Dependencies]:
    """Lint and print; the exit code and what was looked at. key: keeps the result under it."""
    from vllm_migrate.cli.calls import options_of
    from vllm_migrate.library import run_lint
    from vllm_migrate.report.formats import detail_of, render

    if call.add_ignores and not call.write:
        return _show_ignores(call)
    name = "statistics" if call.statistics else call.output_format or "text"
    with progress():
        report, dependencies = run_lint(options_of(call), detail_of(name), call.jobs)
    report = report._replace(quiet=call.quiet)
    color = call.output_file is None and use_color(call.color)
    links = use_links(color)
    pieces = render(name, report, color=color, links=links, width=width(), everything=call.everything)
    if call.output_file is not None:
        write_report(call.output_file, pieces, call.allow_outside or ())
    else:
        _print(name, pieces, key, report, dependencies)
    for note in report.notes if name == "gitlab" else ():  # whose issues all need a place
        print(f"note: {note}", file=sys.stderr)
    if report.files == 0:
        print(NO_FILES, file=sys.stderr)
    return report.exit_code, dependencies


def _show_ignores(call: Namespace) -> tuple[int, Dependencies]:
    """The comments of --add-ignores as a diff; the exit code as that of `fix`: 1 where there are any, 3 without input files."""
    from vllm_migrate.cli.calls import options_of
    from vllm_migrate.library import run_lint
    from vllm_migrate.report.formats import detail_of

    report, dependencies = run_lint(options_of(call), detail_of("concise"), call.jobs)
    sys.stdout.write(report.diff)
    for note in report.notes:
        print(f"note: {note}", file=sys.stderr)
    if report.diff and not call.quiet:
        print("\nnothing is written; --write --reason 'WHY' writes these comments")
    if report.files == 0:
        print(NO_FILES, file=sys.stderr)
        return 3, dependencies
    return int(bool(report.diff)), dependencies


def _print(name: str, pieces: Iterable[str], key: list[str] | None, report: Report, dependencies: Dependencies) -> None:
    gate = sys.stdout
    stream = getattr(gate, "stream", gate)
    if name in MACHINE and isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")
    if isinstance(gate, Gate):
        gate.commands = name == "github"
    kept_pieces: list[str] = []
    for piece in pieces:
        if isinstance(gate, Gate):  # what is kept is printed unseen
            piece = gate.passed(piece)
        gate.write(piece)
        if key is not None:
            kept_pieces.append(piece)
    if key is not None and report.files:
        from vllm_migrate.run.cache import store

        store(key, dependencies, report.exit_code, "".join(kept_pieces))


def _show(call: Namespace) -> int:
    """The files or the settings of a lint instead of its findings."""
    from vllm_migrate.cli.calls import options_of
    from vllm_migrate.run.show import input_files, settings

    lines = input_files(options_of(call)) if call.show_files else settings(options_of(call))
    for line in lines:
        print(line)
    if not lines:
        print(NO_FILES, file=sys.stderr)
    return 0 if lines else 3


def write_report(path: str, pieces: Iterable[str], allow_outside: Sequence[str] = ()) -> None:
    """Put the report where --output-file says: a file all at once, into a pipe or a device as it comes."""
    from vllm_migrate.run.fence import check_output
    from vllm_migrate.run.files import replace_file

    check_output(path, allow_outside)
    data: Iterator[bytes] = (piece.encode("utf-8", "backslashreplace") for piece in pieces)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb", opener=_at_once) as handle:
                handle.writelines(data)
        else:
            replace_file(path, data, durable=False)
    except OSError as error:
        raise UsageError(f"--output-file: {path}: {error.strerror or error}") from None


def _at_once(path: str, flags: int) -> int:
    """Open a pipe or device for writing; a pipe that nobody reads is an error, and nothing to wait for."""
    opened = os.open(path, flags | os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(opened, True)
    return opened


def _key(call: Namespace, color: bool, columns: int) -> list[str] | None:
    """What besides files shapes the text of this call; None when its result is not to be kept."""
    if call.no_cache or "-" in (*call.paths, call.diff) or call.output_file or call.write_baseline or call.add_ignores:
        return None
    if (call.output_format or "text") not in ("text", "full", "concise"):
        return None
    return [
        *(f"{field}={value}" for field, value in sorted(vars(call).items())),
        str(color),
        str(use_links(color)),
        str(columns),
    ]
