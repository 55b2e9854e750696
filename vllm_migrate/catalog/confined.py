"""Reading a source tree of anybody's in a process of its own: no environment, bounded memory and time.

The evaluator imports and runs nothing of the tree, and what it evaluates is bounded; what slips through ends here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from vllm_migrate.catalog.scratch import scratch
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import read_bytes

MEMORY_LIMIT = 6 << 30  # bytes of address space
CPU_LIMIT_S = 900
WALL_LIMIT_S = 3_600
ANSWER_LIMIT = 256 << 20  # bytes of what a tree yields
_LINE_LIMIT = 200  # characters of one line of progress
_KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")  # nothing else of the environment reaches the process

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from vllm_migrate.catalog.confined import child
child(sys.argv[2], sys.argv[3])
"""


def read(root: str, progress: Callable[[str], None] | None = None) -> dict[str, Any]:
    """What `build.read_tree` finds, as a mapping. Raises UsageError where the tree cannot be read within the limits."""
    with scratch() as folder:
        answer = os.path.join(folder, "answer.json")
        command = [sys.executable, "-I", "-c", _CODE, json.dumps([p for p in sys.path if p]), root, answer]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        alarm = threading.Timer(WALL_LIMIT_S, process.kill)
        alarm.daemon = True  # an interrupt may come before the `try`: the exit is not to wait for it
        try:
            alarm.start()
            _follow(process, progress)
            status = process.wait()
        finally:
            alarm.cancel()
            process.kill()
            process.wait()
        found = _answer(answer)
    if found is None or status != 0:
        raise UsageError(
            f"{root} could not be read within {CPU_LIMIT_S} s and {MEMORY_LIMIT >> 30} GiB",
            "name an sdist, a wheel, a source tree or a python with vLLM",
        )
    if "error" in found:
        raise UsageError(f"{root}: {found['error']}", "name an sdist, a wheel, a source tree or a python with vLLM")
    return found


def _follow(process: subprocess.Popen[bytes], progress: Callable[[str], None] | None) -> None:
    """Pass on the names of the sections that the process says it is at."""
    assert process.stdout is not None
    while line := process.stdout.readline(_LINE_LIMIT):
        if progress is not None:
            progress(line.decode("utf-8", "replace").strip())


def _answer(path: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(read_bytes(path, ANSWER_LIMIT))
    except (OSError, ValueError):
        return None
    return found


def child(root: str, answer: str) -> None:
    """The process: limits first, then the reading, then one file with what it found."""
    _limit()
    from vllm_migrate.catalog.build import read_tree

    try:
        found = read_tree(root, lambda section: print(section, flush=True))
        data: dict[str, Any] = found._asdict()
    except BrokenPipeError:
        return  # who asked is gone
    except (LookupError, RecursionError, MemoryError, ValueError, OSError) as error:
        data = {"error": str(error) or type(error).__name__}
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(data, stream, ensure_ascii=False)


def _limit() -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system: the time is bounded by the caller
        return
    for kind, limit in ((resource.RLIMIT_AS, MEMORY_LIMIT), (resource.RLIMIT_CPU, CPU_LIMIT_S)):
        _, hard = resource.getrlimit(kind)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (most, hard))
