"""Whether a process that was killed has ended."""

from __future__ import annotations

import time
from pathlib import Path


def ends(pid: int) -> bool:
    """Asked 500 times, with a pause between: SIGKILL takes a moment to arrive."""
    for _ in range(500):
        if not _is_running(pid):
            return True
        time.sleep(0.02)
    return False


def _is_running(pid: int) -> bool:
    """Neither gone nor a zombie, for which nobody has waited yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
