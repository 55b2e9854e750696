"""The release that a project pinned before the one it pins now, from its own Git history."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.git import Commit, History, NoHistory, Snapshot
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.run.pins import VLLM, Pin
from vllm_migrate.run.versions import MAX_NOTEBOOK, SUBFOLDERS, choose_source, find_releases, own_pins


class Before(NamedTuple):
    """What was pinned before, and the last commit that did."""

    pin: Pin
    commit: Commit


def pinned_before(pin: Pin, folder: str, of_file: bool, disk: Disk, is_older: Callable[[str], bool]) -> Before:
    """The last older release that a folder pinned, or (of_file) the very file of `pin`, for what `pin` is about.

    Raises NoHistory where no commit shows one, or the history cannot be read so far.
    """
    root = _repository(folder, disk)
    history = History(root, disk)
    here = os.path.relpath(os.path.dirname(os.path.abspath(pin.path)) if of_file else folder, root).replace(os.sep, "/")
    base = "" if here == os.curdir else here
    folders = (base,) if of_file else tuple(f"{base}/{name}".strip("/") for name in ("", *SUBFOLDERS))
    place = _place_in_file(pin, disk) if of_file else 0
    seen: object = None
    try:
        for commit in history.commits():
            snapshot = Snapshot(history, commit, root, folders)
            if snapshot.same == seen:
                continue
            seen = snapshot.same
            found = _in_file(pin, place, snapshot) if of_file else _in_folder(folder, snapshot)
            if found is not None and found.version != pin.version and is_older(found.version):
                return Before(found, commit)
    finally:
        history.close()
    raise NoHistory("none of its commits pins an older release")


def _repository(folder: str, disk: Disk) -> str:
    """The folder with `.git`, from a folder upward."""
    at = os.path.abspath(folder)
    while not disk.exists(os.path.join(at, ".git")):
        if os.path.dirname(at) == at:
            raise NoHistory("the files are not in a Git repository")
        at = os.path.dirname(at)
    return at


def _in_folder(folder: str, snapshot: Snapshot) -> Pin | None:
    found = choose_source(find_releases(os.path.relpath(folder), None, (VLLM,), snapshot))
    return found if found is not None and found.exact else None


def _in_file(pin: Pin, place: int, snapshot: Disk) -> Pin | None:
    """The pin of a file that stands in the place of another one: the only one of its kind, or the one with its number."""
    alike = _alike(pin, snapshot)
    if len({found.version for found in alike}) == 1:
        return alike[0]
    return alike[place] if place < len(alike) else None


def _place_in_file(pin: Pin, disk: Disk) -> int:
    """Which of the pins of its kind in its file it is."""
    return sum(other.at < pin.at for other in _alike(pin, disk))


def _alike(pin: Pin, disk: Disk) -> list[Pin]:
    """The pins of a file that say the same but for the release, in order."""
    try:
        found = own_pins(pin.path, disk.read(pin.path, MAX_NOTEBOOK))
    except Unreadable:
        return []
    kind = _kind(pin)
    return sorted((each for each in found if each.exact and _kind(each) == kind), key=lambda each: each.at)


def _kind(pin: Pin) -> str:
    return pin.text.replace(pin.version, "", 1)
