"""The paths that a pattern of `include` means: as the standard library's glob, but no link to a folder is followed, so that
none makes a loop, and no name takes longer than its length and the pattern's."""

from __future__ import annotations

import os

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.run.wildmatch import octets, wildmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.documents.disk import Entry


def glob(pattern: str, disk: Disk = DISK) -> list[str]:
    """What is on the disk, in the order of the paths. `**` stands for any number of folders; names that begin with a dot are
    meant only by patterns that do."""
    drive, path = os.path.splitdrive(pattern)
    parts = [part for part in path.split("/") if part]
    found = dict.fromkeys([drive + "/" if path.startswith("/") else drive])
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        found = dict.fromkeys(below for folder in found for below in _step(folder, part, last, disk))
    return sorted(path for path in found if path and (not pattern.endswith("/") or disk.is_folder(path)))


def _step(folder: str, part: str, last: bool, disk: Disk) -> Iterator[str]:
    """The paths below a folder that one part of a pattern means."""
    if part == "**":
        yield folder
        stack = [folder]
        while stack:
            at = stack.pop()
            for entry in _entries(at, disk):
                if not entry.name.startswith("."):
                    path = os.path.join(at, entry.name)
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(path)
                    elif not last:
                        continue
                    yield path
    elif any(sign in part for sign in "*?["):
        for entry in _entries(folder, disk):
            if entry.name.startswith(".") == part.startswith(".") and wildmatch(part, octets(entry.name), False):
                yield os.path.join(folder, entry.name)
    elif disk.exists(os.path.join(folder, part)):
        yield os.path.join(folder, part)


def _entries(folder: str, disk: Disk) -> list[Entry]:
    try:
        return disk.entries(folder or os.curdir)
    except OSError:
        return []
