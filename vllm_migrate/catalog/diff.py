"""Everything that changed between two releases, and the three ways to print it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from vllm_migrate.catalog import changes, details, relevance
from vllm_migrate.catalog.changes import KINDS, Change
from vllm_migrate.catalog.store import SECTIONS, Catalog

LAYERS = ("semantic", "inference-path", "weight-update", "numerics", "broken-config", "performance")
_BROKEN = ("removed", "renamed", "choices")


def diff(cat: Catalog, old: str, new: str) -> list[Change]:
    """Changes from `old` to `new` in the order of kinds, sections and names. Raises UnknownRelease."""
    old, new = cat.canonical(old), cat.canonical(new)
    found: list[Change] = []
    for section in SECTIONS:
        names = cat.names(section, old) | cat.names(section, new)
        for name in names:
            if not hidden(cat, section, name, old, new):
                found += changes.between(cat, section, name, old, new)
    found = _moved_out(found)
    found += resolved(cat, old, new) + _gates(cat, old, new)
    return sorted(found, key=lambda c: (KINDS.index(c.kind), SECTIONS.index(c.section), c.option))


def hidden(cat: Catalog, section: str, name: str, old: str, new: str) -> bool:
    """Private names, and arguments of AsyncEngineArgs alone: those are shown as the flags they are."""
    if name.rpartition(".")[2].startswith("_"):
        return True
    return section == "engine" and (cat.is_async_only(name, new) or cat.is_async_only(name, old))


def _moved_out(found: list[Change]) -> list[Change]:
    """Drop the pair a flag leaves when it moves between the cli and frontend sections."""
    gone = {c.option for c in found if c.kind in ("removed", "renamed") and c.section in ("cli", "frontend")}
    added = {c.option for c in found if c.kind == "added" and c.section in ("cli", "frontend")}
    moved = gone & added
    return [c for c in found if not (c.option in moved and c.section in ("cli", "frontend"))]


def resolved(cat: Catalog, old: str, new: str) -> list[Change]:
    """Engine arguments with the same declared default that the source resolves differently later on."""
    details_of = details.load(cat)
    found = []
    for name in sorted(cat.names("engine", old) & cat.names("engine", new)):
        was, now = _resolution(details_of, name, old), _resolution(details_of, name, new)
        if was == now or hidden(cat, "engine", name, old, new):
            continue
        position = cat.ordinal(new)
        while position > 0 and _resolution(details_of, name, cat.releases[position - 1]) == now:
            position -= 1
        found.append(Change("resolves", "engine", name, was, now, cat.releases[position]))
    return found


def _resolution(details_of: details.Details, name: str, release: str) -> list[str]:
    """`value if conditions` of every place that sets the option, platform hooks other than CUDA's left out."""
    lines = []
    handed_on = (name, f"self.{name}", f"self.{name} or {{}}", f"{name} or {{}}")
    for place, entries in details_of.late_of(name, release).items():
        if not place.startswith(("CpuPlatform", "RocmPlatform")):
            lines += [f"{v} if {guard}" if guard else v for guard, v in entries if guard or v not in handed_on]
    return list(dict.fromkeys(lines))


def _gates(cat: Catalog, old: str, new: str) -> list[Change]:
    """Routes that are in both releases behind different conditions."""
    found = []
    for name in sorted(cat.names("route", old) & cat.names("route", new)):
        was, now = _gate(cat, name, old), _gate(cat, name, new)
        if was != now:
            position = cat.ordinal(new)
            while position > 0 and _gate(cat, name, cat.releases[position - 1]) == now:
                position -= 1
            found.append(Change("resolves", "route", name, was, now, cat.releases[position]))
    return found


def _gate(cat: Catalog, name: str, release: str) -> Any:
    facts = cat.get("route", name, release)
    return None if facts is None else facts.extra("gate") or "always"


# -- filters -------------------------------------------------------------------------------------


def layer_of(change: Change, table: dict[str, str]) -> str | None:
    """The layer a change belongs to; None when nothing says so."""
    names = [change.option, change.option.rpartition(".")[2], change.option.lstrip("-").replace("-", "_")]
    for name in names:
        if name in table:
            return table[name]
    return "broken-config" if change.kind in _BROKEN else None


def select(
    found: Iterable[Change],
    kinds: Iterable[str] = (),
    option: str | None = None,
    rl: bool = False,
    layer: str | None = None,
    sections: Iterable[str] = (),
) -> list[Change]:
    """Changes of these kinds and sections, whose option holds this text, that touch RL, of this layer."""
    kinds, sections = set(kinds), set(sections)
    table = relevance.layers() if rl or layer else {}
    wanted = spelling(option) if option else ""
    kept = []
    for change in found:
        if (kinds and change.kind not in kinds) or (sections and change.section not in sections):
            continue
        if wanted and wanted not in spelling(change.option):
            continue
        if rl and not _touches_rl(change, table):
            continue
        if layer and layer_of(change, table) != layer:
            continue
        kept.append(change)
    return kept


def _touches_rl(change: Change, table: dict[str, str]) -> bool:
    return layer_of(change, table) not in (None, "broken-config", "performance") or (
        change.section in ("api", "route") and change.option in table
    )


def spelling(name: str) -> str:
    """A name however it is written: as a flag, an argument or a variable."""
    return name.lower().lstrip("-").replace("-", "_")


