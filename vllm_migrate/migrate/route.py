"""The releases between the two of a move, and which of them every engine of the project can stand on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from vllm_migrate.catalog import requires
from vllm_migrate.catalog.requires import Requires
from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.frameworks import Unfit, of_frameworks
from vllm_migrate.dialects.situation import Known, Situation
from vllm_migrate.errors import UsageError
from vllm_migrate.migrate.plan import OUTSIDE_TARGET, session_of
from vllm_migrate.report.finding import CHECKLIST
from vllm_migrate.report.headline import quoted
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.finding import Firing
from vllm_migrate.rules.judge import judge
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.merge import stopping
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

# stands: every engine starts as it is written; edits: it does once the edits for that release are made; fault: it does, and a
# fault of that release, or something that no edit settles there, meets what the engines are set to; stops: one does not start.
Mark = Literal["stands", "edits", "fault", "stops"]
MARKS: tuple[Mark, ...] = ("stands", "edits", "fault", "stops")
# Series of releases from which on a way is long.
LONG = 12


class Reason(NamedTuple):
    """Why a release is no better stop. path, line: of the first place; places: how many there are; code and name are "" for what
    no rule says; instead: the end of the message that says what this release asks for."""

    mark: Mark
    code: str
    name: str
    path: str
    line: int
    message: str
    places: int = 1
    instead: str = ""


class Stop(NamedTuple):
    release: str
    mark: Mark
    reasons: tuple[Reason, ...]


class Route(NamedTuple):
    """The stops of one project, oldest first; the last one is the target. engines: how many have to stand on each; later: how
    many of them run a release after the source today, by release: before that, nothing is said of them."""

    root: str
    source: str
    target: str
    engines: int
    stops: tuple[Stop, ...]
    later: Mapping[str, int] = {}

    def at(self, release: str) -> Stop | None:
        return next((stop for stop in self.stops if stop.release == release), None)


def routes(options: Options) -> tuple[tuple[Route, ...], int]:
    """The route of each project that moves, by root, and how many input files there were. Raises UsageError."""
    _, session = session_of(options)
    result = session.run(keep=True)
    by_root: dict[str, list[JudgedEngine]] = {}
    for judged in result.judged:
        if judged.engine.situation.moves and not session.catalog.is_added(judged.target.release):
            by_root.setdefault(judged.engine.situation.project, []).append(judged)
    needs = requires.load()
    return tuple(_route(root, engines, session, needs) for root, engines in sorted(by_root.items())), result.files


def check_stops(stops: Iterable[str], found: Iterable[Route]) -> None:
    """Raises UsageError for a stop that lies on no way."""
    known = {stop.release for route in found for stop in route.stops}
    for release in stops:
        if release not in known:
            raise UsageError(f"--via {release} is not between the two releases", "`vllm-migrate route` lists the stops")


def _route(root: str, engines: list[JudgedEngine], session: Session, needs: Requires) -> Route:
    catalog = session.catalog
    sources = [judged.source.release for judged in engines]
    first = min(sources, key=catalog.ordinal)
    target = max((judged.target.release for judged in engines), key=catalog.ordinal)
    last = _settled({judged.engine.id: list(_firings(judged, target)) for judged in engines}.values())
    stops = [_stop(release, engines, last, session, needs, root) for release in between(first, target, catalog)]
    later = Counter(sorted((source for source in sources if source != first), key=catalog.ordinal))
    return Route(root.replace(os.sep, "/"), first, target, len(engines), tuple(stops), later)


def is_long(source: str, target: str, catalog: Catalog) -> bool:
    """Whether so many series lie between two releases that nobody goes the way in one step."""
    return len({".".join(release.split(".")[:2]) for release in between(source, target, catalog)}) > LONG


def between(source: str, target: str, catalog: Catalog) -> list[str]:
    """The final releases after one up to another; none on the way back."""
    low, high = catalog.ordinal(source), catalog.ordinal(target)
    return [
        release
        for release in catalog.releases[low + 1 : high + 1]
        if "rc" not in release and "dev" not in release and not catalog.is_added(release)
    ]


def _settled(findings: Iterable[list[Firing]]) -> frozenset[tuple[str, str]]:
    """What stays at the target without an edit: no other stop is worse for having it."""
    return frozenset((found.code, found.option) for each in findings for found in each if found.fix is None)


def _firings(judged: JudgedEngine, release: str) -> Iterator[Firing]:
    """What an engine would meet at a release."""
    source = judged.source
    catalog, knowledge = source.catalog, source.knowledge
    if catalog.ordinal(source.release) < catalog.ordinal(release):
        found = judge(judged.engine, source, View(judged.engine, release, catalog, knowledge), knowledge)
        yield from (fired for fired in found if fired.name != OUTSIDE_TARGET)


def _stop(
    release: str,
    engines: list[JudgedEngine],
    last: frozenset[tuple[str, str]],
    session: Session,
    needs: Requires,
    root: str,
) -> Stop:
    found: dict[tuple[str, str, str], Reason] = {}
    for judged in engines:
        for fired in _firings(judged, release):
            mark = _mark(fired, last)
            if mark is None:
                continue
            key = (mark, fired.code, fired.message)
            path, line = fired.spot.file.path, fired.spot.file.source.position(fired.spot.start).line
            before = found.get(key)
            found[key] = (
                before._replace(places=before.places + 1)
                if before is not None
                else Reason(mark, fired.code, fired.name, path, line, fired.message)
            )
    others = [
        Reason("stops", "", "", root, 0, unfit.text, instead=unfit.instead)
        for unfit in _refused(engines[0].engine.situation, release, session)
    ]
    reasons = sorted((*others, *found.values()), key=lambda reason: (-MARKS.index(reason.mark), reason))
    return Stop(release, reasons[0].mark if reasons else "stands", tuple(reasons))


def _mark(fired: Firing, last: frozenset[tuple[str, str]]) -> Mark | None:
    """What a finding makes of a stop; None where it makes nothing of it."""
    if fired.kind == CHECKLIST or fired.severity == "info":
        return None
    if fired.fix is not None:
        return "edits" if fired.severity == "error" else None
    if stopping(fired):
        return "stops"
    return "fault" if (fired.code, fired.option) not in last else None


def _refused(situation: Situation, release: str, session: Session) -> list[Unfit]:
    """Why the frameworks of a project do not run with a release."""
    frameworks = {name: Known(known.value, known.because) for name, known in situation.frameworks.items()}
    return of_frameworks(frameworks, session.knowledge.dialects, release)


# -- shown

SIGNS: dict[Mark, str] = {"stands": "o", "edits": "~", "fault": "!", "stops": "x"}
LEGEND = {
    "stands": "every engine starts as it is written",
    "edits": "it starts once `migrate --to` has made the edits for that release",
    "fault": "it starts, but a fault of that release affects these settings: do not run with it",
    "stops": "an engine does not start, or its framework does not run with it",
}


def as_text(found: Iterable[Route]) -> Iterator[str]:
    """Each project's releases as a line with marks, and why those are no good stops that are not."""
    used: set[Mark] = set()
    for route in found:
        engines = "1 engine" if route.engines == 1 else f"{route.engines} engines"
        yield f"{route.root}: vLLM {route.source} to {route.target}, {engines}"
        yield from (f"  {line}" for line in _line(route.stops))
        yield from (f"  {line}" for line in _later(route))
        used |= {stop.mark for stop in route.stops}
        on_the_way, to_settle = _apart(route)
        for releases, reason in on_the_way:
            yield f"  {SIGNS[reason.mark]} {_spans(releases, route)}: {_because(reason).replace('`', '')}"
        for releases, reason in to_settle:
            since = "" if releases[0] == route.target else f" (as of {releases[0]})"
            yield f"  to be settled for {route.target}{since}: {_because(reason).replace('`', '')}"
        yield ""
    yield from (f"{SIGNS[mark]}  {LEGEND[mark]}" for mark in MARKS if mark in used)


