"""Load the compiled knowledge: JSON made from rules/ by `python -m vllm_migrate.knowledge.build`.

What a lint judges with is in one file; what only `explain` and its like tell is in another, read when it is asked for.
"""

from __future__ import annotations

import json
import os

from vllm_migrate.run.pins import PACKAGES

Record = dict[str, object]

DATA = os.path.join(os.path.dirname(os.path.dirname(__file__)), "data")
COMPILED = os.path.join(DATA, "knowledge.json")
PAGES = os.path.join(DATA, "pages.json")


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

    def packages(self) -> tuple[str, ...]:
        """The packages whose releases a project may pin: vLLM, and the frameworks of the dialects."""
        frameworks = (str(dialect.get("framework", "")) for dialect in self.dialects)
        return tuple(dict.fromkeys((*PACKAGES, *filter(None, frameworks))))

    def rule(self, code_or_name: str) -> Record | None:
        """A rule by its code (any case) or its name."""
        wanted = code_or_name.lower()
        for rule in self.rules:
            if wanted in (str(rule["code"]).lower(), rule["name"]):
                return rule
        return None


def whole(kind: str, key: str, record: Record) -> Record:
    """A rule, a dialect or an effective entry (`kind`) with what is told of it: explanation, evidence, what it is about."""
    return {**record, **_pages().get(kind, {}).get(key, {})}


def _records(value: object) -> list[Record]:
    assert isinstance(value, list)
    return value


_cache: Knowledge | None = None
_told: dict[str, dict[str, Record]] | None = None


def _pages() -> dict[str, dict[str, Record]]:
    global _told
    if _told is None:
        with open(PAGES, encoding="utf-8") as handle:
            _told = json.load(handle)
    return _told


def load() -> Knowledge:
    """The knowledge shipped with this package (read once)."""
    global _cache
    if _cache is None:
        with open(COMPILED, encoding="utf-8") as handle:
            _cache = Knowledge(json.load(handle))
    return _cache
