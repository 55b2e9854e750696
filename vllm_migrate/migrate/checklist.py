"""The checklist for people, in Markdown: what no edit settles, in the order in which it is to be done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from vllm_migrate.dialects.specifiers import parse_version
from vllm_migrate.migrate.plan import Item, Migration, Project, Start, Why, why_of
from vllm_migrate.migrate.readers import Reader
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.headline import quoted
from vllm_migrate.report.layout import clean
from vllm_migrate.report.mask import mask
from vllm_migrate.resolve.table import REFUSED, Cell

At = Callable[[str, int], int]  # the line on disk for a path and a line before the change
MANY = 3
REVIEWS = {False: "Edits that need review", True: "Written by `migrate`; please review"}
PLACES = 12  # of one item
IN_FLIGHT = (
    "Replay buffers: drain them, or score their samples again with the new release; do not mix logprobs of both.",
    "Cached old and reference logprobs: compute them again, or record which release they come from.",
    "Checkpoints of a run in progress: finish the run with the old release, or note the step at which the release changed.",
    "Fleets: rollouts of one policy must not come from servers of both releases; replace all servers before you let requests in.",
)
ARRIVED = "The value in each engine: with the old files and the source, then, if it differs, with the new files and the target."
NO_ENGINE = (
    "No vLLM engine was recognised, so there is nothing to migrate; `vllm-migrate dialects` lists what is recognised."
)
NOTHING = (
    "Nothing to write. If the pin was moved before the settings, `--from RELEASE` names the release they were written for, and "
    "`--history` looks for it in the Git history."
)


def render(migration: Migration, stops: Iterable[str] = (), written: bool = False) -> str:
    """The whole checklist; ends in a newline. stops: what to say of releases on the way; written: the change has been made.

    Lines are those of the files on disk.
    """
    at = migration.lines.after if written else _as_it_is
    moving = [project for project in migration.projects if _has_work(project, migration)]
    if not migration.starts:  # without engine and pin nothing moves
        moving = [project for project in moving if _is_pinned(project)]
    lines = [f"# Checklist: {_title(moving or migration.projects if migration.starts else moving)}", ""]
    changes = any(project.situation.moves or project.bumps for project in moving)
    if changes:
        lines += _section("Before the change", _recordings(migration, "record", written))
    lines += _section("Versions", (*_upgrades(migration, at), *_versions(moving, migration.starts, at, written)))
    lines += _section("Releases on the way", map(mask, stops))
    lines += _section(REVIEWS[written], _reviews(migration, at))
    projects = {project.root.replace(os.sep, "/"): project for project in migration.projects}
    waiting = [
        finding
        for finding in migration.left
        if finding.safety != "none"
        and finding.project in projects
        and projects[finding.project].obstacles(finding.path)
    ]
    lines += _section("Waiting: `migrate` writes these once the versions are settled", _waiting(waiting, at))
    others = {id(finding) for finding in waiting}
    left = _grouped(_left(each for each in migration.left if id(each) not in others), at)
    readers = (_reader(reader, at(reader.path, reader.line)) for reader in migration.readers)
    lines += _section("To be settled in code or by people", (*readers, *left))
    if changes:
        lines += _section("Runs in flight", IN_FLIGHT)
        lines += _section("After the change", _recordings(migration, "run", written))
    if len(lines) == 2:
        notes = dict.fromkeys(note for project in migration.projects for note in project.situation.notes)
        lines += [NOTHING if migration.starts else NO_ENGINE, *(f"- {mask(note)}" for note in notes), ""]
    if migration.arrived:
        lines += ["## What the pins come to", "", ARRIVED, "", *_arrived(migration), ""]
    lines += ["## Does it start?", "", *verdicts(migration, whole=True, written=written)]
    return "\n".join(map(clean, lines)) + "\n"


def _as_it_is(path: str, line: int) -> int:
    return line


def _title(projects: Iterable[Project]) -> str:
    return ", ".join(dict.fromkeys(map(_move, projects))) or "vLLM"


def _upgrades(migration: Migration, at: At) -> Iterator[str]:
    """What a framework itself has to become, before the settings for it mean anything."""
    for item in migration.upgrades.values():
        yield f"**first** `{item.path}:{at(item.path, item.line)}` {mask(item.text)}"


def verdicts(migration: Migration, whole: bool = False, written: bool = False) -> list[str]:
    """`starts at X: yes`, or `no, because ...`, a line an engine; whole: with a line for each further reason."""
    at = migration.lines.after if written else _as_it_is
    listed = {why_of(finding) for finding in migration.left} if whole else set()
    out = []
    above: set[tuple[str, ...]] = set()
    for start in migration.starts:
        engine = f" ({mask(start.engine)})" if start.engine else ""
        reasons = [str(_placed(why, at, why in listed)) for why in start.whys]
        first, *more = reasons or ("",)
        why = f"no, because {mask(first)}" if first else "yes"
        if not first and start.of in migration.upgrades:
            why = "yes, once its framework is upgraded (**first**)"
        known = tuple(more) in above
        end = "" if not whole else ", as above" if known else ":"
        others = f"; and {len(more)} more{end}" if more else ""
        out.append(f"- {mask(start.path)}{engine}: starts at {start.release}: {why}{others}")
        out += [f"  - {mask(reason)}" for reason in more] if whole and not known else []
        above.add(tuple(more))
    return out or ["- no vLLM engine was recognised"]


def _placed(why: Why, at: At, listed: bool) -> Why:
    """The reason with its line on disk; in brief where an item above says the same."""
    text = f"{why.text.partition(':')[0]} (above)" if listed else why.text
    return why._replace(line=at(why.path, why.line), text=text)


def waiting(migration: Migration) -> Iterator[str]:
    """Why nothing of a project is in the diff, a line each."""
    for project in migration.projects:
        obstacles = project.obstacles()
        if not obstacles:
            continue
        first, *more = obstacles
        others = f" (and {len(more)} more, see the checklist)" if more else ""
        place = f"{first.place}: " if first.place else ""
        settings = "`vllm-migrate fix --unsafe` shows its settings meanwhile"
        whose = "this project" if project.root == os.curdir else project.root
        yield f"nothing of {whose} is written before this is settled: {place}{mask(first.text)}{others}; {settings}"


def _is_pinned(project: Project) -> bool:
    blocked = any(item.blocks for item in project.items)
    return bool(project.bumps) or blocked or project.situation.source.pinned is not None


def _has_work(project: Project, migration: Migration) -> bool:
    return project.situation.moves or bool(project.bumps or any(item.blocks for item in project.items))


def _move(project: Project) -> str:
    situation = project.situation
    pinned = () if situation.asked else (place.release for place in project.bumps)
    sources = [source for source in dict.fromkeys(pinned) or [situation.source.value] if source != project.target]
    way = _and(sorted(sources, key=parse_version))
    return f"{_of(project)}vLLM {f'{way} to ' if way else ''}{project.target}"


def _of(project: Project) -> str:
    return "" if project.root == os.curdir else f"{project.root}: "


def _and(words: list[str]) -> str:
    """Words as a list in a sentence."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _section(title: str, items: Iterable[str]) -> list[str]:
    """A heading with its boxes; nothing without items."""
    boxes = [f"- [ ] {item}" for item in dict.fromkeys(items)]
    return [f"## {title}", "", *boxes, ""] if boxes else []


