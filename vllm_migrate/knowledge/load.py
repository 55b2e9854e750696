"""Load the compiled knowledge: one JSON file made from rules/ by `python -m vllm_migrate.knowledge.build`."""

from __future__ import annotations

import json
import os

Record = dict[str, object]

COMPILED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data", "knowledge.json")


class Knowledge:
    """rules in the order of their codes, dialects in the order in which they are tried, effective entries by option."""

    __slots__ = ("dialects", "digest", "effective", "gpus", "in_order", "rules")

    def __init__(self, raw: Record) -> None:
        self.rules: list[Record] = _records(raw["rules"])
        # As they are judged: derived rules last.
        self.in_order = sorted(self.rules, key=lambda rule: bool(rule.get("derived")))
        self.dialects: list[Record] = _records(raw["dialects"])
        effective, gpus = raw["effective"], raw["gpus"]
        assert isinstance(effective, dict) and isinstance(gpus, dict)
        self.effective: dict[str, Record] = effective
        self.gpus: Record = gpus
        self.digest = str(raw["digest"])

    def rule(self, code_or_name: str) -> Record | None:
        """A rule by its code (any case) or its name."""
        wanted = code_or_name.lower()
        for rule in self.rules:
            if wanted in (str(rule["code"]).lower(), rule["name"]):
                return rule
        return None


def _records(value: object) -> list[Record]:
    assert isinstance(value, list)
    return value


_cache: Knowledge | None = None


def load() -> Knowledge:
    """The knowledge shipped with this package (read once)."""
    global _cache
    if _cache is None:
        with open(COMPILED, encoding="utf-8") as handle:
            _cache = Knowledge(json.load(handle))
    return _cache
