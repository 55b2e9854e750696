"""What the files of a run gave, put together: each place once, pins in a shared parent judged by who inherits them.

Files are judged one by one, or in several processes; what they give is light and says by itself all that the merge
needs. Parts merged in the order of their files give what one process gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.dialects.model import Program, Subject
from vllm_migrate.dialects.tree import Place
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.report.finding import CHECKLIST, RUNNING, SEVERITIES, Finding
from vllm_migrate.report.findings import is_unread
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Firing, identity

# Compositions in which a file may have children that inherit from it.
SHARING = frozenset(("hydra", "parent_files", "ordered_files"))

STOPS = "broken-config"
REFUSED = ("bool-cli-value", "unknown-option")  # no error by itself, and the parser refuses it
# How many children a message names.
SHOWN = 3

# Path of a file, dotted path of a mapping in it, and the number of the document (a literal of a program is one, too).
Home = tuple[str, str, int]
# Per option that a fix may pin: the value at the source, and whether the engine sets its own.
Pins = dict[str, tuple[object, bool]]
Identity = tuple[str, str, int, str]


def stopping(found: Finding | Firing) -> bool:
    """Whether a finding keeps its engine, or its program, from starting."""
    refused = found.severity == "error" or found.name in REFUSED
    return refused and found.layer == STOPS and found.kind != CHECKLIST and found.name not in RUNNING


class Ran(NamedTuple):
    """What an engine ran with: the file it is in, a mapping it inherits from, the options that fixes pin, and whether nothing
    shows its release."""

    home: Home
    path: str
    values: Pins
    assumed: bool


class Candidate(NamedTuple):
    """A finding on its way into the report.

    severity: as it is now; line: where a suppression comment for it stands; path: of its engine's file ("" without);
    home: where a new setting of the engine goes, when others may share that; chain: the mappings it inherits from, the
    root first; actions: of its fix, where that changes nothing written; pins: what its fix sets anew; children: other
    files that inherit the place; own: it holds for the file that it stands in, too; engineless: no engine is known
    for it; assumed: nothing shows the release that its engine ran; finding: as reports have it; fired: as
    rules made it, where that is kept.
    """

    identity: Identity
    severity: str
    line: int
    name: str
    path: str = ""
    home: Home | None = None
    chain: tuple[Home, ...] = ()
    actions: tuple[tuple[str, str, object], ...] | None = None
    pins: tuple[tuple[str, object], ...] = ()
    children: tuple[str, ...] = ()
    own: bool = True
    engineless: bool = False
    assumed: bool = False
    finding: Finding | None = None
    fired: Firing | None = None

    @property
    def code(self) -> str:
        return self.identity[0]

    @property
    def place(self) -> str:
        """The path of the file it stands in."""
        return self.identity[1]

    @property
    def stops(self) -> bool:
        """Whether it keeps its engine, or its program, from starting."""
        found = self.fired if self.finding is None else self.finding
        return found is not None and stopping(found)

    def of_severity(self, severity: str) -> Candidate:
        """The same with another severity."""
        if severity == self.severity:
            return self
        finding = self.finding._replace(severity=severity) if self.finding is not None else None
        fired = self.fired._replace(severity=severity) if self.fired is not None else None
        return self._replace(severity=severity, finding=finding, fired=fired)

    def adding(self, text: str) -> Candidate:
        """The same with more at the end of its message."""
        finding = self.finding._replace(message=self.finding.message + text) if self.finding is not None else None
        fired = self.fired._replace(message=self.fired.message + text) if self.fired is not None else None
        return self._replace(finding=finding, fired=fired)


def candidate_of(fired: Firing, home: Home | None = None) -> Candidate:
    """What the merge has to know of a finding. home: of its engine (see `home_of`)."""
    engine, fix, spot = fired.engine, fired.fix, fired.spot
    actions = fix.actions if fix is not None else ()
    chain: tuple[Home, ...] = ()
    if home is not None and engine is not None and engine.site is not None:
        chain = tuple(_home(place, engine) for place in engine.site.places)
    whole = fix is not None and all(action.written is None for action in actions)
    source = spot.file.source
    return Candidate(
        identity(fired),
        fired.severity,
        1 if is_unread(spot.file) else source.position(min(spot.start, len(source.text))).line,
        fired.name,
        engine.file.path if engine is not None else "",
        home,
        chain,
        tuple((action.kind, action.option, action.value) for action in actions) if whole else None,
        tuple((action.option, action.value) for action in actions if action.pins),
        own=engine is None or engine.file is spot.file,
        engineless=isinstance(engine, Program),
        assumed=engine is not None and engine.situation.assumed,
        fired=fired,
    )


def home_of(engine: Subject) -> Home | None:
    """Where a new setting of an engine belongs, when that may be a shared parent."""
    place = engine.home() if engine.file.shell is None and engine.dialect.compose in SHARING else None
    return _home(place, engine) if place is not None else None


def _home(place: Place, engine: Subject) -> Home:
    return os.path.normpath(place.file.path), engine.site_path, place.index


def pins_of(engine: Subject, source: View, target: View, options: Iterable[str]) -> Pins | None:
    """What an engine ran with whose pins go to a parent that others may share; None for any other."""
    if home_of(engine) is None:
        return None
    arrived = target.delivery.values
    return {
        option: (source.name(option), option in arrived and arrived[option].written is not None) for option in options
    }


def ran(engine: Subject, pins: Pins | None) -> Iterator[Ran]:
    """What an engine ran with, at every place from which it inherits."""
    if engine.site is None or pins is None:
        return
    for home in dict.fromkeys(_home(place, engine) for place in engine.site.places):
        yield Ran(home, engine.file.path, pins, engine.situation.assumed)


def pinned_options(knowledge: Knowledge) -> list[str]:
    """The options that any rule's fix sets."""
    out: dict[str, None] = {}
    for rule in knowledge.rules:
        for action in rule.fix.do if rule.fix is not None else ():
            if action.set and "." not in action.set:
                out[action.set] = None
    return list(out)


