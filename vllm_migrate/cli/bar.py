"""The progress bar: on standard error, on terminals only, and only for runs that take longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vllm_migrate.cli.gate import beneath
from vllm_migrate.run.progress import listening

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PATIENCE_S = 1.0


class Bar:
    """Counts the passes of a run over its files: the first reads them, later ones prove the edits."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None
        self._passes = 0
        self._done = 0

    def advance(self, done: int, total: int) -> None:
        self._passes += done <= self._done or not self._passes
        self._done = done
        if self._shown is None:
            if time.monotonic() - self._began < PATIENCE_S:
                return
            self._shown = _started(total)
        bars, task = self._shown
        what = "checking files" if self._passes == 1 else "proving edits"
        bars.update(task, description=what, completed=done, total=total)

    def close(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()


def live_console() -> Console:
    """Standard error for what moves the cursor."""
    from rich.console import Console

    return Console(file=beneath(sys.stderr))


def _started(total: int) -> tuple[Progress, TaskID]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Progress(*columns, console=live_console(), transient=True, redirect_stdout=False, redirect_stderr=False)
    task = bars.add_task("checking files", total=total)
    bars.start()
    return bars, task


@contextmanager
def progress() -> Iterator[None]:
    """Show how far the runs inside are, while standard error is a terminal. The bar is gone before anything is printed."""
    if not sys.stderr.isatty():
        yield
        return
    bar = Bar()
    try:
        with listening(bar.advance):
            yield
    finally:
        bar.close()
