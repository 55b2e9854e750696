"""Which options move which layer of an RL run (rl.json), for `diff --rl` and for what a lint derives."""

from __future__ import annotations

import json
import os

from vllm_migrate.catalog.store import DATA
from vllm_migrate.opening import opened_text

_layers: dict[str, str] = {}


def layers() -> dict[str, str]:
    """Engine argument, sampling parameter, variable, route or API -> layer of an RL run it can move; read once."""
    if not _layers:
        with opened_text(os.path.join(DATA, "rl.json")) as stream:
            table: dict[str, list[str]] = json.load(stream)["layers"]
        _layers.update({name: layer for layer, names in table.items() for name in names})
    return _layers
