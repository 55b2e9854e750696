"""What an engine says of itself: messages to the log, the configuration that it prints, endpoints and their parameters.

startup = load()
startup.read("Chunked prefill is enabled with max_num_batched_tokens=2048.", "0.18.1")
startup.config_keys("0.18.1")["kv_cache_dtype"]
startup.fields("0.18.1")["cache_config.cache_dtype"]
startup.endpoint("GET /server_info", "0.18.1")
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from vllm_migrate.catalog import sheets, store

_EXPOSED = ("_total", "_bucket", "_sum", "_count", "_created")
_HOLE = re.compile(r"\{[^{}]*\}|%(?:\((\w+)\))?[-+#0-9.]*[srdfgixe]|%%")


class Line(NamedTuple):
    """A message to the log. `tells` are settings whose value it prints, `implies` those that its condition reads."""

    id: str
    text: str
    level: str
    at: tuple[str, ...]
    values: tuple[str, ...]
    tells: tuple[str, ...]
    implies: tuple[str, ...]
    when: str


class Found(NamedTuple):
    """A line of a log that a message matches, with what is filled in, in order."""

    line: Line
    filled: tuple[str, ...]


class Endpoint(NamedTuple):
    """`gate` is the condition it stands under ("" when it is always there); `query` and `body` are parameters by name."""

    name: str
    handler: str
    gate: str
    query: dict[str, dict[str, str]]
    body: tuple[str, ...]


class Startup:
    """Reads `startup.json`, and the gates of endpoints from the catalog's section of routes."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet
        self._patterns: dict[str, list[tuple[str, re.Pattern[str], Line]]] = {}

    def lines(self, release: str) -> list[Line]:
        """Messages that a starting engine can log at a release."""
        return [_line(name, facts) for name, facts in self._sheet.entries("line", release).items()]

    def line(self, name: str, release: str) -> Line | None:
        facts = self._sheet.at("line", name, release)
        return _line(name, facts) if facts is not None else None

    def lives(self, text: str) -> list[tuple[str, str | None]]:
        """Releases whose message contains a text, as (since, until exclusive or None)."""
        releases = self._sheet.catalog.releases
        has = [any(text in line.text for line in self.lines(release)) for release in releases]
        found: list[tuple[str, str | None]] = []
        for position, release in enumerate(releases):
            if has[position] and (position == 0 or not has[position - 1]):
                found.append((release, None))
            elif not has[position] and found and found[-1][1] is None:
                found[-1] = (found[-1][0], release)
        return found

    def read(self, text: str, release: str) -> Found | None:
        """The message that a line of a log is (prefix of time and process taken off or not), None when it is none of ours."""
        best: tuple[int, Found] | None = None
        for anchor, pattern, line in self._compiled(release):
            if anchor not in text:
                continue
            match = pattern.search(text)
            if match is not None and (best is None or len(line.text) > best[0]):
                best = (len(line.text), Found(line, match.groups()))
        return best[1] if best is not None else None

    def _compiled(self, release: str) -> list[tuple[str, re.Pattern[str], Line]]:
        if release not in self._patterns:
            self._patterns[release] = [(_anchor(one.text), _pattern(one.text), one) for one in self.lines(release)]
        return self._patterns[release]

    def config_keys(self, release: str) -> dict[str, tuple[str, ...]]:
        """`key=` of the line `... with config:` -> settings that it tells; what is not in it is not told there."""
        entries = self._sheet.entries("config_line", release)
        return {key: tuple(facts["tells"]) for key, facts in entries.items()}

    def fields(self, release: str) -> dict[str, str]:
        """`cache_config.cache_dtype` of a VllmConfig -> the engine argument that it is made of."""
        return {field: facts["option"] for field, facts in self._sheet.entries("field", release).items()}

    def metric(self, name: str, release: str) -> bool:
        """Whether a release has a metric, by its own name or as Prometheus spells it (`..._total`, `..._bucket`)."""
        known = self._sheet.entries("metric", release)
        base = next((name.removesuffix(end) for end in _EXPOSED if name.endswith(end)), name)
        return name in known or base in known

    def endpoint(self, name: str, release: str) -> Endpoint | None:
        """`GET /server_info` at a release, None where it has no such endpoint."""
        route = self._sheet.catalog.get("route", name, release)
        facts = self._sheet.at("endpoint", name, release)
        if route is None and facts is None:
            return None
        facts = facts or {}
        query = {**facts.get("query", {}), **{one: {} for one in facts.get("reads", ())}}
        gate = str(route.extra("gate") or "") if route is not None else ""
        return Endpoint(name, facts.get("handler", ""), gate, query, tuple(facts.get("body", ())))


def _line(name: str, facts: dict[str, Any]) -> Line:
    return Line(
        name,
        facts["text"],
        facts["level"],
        tuple(facts["at"]),
        tuple(facts.get("values", ())),
        tuple(facts.get("tells", ())),
        tuple(facts.get("implies", ())),
        facts.get("when", ""),
    )


def _parts(text: str) -> list[str]:
    """The fixed parts of a message, between what is filled in."""
    parts, position = [], 0
    for hole in _HOLE.finditer(text):
        if hole[0] == "%%":
            continue
        parts.append(text[position : hole.start()].replace("%%", "%"))
        position = hole.end()
    return [*parts, text[position:].replace("%%", "%")]


def _anchor(text: str) -> str:
    return max(_parts(text), key=len).strip("\n").partition("\n")[0]


def _pattern(text: str) -> re.Pattern[str]:
    """A message's fixed parts in order, whatever stands between them, up to the end of the line."""
    *before, last = [re.escape(part) for part in _parts(text.strip())]
    holes = "".join(f"{part}(.*?)" for part in before[:-1]) + (
        f"{before[-1]}(.*{'' if not last else '?'})" if before else ""
    )
    return re.compile(holes + last + r"\s*\Z", re.DOTALL)


def load(catalog: store.Catalog | None = None) -> Startup:
    """The shipped facts, read once for each loaded catalog."""
    sheet = sheets.load("startup", catalog)
    known = sheet.reader
    if not isinstance(known, Startup):
        known = sheet.reader = Startup(sheet)
    return known
