"""What is known about one engine before any rule is asked, each part with what shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

SOURCE, TARGET = "0.8.5", "0.18.1"
DEFAULT = "the default"  # what shows a release that nothing shows


class PinnedAt(NamedTuple):
    """A text of the project that installs a release: where it stands, and what it says."""

    path: str
    line: int
    pin: str


class Known(NamedTuple):
    """One part of a situation: its value, and in words what shows it ("uv.lock:12 pins it"); pinned: where the project installs
    it, None where nothing does."""

    value: str
    because: str = ""
    pinned: PinnedAt | None = None


class Shown(NamedTuple):
    """A release that the engine's own file shows: where in the text, and the move from it."""

    at: int
    source: Known
    target: Known


class Around:
    """The program that a file belongs to. This one is of a file by itself: nothing is around it."""

    def client(self) -> Known | None:
        """What shows that a program beside a server trains on the logprobs it asks for: the role it gives the server."""
        return None

    def says(self, text: str) -> bool:
        """Whether a Python file of the package around the file has a text."""
        return False


class Beyond(NamedTuple):
    """A release newer than the catalog: the file and line that name it, and what stands in for it."""

    path: str
    line: int
    release: str
    instead: str


class Open(NamedTuple):
    """What the evidence leaves open where no place pins a release.

    allowed: the releases that it allows, the oldest first; to_asked: the user states the target; pins: options with the
    values that fixes set, which tell nothing of a release.
    """

    allowed: tuple[str, ...]
    to_asked: bool
    pins: Sequence[tuple[str, object]]


class Situation(NamedTuple):
    """What is known about an engine besides what is written for it.

    source, target: the releases it runs on today and moves to; equal where the project is at its target or past it.
    project: the folder whose evidence counts, as a path from here. asked: the source was asked for, so that nothing else can
    show another. frameworks: releases of training frameworks, by package. core: v0 or v1 at the source; gpu: its name; role;
    where the user states them. model, generation: the model's config.json and generation_config.json as read (None: not
    given). around: the program that its file belongs to. shown: what the engine's own
    file shows, where it shows several releases. notes: what to say of the evidence.
    open: what the engine's own options may settle, None where a place pins a release or the user states one.
    pinned: the release that a place pins and the catalog lacks, for which source stands. beyond: the place of
    one that is newer than the catalog.
    """

    source: Known = Known(SOURCE, DEFAULT)
    target: Known = Known(TARGET, DEFAULT)
    project: str = "."
    asked: bool = False
    frameworks: Mapping[str, Known] = {}
    core: Known | None = None
    gpu: Known | None = None
    role: Known | None = None
    model: Mapping[str, object] | None = None
    generation: Mapping[str, object] | None = None
    around: Around = Around()
    shown: Sequence[Shown] = ()
    notes: tuple[str, ...] = ()
    beyond: Beyond | None = None
    pinned: str = ""
    open: Open | None = None

    @property
    def assumed(self) -> bool:
        """Whether no file shows the release of today."""
        return self.source.because.startswith(DEFAULT)

    @property
    def moves(self) -> bool:
        """Whether the two releases differ."""
        return self.source.value != self.target.value

    def within(self, scopes: Sequence[tuple[int, int]]) -> Situation:
        """With the one release that the smallest of these spans shows which shows any; as it is where that shows several.

        scopes: spans of the engine's own file, the smallest first.
        """
        for start, end in scopes:
            here = {each.source.value: each for each in self.shown if start <= each.at < end}
            if here:
                shown = next(iter(here.values()))
                moved = self._replace(source=shown.source, target=shown.target, open=None)
                return moved if len(here) == 1 else self
        return self


Situate = Callable[[str, bytes], Situation]
"""Gives the situation of what stands in a file: its path, and its bytes."""


def everywhere(situation: Situation) -> Situate:
    """The same for every file."""
    return lambda path, data: situation
