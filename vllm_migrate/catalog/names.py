"""Every public name of every module, release by release: what `modules.json` is made of, and no run reads.

It is kept so that a release can be added without the sources of the others. A module's names that lived alike stand together,
in one text, under what they were and when (`d0-`: defined from the first release on).
"""

from __future__ import annotations

import json
from typing import Any

from vllm_migrate.catalog.extract.modules import ASSIGNED, BORROWED, DEFINED, PASSED_ON, Names

FILE = "names.json"
_LETTERS = {DEFINED: "d", ASSIGNED: "a", PASSED_ON: "p", BORROWED: "b"}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}
Life = list[tuple[str, int, int]]  # kind, since, until (-1: it lives on), as positions of releases


def merged(releases: list[str], read: list[Names]) -> dict[str, Any]:
    """The contents of the file."""
    names: dict[str, dict[str, str]] = {}
    for module in sorted({m for one in read for m in one}):
        known = sorted({name for one in read for name in one.get(module, ()) if not name.startswith("_")})
        groups: dict[str, list[str]] = {}
        for name in known:
            groups.setdefault(_spelled([one.get(module, {}).get(name) for one in read]), []).append(name)
        names[module] = {life: " ".join(mine) for life, mine in groups.items()}
        names[module][""] = _spelled([DEFINED if module in one else None for one in read])
    return {"schema": 1, "releases": releases, "names": names}


def unmerged(data: dict[str, Any]) -> list[Names]:
    """The inverse of `merged`, private names left out."""
    count = len(data["releases"])
    read: list[Names] = [{} for _ in range(count)]
    for module, groups in data["names"].items():
        for _, since, until in _life(groups[""]):
            for position in range(since, count if until < 0 else until):
                read[position][module] = {}
        for life, text in groups.items():
            for kind, since, until in _life(life):
                for position in range(since, count if until < 0 else until):
                    read[position][module].update(dict.fromkeys(text.split(), kind))
    return read


def dump(data: dict[str, Any]) -> str:
    """JSON with one module a line, so that a rebuild's diff can be read."""
    parts = []
    for key, value in data.items():
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        if isinstance(value, dict):
            lines = (
                f"{json.dumps(k)}:{json.dumps(v, sort_keys=True, separators=(',', ':'))}" for k, v in value.items()
            )
            text = "{\n" + ",\n".join(lines) + "}"
        parts.append(f'"{key}":{text}')
    return "{" + ",\n".join(parts) + "}\n"


def _spelled(kinds: list[str | None]) -> str:
    """What a name was at each release, as `d0-5 a7-`."""
    parts: list[str] = []
    for position, kind in enumerate(kinds):
        before = kinds[position - 1] if position else None
        if kind == before:
            continue
        if before is not None:
            parts[-1] += str(position)
        if kind is not None:
            parts.append(f"{_LETTERS[kind]}{position}-")
    return " ".join(parts)


def _life(text: str) -> Life:
    found: Life = []
    for part in text.split():
        since, _, until = part[1:].partition("-")
        found.append((_KINDS[part[0]], int(since), int(until) if until else -1))
    return found
