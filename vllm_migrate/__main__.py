"""`python -m vllm_migrate`, and the console script."""

from __future__ import annotations

import signal

# Until the call is under way an interrupt simply ends the process: no traceback out of an import.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def entry() -> None:
    """The console script."""
    from vllm_migrate.cli.main import entry as run

    run()


if __name__ == "__main__":
    entry()
