"""The fence of a run: the projects of its PATHs, what the user names, and what the user allows besides.

A project is the repository around a PATH; outside of one, the folder with the nearest configuration or pyproject.toml; without
either, the folder that is named or, for a file, the working folder that it lies below. A repository's own files never widen it.
"""

from __future__ import annotations

import os

from vllm_migrate.documents.disk import DISK, Disk, Fence
from vllm_migrate.errors import UsageError
from vllm_migrate.run.config import OWN_FILE, SHARED_FILE
from vllm_migrate.run.settings import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vllm_migrate.run.dependencies import Dependencies


DEVICES = ("/dev/", "/proc/")  # /dev/stdout is a link to what the caller gave
VARIABLE = "VLLM_MIGRATE_ALLOW_OUTSIDE"


def fence_of(options: Options, disk: Disk, dependencies: Dependencies | None = None) -> Fence:
    """The fence of a call. dependencies: notes what is looked for."""
    looks = _Looks(disk, dependencies)
    paths = [path if path != "-" else options.stdin_filename or "" for path in options.paths or ("",)]
    return Fence([*_allowed(options.allow_outside), *_roots(paths, disk, looks)], map(disk.real, paths))


def check_output(path: str, allow_outside: Sequence[str] = ()) -> None:
    """Raises UsageError where a file to be written is a link that leads out of the project it lies in."""
    if not os.path.islink(path) or path.startswith(DEVICES):
        return
    options = Options((os.path.dirname(path) or os.curdir,), allow_outside=tuple(allow_outside))
    target = os.path.realpath(path)
    if not fence_of(options, DISK).holds(target):
        raise UsageError(f"{path}: it leads to {target}, outside the project", "--allow-outside DIR allows it")


def _allowed(folders: Sequence[str]) -> list[str]:
    """The folders that the call and the environment let a run into."""
    listed = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [os.path.realpath(os.path.expanduser(folder)) for folder in (*folders, *listed) if folder]


class _Looks:
    """Whether a file is there, and a note of having looked."""

    def __init__(self, disk: Disk, dependencies: Dependencies | None) -> None:
        self._disk = disk
        self._dependencies = dependencies

    def find(self, folder: str, name: str) -> bool:
        path = os.path.join(folder, name)
        if self._dependencies is not None:
            self._dependencies.note_presence(path)
        return self._disk.exists(path)


def _roots(paths: Sequence[str], disk: Disk, looks: _Looks) -> Iterator[str]:
    seen: set[str] = set()
    for path in paths:
        is_folder = disk.is_folder(path or os.curdir)
        folder = path if is_folder else os.path.dirname(path)
        for start in (os.path.abspath(folder), disk.real(folder)):
            if start not in seen:
                seen.add(start)
                yield disk.real(_project(start, looks) or _unmarked(start, is_folder))


def _project(folder: str, looks: _Looks) -> str:
    """The repository around a folder, else the nearest folder with a configuration; "" where there is none."""
    configured, parent = "", folder
    while True:
        folder, parent = parent, os.path.dirname(parent)
        if looks.find(folder, ".git"):
            return folder
        if not configured and (looks.find(folder, OWN_FILE) or looks.find(folder, SHARED_FILE)):
            configured = folder
        if parent == folder:
            return configured


def _unmarked(folder: str, named: bool) -> str:
    """The root where nothing marks one. named: the folder is what the user named."""
    here = os.path.realpath(os.curdir)
    wide = here in (os.path.expanduser("~"), os.path.dirname(here))
    return folder if named or wide or not os.path.join(folder, "").startswith(os.path.join(here, "")) else here
