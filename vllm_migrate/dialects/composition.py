"""What composing a configuration from several files gives, whatever the rules by which a framework composes."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from vllm_migrate.dialects.tree import File, Place, Tree
from vllm_migrate.documents.interface import Unreadable

# Reads a file by path: the File, or None when there is none or it cannot be read.
Loader = Callable[[str], "File | None"]

MAX_DEPTH = 20


class UnreadInput(NamedTuple):
    """What may set more than is seen: a configuration that is named and not on disk, as written, and where; or, `inline`,
    the `**name` of a call, a `$ARGS` or a `--config FILE` of a command, which are common and no finding of their own."""

    name: str
    place: Place
    inline: bool = False


def unseen(missing: Sequence[UnreadInput]) -> str:
    """What may set more than is seen, in words."""
    parents = ", ".join(item.name for item in missing if not item.inline)
    calls = list(dict.fromkeys(item.name for item in missing if item.inline))
    return " or ".join(([f"a parent that was not found ({parents})"] if parents else []) + calls)


def circle(place: Place) -> Unreadable:
    """The error of a configuration that is named, at `place`, among its own parents."""
    at = place.file.source.position(place.node.start)
    return Unreadable("circle", f"{place.file.path}:{at.line} names a configuration that is a child of this one")


class Composed(NamedTuple):
    """The merged tree, the files it came from (root of the chain first, the primary last), what was not found."""

    tree: Tree
    files: list[File]
    missing: list[UnreadInput]


class Compositions:
    """Configurations that several files share, composed once: those that commands name by their kind of composition, parents
    by how deep they stand. What `under` knows counts as long as none of its files is one of the paths `changed`."""

    def __init__(self, under: Compositions | None = None, changed: Container[str] = ()) -> None:
        self._known: dict[tuple[str | int, File], Composed] = {}
        self._under = under
        self._changed = changed

    def get(self, kind: str | int, file: File) -> Composed | None:
        """What a file came to, where it is known."""
        found = self._known.get((kind, file))
        if found is None and self._under is not None:
            found = self._under.get(kind, file)
            if found is not None and any(os.path.normpath(file.path) in self._changed for file in found.files):
                return None
        return found

    def keep(self, kind: str | int, file: File, composed: Composed) -> Composed:
        """Remember what a file came to."""
        self._known[kind, file] = composed
        return composed