def pins_written(knowledge: Knowledge) -> tuple[tuple[str, object], ...]:
    """The options, with their values, that fixes write: a file that has them may be one that was fixed, and not yet moved."""
    fixes = [action for rule in knowledge.rules if rule.fix is not None for action in rule.fix.do]
    return tuple((action.set, action.to) for action in fixes if action.set and action.to is not None)


class Unique:
    """Candidates by identity, each once: the most severe; of equals one for which an engine is known, else the first."""

    __slots__ = ("_children", "_kept", "_others", "_own")

    def __init__(self) -> None:
        self._kept: dict[Identity, Candidate] = {}
        self._own: set[Identity] = set()
        self._children: dict[Identity, dict[str, None]] = {}
        self._others: dict[Identity, list[Firing]] = {}

    def add(self, candidate: Candidate) -> bool:
        """Whether the candidate is now the one for its identity. The file of its engine is a child of another place."""
        key = candidate.identity
        known = self._kept.get(key)
        wins = known is None or _weight(candidate) > _weight(known)
        loser = known if wins else candidate
        if loser is not None and loser.fired is not None and loser.fired.replaces_variable:
            self._others.setdefault(key, []).extend((loser.fired._replace(others=()), *loser.fired.others))
        if wins:
            self._kept[key] = candidate
        if candidate.own:
            self._own.add(key)
        children = self._children.setdefault(key, {})
        children.update(dict.fromkeys(candidate.children))
        if candidate.path and candidate.path != candidate.place:
            children[candidate.path] = None
        return wins

    def fired(self, candidate: Candidate) -> Firing | None:
        """What the rules made of it, with the same on further engines that its variable reaches."""
        fired, others = candidate.fired, self._others.get(candidate.identity)
        return fired._replace(others=(*fired.others, *others)) if fired is not None and others else fired

    def replace(self, candidate: Candidate) -> None:
        """Put another form of a candidate that is kept in its place."""
        self._kept[candidate.identity] = candidate

    def drop(self, candidate: Candidate) -> None:
        """Forget a candidate."""
        self._kept.pop(candidate.identity, None)

    def all(self) -> list[Candidate]:
        """Every candidate with its children, in the order in which their identities came."""
        return [
            candidate._replace(children=tuple(self._children[key]), own=key in self._own, fired=self.fired(candidate))
            for key, candidate in self._kept.items()
        ]


def _weight(candidate: Candidate) -> tuple[int, bool]:
    return SEVERITIES.index(candidate.severity), not candidate.engineless