def _later(route: Route) -> Iterator[str]:
    """Engines of which the first releases say nothing."""
    for release, count in route.later.items():
        who, they = ("1 engine runs", "it is") if count == 1 else (f"{count} engines run", "they are")
        yield f"{who} {release} today and {they} assumed to start with it: checked as of the next release"


def _line(stops: Iterable[Stop]) -> Iterator[str]:
    """The releases, a line for each series of ten (0.8 and 0.9, 0.10 to 0.19, ...)."""
    lines: dict[int, list[str]] = {}
    for stop in stops:
        minor = int(stop.release.split(".")[1])
        lines.setdefault(minor // 10, []).append(f"{SIGNS[stop.mark]} {stop.release}")
    return ("  ".join(marks) for marks in lines.values())


Told = list[tuple[list[str], Reason]]


def _apart(route: Route) -> tuple[Told, Told]:
    """The reasons of releases on the way, and those that the target has as well: these are no reason to avoid a release."""
    told = together(route.stops, ("fault", "stops"))
    return (
        [each for each in told if route.target not in each[0]],
        [each for each in told if route.target in each[0]],
    )


def together(stops: Iterable[Stop], marks: tuple[Mark, ...]) -> list[tuple[list[str], Reason]]:
    """The reasons with these marks, each once, with the releases that have it."""
    found: dict[tuple[str, ...], tuple[list[str], Reason]] = {}
    for stop in stops:
        for reason in stop.reasons:
            if reason.mark in marks:
                key = (
                    reason.mark,
                    reason.code,
                    reason.path,
                    str(reason.line),
                    reason.message.removesuffix(reason.instead).replace(stop.release, ""),
                )
                releases, first = found.setdefault(key, ([], reason))
                releases.append(stop.release)
                if first.instead != reason.instead:  # each of these releases asks for something else
                    first = first._replace(message=first.message.removesuffix(first.instead), instead="")
                    found[key] = releases, first
    return list(found.values())


def _spans(releases: list[str], route: Route) -> str:
    """Releases in words; of more than two that follow each other the first and the last."""
    order = [stop.release for stop in route.stops]
    runs: list[list[str]] = []
    for release in dict.fromkeys(releases):
        if runs and order.index(release) == order.index(runs[-1][-1]) + 1:
            runs[-1].append(release)
        else:
            runs.append([release])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs]
    return ", ".join(words)


