"""What can be imported from vLLM at each release: modules as intervals, and names that a module lost while it stayed.

The file is read when a Python program imports something from vllm. Names that nobody lost are not in it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from vllm_migrate.catalog.extract.modules import BORROWED, DEFINED, LEFT_OUT, OPEN, Names
from vllm_migrate.catalog.store import DATA
from vllm_migrate.opening import opened

FILE = "modules.json"
# A name that more modules define is no hint where something went.
HOMES = 2


def merged(releases: list[str], read: list[Names]) -> dict[str, Any]:
    """The contents of the file. Positions count releases; -1 is "still there"."""
    modules = {m: _intervals([m in one for one in read]) for m in sorted({m for one in read for m in one})}
    lost: dict[str, dict[str, list[list[int]]]] = {}
    for module in modules:
        gone = _lost(module, read)
        if gone:
            lost[module] = gone
    wanted = {name for names in lost.values() for name in names}
    wanted |= {
        n
        for m, spans in modules.items()
        if spans[-1][1] >= 0
        for one in read
        for n, k in one.get(m, {}).items()
        if k == DEFINED
    }
    return {"schema": 1, "releases": releases, "modules": modules, "lost": lost, "homes": _homes(wanted, read)}


def _intervals(there: list[bool]) -> list[list[int]]:
    out: list[list[int]] = []
    for position, present in enumerate(there):
        if present and (position == 0 or not there[position - 1]):
            out.append([position, -1])
        elif not present and out and out[-1][1] < 0:
            out[-1][1] = position
    return out


def _lost(module: str, read: list[Names]) -> dict[str, list[list[int]]]:
    """Names of a module, each with the releases that cannot import it any more although the module is there."""
    known: set[str] = set()
    for one in read:
        known.update(
            name for name, kind in one.get(module, {}).items() if not name.startswith("_") and kind != BORROWED
        )
    out: dict[str, list[list[int]]] = {}
    for name in sorted(known - {OPEN}):
        first = next(i for i, one in enumerate(read) if name in one.get(module, ()))
        absent = [
            position > first and module in one and name not in one[module] and OPEN not in one[module]
            for position, one in enumerate(read)
        ]
        if any(absent):
            out[name] = _intervals(absent)
    return out


def _homes(wanted: set[str], read: list[Names]) -> dict[str, list[list[Any]]]:
    """Where the newest releases define names that were lost, or that stood in modules that are gone."""
    places: dict[str, set[str]] = {}
    for one in read:
        for module, names in one.items():
            for name, kind in names.items():
                if kind == DEFINED and name in wanted and name[:1] not in ("_", "*") and len(name) > 3:
                    places.setdefault(name, set()).add(module)
    out: dict[str, list[list[Any]]] = {}
    for name in sorted(places):
        spans: list[tuple[str, int, int]] = []
        for module in sorted(places[name]):
            there = _intervals([one.get(module, {}).get(name) == DEFINED for one in read])
            spans.extend((module, since, until) for since, until in there)
        # What has stood in one place from the beginning needs no hint.
        if len(places[name]) <= 2 * HOMES and any(since > 0 for _, since, _ in spans):
            out[name] = [list(span) for span in spans if span[2] < 0 or span[2] > 1]
    return out


class Modules:
    """Reads the file; a release that the user added to the catalog is not in it, and nothing is said of it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        self._position = {release: position for position, release in enumerate(data["releases"])}

    def has(self, dotted: str, release: str) -> bool | None:
        """Whether `from a.b import c`, or `import a.b.c`, works at a release; None where that is not known."""
        position = self._position.get(release)
        module, _, name = dotted.rpartition(".")
        known = self._data["modules"]
        if position is None:
            return None
        if dotted not in known and module not in known:
            return None if LEFT_OUT.match(f"{dotted}.") else False
        if dotted in known and _at(known[dotted], position):
            return True
        if module not in known:
            return False
        if not _at(known[module], position):
            return False
        if name in self._data["lost"].get(module, {}):
            return not _at(self._data["lost"][module][name], position)
        # A module that went as a whole: its name in the package is gone with it.
        return False if dotted in known else None

    def gone(self, dotted: str, source: str, target: str) -> str:
        """The release after `source` and up to `target` since which it cannot be imported; "" when there is none."""
        low, high = self._position.get(source), self._position.get(target)
        if low is None or high is None or self.has(dotted, source) is False:
            return ""
        for position in range(low + 1, high + 1):
            release = self._data["releases"][position]
            if self.has(dotted, release) is False:
                return str(release) if self.has(dotted, target) is False else ""
        return ""

    def homes(self, name: str, release: str) -> list[str]:
        """Modules that define a name at a release, where they are few enough to be a hint."""
        position = self._position.get(release, -1)
        found = [module for module, *span in self._data["homes"].get(name, ()) if _at([span], position)]
        return found if len(found) <= HOMES else []


def _at(spans: list[list[int]], position: int) -> bool:
    return any(since <= position and (until < 0 or position < until) for since, until in spans)


_loaded: list[Modules] = []


def load() -> Modules:
    """The shipped file, read once."""
    if not _loaded:
        with opened(os.path.join(DATA, FILE)) as stream:
            _loaded.append(Modules(json.loads(stream.read())))
    return _loaded[0]
