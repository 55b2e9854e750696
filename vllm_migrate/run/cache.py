"""The printed result of a run, kept to answer the same call while nothing has changed.

One record per call (its words, working folder and whatever else shapes the text): the dependencies of what the run looked at,
the exit code and the text. A call finds its record, compares every stamp, and prints; nothing is parsed, not even the
configuration. Because absent files and folders are on the dependencies too, a parent that appears, or a new file in a folder,
is a change like any other. Records live in the user's cache folder and are readable by that user only, since they quote
files. No failure here is ever an error: it only means that the work is done again.
"""

from __future__ import annotations

import os
from binascii import crc32

from vllm_migrate.run.dependencies import Dependencies, is_now
from vllm_migrate.run.files import discard, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = b"vllm-migrate result 1"
SUFFIX = ".result"
MAX_RECORD = 16_000_000
MAX_RECORDS = 64
MAX_TOTAL = 64_000_000


class Kept:
    """A result that still holds."""

    __slots__ = ("exit_code", "text")

    def __init__(self, exit_code: int, text: str) -> None:
        self.exit_code = exit_code
        self.text = text


def lookup(key: Sequence[str], folder: str | None = None) -> Kept | None:
    """The result of an earlier call with the same key, when nothing that it looked at has changed.

    key: everything besides files that shapes the text (arguments, width, colour, ...); the working folder and the tool
    itself are taken care of. folder: where records are kept (default: the user's cache folder).
    """
    folder = folder or cache_folder()
    if folder is None:
        return None
    wanted = _key(key)
    path = _record_path(folder, wanted)
    try:
        with open(path, "rb") as handle:
            data = handle.read(MAX_RECORD)
        head, _, body = data.partition(b"\n")
        magic, checksum, key_size, dependencies_size, exit_code = head.rsplit(b" ", 4)
        if magic != MAGIC or int(checksum) != crc32(body):
            return None
        dependencies_at, text_at = int(key_size), int(key_size) + int(dependencies_size)
        if body[:dependencies_at] != wanted or not _unchanged(_decode(body[dependencies_at:text_at])):
            return None
        os.utime(path)  # the least recently used go first
        return Kept(int(exit_code), _decode(body[text_at:]))
    except (OSError, ValueError):
        return None


def store(key: Sequence[str], dependencies: Dependencies, exit_code: int, text: str, folder: str | None = None) -> bool:
    """Keep a result. False when it is not safe (something changed during the run, or a moment ago) or not possible."""
    folder = folder or cache_folder()
    dependencies.note_package("vllm_migrate")
    if folder is None or not dependencies.settled or not dependencies.unchanged():
        return False
    wanted = _key(key)
    stamps = _encode("\0".join(f"{path}\0{stamp}" for path, stamp in dependencies.items()))
    body = wanted + stamps + _encode(text)
    head = b"%s %d %d %d %d\n" % (MAGIC, crc32(body), len(wanted), len(stamps), exit_code)
    if len(head) + len(body) > MAX_RECORD:
        return False
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = _record_path(folder, wanted)
        replace_file(path, head + body, durable=False, mode=0o600)
        _make_room(folder, path)
    except OSError:
        return False
    return True


def cache_folder() -> str | None:
    """$XDG_CACHE_HOME/vllm-migrate, or the platform's own place; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.environ.get("LOCALAPPDATA", "") if os.name == "nt" else os.path.expanduser("~/.cache")
    return os.path.join(base, "vllm-migrate") if os.path.isabs(base) else None


def _unchanged(stamps: str) -> bool:
    parts = iter(stamps.split("\0"))
    return all(is_now(path, stamp) for path, stamp in zip(parts, parts, strict=True))


def _key(key: Sequence[str]) -> bytes:
    return _encode("\0".join((os.getcwd(), *key)))


def _record_path(folder: str, key: bytes) -> str:
    """Two keys with one name push each other out; the key in the record tells them apart."""
    return os.path.join(folder, f"{crc32(key):08x}{SUFFIX}")


def _make_room(folder: str, newest: str) -> None:
    """Drop the least recently used records beyond the bounds, and what a killed run left behind."""
    records, total = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith((SUFFIX, ".tmp")) or entry.path == newest:
                continue
            stat = entry.stat()
            if entry.name.endswith(".tmp"):
                if stat.st_mtime < os.stat(newest).st_mtime - 3600:
                    discard(entry.path)
                continue
            records.append((stat.st_mtime_ns, entry.path, stat.st_size))
            total += stat.st_size
    records.sort()
    left = len(records)
    for _, path, size in records:
        if left < MAX_RECORDS and total <= MAX_TOTAL:
            break
        discard(path)
        left, total = left - 1, total - size


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
