"""What a migration writes and what it leaves to people, planned for each project by itself and judged again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vllm_migrate.catalog import requires, store
from vllm_migrate.dialects.situation import Situation
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.disk import Disk, Overlay
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.text.write import CannotWrite
from vllm_migrate.fixes.write import write_all
from vllm_migrate.migrate import demands
from vllm_migrate.migrate.demands import Demand
from vllm_migrate.migrate.places import Found, Place, apart, find, is_for_hardware, place_of
from vllm_migrate.migrate.readers import Reader, readers
from vllm_migrate.report.finding import CHECKLIST, Finding, order
from vllm_migrate.report.findings import Detail
from vllm_migrate.run.fix import FixPlan, fix
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.lint import lint
from vllm_migrate.run.pins import VLLM
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

PLAIN = Detail(edits=False, preview=False, source=False)
STOPS = "broken-config"
REFUSED = ("bool-cli-value",)  # no error by itself, and the parser refuses it
# Files of locks -> the command that brings them to the release of the project's pins.
REFRESH = {
    "uv.lock": "uv lock --upgrade-package vllm",
    "poetry.lock": "poetry update vllm",
    "pdm.lock": "pdm update vllm",
    "pylock.toml": "uv pip compile pyproject.toml --format pylock.toml -o pylock.toml",
    "pixi.lock": "pixi update vllm",
}


class Item(NamedTuple):
    """A thing for people to do about a version: the place ("" and 0 without one), in words, and whether the project cannot
    move before; alone: what it says of its project holds for the engines of its own file only."""

    path: str
    line: int
    text: str
    blocks: bool = False
    alone: bool = False

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Project(NamedTuple):
    """One project of a migration.

    root: its folder; situation: of its first file; bumps: places whose release is replaced; items: what is left about
    versions; locks: paths with the command that refreshes each.
    """

    root: str
    situation: Situation
    bumps: tuple[Place, ...]
    items: tuple[Item, ...]
    locks: tuple[tuple[str, str], ...]

    @property
    def target(self) -> str:
        return self.situation.target.value

    def obstacles(self, path: str = "") -> list[Item]:
        """What keeps the project, or with a path that file of it, from moving; while there is one, nothing of it is written."""
        path = os.path.normpath(path) if path else ""
        return [item for item in self.items if item.blocks and (not item.alone or item.path == path)]


class Start(NamedTuple):
    """Whether an engine starts at a release: with why it does not, "" where it does. engine: "" for a program."""

    path: str
    engine: str
    release: str
    reasons: tuple[str, ...]


class Migration(NamedTuple):
    """What a migration comes to.

    edits: by file, those of fixes and of versions; fixes: the plan of the fixes alone; left: findings that remain once
    they are written; starts: one an engine, judged on the changed texts; files: how many input files there were; readers:
    code that reads what goes.
    """

    projects: tuple[Project, ...]
    edits: Mapping[File, list[Edit]]
    fixes: FixPlan
    left: tuple[Finding, ...]
    starts: tuple[Start, ...]
    files: int
    readers: tuple[Reader, ...] = ()

    def write(self) -> Iterator[tuple[str, CannotWrite | None]]:
        """Write the files one by one, each atomically, and give each path with why it was not written.

        Files that pin the version come last, so that the next run completes one that was interrupted; where settings could not
        be written, or a file that pins one may not be, no version is.
        """
        bumped = {place.path for project in self.projects for place in project.bumps}
        last = [file for file in self.edits if os.path.normpath(file.path) in bumped]
        kept = any(not os.access(file.path, os.W_OK) for file in self.edits)
        for file in (*(file for file in self.edits if file not in last), *last):
            if kept:
                yield file.path, CannotWrite(f"{file.path}: a file that must change with it cannot be written")
                continue
            _, failed = write_all({file: self.edits[file]}, self.fixes.disk)
            kept = bool(failed)
            yield file.path, failed[0] if failed else None


def migrate(options: Options) -> Migration:
    """Plan everything: fixes (safe ones and those to review) and versions. Raises UsageError."""
    options = options._replace(unsafe=True)
    session = Session(options)
    projects = _projects(session)
    by_root = {project.root: project for project in projects}
    roots = _Roots(session)

    def held(path: str) -> bool:
        project = by_root.get(roots.of(path))
        return project is not None and bool(project.obstacles(path))

    fixes = fix(options, held=held)
    edits: dict[File, list[Edit]] = {file: list(each) for file, each in fixes.plan.edits.items()}
    left = lint(options, PLAIN, 1, _changed(edits))[0].findings
    for project in projects:
        _add(edits, project.bumps, project.target)
    starts = _starts(options, _changed(edits), by_root, left)
    reading = tuple(readers(fixes.findings, (entry.path for entry in session.inputs), session.disk))
    return Migration(tuple(projects), edits, fixes, left, starts, fixes.files, reading)


class _Roots:
    """The project of each file."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, str] = {}

    def of(self, path: str) -> str:
        path = os.path.normpath(path)
        if path not in self._known:
            self._known[path] = self._session.situations.of(path).project
        return self._known[path]