# -- printing ------------------------------------------------------------------------------------


def as_json(old: str, new: str, found: list[Change]) -> str:
    """The contract of `diff --output-format json`."""
    body = {"schema": 1, "from": old, "to": new, "changes": [change.as_dict() for change in found]}
    return json.dumps(body, ensure_ascii=False, indent=1)


CUT = "..."
BEFORE = 12  # characters of what two values share, before the first in which they differ
SHORT = 60  # of an expression: a line of text has two of them


def shown(value: Any, width: int = 60) -> str:
    """A value in one short line."""
    if isinstance(value, dict) and set(value) == {"expr"}:
        text = str(value["expr"])
    elif value == changes.REQUIRED:
        text = "(required)"
    else:
        text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= width else text[: width - len(CUT)] + CUT


def distinct(old: Any, new: Any, width: int) -> tuple[str, str]:
    """Both values in a short line; where they would be cut before they differ, from shortly before they do."""
    whole = shown(old, sys.maxsize), shown(new, sys.maxsize)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*whole, strict=False)))
    if same < width - len(CUT):
        return shown(old, width), shown(new, width)
    blank = whole[0].rfind(" ", same - width // 2, same - BEFORE)
    start = blank + 1 if blank >= 0 else same - BEFORE
    one, other = (CUT + shown(text[start:], width - len(CUT)) for text in whole)
    return one, other


def headline(old: str, new: str, found: list[Change]) -> list[str]:
    """Counts per section: removed, new, with a new default."""
    lines = []
    for section in SECTIONS:
        mine = [c for c in found if c.section == section]
        counts = {
            "removed": sum(c.kind in ("removed", "renamed") for c in mine),
            "new": sum(c.kind == "added" for c in mine),
            "with a new default": sum(c.kind == "default" for c in mine),
            "resolve differently": sum(c.kind == "resolves" for c in mine),
        }
        words = [f"{number} {word}" for word, number in counts.items() if number]
        if words:
            lines.append(f"{section}: {', '.join(words)}")
    return lines


TITLES = {
    "removed": "Removed",
    "renamed": "Renamed",
    "added": "New",
    "default": "Default changed",
    "resolves": "Resolves differently",
    "choices": "Choices changed",
    "deprecated": "Deprecated",
}


def describe(change: Change) -> str:
    """What changed, without the option's name."""
    if change.kind == "renamed":
        text = f"-> {change.replaced_by}"
    elif change.kind == "removed":
        text = "" if change.old is None else f"its default was {shown(change.old)}"
    elif change.kind == "added":
        text = shown(change.new)
    elif change.kind == "deprecated":
        text = shown(change.new, 100)
    elif change.kind == "choices":
        text = _choice_change(change.old, change.new)
    elif isinstance(change.old, list) and change.kind == "resolves":
        text = _resolution_change(change.old, change.new)
    else:
        text = " -> ".join(distinct(change.old, change.new, 60))
    return f"{text} ({change.note})" if change.note else text


def _choice_change(old: Any, new: Any) -> str:
    if not isinstance(old, list) or not isinstance(new, list):
        return " -> ".join("any value" if side is None else shown(side) for side in (old, new))
    less = [str(v) for v in old if v not in new]
    more = [str(v) for v in new if v not in old]
    return "; ".join(f"{word} {', '.join(part)}" for word, part in (("removes", less), ("adds", more)) if part)


def _resolution_change(old: list[str], new: list[str]) -> str:
    less = [line for line in old if line not in new]
    more = [line for line in new if line not in old]
    if less and more:
        was, now = distinct(less[0], more[0], SHORT)
        parts = [f"no longer {was}", f"now {now}"]
    else:
        parts = [f"no longer {shown(one, SHORT)}" for one in less[:1]] + [
            f"now {shown(one, SHORT)}" for one in more[:1]
        ]
    left = len(less[1:]) + len(more[1:])
    return "; ".join(parts) + (f" (and {left} more place{'s' if left > 1 else ''})" if left else "")


def whole_story(found: list[Change]) -> list[str]:
    """Where to read what the changes show only in part."""
    cut = any(CUT in describe(change) for change in found)
    return ["", "`vllm-migrate explain OPTION` shows what is cut off here"] if cut else []


def as_text(old: str, new: str, found: list[Change]) -> str:
    """Grouped by kind, one change a line."""
    lines = [f"vLLM {old} -> {new}: {len(found)} changes", *headline(old, new, found)]
    for kind in KINDS:
        mine = [c for c in found if c.kind == kind]
        if mine:
            lines += ["", f"{TITLES[kind]} ({len(mine)})"]
            lines += [f"  {c.since:<9} {c.section:<9} {c.option}  {describe(c)}".rstrip() for c in mine]
    return "\n".join([*lines, *whole_story(found)])


def as_markdown(old: str, new: str, found: list[Change]) -> str:
    """A heading and a table per kind."""
    lines = [f"# vLLM {old} to {new}", "", *[f"- {line}" for line in headline(old, new, found)]]
    for kind in KINDS:
        mine = [c for c in found if c.kind == kind]
        if not mine:
            continue
        lines += ["", f"## {TITLES[kind]}", "", "| since | section | option | change |", "|---|---|---|---|"]
        for c in mine:
            what = describe(c).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| {c.since} | {c.section} | `{c.option}` | {what} |")
    return "\n".join([*lines, *whole_story(found)])
