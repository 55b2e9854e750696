"""The checklist for people, in Markdown: what no edit settles, in the order in which it is to be done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from vllm_migrate.migrate.plan import Item, Migration, Project, Start
from vllm_migrate.migrate.readers import Reader
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.report.headline import quoted
from vllm_migrate.report.layout import clean
from vllm_migrate.report.mask import mask

MANY = 3
PLACES = 12  # of one item
IN_FLIGHT = (
    "Replay buffers: drain them, or score their samples again with the new release; do not mix logprobs of both.",
    "Cached old and reference logprobs: compute them again, or record which release they come from.",
    "Checkpoints of a run in progress: finish the run with the old release, or note the step at which the release changed.",
    "Fleets: rollouts of one policy must not come from servers of both releases; replace all servers before you let requests in.",
)
NO_ENGINE = (
    "No vLLM engine was recognised, so there is nothing to migrate; `vllm-migrate dialects` lists what is recognised."
)
NOTHING = (
    "Nothing to write. If the pin was moved before the settings, `--from RELEASE` names the release they were written for, and "
    "`--history` looks for it in the Git history."
)


def render(migration: Migration, stops: Iterable[str] = ()) -> str:
    """The whole checklist; ends in a newline. stops: what to say of releases on the way."""
    moving = [project for project in migration.projects if _has_work(project, migration)]
    if not migration.starts:  # without engine and pin nothing moves
        moving = [project for project in moving if _is_pinned(project)]
    lines = ["# Checklist: " + (", ".join(map(_move, moving)) or "vLLM"), ""]
    changes = any(project.situation.moves or project.bumps for project in moving)
    if changes:
        lines += _section("Before the change", _recordings(migration, "record"))
    lines += _section("Versions", _versions(moving))
    lines += _section("Stops on the way", map(mask, stops))
    lines += _section("Written by `migrate`; please review", _reviews(migration))
    projects = {project.root.replace(os.sep, "/"): project for project in migration.projects}
    waiting = [
        finding
        for finding in migration.left
        if finding.safety != "none"
        and finding.project in projects
        and projects[finding.project].obstacles(finding.path)
    ]
    lines += _section("Waiting: `migrate` writes these once the versions are settled", _waiting(waiting))
    others = {id(finding) for finding in waiting}
    left = _grouped(_left(each for each in migration.left if id(each) not in others))
    lines += _section("To be settled in code or by people", (*map(_reader, migration.readers), *left))
    if changes:
        lines += _section("Runs in flight", IN_FLIGHT)
        lines += _section("After the change", _recordings(migration, "run"))
    if len(lines) == 2:
        notes = dict.fromkeys(note for project in migration.projects for note in project.situation.notes)
        lines += [NOTHING if migration.starts else NO_ENGINE, *(f"- {mask(note)}" for note in notes), ""]
    lines += ["## Does it start?", "", *verdicts(migration.starts, whole=True)]
    return "\n".join(map(clean, lines)) + "\n"


def verdicts(starts: Iterable[Start], whole: bool = False) -> list[str]:
    """`starts at X: yes`, or `no, because ...`, a line an engine; whole: with a line for each further reason."""
    out = []
    above: set[tuple[str, ...]] = set()
    for start in starts:
        engine = f" ({mask(start.engine)})" if start.engine else ""
        first, *more = start.reasons or ("",)
        why = f"no, because {mask(first)}" if first else "yes"
        known = tuple(more) in above
        end = "" if not whole else ", as above" if known else ":"
        others = f"; and {len(more)} more{end}" if more else ""
        out.append(f"- {mask(start.path)}{engine}: starts at {start.release}: {why}{others}")
        out += [f"  - {mask(reason)}" for reason in more] if whole and not known else []
        above.add(tuple(more))
    return out or ["- no vLLM engine was recognised"]


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
        yield f"nothing of {project.root} is written before this is settled: {place}{mask(first.text)}{others}; {settings}"


def _is_pinned(project: Project) -> bool:
    blocked = any(item.blocks for item in project.items)
    return bool(project.bumps) or blocked or project.situation.source.pinned is not None


def _has_work(project: Project, migration: Migration) -> bool:
    return project.situation.moves or bool(project.bumps or any(item.blocks for item in project.items))


def _move(project: Project) -> str:
    sources = dict.fromkeys(place.release for place in project.bumps) or [project.situation.source.value]
    way = " and ".join(source for source in sources if source != project.target)
    root = "" if project.root == os.curdir else f"{project.root}: "
    return f"{root}vLLM {f'{way} to ' if way else ''}{project.target}"


def _section(title: str, items: Iterable[str]) -> list[str]:
    """A heading with its boxes; nothing without items."""
    boxes = [f"- [ ] {item}" for item in dict.fromkeys(items)]
    return [f"## {title}", "", *boxes, ""] if boxes else []


def _recordings(migration: Migration, step: str) -> Iterator[str]:
    """The smoke proof of each engine: its recording at the old release, and the comparison at the new one."""
    engines = [start for start in migration.starts if start.engine]
    several = [start.path for start in engines]
    model = {True: "", False: " --model DIR"}
    for number, start in enumerate(engines[:MANY]):
        which = f" --engine {quoted(start.engine)}" if several.count(start.path) > 1 else ""
        call, record = f"{quoted(start.path)}{which}", f"before-{number + 1}.jsonl"
        if step == "record":
            yield f"With the old vLLM: `vllm-migrate smoke record {call} --python OLD_PYTHON -o {record}{model[start.has_model]}`"
        else:
            yield f"With the new vLLM: `vllm-migrate smoke run {call} --python NEW_PYTHON --reference {record} --model DIR`"
    if engines[MANY:]:
        yield "Likewise: " + _listed(f"`{mask(start.path)}`" for start in engines[MANY:])


def _listed(places: Iterable[str]) -> str:
    """Places, each once; of many the first ones."""
    places = list(dict.fromkeys(places))
    more = f" and {len(places) - PLACES} more" if len(places) > PLACES else ""
    return ", ".join(places[:PLACES]) + more


def _versions(projects: Iterable[Project]) -> Iterator[str]:
    for project in projects:
        if project.obstacles():
            yield (
                f"{project.root}: neither settings nor version are written until the items marked **first** are settled; "
                "then run `migrate` again (`vllm-migrate fix --unsafe` shows the settings meanwhile)"
            )
        yield from (_item(item) for item in sorted(project.items, key=lambda item: (not item.blocks, item)))
        yield from (f"`{place.path}:{place.line}`: {place.release} is now {project.target}" for place in project.bumps)
        for path, command in project.locks:
            yield f"`{path}` is not edited; refresh it: `{command}`"


def _item(item: Item) -> str:
    place = f"`{item.place}` " if item.place else ""
    first = "**first, for this file** " if item.alone else "**first** "
    return f"{first if item.blocks else ''}{place}{mask(item.text)}"


def _reviews(migration: Migration) -> Iterator[str]:
    for finding in migration.fixes.plan.applied:
        if finding.fix is not None and finding.fix.with_version == "review":
            spot = finding.spot
            line = spot.file.source.position(spot.start).line
            yield f"`{mask(spot.file.path)}:{line}` {finding.code} {finding.name}: {mask(finding.fix.title)}"


def _waiting(findings: Iterable[Finding]) -> list[str]:
    return _grouped(
        (finding, f"{finding.code} {finding.name}: {finding.fix.title if finding.fix is not None else ''}")
        for finding in findings
    )


def _grouped(items: Iterable[tuple[Finding, str]]) -> list[str]:
    """An item for each text, with all its places."""
    places: dict[str, list[str]] = {}
    for finding, text in items:
        places.setdefault(" ".join(text.split()), []).append(f"`{finding.path}:{finding.line}`")
    return [f"{_listed(found)} {text}" for text, found in places.items()]


def _reader(reader: Reader) -> str:
    return (
        f"`{reader.path}:{reader.line}` reads `{reader.key}`, so `{reader.dropped}` keeps it: give it a value to use when the "
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
