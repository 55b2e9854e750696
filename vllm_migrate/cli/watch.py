"""`vllm-migrate lint --watch`: lint again whenever a file that the last run looked at changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from vllm_migrate.cli.gate import beneath
from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.run.dependencies import Dependencies

INTERVAL = 0.4  # seconds between two looks
CLEAR = "\x1b[2J\x1b[3J\x1b[H"


def watch(lint: Callable[[], Dependencies]) -> int:
    """Call `lint`, which prints, until the user interrupts; the exit code, 0. Raises what the first call raises."""
    dependencies = _run(lint)
    complaint = ""
    try:
        while True:
            time.sleep(INTERVAL)
            if dependencies.unchanged():
                continue
            try:
                dependencies = _run(lint)
                complaint = ""
            except VllmMigrateError as error:  # a configuration half typed: it is said once
                if complaint != error.message:
                    print(f"error: {error.message}", file=sys.stderr)
                complaint = error.message
    except KeyboardInterrupt:
        return 0


def _run(lint: Callable[[], Dependencies]) -> Dependencies:
    if sys.stdout.isatty():
        sys.stdout.flush()
        beneath(sys.stdout).write(CLEAR)
    dependencies = lint()
    print("watching for changes, Ctrl+C ends", file=sys.stderr)
    sys.stdout.flush()
    return dependencies
