"""Combinations of settings and single values that a release refuses, and settings that it replaces at start with a word to the log.

refusals = load()
[r.text for r in refusals.about({"min_p", "speculative_config"}, "0.18.1")]
refusals.since("...")                                    # releases that have it
refusals.new("0.8.5", "0.18.1"); refusals.replaced("0.18.1")
"""

from __future__ import annotations

from typing import Any, NamedTuple

from vllm_migrate.catalog import sheets, store


class Site(NamedTuple):
    """One statement: where it stands (`module:Class.method`), its condition as source text, what it raises or assigns."""

    at: str
    when: str
    settings: tuple[str, ...]
    what: str


class Refusal(NamedTuple):
    """A `raise` or `assert` whose condition reads two settings or more, or a bound of one. `id` is the same over releases."""

    id: str
    text: str
    sites: tuple[Site, ...]

    @property
    def settings(self) -> frozenset[str]:
        """Settings that some statement of this message reads (`sampling.min_p`, `speculative_config.method`)."""
        return frozenset(name for site in self.sites for name in site.settings)


class Replacement(NamedTuple):
    """A setting that is assigned beside a message to the log. `what` of a site is the new value, as source text."""

    id: str
    setting: str
    level: str
    text: str
    sites: tuple[Site, ...]


class Refusals:
    """Reads `refusals.json`."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet

    def at(self, release: str) -> list[Refusal]:
        """Every refusal over settings of a release."""
        return [_refusal(name, facts) for name, facts in self._sheet.entries("refusal", release).items()]

    def bounds(self, release: str) -> list[Refusal]:
        """Every value of a single setting that a release refuses as out of bounds, by a declared field or a statement."""
        return [_refusal(name, facts) for name, facts in self._sheet.entries("bound", release).items()]

    def get(self, name: str, release: str) -> Refusal | None:
        facts = self._sheet.at("refusal", name, release)
        return _refusal(name, facts) if facts is not None else None

    def about(self, settings: set[str], release: str) -> list[Refusal]:
        """Refusals that read all of these settings. `speculative_config` stands for its fields too, `min_p` for
        `sampling.min_p`."""
        return [one for one in self.at(release) if all(_among(name, one.settings) for name in settings)]

    def life(self, name: str) -> list[tuple[str, str | None]]:
        """(since, until exclusive or None) of a refusal, whatever its condition was; empty when there never was one."""
        found: list[tuple[str, str | None]] = []
        for since, until, _ in self._sheet.life("refusal", name):
            if found and found[-1][1] == since:
                found[-1] = (found[-1][0], until)
            else:
                found.append((since, until))
        return found

    def new(self, source: str, target: str) -> list[Refusal]:
        """Refusals of `target` that `source` has not, not even under another message for the same settings."""
        before = self.at(source)
        known = {one.id for one in before}
        sets = {one.settings for one in before}
        return [one for one in self.at(target) if one.id not in known and one.settings not in sets]

    def replaced(self, release: str) -> list[Replacement]:
        """Settings that a release replaces at start, with the message that says so."""
        return [_replacement(name, facts) for name, facts in self._sheet.entries("replacement", release).items()]

    def replacements_of(self, setting: str, release: str) -> list[Replacement]:
        return [one for one in self.replaced(release) if one.setting == setting]

    def names(self) -> list[str]:
        """Identities of all refusals that any release has."""
        return self._sheet.names("refusal")

    def count(self, release: str) -> dict[str, int]:
        """How many `raise` and `assert` statements stand where settings are checked: `statements`, of these `conditional`,
        and of these by how many settings their condition reads: `none`, `one`, `several`."""
        return dict(self._sheet.at("count", "all", release) or {})


def _among(name: str, settings: frozenset[str]) -> bool:
    return any(one == name or one.startswith(f"{name}.") or one == f"sampling.{name}" for one in settings)


def _refusal(name: str, facts: dict[str, Any]) -> Refusal:
    sites = tuple(Site(s["at"], s["when"], tuple(s["settings"]), s["raises"]) for s in facts["sites"])
    return Refusal(name, facts["text"], sites)


def _replacement(name: str, facts: dict[str, Any]) -> Replacement:
    sites = tuple(Site(s["at"], s["when"], (), s["value"]) for s in facts["sites"])
    return Replacement(name, name.partition(":")[0], facts["level"], facts["text"], sites)


def load(catalog: store.Catalog | None = None) -> Refusals:
    """The shipped refusals, read once for each loaded catalog."""
    return Refusals(sheets.load("refusals", catalog))
