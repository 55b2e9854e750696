"""A release of one's own, as `catalog add` would keep it: the newest shipped one with other declared defaults."""

from __future__ import annotations

import os
from typing import Any

from vllm_migrate.catalog.store import DATA, HOT, Catalog


def forked(shipped: Catalog, release: str, defaults: dict[str, object]) -> Catalog:
    """The shipped catalog with `release` added. Keys of `defaults` are engine arguments, `sampling.x` or `env.X`."""
    newest = shipped.shipped[-1]
    sections: dict[str, dict[str, dict[str, object]]] = {}
    for section in HOT:
        sections[section] = {name: dict(raw(shipped, section, name, newest)) for name in shipped.names(section, newest)}
    for option, value in defaults.items():
        section, _, name = option.rpartition(".")
        sections[section or "engine"][name]["d"] = value
        flag = sections["cli"].get("--" + name.replace("_", "-"))
        if flag is not None and not section:
            flag["d"] = value
    data: dict[str, Any] = {"releases": list(shipped.shipped), "version": shipped.version}
    data |= {"sections": shipped._sections, "facts": shipped._facts}
    return Catalog(data, {release: {"sections": sections}}, os.path.join(DATA, "surface.json"))


def raw(catalog: Catalog, section: str, name: str, release: str) -> dict[str, object]:
    facts = catalog.get(section, name, release)
    assert facts is not None
    return facts.raw
