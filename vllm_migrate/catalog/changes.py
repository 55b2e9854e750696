"""What changed for one option between two releases. Light enough for the lint's hot path.

    between(cat, "engine", "swap_space", "0.8.5", "0.18.1")
    # [Change(kind="removed", section="engine", option="swap_space", old=4, new=None, since="0.18.0", ...)]

Kinds: removed, added, renamed, default, choices, deprecated; `resolves` needs the second data file, see diff.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog.store import Catalog, FlagTable, OptionFacts, Rename

if TYPE_CHECKING:
    from typing import Any

KINDS = ("removed", "renamed", "added", "default", "resolves", "choices", "deprecated")
REQUIRED = {"required": True}


class Change(NamedTuple):
    """One kind of change of one option. `since`: the first release that has the new state."""

    kind: str
    section: str
    option: str
    old: Any
    new: Any
    since: str
    replaced_by: str | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The JSON contract of `diff`; `note` only where there is one."""
        found = self._asdict()
        if self.note is None:
            del found["note"]
        return found


def same(left: Any, right: Any) -> bool:
    """Equality that tells True from 1 and takes 4 for 4.0, inside containers as well."""
    if isinstance(left, bool) != isinstance(right, bool):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    return bool(left == right)


def declared_default(facts: OptionFacts) -> Any:
    """Default as `diff` shows it: {"required": true} for an option without one."""
    return REQUIRED if facts.required else facts.default


def _choices(facts: OptionFacts) -> Any:
    return facts.raw.get("c")


def since(cat: Catalog, section: str, name: str, release: str, holds: Callable[[OptionFacts | None], bool]) -> str:
    """First release of the unbroken run up to `release` in which `holds(facts)` is true."""
    position = cat.ordinal(release)
    while position > 0 and holds(cat.get(section, name, cat.releases[position - 1])):
        position -= 1
    return cat.releases[position]


def between(cat: Catalog, section: str, name: str, old: str, new: str) -> list[Change]:
    """Changes of one option from `old` to `new` (either may be the newer release)."""
    before, after = cat.get(section, name, old), cat.get(section, name, new)
    if before is None and after is None:
        return []
    if after is None:
        return [_gone(cat, section, name, before, old, new)]
    if before is None:
        first = since(cat, section, name, new, lambda facts: facts is not None)
        return [Change("added", section, name, None, declared_default(after), first)]
    return list(_altered(cat, section, name, before, after, new))


def _gone(cat: Catalog, section: str, name: str, before: OptionFacts | None, old: str, new: str) -> Change:
    first = since(cat, section, name, new, lambda facts: facts is None)
    default = declared_default(before) if before is not None else None
    pair = rename_of(cat, section, name)
    if pair is None:
        return Change("removed", section, name, default, None, first)
    if pair.new is None or not any(cat.get(s, pair.new, new) for s in (section, "engine", "cli", "config")):
        return Change("removed", section, name, default, None, first, None, pair.note or None)
    return Change("renamed", section, name, name, pair.new, first, pair.new, pair.note or None)


def _altered(cat: Catalog, section: str, name: str, before: OptionFacts, after: OptionFacts, new: str) -> list[Change]:
    found = []
    was, now = declared_default(before), declared_default(after)
    if not same(was, now):
        first = since(cat, section, name, new, lambda f: f is not None and same(declared_default(f), now))
        found.append(Change("default", section, name, was, now, first))
    was, now = _choices(before), _choices(after)
    if not same(_sorted(was), _sorted(now)):
        first = since(cat, section, name, new, lambda f: f is not None and same(_choices(f), now))
        found.append(Change("choices", section, name, was, now, first))
    if after.deprecated and not before.deprecated:
        first = since(cat, section, name, new, lambda f: f is not None and f.deprecated is not None)
        found.append(Change("deprecated", section, name, None, after.deprecated, first))
    return found


def _sorted(values: Any) -> Any:
    return sorted(values, key=str) if isinstance(values, list) else values


# -- names ---------------------------------------------------------------------------------------


def rename_of(cat: Catalog, section: str, name: str) -> Rename | None:
    """The curated pair of an option. A flag takes the pair of the engine argument it sets."""
    for pair in cat.renames:
        if pair.section == section and pair.old == name:
            return pair
    if section in ("cli", "llm"):
        argument = name.lstrip("-").replace("-", "_")
        for pair in cat.renames:
            if pair.section == "engine" and pair.old == argument:
                return _as_flag(pair) if section == "cli" else pair
    return None


def _as_flag(pair: Rename) -> Rename:
    def flag(name: str) -> str:
        return "--" + name.replace("_", "-")

    new = flag(pair.new) if pair.new else None
    raw = {"section": "cli", "old": flag(pair.old), "new": new, "since": pair.since}
    return Rename({**raw, "polarity": pair.polarity, "note": pair.note})


def nearest(cat: Catalog, section: str, name: str, release: str, limit: int = 3) -> list[str]:
    """Names of a section most like this one, best first; empty when none is close."""
    import difflib

    names = cat.names(section, release)
    if name.startswith("-"):
        names = names | frozenset(cat.flags(release)) if section in ("cli", "frontend") else names
    return difflib.get_close_matches(name, sorted(names), limit, 0.7)


class Abbreviation(NamedTuple):
    """How argparse takes an option string: exact, unique (an abbreviation), ambiguous or unknown."""

    kind: str
    matches: list[str]


def abbreviation(flags: FlagTable, option: str) -> Abbreviation:
    """What argparse makes of a long option string (dashes, no `=value`)."""
    if option in flags:
        return Abbreviation("exact", [option])
    matches = flags.matching(option) if option.startswith("--") else []
    if not matches:
        return Abbreviation("unknown", [])
    return Abbreviation("unique" if len(matches) == 1 else "ambiguous", matches)


def refused_choice(facts: OptionFacts, value: Any) -> bool:
    """True when the option has a closed list of choices and this value is not among them."""
    choices = facts.choices
    return choices is not None and not facts.open and not any(same(value, choice) for choice in choices)