def advice(found: Iterable[Route], via: Iterable[str]) -> Iterator[str]:
    """Items of the checklist: each stop that was asked for, the bad ones, and those on which every engine can stand.

    What the target has as well is not said here: it is among what has to be settled.
    """
    via = list(via)
    for route in found:
        of = "" if route.root == os.curdir else f"{route.root}: "
        told, to_settle = _apart(route)
        bad = {release: reason for releases, reason in reversed(told) for release in releases}
        waits = {release for releases, _ in to_settle for release in releases}
        for release in via:
            if release in bad:
                yield f"{of}**do not run with** {release}: {_because(bad[release])}"
            elif route.at(release) is not None:
                yield f"{of}run with {release}: `vllm-migrate migrate {quoted(route.root)} --to {release} --write`, then run it again"
        for releases, reason in told:
            yield f"{of}do not run with {_spans(releases, route)}: {_because(reason)}"
        between = [stop.release for stop in route.stops[:-1] if stop.release not in bad]
        ready = [release for release in between if release not in waits]
        later = [release for release in between if release in waits]
        if ready or not later:
            yield f"{of}every engine can run with {', '.join(ready) or 'none of the releases between'}"
        if later:
            also = "also" if ready else "every engine can run"
            yield f"{of}once what is to be settled for {route.target} is, {also} with {', '.join(later)}"


def _because(reason: Reason) -> str:
    place = f"`{reason.path}:{reason.line}` " if reason.line else ""
    more = f" ({reason.places} places)" if reason.places > 1 else ""
    return f"{place}{f'{reason.code} {reason.name}: ' if reason.code else ''}{reason.message}{more}"


def as_json(found: Iterable[Route]) -> dict[str, object]:
    """The contract of `route --output-format json`."""
    return {
        "schema": 1,
        "projects": [
            {
                "root": route.root,
                "from": route.source,
                "to": route.target,
                "engines": route.engines,
                "stops": [
                    {
                        "release": stop.release,
                        "mark": stop.mark,
                        "reasons": [reason._asdict() for reason in stop.reasons],
                    }
                    for stop in route.stops
                ],
            }
            for route in found
        ],
    }
