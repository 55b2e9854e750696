"""What the hot path never needs: documentation, late resolution, and the origin of each release.

details = load()
details.doc("engine", "seed", "0.18.1")
details.late("0.18.1")["VllmConfig.__post_init__:scheduler_config.async_scheduling"]
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from vllm_migrate.catalog import store
from vllm_migrate.opening import opened_text

if TYPE_CHECKING:
    from typing import Any

LateEntry = tuple[str, str]  # (conditions joined by " and ", value), both source text


class Details:
    """The second data file, with the added releases' own details beside it."""

    def __init__(self, data: dict[str, Any], catalog: store.Catalog) -> None:
        self.catalog = catalog
        self.origins: dict[str, dict[str, Any]] = dict(data["origins"])
        self._texts: list[Any] = data["texts"]
        self._sections: dict[str, dict[str, list[list[int]]]] = data["sections"]
        self._index: dict[str, list[str]] | None = None
        self._positions = {release: i for i, release in enumerate(catalog.shipped)}
        for release, added in catalog.added.items():
            self.origins[release] = added.get("origin", {})

    def _at(self, section: str, name: str, release: str) -> Any:
        if release in self.catalog.added:
            return self.catalog.added[release].get("details", {}).get(section, {}).get(name)
        position = self._positions[release]
        for since, until, text in self._sections.get(section, {}).get(name, ()):
            if since <= position and (until < 0 or position < until):
                return self._texts[text]
        return None

    def doc(self, section: str, name: str, release: str) -> str:
        """Documentation of an option at a release, "" when there is none."""
        return str(self._at(section, name, self.catalog.canonical(release)) or "")

    def carries(self, release: str) -> dict[str, bool]:
        """How `--config FILE` carries values at a release: `lists`, `mappings`, `dotted`."""
        release = self.catalog.canonical(release)
        return {name: bool(self._at("carrier", name, release)) for name in ("lists", "mappings", "dotted")}

    def forbids_extra(self, config_class: str, release: str) -> bool:
        """True when a config class refuses keys it does not know."""
        found = self._at("class", config_class, self.catalog.canonical(release))
        return bool(found and found["forbid"])

    def late(self, release: str) -> dict[str, list[LateEntry]]:
        """`Class.method:target` -> its assignments at a release."""
        release = self.catalog.canonical(release)
        found = {}
        for name in self.late_names():
            entries = self._at("late", name, release)
            if entries:
                found[name] = [(guard, value) for guard, value in entries]
        return found

    def late_names(self) -> list[str]:
        names = set(self._sections.get("late", ()))
        for added in self.catalog.added.values():
            names.update(added.get("details", {}).get("late", ()))
        return sorted(names)

    def late_of(self, option: str, release: str) -> dict[str, list[LateEntry]]:
        """Entries of `late` whose target is this option (engine argument or config field)."""
        release = self.catalog.canonical(release)
        found = {}
        for name in self._late_index().get(option, ()):
            entries = self._at("late", name, release)
            if entries:
                found[name] = [(guard, value) for guard, value in entries]
        return found

    def _late_index(self) -> dict[str, list[str]]:
        if self._index is not None:
            return self._index
        index: dict[str, list[str]] = {}
        for name in self.late_names():
            target = name.rpartition(":")[2].rpartition(".")[2].removeprefix("default_")
            index.setdefault(target, []).append(name)
        self._index = index
        return index


_loaded: dict[int, Details] = {}


def load(catalog: store.Catalog | None = None, folder: str = store.DATA) -> Details:
    """Details of a catalog (default: the loaded one), read once from its data folder."""
    catalog = catalog or store.load()
    if id(catalog) not in _loaded:
        _loaded.clear()
        with opened_text(os.path.join(folder, "details.json")) as stream:
            _loaded[id(catalog)] = Details(json.load(stream), catalog)
    return _loaded[id(catalog)]