def _recordings(migration: Migration, step: str, written: bool) -> Iterator[str]:
    """The smoke proof of each engine: its recording at the old release, and the comparison at the new one.

    An engine for pooling samples no tokens, so there is nothing to record of it.
    """
    engines = [start for start in migration.starts if start.engine and start.role != "pooling"]
    several = [start.path for start in migration.starts if start.engine]
    model = {True: "", False: " --model DIR"}
    old = (
        "At the commit before this change, with the old vLLM"
        if written
        else "With the old vLLM, before you write the change"
    )
    for number, start in enumerate(engines[:MANY]):
        which = f" --engine {quoted(start.engine)}" if several.count(start.path) > 1 else ""
        call, record = f"{quoted(start.path)}{which}", f"before-{number + 1}.jsonl"
        if step == "record":
            yield f"{old}: `vllm-migrate smoke record {call} --python OLD_PYTHON -o {record}{model[start.has_model]}`"
        else:
            yield f"With the new vLLM: `vllm-migrate smoke run {call} --python NEW_PYTHON --reference {record} --model DIR`"
    if engines[MANY:]:
        yield "Likewise: " + _listed(f"`{mask(start.path)}`" for start in engines[MANY:])


def _arrived(migration: Migration) -> Iterator[str]:
    """What each pin comes to, in the old files with the source and in the new ones with the target; a line an engine."""
    engines: dict[tuple[str, str, str, str], list[str]] = {}
    for path, engine, source, target, setting in migration.arrived:
        old, new = _value(setting.source), _value(setting.target)
        values = new if old == new else f"{old}, now {new}"
        engines.setdefault((path, engine, source, target), []).append(f"{setting.option} {values}")
    for (path, engine, source, target), settings in engines.items():
        each = ", ".join(f"`{setting}`" for setting in settings)
        yield f"- {mask(path)} ({mask(engine)}), {source} to {target}: {each}"


