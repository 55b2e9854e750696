"""What a run looked at, so that a later one can tell whether anything changed.

A path is noted before it is read, listed or found missing: with inode, size and times, or as absent. A folder stands
for the names in it. Whoever looks at a path notes it; one that is looked at and not noted is a wrong answer later.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ABSENT, PRESENT = "-", "+"
# A file system stamps changes with a clock that ticks every 10 ms or faster: within a tick, a second change would
# leave the same stamp. Some file systems count whole seconds, or two.
TICK_NS = 20_000_000
COARSE_NS = 2_100_000_000
SECOND_NS = 1_000_000_000
FOLDER, REGULAR = 0o040000, 0o100000
KIND = 0o170000


class Dependencies:
    """Paths and their stamps. settled: no stamp could hide a change; without it nothing may be concluded from it."""

    __slots__ = ("_stamps", "settled")

    def __init__(self) -> None:
        self._stamps: dict[str, str] = {}
        self.settled = True

    def __len__(self) -> int:
        return len(self._stamps)

    def __contains__(self, path: str) -> bool:
        return path in self._stamps

    def items(self) -> Iterator[tuple[str, str]]:
        """Path and stamp of everything noted, in order."""
        return iter(self._stamps.items())

    def note(self, path: str) -> None:
        """Remember a path as it is now; the first note counts, but for one of its mere presence."""
        if self._stamps.get(path, PRESENT) != PRESENT:
            return
        try:
            stat = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._stamps[path] = ABSENT
            return
        except (OSError, ValueError):
            self._stamps[path] = ABSENT
            self.settled = False
            return
        self._stamps[path] = stamp_of(stat)
        changed = max(stat.st_mtime_ns, stat.st_ctime_ns)
        wait = TICK_NS if stat.st_ctime_ns % SECOND_NS else COARSE_NS
        # What is neither file nor folder (a pipe) gives something else each time.
        if time.time_ns() < changed + wait or stat.st_mode & KIND not in (FOLDER, REGULAR):
            self.settled = False

    def add(self, stamps: Iterable[tuple[str, str]], settled: bool) -> None:
        """Take over what another process noted; a first note counts here, too."""
        for path, stamp in stamps:
            self._stamps.setdefault(path, stamp)
        self.settled = self.settled and settled

    def note_presence(self, path: str) -> None:
        """Remember only whether there is anything at a path."""
        self._stamps.setdefault(path, PRESENT if os.path.lexists(path) else ABSENT)

    def note_package(self, name: str) -> None:
        """Note the code of a package that this run has loaded: another tool, another result."""
        for module in list(sys.modules):
            if module == name or module.startswith(name + "."):
                file = getattr(sys.modules[module], "__file__", None)
                if file:
                    self.note(file)

    def note_files(self, folder: str) -> None:
        """Note a folder and every file in it."""
        self.note(folder)
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return
        for name in names:
            self.note(os.path.join(folder, name))

    def unchanged(self) -> bool:
        """Whether everything noted is still as it was."""
        return all(is_now(path, stamp) for path, stamp in self._stamps.items())


class Unnoted(Dependencies):
    """Notes nothing: for what is not on the disk."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self.settled = False

    def note(self, path: str) -> None:
        """Nothing."""

    def note_presence(self, path: str) -> None:
        """Nothing."""

    def note_files(self, folder: str) -> None:
        """Nothing."""


def stamp_of(stat: os.stat_result) -> str:
    return f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def is_now(path: str, stamp: str) -> bool:
    """Whether a path has that stamp, or is absent and was."""
    if stamp == PRESENT:
        return os.path.lexists(path)
    try:
        return stamp_of(os.stat(path)) == stamp
    except (OSError, ValueError):
        return stamp == ABSENT
