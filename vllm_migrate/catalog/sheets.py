"""Data files that a lint opens only when a rule asks for them: facts as intervals of releases, like the catalog's own.

| file | holds | read with |
|---|---|---|
| `contract.json` | classes, attributes and signatures of the Python interface | `contract` |
| `requires.json` | Python, packages and image versions that a release requires | `requires` |
| `refusals.json` | combinations of settings that a release refuses, and settings it replaces at start | `refusals` |
| `nested.json` | options whose value is a mapping: class, ways in, unknown keys | `nested` |
| `startup.json` | messages to the log, the printed configuration, parameters of endpoints | `startup` |
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from vllm_migrate.catalog import store
from vllm_migrate.opening import read_bytes

if TYPE_CHECKING:
    from typing import Any

NAMES = ("contract", "requires", "refusals", "nested", "startup")


def file_of(name: str) -> str:
    return f"{name}.json"


class Sheet:
    """One data file, with what the user's own releases hold of it."""

    def __init__(self, data: dict[str, Any], catalog: store.Catalog, added: dict[str, Any] | None = None) -> None:
        self.catalog = catalog
        self._facts: list[Any] = data["facts"]
        self._sections: dict[str, dict[str, list[list[int]]]] = data["sections"]
        self._position = {release: position for position, release in enumerate(data["releases"])}
        self._added = added or {}
        self.reader: object = None  # what `contract.load()` and its like made of it

    def holds(self, release: str) -> bool:
        """False for a release that was added without this file's facts: nothing is known of it then."""
        release = self.catalog.canonical(release)
        return release in self._position or release in self._added

    def at(self, section: str, name: str, release: str) -> Any:
        """Facts at a release, None where it has no such entry."""
        release = self.catalog.canonical(release)
        if release in self.catalog.added:
            return self._added.get(release, {}).get(section, {}).get(name)
        position = self._position[release]
        for since, until, fact in self._sections.get(section, {}).get(name, ()):
            if since <= position and (until < 0 or position < until):
                return self._facts[fact]
        return None

    def entries(self, section: str, release: str) -> dict[str, Any]:
        """Every entry of a section at a release."""
        release = self.catalog.canonical(release)
        if release in self.catalog.added:
            found: dict[str, Any] = self._added.get(release, {}).get(section, {})
            return found
        position = self._position[release]
        out = {}
        for name, lives in self._sections.get(section, {}).items():
            for since, until, fact in lives:
                if since <= position and (until < 0 or position < until):
                    out[name] = self._facts[fact]
        return out

    def names(self, section: str) -> list[str]:
        """Names that a section ever had, in order."""
        found = set(self._sections.get(section, ()))
        for added in self._added.values():
            found.update(added.get(section, ()))
        return sorted(found)

    def life(self, section: str, name: str) -> list[tuple[str, str | None, Any]]:
        """(since, until exclusive or None, facts) of an entry over all releases, oldest first."""
        found: list[tuple[str, str | None, Any]] = []
        current: Any = None
        for release in self.catalog.releases:
            facts = self.at(section, name, release)
            if facts == current:
                continue
            if current is not None:
                found[-1] = (found[-1][0], release, found[-1][2])
            if facts is not None:
                found.append((release, None, facts))
            current = facts
        return found


def load(name: str, catalog: store.Catalog | None = None, folder: str = store.DATA) -> Sheet:
    """A data file of `NAMES`, read once for each loaded catalog."""
    catalog = catalog or store.load()
    if name not in catalog.sheets:
        data = json.loads(read_bytes(os.path.join(folder, file_of(name))))
        added = {release: store.added_sheets(release).get(name, {}) for release in catalog.added}
        catalog.sheets[name] = Sheet(data, catalog, {r: sections for r, sections in added.items() if sections})
    return catalog.sheets[name]