def _value(cell: Cell) -> str:
    if cell.absent:
        return "no such option"
    return "undetermined" if cell.undecided else "rejected" if cell.origin == REFUSED else str(cell.value)


def _listed(places: Iterable[str]) -> str:
    """Places, each once; of many the first ones."""
    places = list(dict.fromkeys(places))
    more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
    return ", ".join(places[:PLACES]) + more


def _versions(projects: Iterable[Project], starts: Iterable[Start], at: At, written: bool) -> Iterator[str]:
    stopped: dict[str, list[str]] = {}
    for start in starts:
        if start.whys and start.engine:
            stopped.setdefault(os.path.normpath(start.path), []).append(mask(start.engine))
    for project in projects:
        if project.obstacles():
            yield (
                f"{_of(project) or 'This project: '}neither settings nor version are written until the items marked **first** "
                "are settled; then run `migrate` again (`vllm-migrate fix --unsafe` shows the settings meanwhile)"
            )
        items = (item._replace(line=at(item.path, item.line)) for item in project.items)
        yield from map(_item, sorted(items, key=lambda item: (not item.blocks, item)))
        for place in project.bumps:
            verb = "is now" if written else "becomes"
            engines = stopped.get(place.path)
            but = f", with which {_and(engines)} {'do' if engines[1:] else 'does'} not start" if engines else ""
            yield f"`{place.path}:{at(place.path, place.line)}`: {place.release} {verb} {project.target}{but}"
        for path, command in project.locks:
            yield f"`{path}` is not edited; refresh it: `{command}`"


def _item(item: Item) -> str:
    place = f"`{item.place}` " if item.place else ""
    first = "**first, for this file** " if item.alone else "**first** "
    return f"{first if item.blocks else ''}{place}{mask(item.text)}"


def _reviews(migration: Migration, at: At) -> Iterator[str]:
    for finding in migration.fixes.plan.applied:
        if finding.fix is not None and finding.fix.with_version == "review":
            path = finding.spot.file.path
            line = at(path, finding.spot.file.source.position(finding.spot.start).line)
            yield f"`{mask(path)}:{line}` {finding.code} {finding.name}: {mask(finding.fix.title)}"


def _waiting(findings: Iterable[Finding], at: At) -> list[str]:
    titled = (
        (finding, f"{finding.code} {finding.name}: {finding.fix.title if finding.fix is not None else ''}")
        for finding in findings
    )
    return _grouped(titled, at)


def _grouped(items: Iterable[tuple[Finding, str]], at: At) -> list[str]:
    """An item for each text, with all its places."""
    places: dict[str, list[str]] = {}
    for finding, text in items:
        place = f"`{finding.path}:{at(finding.path, finding.line)}`"
        places.setdefault(" ".join(text.split()), []).append(place)
    return [f"{_listed(found)} {text}" for text, found in places.items()]


def _reader(reader: Reader, line: int) -> str:
    return (
        f"`{reader.path}:{line}` reads `{reader.key}`, so `{reader.dropped}` keeps it: give it a value to use when the "
        "key is missing, then run `migrate` again."
    )


def _left(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """What remains: items of the checklist, and findings that no fix settled; those that only inform are left out."""
    for finding in findings:
        if finding.severity == "info" and finding.kind != CHECKLIST:
            continue
        also = f" Also in {len(finding.children)} more." if finding.children else ""
        advice = f" {finding.advice[:1].upper()}{finding.advice[1:].rstrip('.')}." if finding.advice else ""
        message = finding.message.rstrip(".")
        yield finding, f"**{finding.code} {finding.name}** {message}.{advice}{also}"
