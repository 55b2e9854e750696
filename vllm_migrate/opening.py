"""The one way in which this package opens a file that exists: a regular one, of a bounded size, without waiting.

A pipe that nobody writes to, a device that never ends or a folder behind a file's name neither hangs a run nor fills memory.
What the user names on the command line may be a pipe (`<(...)`): `wait` takes whatever can be read, within the same bounds.
"""

from __future__ import annotations

import os
from errno import EFBIG, EINVAL, ELOOP
from stat import S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader, TextIOWrapper

MOST = 50_000_000  # bytes; no configuration, baseline, record or data file of ours is larger
_BINARY = getattr(os, "O_BINARY", 0)
_NOW = getattr(os, "O_NONBLOCK", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class NotRegular(OSError):
    """A pipe, a device, a socket or a folder stands where a file is expected."""

    def __init__(self, path: str) -> None:
        super().__init__(EINVAL, "not a regular file", path)


def descriptor(path: str, wait: bool = False, follow: bool = True) -> int:
    """An open descriptor to read a regular file by; `wait`: of whatever is there. Raises OSError.

    follow: a link leads to its file; without it, a link is an error of the number ELOOP.
    """
    flags = os.O_RDONLY | _BINARY | (0 if wait else _NOW) | (0 if follow else _NO_LINK)
    if not follow and not _NO_LINK and os.path.islink(path):
        raise OSError(ELOOP, "a symbolic link", path)
    opened = os.open(path, flags)
    try:
        if not wait and not S_ISREG(os.fstat(opened).st_mode):
            raise NotRegular(path)
    except BaseException:
        os.close(opened)
        raise
    return opened


def opened(path: str, wait: bool = False, follow: bool = True) -> BufferedReader:
    """The file, to be read piece by piece. Raises OSError."""
    return open(descriptor(path, wait, follow), "rb")


def opened_text(path: str, errors: str = "strict", wait: bool = False) -> TextIOWrapper:
    """The file as UTF-8, to be read line by line. Raises OSError."""
    return open(descriptor(path, wait), encoding="utf-8", errors=errors)


def at_most(path: str, limit: int, follow: bool = True) -> bytes:
    """The bytes of a file, one more than `limit` where there are more. Raises OSError."""
    at = descriptor(path, False, follow)
    try:
        size = min(os.fstat(at).st_size, limit)
        data = os.read(at, size + 1)
        while len(data) != size and len(data) <= limit and (more := os.read(at, limit)):
            data += more
        return data
    finally:
        os.close(at)


def read_bytes(path: str, limit: int = MOST, wait: bool = False, follow: bool = True) -> bytes:
    """The bytes of a file. Raises OSError, also where there are more than `limit`."""
    with opened(path, wait, follow) as file:
        data = file.read(limit + 1) or b""
    if len(data) > limit:
        raise OSError(EFBIG, f"larger than {limit / 1_000_000:g} MB", path)
    return data


def read_text(path: str, limit: int = MOST, errors: str = "strict", wait: bool = False) -> str:
    """The text of a UTF-8 file with its line ends as `\\n`. Raises OSError, and ValueError where it is not UTF-8."""
    text = read_bytes(path, limit, wait).decode("utf-8", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
