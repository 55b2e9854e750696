"""The one way in which this package opens a file that exists: a regular one, of a bounded size, without waiting.

A pipe that nobody writes to, a device that never ends or a folder behind a file's name neither hangs a run nor fills memory.
What the user names on the command line may be a pipe (`<(...)`): `wait` takes whatever can be read, within the same bounds.
"""

from __future__ import annotations

import os
from stat import S_ISCHR, S_ISFIFO, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader, TextIOWrapper
    from typing import Any

PATIENCE_S = 30  # how long a pipe that the user names may take for its first byte
LINE = 64_000_000  # characters; no row of a recording is longer
MOST = 50_000_000  # bytes; no configuration, baseline, record or data file of ours is larger
_BINARY = getattr(os, "O_BINARY", 0)
_NOW = getattr(os, "O_NONBLOCK", 0)
_OTHERS_WRITE = 0o022
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


class NotRegular(OSError):
    """A pipe, a device, a socket or a folder stands where a file is expected."""

    def __init__(self, path: str) -> None:
        from errno import EINVAL

        super().__init__(EINVAL, "not a regular file", path)


def descriptor(path: str, wait: bool = False, follow: bool = True) -> int:
    """An open descriptor to read a regular file by; `wait`: of whatever is there. Raises OSError.

    follow: a link leads to its file; without it, a link is an error.
    """
    flags = os.O_RDONLY | _BINARY | _NOW | (0 if follow else _NO_LINK)
    if not follow and not _NO_LINK and os.path.islink(path):
        from errno import ELOOP

        raise OSError(ELOOP, "a symbolic link", path)
    opened = os.open(path, flags)
    try:
        if not S_ISREG(mode := os.fstat(opened).st_mode):
            if not wait or (S_ISCHR(mode) and not os.isatty(opened)):  # a device may never end
                raise NotRegular(path)
            _await_writer(path, opened, S_ISFIFO(mode))
    except BaseException:
        os.close(opened)
        raise
    return opened


def _await_writer(path: str, opened: int, pipe: bool) -> None:
    """Make a descriptor wait for what is written to it; of a pipe, there has to be something soon. Raises OSError."""
    if pipe and _NOW:
        from errno import ETIMEDOUT
        from select import POLLHUP, POLLIN, poll

        waiting = poll()
        waiting.register(opened, POLLIN | POLLHUP)
        if not waiting.poll(PATIENCE_S * 1000):
            raise OSError(ETIMEDOUT, f"nothing was written to this pipe within {PATIENCE_S} s", path)
    os.set_blocking(opened, True)


def opened(path: str, wait: bool = False, follow: bool = True) -> BufferedReader:
    """The file, to be read piece by piece. Raises OSError."""
    return open(descriptor(path, wait, follow), "rb")


def opened_text(path: str, errors: str = "strict", wait: bool = False) -> TextIOWrapper:
    """The file as UTF-8, to be read line by line. Raises OSError."""
    return open(descriptor(path, wait), encoding="utf-8", errors=errors)


def opened_output(path: str, wait: bool = False) -> TextIOWrapper:
    """What a program printed into a file: as `opened_text`, or UTF-16, which PowerShell writes for `>`. Raises OSError."""
    from io import TextIOWrapper

    file = opened(path, wait)
    head = file.peek(4)[:4]
    marked = head[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if marked else "utf-16-le" if head[1::2] == b"\0\0" != head[::2] else "utf-8"
    return TextIOWrapper(file, encoding, "replace")


def lines_of(file: TextIOWrapper) -> Iterator[str]:
    """The lines of a text, each with its end. Raises OSError at one that is longer than any that is meant."""
    while line := file.readline(LINE + 1):
        if len(line) > LINE:
            from errno import EFBIG

            raise OSError(EFBIG, f"a line is longer than {LINE // 1_000_000} MB", file.name)
        yield line


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
        raise _too_large(path, limit)
    return data


def read_own(path: str, limit: int = MOST) -> bytes:
    """The bytes of a file that nobody but this user, or root, can have written. Raises OSError for any other, and a link."""
    with opened(path, follow=False) as file:
        found = os.fstat(file.fileno())
        if hasattr(os, "getuid") and (found.st_uid not in (0, os.getuid()) or found.st_mode & _OTHERS_WRITE):
            raise OSError(f"{path}: others may have written it")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise _too_large(path, limit)
    return data


def _too_large(path: str, limit: int) -> OSError:
    from errno import EFBIG

    return OSError(EFBIG, f"larger than {limit / 1_000_000:g} MB", path)


def read_text(path: str, limit: int = MOST, errors: str = "strict", wait: bool = False) -> str:
    """The text of a UTF-8 file with its line ends as `\\n`. Raises OSError, and ValueError where it is not UTF-8."""
    text = read_bytes(path, limit, wait).decode("utf-8", errors)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def loads(text: str | bytes, **options: Any) -> Any:
    """A JSON text that somebody else wrote, nested however deeply; ValueError for whatever cannot be read."""
    import json

    try:
        return json.loads(text, **options)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None
