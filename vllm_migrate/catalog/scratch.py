"""A folder for the length of one call, and the end of those that killed calls left."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator

try:
    import fcntl
except ImportError:  # Windows: nothing tells whether a folder still has an owner
    fcntl = None  # type: ignore[assignment]

_PREFIX = "vllm-migrate-"


@contextlib.contextmanager
def scratch(parent: str | None = None) -> Iterator[str]:
    """A new folder in `parent` (default: the system's for temporary files), gone after the block. One whose process was
    killed goes with the next call of the same user."""
    sweep(parent or tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix=own_prefix(), dir=parent, ignore_cleanup_errors=True) as folder:
        descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else -1
        try:
            _lock(descriptor)
            yield folder
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def own_prefix() -> str:
    """How the temporary files and folders of this process are called, so that `sweep` knows whose they are."""
    return f"{_PREFIX}{os.getpid()}-"


def _lock(descriptor: int) -> bool:
    """Whether nobody else has the folder. True where the system has no locks."""
    if descriptor < 0:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def sweep(parent: str) -> None:
    """Take away this user's temporary files and folders that no process has: its number is gone, and so is its lock."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            number = entry.name.removeprefix(_PREFIX).partition("-")[0]
            if entry.name.startswith(_PREFIX) and number.isdigit() and not _runs(int(number)):
                with contextlib.suppress(OSError):
                    _take(entry.path)


def _take(path: str) -> None:
    found = os.lstat(path)
    if found.st_uid != os.getuid() or not (stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode)):
        return
    if stat.S_ISREG(found.st_mode):
        os.unlink(path)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if _lock(descriptor):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(descriptor)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
