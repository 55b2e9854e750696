"""Writing an edited file: all of it or nothing, and never over a change somebody else made.

The text goes to a temporary file in the same directory, is flushed to disk and renamed over the target. Mode,
extended attributes, ACL and, where allowed, owner are kept; a symlink stays and its target is written, inside of the
project. A file with several hard links is refused: a rename would part them.

Who writes a file holds a lock on it, so that two runs write one after the other, and the second sees what the first
did. A run that was killed leaves at most its temporary file; whoever has the lock next takes it away.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from binascii import crc32
from collections.abc import Callable, Iterator

from vllm_migrate.documents.text.source import Source
from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.opening import at_most, descriptor

try:
    import fcntl
except ImportError:  # Windows: no locks, and leftovers go by their age
    fcntl = None  # type: ignore[assignment]

PATIENCE_S = 10.0  # how long another writer is waited for
ACL = "system.posix_acl_access"
LEFTOVER_S = 3600.0  # without locks, the age from which on a temporary file has no owner any more


class CannotWrite(VllmMigrateError):
    """The file was left as it is; the message says why."""


def write_atomic(path: str, source: Source, new_text: str, allowed: Callable[[str], bool] = bool) -> bool:
    """Put `new_text` in place of `source`, in its encoding and with its byte order mark. False when nothing changes,
    also when somebody else has just written the same.

    allowed: whether the file that a path leads to may be written. Raises CannotWrite: it may not, the file changed since
    `source` was read, vanished, is no regular file, is read-only, or the system refuses. No temporary file is
    left behind, unless the process is killed.
    """
    try:
        data = source.encode(new_text)
    except UnicodeEncodeError:
        raise CannotWrite(f"{path}: the new text cannot be encoded as UTF-8") from None
    try:
        target = os.path.realpath(path, strict=True)
        if not allowed(target):
            raise CannotWrite(f"{path}: it leads to {target}, outside the project", "--allow-outside DIR allows it")
        _check_kind(path, target, os.stat(target))
        with _locked(path, target) as alone:
            before = os.stat(target)
            _check_kind(path, target, before)
            if _bytes_now(path, target, source, data) == data:
                return False
            _sweep(target, alone)
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


@contextlib.contextmanager
def _locked(path: str, target: str) -> Iterator[bool]:
    """Hold the file's lock; whether there is one on this system. Raises CannotWrite when another process keeps it."""
    opened = descriptor(target, follow=False)
    try:
        yield _lock(path, opened)
    finally:
        os.close(opened)


def _lock(path: str, opened: int) -> bool:
    if fcntl is None:
        return False
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                raise CannotWrite(f"{path}: another process keeps the file locked", "run again") from None
            time.sleep(0.01)
        except OSError:  # a file system without locks
            return False


def _bytes_now(path: str, target: str, source: Source, data: bytes) -> bytes:
    """What the file holds: what was read, or already what is to be written. Raises CannotWrite for anything else."""
    found = at_most(target, max(len(source.data), len(data)), follow=False)
    if found not in (source.data, data):
        raise CannotWrite(f"{path}: the file changed since it was read", "run again")
    return found


def _prefix(target: str) -> str:
    """How the temporary files of a target are called: short, whatever the target's name is."""
    return f".vllm-migrate-{crc32(os.fsencode(os.path.basename(target))):08x}-"


def _sweep(target: str, alone: bool) -> None:
    """Take away what killed runs left. alone: we have the target's lock, so its temporary files have no owner."""
    prefix, folder = _prefix(target), os.path.dirname(target)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix) and entry.name.endswith(".tmp"):
                with contextlib.suppress(OSError):
                    if alone or entry.stat().st_mtime < time.time() - LEFTOVER_S:
                        os.unlink(entry.path)


def _replace(path: str, target: str, data: bytes, before: os.stat_result) -> None:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f"{_prefix(target)}{os.urandom(6).hex()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _take_over(target, temporary, before)
        now = os.stat(target)
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise CannotWrite(f"{path}: the file changed since it was read", "run again")
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _take_over(target: str, temporary: str, before: os.stat_result) -> None:
    """Give the new file the owner, where allowed, the mode and the extended attributes of the old one, its ACL among them."""
    fresh = os.stat(temporary)
    if (fresh.st_uid, fresh.st_gid) != (before.st_uid, before.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(OSError):
            os.chown(temporary, before.st_uid, before.st_gid)
    os.chmod(temporary, stat.S_IMODE(before.st_mode))
    if hasattr(os, "listxattr"):
        _copy_attributes(target, temporary)


def _copy_attributes(target: str, temporary: str) -> None:
    """Copy attributes as far as the system lets us; an ACL has to come along, or others would have other rights.

    Raises OSError where it does not.
    """
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = os.listxattr(target)
    for name in names:
        try:
            os.setxattr(temporary, name, os.getxattr(target, name))
        except OSError:
            if name == ACL:
                raise


def _sync_folder(folder: str) -> None:
    """Make the rename last through a power cut; systems that cannot open a folder do without."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
