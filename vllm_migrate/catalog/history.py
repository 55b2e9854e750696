"""The life of one option over all releases, for `explain OPTION`."""

from __future__ import annotations

import sys
import textwrap
from typing import Any, NamedTuple

from vllm_migrate.catalog import changes
from vllm_migrate.catalog.details import Details, LateEntry
from vllm_migrate.catalog.details import load as load_details
from vllm_migrate.catalog.diff import shown
from vllm_migrate.catalog.store import SECTIONS, Catalog, OptionFacts

NAMESAKES = ("engine", "cli", "frontend", "llm", "sampling", "config", "request", "env", "env_other", "api")


class Span(NamedTuple):
    """One state of an option: from `since` up to before `until` (None: to the newest release)."""

    since: str
    until: str | None
    facts: OptionFacts


class Story(NamedTuple):
    """One option of one section."""

    section: str
    option: str
    spans: list[Span]
    doc: str
    replaced_by: str | None
    note: str | None
    late: dict[str, list[LateEntry]]  # places of the newest release that has it which set it later on


class Explanation(NamedTuple):
    """Every section that knows the name, the engine argument first."""

    name: str
    releases: tuple[str, ...]
    stories: list[Story]


def explain_option(cat: Catalog, name: str) -> Explanation | None:
    """The life of an option given in any spelling: `swap_space`, `--swap-space`, `CompilationConfig.level`.

    None when no release ever had it.
    """
    pairs = found(cat, name)
    if not pairs:
        return None
    details = load_details(cat)
    return Explanation(name, cat.releases, [_story(cat, section, option, details) for section, option in pairs])


def found(cat: Catalog, name: str) -> list[tuple[str, str]]:
    """(section, option) pairs this spelling names, the engine argument first."""
    bare = name.strip().lstrip("-")
    argument, flag = bare.replace("-", "_"), "--" + bare.replace("_", "-")
    spellings = {name, argument, flag, bare, name.upper() if "VLLM_" in name.upper() else name}
    positive = "--" + flag.removeprefix("--no-") if flag.startswith("--no-") else flag
    pairs = []
    for section in SECTIONS:
        names = set(cat.all_names(section))
        exact = [s for s in (name, argument, bare, flag, positive, name.upper()) if s in names]
        tails = (
            [] if exact or section not in ("config", "route", "api", "request") else _tails(names, spellings, section)
        )
        pairs += [(section, option) for option in dict.fromkeys(exact or tails)]
    return pairs


def _tails(names: set[str], spellings: set[str], section: str) -> list[str]:
    separator = " " if section == "route" else "."
    return sorted(n for n in names if n.rpartition(separator)[2] in spellings)


def _story(cat: Catalog, section: str, option: str, details: Details) -> Story:
    spans = _apart([Span(*one) for one in cat.life(section, option)])
    last = cat.releases[-1] if spans[-1].until is None else cat.releases[cat.ordinal(spans[-1].until) - 1]
    gone = spans[-1].until is not None
    pair = changes.rename_of(cat, section, option) if gone else None
    doc = details.doc(section, option, last)
    late = details.late_of(option, last) if section == "engine" else {}
    return Story(section, option, spans, doc, pair.new if pair else None, pair.note if pair else None, late)


def _apart(spans: list[Span]) -> list[Span]:
    """The spans whose neighbours differ by more than the order of their choices."""
    found: list[Span] = []
    for span in spans:
        before = found[-1] if found else None
        if before is not None and before.until == span.since and _unordered(before.facts) == _unordered(span.facts):
            found[-1] = before._replace(until=span.until)
        else:
            found.append(span)
    return found


def _unordered(facts: OptionFacts) -> dict[str, Any]:
    return {**facts.raw, "c": sorted(facts.choices, key=str) if facts.choices else facts.raw.get("c")}


# -- printing ------------------------------------------------------------------------------------


def render_text(explanation: Explanation, width: int = sys.maxsize) -> str:
    """Every story as a line of releases, its changes below; wrapped at words."""
    stories = ([_wrapped(line, width) for line in _lines(explanation, story)] for story in explanation.stories)
    return "\n\n".join("\n".join(lines) for lines in stories)


def _wrapped(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent + "    ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def _lines(explanation: Explanation, story: Story) -> list[str]:
    lines = [f"{story.option} ({story.section})", f"  {timeline(explanation.releases, story.spans)}"]
    lines += [f"  {release:<10} {what}" for release, what in steps(story)]
    if story.doc:
        lines.append("  " + story.doc.split("\n\n")[0])
    if story.late:
        lines.append("  set later on by:")
        lines += [f"    {where}: {what}" for where, what in late_steps(story)]
    return lines


def steps(story: Story) -> list[tuple[str, str]]:
    """Each release in which an option changed, and what changed in it."""
    found: list[tuple[str, str]] = []
    before: OptionFacts | None = None
    for span in story.spans:
        found.append((span.since, _state(span.facts, before)))
        before = span.facts
    if story.spans[-1].until is not None:
        word = f"removed; now {story.replaced_by}" if story.replaced_by else "removed"
        found.append((story.spans[-1].until, word + (f" ({story.note})" if story.note else "")))
    return found


def late_steps(story: Story) -> list[tuple[str, str]]:
    """The places that set an option after it was parsed, and to what under which condition."""
    return [
        (place.partition(":")[0], shown(value, 60) + (f"  if {guard}" if guard else ""))
        for place, entries in story.late.items()
        for guard, value in entries
    ]


def states(releases: tuple[str, ...], spans: list[Span]) -> list[tuple[int, int]]:
    """The spans as positions of releases: the first that has the state, and the one after the last."""
    position = {release: i for i, release in enumerate(releases)}
    return [(position[span.since], position[span.until] if span.until else len(releases)) for span in spans]


def timeline(releases: tuple[str, ...], spans: list[Span]) -> str:
    """`0.8.5 ====|==== 0.33.0`: one mark per release; `.` not there, `=` there, `|` there and changed."""
    marks = ["."] * len(releases)
    for number, (start, stop) in enumerate(states(releases, spans)):
        for i in range(start, stop):
            marks[i] = "|" if i == start and number else "="
    return f"{releases[0]} {''.join(marks)} {releases[-1]}"


def _state(facts: OptionFacts, before: OptionFacts | None) -> str:
    words = []
    default = changes.declared_default(facts)
    if before is None or not changes.same(default, changes.declared_default(before)):
        words.append(f"default {shown(default)}")
    if facts.type and (before is None or facts.type != before.type):
        words.append(facts.type if before is None else f"type {facts.type}")
    if facts.choices and (before is None or set(map(str, facts.choices)) != set(map(str, before.choices or []))):
        words.append(_choices(facts, before))
    for key in ("gate", "task"):
        if facts.extra(key) and (before is None or facts.extra(key) != before.extra(key)):
            words.append(f"{key} {facts.extra(key)}")
    if facts.deprecated and (before is None or not before.deprecated):
        words.append(f"deprecated: {shown(facts.deprecated, 90)}")
    return "; ".join(words) or "changed in a detail"


def _choices(facts: OptionFacts, before: OptionFacts | None) -> str:
    now: list[Any] = facts.choices or []
    if before is None or not before.choices:
        return "choices " + shown(", ".join(map(str, now)), 120)
    less = [str(v) for v in before.choices if v not in now]
    more = [str(v) for v in now if v not in before.choices]
    parts = [f"{sign}{name}" for sign, group in (("-", less), ("+", more)) for name in group]
    return "choices " + shown(" ".join(parts), 120)