def settled(candidates: list[Candidate], engines: Iterable[Ran]) -> list[Candidate]:
    """The candidates with pins lowered that an inheriting engine contradicts, without those that a parent's pin settles
    as well, in order of place."""
    homes: dict[Home, list[Ran]] = {}
    shown: set[tuple[str, str]] = set()
    for engine in engines:
        homes.setdefault(engine.home, []).append(engine)
        if not engine.assumed:
            shown.add((engine.home[0], engine.path))
    inherited: dict[str, set[str]] = {}
    for home, path in shown:
        inherited.setdefault(home, set()).add(path)
    lowered = [_lowered(candidate, homes.get(candidate.home, []) if candidate.home else []) for candidate in candidates]
    return sorted(
        (_naming(each, homes) for each in _without_children(lowered) if not _is_guess(each, inherited)),
        key=lambda c: (c.place, c.identity[2], -SEVERITIES.index(c.severity), c.code, c.identity[3]),
    )


def _is_guess(candidate: Candidate, inherited: dict[str, set[str]]) -> bool:
    """Whether a finding compares a parent with a release that nothing shows, and none of those that inherit from it and whose
    releases are known (`inherited`: their paths by the parent's) has it."""
    known = inherited.get(os.path.normpath(candidate.path)) if candidate.assumed else None
    return known is not None and known.isdisjoint(candidate.children)


def _naming(candidate: Candidate, homes: dict[Home, list[Ran]]) -> Candidate:
    """Where a finding stands in a parent and holds for some of those that inherit from it only, its message names them."""
    if candidate.own or not candidate.children:
        return candidate
    place = os.path.normpath(candidate.place)
    home = next((home for home in candidate.chain if home[0] == place), None)
    inheriting = {engine.path for engine in homes.get(home, ())} if home is not None else set()
    if inheriting <= set(candidate.children):
        return candidate
    named, more = candidate.children[:SHOWN], len(candidate.children) - SHOWN
    return candidate.adding(f"; this holds for {', '.join(named)}" + (f" and {more} more" if more > 0 else ""))


def _lowered(candidate: Candidate, engines: list[Ran]) -> Candidate:
    """A safe pin is for review when an engine that inherits it ran with another value."""
    if not any(
        _differs(engine, option, value)
        for engine in engines
        if engine.path != candidate.path
        for option, value in candidate.pins
    ):
        return candidate
    finding, fired = candidate.finding, candidate.fired
    if finding is not None and finding.fix is not None and finding.fix.safety == "safe":
        finding = finding._replace(fix=finding.fix._replace(safety="review"))
    if fired is not None and fired.fix is not None and fired.fix.safety == "safe":
        fired = fired._replace(fix=fired.fix._replace(safety="review", with_version="review"))
    return candidate._replace(finding=finding, fired=fired)


def _differs(engine: Ran, option: str, value: object) -> bool:
    """Whether an engine that does not set an option itself ran, or may have run, with another value."""
    known = engine.values.get(option)
    if known is None or known[1]:
        return False
    return isinstance(known[0], Undetermined) or not same(known[0], value)


def _without_children(candidates: list[Candidate]) -> list[Candidate]:
    """The candidates without those that a pin in a parent settles as well: the parent's names the children instead.

    A child whose finding is more severe than its parent's keeps it.
    """
    parents: dict[tuple[str, str, str, Home | None], Candidate] = {
        (candidate.code, candidate.identity[3], candidate.severity, candidate.home): candidate
        for candidate in candidates
        if candidate.home is not None and candidate.home[0] == os.path.normpath(candidate.place)
    }
    children: dict[Identity, dict[str, None]] = {}
    kept: list[Candidate] = []
    for candidate in candidates:
        parent = _settled_by(candidate, parents)
        if parent is None:
            kept.append(candidate)
            continue
        paths = (candidate.path, *children.get(candidate.identity, candidate.children))
        below = children.setdefault(parent.identity, dict.fromkeys(parent.children))
        below.update(dict.fromkeys(path for path in paths if path))
    return [
        candidate._replace(children=tuple(children.get(candidate.identity, candidate.children))) for candidate in kept
    ]


def _settled_by(candidate: Candidate, parents: dict[tuple[str, str, str, Home | None], Candidate]) -> Candidate | None:
    """The candidate on a parent, the root of the chain first, whose pin reaches this one's engine too."""
    if candidate.home is None or candidate.actions is None:
        return None
    for home in candidate.chain:
        parent = parents.get((candidate.code, candidate.identity[3], candidate.severity, home))
        if parent is not None and parent is not candidate and parent.actions == candidate.actions:
            return parent
    return None