def _projects(session: Session) -> list[Project]:
    """Every project with an input file, by root."""
    paths = [entry.path for entry in session.inputs if not entry.stdin]
    roots = _Roots(session)
    situations: dict[str, Situation] = {}
    for path in paths:
        situations.setdefault(roots.of(path), session.situations.of(path))
    needs, catalog = requires.load(), store.load()
    targets = {situation.target.value for situation in situations.values()}
    packages = tuple(dict.fromkeys((VLLM, *(name for target in targets for name in demands.packages(needs, target)))))
    found = find(paths, packages, session.disk)
    owners = {path: _owner(path, roots, situations) for path in (*found.sources, *found.locks)}
    projects = []
    for root, situation in sorted(situations.items()):
        of_root = Found(
            [pin for pin in found.pins if owners[pin.path] == root],
            [path for path in found.locks if owners[path] == root],
            {path: source for path, source in found.sources.items() if owners[path] == root},
            found.own,
        )
        projects.append(_project(root, situation, of_root, session, needs, catalog))
    return projects


def _owner(path: str, roots: _Roots, known: Iterable[str]) -> str:
    """The project that a pin belongs to: its own, or where no input file has that one (`docker/`), the nearest around it."""
    root = roots.of(path)
    around = [one for one in known if not os.path.relpath(path, one).startswith(os.pardir)]
    return root if root in known else max(around, key=lambda one: len(os.path.abspath(one)), default="")


def _project(
    root: str,
    situation: Situation,
    found: Found,
    session: Session,
    needs: requires.Requires,
    catalog: store.Catalog,
) -> Project:
    target = situation.target.value
    pins = [pin for pin in found.pins if pin.package == VLLM]
    forked = all(map(is_for_hardware, pins))
    seen = (place_of(pin, found.sources[pin.path], target, catalog, forked or pin.path in found.own) for pin in pins)
    places = apart([place for place in seen if place is not None])
    moves = situation.moves or bool(places)
    others: list[Demand] = []
    if moves:
        others += demands.contradictions(found.pins, found.sources, needs, target)
        others += demands.of_python(found.sources.values(), needs, target)
    items = [
        Item(place.path, place.line, f"`{place.text}`: {place.obstacle}", place.blocks, place.path in found.own)
        for place in places
        if place.obstacle
    ]
    items += [Item(*demand) for demand in others]
    if moves:
        matrix = demands.of_frameworks(situation.frameworks, session.knowledge.dialects, target)
        items += [Item("", 0, text, True) for text in matrix]
    if situation.moves and not pins and not found.locks:
        items.append(
            Item(
                root,
                0,
                f"no file here pins vLLM: install {target} where the engine runs (`pip install vllm=={target}`)",
            )
        )
    locks = tuple((path, _refresh(path)) for path in found.locks) if moves else ()
    project = Project(root, situation, (), tuple(dict.fromkeys(items)), locks)
    bumps = (place for place in places if not place.obstacle and not project.obstacles(place.path))
    return project._replace(bumps=tuple(bumps))


def _refresh(path: str) -> str:
    folder, name = os.path.split(path)
    command = REFRESH.get(name, "the tool that made it")
    return f"cd {folder} && {command}" if folder and name in REFRESH else command


def _add(edits: dict[File, list[Edit]], places: Iterable[Place], target: str) -> None:
    """Add the edits that write the target's release; those of a file that fixes edit go to that file."""
    files = {os.path.normpath(file.path): file for file in edits}
    for place in places:
        file = files.setdefault(place.path, File.bare(place.source))
        edit = Edit(place.start, place.end, target)
        if edit not in edits.setdefault(file, []):
            edits[file].append(edit)


def _changed(edits: Mapping[File, list[Edit]]) -> Disk:
    """The disk as it will be."""
    return Overlay({file.path: file.source.encode(apply_edits(file.source.text, each)) for file, each in edits.items()})


# -- does it start


def _starts(options: Options, disk: Disk, by_root: Mapping[str, Project], left: Iterable[Finding]) -> tuple[Start, ...]:
    """Every engine, and every program that stops, of the changed files.

    left: findings with the releases as they were. Some rules compare with the source, and say nothing once it is the target.
    """
    findings = (*left, *lint(options, PLAIN, 1, disk)[0].findings)
    by_place = {(each.path, each.line, each.option): each for each in reversed(findings) if stopping(each)}
    stops = sorted(by_place.values(), key=order)
    judged = Session(options, disk).run(keep=True).judged
    starts = [_start(each, stops, by_root) for each in judged]
    named = {(start.path, start.engine) for start in starts}
    programs: dict[tuple[str, str], list[str]] = {}
    for finding in stops:
        engine = finding.engine.id if finding.engine is not None else ""
        if (finding.path, engine) not in named and not finding.children:
            programs.setdefault((finding.path, finding.releases[1]), []).append(reason_of(finding))
    return (*starts, *(Start(path, "", release, tuple(why)) for (path, release), why in programs.items()))


def stopping(finding: Finding) -> bool:
    """Whether a finding keeps its engine, or its program, from starting."""
    refused = finding.severity == "error" or finding.name in REFUSED
    return refused and finding.layer == STOPS and finding.kind != CHECKLIST


def reason_of(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}: {finding.code} {finding.name}: {finding.message}"


def _start(judged: JudgedEngine, stops: list[Finding], projects: Mapping[str, Project]) -> Start:
    engine = judged.engine
    path, situation = engine.file.path, engine.situation
    project = projects.get(situation.project)
    reasons = (
        [f"{item.place}: {item.text}" if item.place else item.text for item in project.obstacles(path)]
        if project
        else []
    )
    release = project.target if project is not None and reasons else situation.target.value
    for finding in stops:
        mine = finding.path == path and (finding.engine is None or finding.engine.id == engine.id)
        if mine or path in finding.children:
            reasons.append(reason_of(finding))
    return Start(path, engine.id, release, tuple(reasons))
