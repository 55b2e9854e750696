"""`vllm-migrate fix`: shows the diff; --write writes it; --check tells whether it would."""

from __future__ import annotations

import sys
from argparse import Namespace

from vllm_migrate.cli.bar import progress
from vllm_migrate.cli.calls import options_of
from vllm_migrate.cli.gate import Gate
from vllm_migrate.cli.lint import NO_FILES
from vllm_migrate.cli.terminal import use_color, width
from vllm_migrate.errors import UsageError


def run(call: Namespace) -> int:
    """Fix; the exit code: 0 done or nothing to do, 1 something would be written, 3 no input files."""
    from vllm_migrate.library import run_fix
    from vllm_migrate.report.fix import render
    from vllm_migrate.run.fix import WriteResult

    if call.write and call.check:
        print("note: with --check nothing is written, whatever --write says", file=sys.stderr)
    writes = call.write and not call.check
    if writes and "-" in call.paths:
        raise UsageError(
            "--write: standard input (-) is not a file", "leave out --write: the diff goes to standard output"
        )
    with progress():
        plan = run_fix(options_of(call))
    written = plan.write() if writes else WriteResult()
    if isinstance(sys.stdout, Gate):
        sys.stdout.patch = not sys.stdout.isatty()
    columns = width() if sys.stdout.isatty() else 0
    color = use_color(call.color)
    sys.stdout.write(render(plan, written, color=color, check=call.check, quiet=call.quiet, width=columns))
    for error in written.failed:
        print(f"error: not written: {error.message}" + (f" ({error.remedy})" if error.remedy else ""), file=sys.stderr)
    if plan.files == 0:
        print(NO_FILES, file=sys.stderr)
        return 3
    if writes:
        return 2 if written.failed else 0
    return 1 if plan.plan.edits else 0
