"""`vllm-migrate fix`: shows the diff; --write writes it; --check tells whether it would."""

from __future__ import annotations

import sys

from vllm_migrate.cli.options import Call
from vllm_migrate.cli.terminal import use_color


def run(call: Call) -> int:
    """Fix; the exit code: 0 done or nothing to do, 1 something would be written, 3 no input files."""
    from vllm_migrate.report.fix import Shown, render
    from vllm_migrate.run import session

    outcome = session.fix(call)
    shown = Shown(outcome.plan, outcome.findings, outcome.written, outcome.failed)
    sys.stdout.write(render(shown, color=use_color(call), check=call.flag("check"), quiet=call.flag("quiet")))
    for error in outcome.failed:
        print(f"error: not written: {error.message}" + (f" ({error.remedy})" if error.remedy else ""), file=sys.stderr)
    if outcome.files == 0:
        print("no input files: give a file or a folder with YAML, shell, TOML, JSON or Python files", file=sys.stderr)
    return outcome.exit_code
