"""Small files of ours, replaced at once: a reader, or a crash, sees the old one or the new one."""

from __future__ import annotations

import os
from stat import S_ISLNK, S_ISREG

from vllm_migrate.opening import NotRegular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def replace_file(
    path: str, data: bytes | Iterable[bytes], durable: bool, mode: int | None = None, follow: bool = True
) -> None:
    """Write the file by way of a temporary one beside it. Raises OSError.

    durable: the data is on disk before it gets the name. mode: None keeps that of the file that is replaced. follow:
    where the path is a link, the file it leads to is replaced, and not the link.
    """
    if follow:
        path = os.path.realpath(path)
    if os.path.lexists(path):
        now = os.lstat(path).st_mode
        # To replace a device would take it from everybody; a link that is left where links are followed leads round to itself.
        if not (S_ISREG(now) or (S_ISLNK(now) and not follow)):
            raise NotRegular(path)
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode or 0o666)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.writelines((data,) if isinstance(data, bytes) else data)
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        mode = _mode(path) if mode is None else mode
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        discard(temporary)
        raise


def discard(path: str) -> bool:
    """Remove a file that may be gone already; whether it was removed."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        return None
