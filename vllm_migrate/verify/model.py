"""What a source says of one running engine, and what becomes of it beside the files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

# How far what was reported goes: the engine's resolved configuration; an argument as it reached the engine; the release's
# default for an argument that a complete list of arguments leaves out; the process's environment.
CONFIG, ARGUMENT, DEFAULT, ENVIRONMENT = "config", "argument", "default", "environment"
SAME, DIFFERS, NOT_TOLD = "same", "differs", "not-told"
PAUSE = (
    "no engine's configuration says how generation is paused for an update: it is an argument of each "
    "pause_generation call"
)


class Reported(NamedTuple):
    """One value that a source tells: the value, how far it goes (CONFIG, ...), and where it stands."""

    value: object
    kind: str
    where: str


class Running(NamedTuple):
    """One engine as one source shows it.

    release: "" where the source does not tell it; reported: by option, `env.NAME`, `sampling.NAME` (the server's default) or
    `engine` (v0, v1); unknown: variables that vLLM says it does not know; cleared: whether the prefix cache was cleared at
    the last update that the source shows (yes, no, "" when it does not tell); notes: what must be known besides.
    """

    source: str
    where: str
    release: str = ""
    reported: Mapping[str, Reported] = {}
    unknown: tuple[str, ...] = ()
    cleared: str = ""
    notes: tuple[str, ...] = ()


class Setting(NamedTuple):
    """One option of one engine, as the files have it and as it runs.

    written: the effective value of the files; origin: where that comes from; depends_on: what it hangs on ("" when
    nothing); running, source: what was reported, and where (None and "" when it was not); open: the files leave it open, so
    that what runs settles it; confirms, refutes: codes of findings on it.
    """

    option: str
    written: object
    origin: str
    depends_on: str
    running: object
    source: str
    verdict: str
    open: bool = False
    confirms: tuple[str, ...] = ()
    refutes: tuple[str, ...] = ()


class Verified(NamedTuple):
    """One engine of the files beside what runs. `release`: at which it was judged, and why."""

    path: str
    id: str
    release: str
    release_why: str
    source: str
    settings: tuple[Setting, ...]
    unknown: tuple[str, ...] = ()
    cleared: str = ""
    notes: tuple[str, ...] = ()

    @property
    def differing(self) -> tuple[Setting, ...]:
        return tuple(one for one in self.settings if one.verdict == DIFFERS)
