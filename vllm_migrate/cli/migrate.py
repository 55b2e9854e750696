"""`vllm-migrate migrate`: settings and version of a project in one step, with a checklist for people."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from vllm_migrate.cli.bar import progress
from vllm_migrate.cli.calls import options_of
from vllm_migrate.cli.lint import NO_FILES
from vllm_migrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.migrate.plan import Migration

PRIVATE = "{} holds lines with secrets, which git apply needs; only you can read it"


def run(call: Namespace) -> int:
    """Migrate; the exit code: 0 nothing is left to write and every engine starts, 1 else, 2 not written, 3 no input files."""
    from vllm_migrate.migrate.checklist import render, verdicts, waiting
    from vllm_migrate.migrate.patch import base_of, patch
    from vllm_migrate.migrate.plan import migrate
    from vllm_migrate.report.fix import NOT_TO_APPLY

    if "-" in call.paths:
        raise UsageError("migrate needs a project, not standard input (-)", "give its folder")
    with progress():
        found = migrate(options_of(call))
    if found.files == 0:
        print(NO_FILES, file=sys.stderr)
        return 3
    stops = _stops(call, found)
    if call.patch or not call.write:
        masked, real = patch(found), patch(found, masked=False)
        if not call.patch:
            sys.stdout.write(masked)
        elif not real:
            print(f"note: {call.patch} was not written: nothing changes", file=sys.stderr)
        else:
            _put(call.patch, real, call.allow_outside or (), private=masked != real)
        if call.patch and real and (base := base_of(found)) != os.curdir:
            print(f"note: the names in the diff are relative to {base}: `git apply` it there", file=sys.stderr)
        if masked != real:
            print(f"note: {PRIVATE.format(call.patch) if call.patch else NOT_TO_APPLY}", file=sys.stderr)
    for note in waiting(found):
        print(f"note: {note}", file=sys.stderr)
    written = call.write and bool(found.edits)
    if call.checklist:
        _put(call.checklist, render(found, stops, written), call.allow_outside or ())
    failed = _write(found) if call.write else False
    written = written and not failed
    if call.checklist:
        print("\n".join(verdicts(found, written=written)))
    else:
        gap = "\n" if found.edits and not (call.write or call.patch) else ""
        sys.stdout.write(gap + render(found, stops, written))
    if failed:
        return 2
    return int(any(start.reasons for start in found.starts) or (bool(found.edits) and not call.write))


def _stops(call: Namespace, found: Migration) -> list[str]:
    """What to say of the releases on the way, where stops are named or the way is long."""
    from vllm_migrate.catalog.store import load
    from vllm_migrate.migrate.route import advice, check_stops, is_long, routes

    moves = [(project.situation.source.value, project.target) for project in found.projects]
    if not call.via and not any(is_long(*move, load()) for move in moves):
        return []
    ways, _ = routes(options_of(call))
    check_stops(call.via or (), ways)
    return list(advice(ways, call.via or ()))


def _put(path: str, text: str, allow_outside: Sequence[str], private: bool = False) -> None:
    """Write a side file; private: for its owner alone. Raises UsageError."""
    from vllm_migrate.run.fence import check_output
    from vllm_migrate.run.files import replace_file

    check_output(path, allow_outside)
    try:
        replace_file(path, text.encode("utf-8", "surrogatepass"), durable=False, mode=0o600 if private else None)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "choose a FILE you can write to") from None


def _write(found: Migration) -> bool:
    """Write and say what was written; whether something could not be."""
    paths: list[str] = []
    try:
        for path, error in found.write():
            if error is None:
                paths.append(path)
                print(f"wrote {path}")
            else:
                print(f"error: not written: {error.message}", file=sys.stderr)
    except KeyboardInterrupt:
        rest = [file.path for file in found.edits if file.path not in paths]
        print(f"interrupted: not yet written: {', '.join(rest) or 'none'}; run migrate again", file=sys.stderr)
        raise
    return len(paths) < len(found.edits)
