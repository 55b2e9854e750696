"""Releases in, intervals out: [since, until, facts] per option, with facts shared in one pool."""

from __future__ import annotations

import json
from typing import Any

Sections = dict[str, dict[str, Any]]

# long names in the extractor, one letter in the shipped file
SHORT = {
    "default": "d",
    "type": "t",
    "choices": "c",
    "open": "o",
    "deprecated": "x",
    "required": "r",
    "action": "a",
    "options": "f",
    "dest": "D",
    "nargs": "n",
    "const": "k",
    "known": "w",
}
LONG = {short: long for long, short in SHORT.items()}


def shorten(facts: dict[str, Any]) -> dict[str, Any]:
    return {SHORT.get(key, key): facts[key] for key in sorted(facts)}


class Pool:
    """Values met so far, each stored once, numbered in the order they came."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._index: dict[str, int] = {}

    def add(self, value: Any) -> int:
        key = json.dumps(value, sort_keys=True, ensure_ascii=False)
        if key not in self._index:
            self._index[key] = len(self.values)
            self.values.append(value)
        return self._index[key]


def merge(releases: list[Sections], pool: Pool) -> dict[str, dict[str, list[list[int]]]]:
    """Per section and option, flat intervals [since, until, fact, ...]; until is -1 while it lives on.

    `releases` are in order; numbers are positions in that order; `until` is exclusive.
    """
    merged: dict[str, dict[str, list[list[int]]]] = {}
    for name in sorted({section for release in releases for section in release}):
        options: dict[str, list[list[int]]] = {}
        for option in sorted({o for release in releases for o in release.get(name, ())}):
            options[option] = _intervals([r.get(name, {}).get(option) for r in releases], pool)
        merged[name] = options
    return merged


def _intervals(states: list[Any], pool: Pool) -> list[list[int]]:
    found: list[list[int]] = []
    current: int | None = None
    for position, state in enumerate(states):
        number = None if state is None else pool.add(state)
        if number == current:
            continue
        if current is not None:
            found[-1][1] = position
        if number is not None:
            found.append([position, -1, number])
        current = number
    return found


def dump(head: dict[str, Any], sections: dict[str, dict[str, Any]], pool_name: str, pool: list[Any]) -> str:
    """JSON with one option a line, so that a rebuild's diff can be read."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    parts = [f"{line(key)}:{line(value)}" for key, value in head.items()]
    parts.append(f"{line(pool_name)}:[\n" + ",\n".join(line(value) for value in pool) + "]")
    bodies = []
    for name, options in sections.items():
        entries = ",\n".join(f"{line(option)}:{line(value)}" for option, value in options.items())
        bodies.append(f"{line(name)}:{{\n{entries}}}")
    parts.append('"sections":{\n' + ",\n".join(bodies) + "}")
    return "{" + ",\n".join(parts) + "}\n"
