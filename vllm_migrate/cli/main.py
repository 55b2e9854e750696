"""The entry point. No command imports typer; the root help and completion do."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from typing import TYPE_CHECKING, cast

from vllm_migrate.cli.gate import Gate, OutputClosedError
from vllm_migrate.cli.parser import HelpWanted
from vllm_migrate.cli.tabled import run_tabled
from vllm_migrate.errors import VllmMigrateError

if TYPE_CHECKING:
    from typing import TextIO

EXIT_ERROR = 2
EXIT_CLOSED = 128 + 13  # as a program that SIGPIPE ends
COLLECT_AFTER = 50_000


def entry() -> None:
    """One call of the program, to its end."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code = _called()
    except KeyboardInterrupt:  # outside of what `main` looks after
        code = EXIT_ERROR
    # What is said is said: an interrupt changes nothing, and would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what is left goes with the process: at its end the collector would walk all of it, more than once
    sys.exit(code)


def _called() -> int:
    # What is loaded stays, and what is judged makes few cycles: the collector need not look often.
    gc.set_threshold(COLLECT_AFTER)
    if sys.stdout is None:  # closed by the caller (`>&-`)
        print("error: standard output is closed", file=sys.stderr)
        return EXIT_ERROR
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show a character gets its escape
        sys.stdout.reconfigure(errors="backslashreplace")
    return flushed(main(sys.argv[1:]))


def flushed(code: int) -> int:
    """The exit code, after all that was printed has been written; EXIT_ERROR where it cannot be, EXIT_CLOSED where whoever
    reads went away.
    """
    if sys.stdout.closed:  # by the language server, at its end
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_output()
        return EXIT_CLOSED
    except OSError as error:
        _give_up_output()
        print(f"error: standard output: {error.strerror or error}", file=sys.stderr)
        return EXIT_ERROR
    return code


def _give_up_output() -> None:
    """Keep Python from complaining at exit about what could not be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: list[str]) -> int:
    """Run one call, whose output goes through a gate; the exit code."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", Gate(out)), cast("TextIO", Gate(err))
    try:
        return _main(argv)
    finally:
        sys.stdout, sys.stderr = out, err


def _main(argv: list[str]) -> int:
    try:
        return dispatch(argv)
    except HelpWanted as wanted:
        print(wanted.text, end="")
        return 0
    except VllmMigrateError as error:
        from vllm_migrate.report.mask import mask

        print(f"error: {mask(error.message)}", file=sys.stderr)  # it may quote what another program printed
        if error.remedy:
            print(f"help: {error.remedy}", file=sys.stderr)
        return EXIT_ERROR
    except OutputClosedError:
        _give_up_output()
        return EXIT_CLOSED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_ERROR
    except OSError as error:
        if os.environ.get("VLLM_MIGRATE_TRACEBACK"):
            raise
        where = (
            f"{error.filename}: " if isinstance(error.filename, str) else "" if os.path.exists(os.curdir) else "here: "
        )
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_ERROR
    except Exception as error:
        if os.environ.get("VLLM_MIGRATE_TRACEBACK"):
            raise
        print(f"internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("help: please report it; VLLM_MIGRATE_TRACEBACK=1 shows where it happened", file=sys.stderr)
        return EXIT_ERROR


def dispatch(argv: list[str]) -> int:
    """Run the command that the words name; the exit code. Raises VllmMigrateError for what is wrong with them."""
    completes = any(name.endswith("_COMPLETE") for name in os.environ) or "COMP_WORDS" in os.environ
    if argv and not completes:
        code = run_tabled(argv)
        if code is not None:
            return code
        if argv[0] == "help":
            return dispatch([*argv[1:], "--help"])
        if argv in (["--version"], ["-V"]):
            from vllm_migrate.cli import version

            print(version.text())
            return 0
    from vllm_migrate.cli.app import run_app

    return run_app(argv)
