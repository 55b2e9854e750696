"""Writing an edited file: all of it or nothing, and never over a change somebody else made.

The text goes to a temporary file in the same directory, is flushed to disk and renamed over the target. Mode and,
where allowed, owner are kept; a symlink stays and its target is written. A file with several hard links is refused:
a rename would part them.
"""

from __future__ import annotations

import contextlib
import os
import stat

from ..errors import VllmMigrateError
from .interface import Source


class CannotWrite(VllmMigrateError):
    """The file was left as it is; the message says why."""


def write_atomic(path: str, source: Source, new_text: str) -> bool:
    """Put `new_text` in place of `source`, in its encoding and with its byte order mark. False when nothing changes.

    Raises CannotWrite: the file changed since `source` was read, vanished, is no regular file, is read-only, or
    the system refuses. No temporary file is left behind, whatever happens.
    """
    try:
        data = source.encode(new_text)
    except UnicodeEncodeError:
        raise CannotWrite(f"{path}: the new text cannot be encoded as UTF-8") from None
    try:
        target = os.path.realpath(path, strict=True)
        before = os.stat(target)
        _check_kind(path, target, before)
        _check_bytes(path, target, source)
        if data == source.data:
            return False
        _replace(path, target, data, before)
    except FileNotFoundError:
        raise CannotWrite(f"{path}: the file is gone") from None
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from None
    return True


def _check_kind(path: str, target: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise CannotWrite(f"{path}: not a regular file")
    if found.st_nlink > 1:
        raise CannotWrite(f"{path}: the file has {found.st_nlink} hard links", "edit it in place by hand")
    if not os.access(target, os.W_OK):
        raise CannotWrite(f"{path}: the file is read-only")


def _check_bytes(path: str, target: str, source: Source) -> None:
    with open(target, "rb") as file:
        if file.read(len(source.data) + 1) != source.data:
            raise CannotWrite(f"{path}: the file changed since it was read", "run again")


def _replace(path: str, target: str, data: bytes, before: os.stat_result) -> None:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".vllm-migrate-{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _take_over(temporary, before)
        now = os.stat(target)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise CannotWrite(f"{path}: the file changed since it was read", "run again")
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _take_over(temporary: str, before: os.stat_result) -> None:
    """Give the new file the owner, where allowed, and the mode of the old one."""
    fresh = os.stat(temporary)
    if (fresh.st_uid, fresh.st_gid) != (before.st_uid, before.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(temporary, before.st_uid, before.st_gid)
    os.chmod(temporary, stat.S_IMODE(before.st_mode))


def _sync_folder(folder: str) -> None:
    """Make the rename last through a power cut; systems that cannot open a folder do without."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
