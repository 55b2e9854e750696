"""What a migration writes and what it leaves to people, planned for each project by itself and judged again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from vllm_migrate.catalog import requires, store
from vllm_migrate.dialects.frameworks import of_frameworks
from vllm_migrate.dialects.situation import Situation
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Problem
from vllm_migrate.documents.disk import Disk, Overlay
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.documents.text.write import CannotWrite
from vllm_migrate.fixes.write import write_all
from vllm_migrate.migrate import demands
from vllm_migrate.migrate.arrivals import Arrival, arrivals
from vllm_migrate.migrate.demands import Demand
from vllm_migrate.migrate.lines import NO_LINES, Lines
from vllm_migrate.migrate.places import Found, Place, apart, find, from_here, is_for_hardware, is_service, place_of
from vllm_migrate.migrate.readers import Reader, readers
from vllm_migrate.migrate.servers import Servers
from vllm_migrate.report.finding import CHECKLIST, Finding, order
from vllm_migrate.report.findings import Detail
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.fix import FixPlan, planned
from vllm_migrate.run.judging import JudgedEngine, Run
from vllm_migrate.run.lint import lint
from vllm_migrate.run.merge import stopping
from vllm_migrate.run.pins import VLLM
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.run.versions import SUBFOLDERS

IMAGE = "vllm/vllm-openai"
OUTSIDE_TARGET = "framework-outside-target"
UNJUDGED = "not all that runs with it is judged"
UNREAD = "it cannot be read, so its settings would stay behind"
# Reasons why a file was not read that say nothing of settings in it.
NO_CONFIGURATION = ("template", "too-large", "binary", "vanished")
PLAIN = Detail(edits=False, preview=False, source=False)
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
    versions; locks: paths with the command that refreshes each; services: files whose engines run vLLM's own image, to which
    nothing else that the project installs matters.
    """

    root: str
    situation: Situation
    bumps: tuple[Place, ...]
    items: tuple[Item, ...]
    locks: tuple[tuple[str, str], ...]
    services: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        return self.situation.target.value

    def obstacles(self, path: str = "") -> list[Item]:
        """What keeps the project, or with a path that file of it, from moving; while there is one, nothing of it is written."""
        path = os.path.normpath(path) if path else ""
        shared = path not in self.services
        return [item for item in self.items if item.blocks and (item.path == path if item.alone else shared)]


class Why(NamedTuple):
    """A reason why an engine does not start, and its place ("" and 0 without one)."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.line}: {self.text}"
            if self.line
            else f"{self.path}: {self.text}"
            if self.path
            else self.text
        )


class Start(NamedTuple):
    """Whether an engine starts at a release: with why it does not, none where it does. engine: "" for a program; has_model: its
    files name the model; role: of the engine; of: its project and dialect."""

    path: str
    engine: str
    release: str
    whys: tuple[Why, ...]
    has_model: bool = False
    role: str = ""
    of: tuple[str, str] = ("", "")
    found: frozenset[Why] = frozenset()  # those of rules, until their lines are those before the change

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(map(str, self.whys))


class Migration(NamedTuple):
    """What a migration comes to.

    edits: by file, those of fixes and of versions; fixes: the plan of the fixes alone; left: findings that remain once
    they are written, and what people have to settle of the old files; starts: one an engine, judged on the changed texts;
    files: how many input files there were; readers: code that reads what goes; upgrades: frameworks that no setting can
    migrate, by project and dialect; arrived: what the written settings come to. All lines are those of the files before the
    change; `lines` has those after it.
    """

    projects: tuple[Project, ...]
    edits: Mapping[File, list[Edit]]
    fixes: FixPlan
    left: tuple[Finding, ...]
    starts: tuple[Start, ...]
    files: int
    readers: tuple[Reader, ...] = ()
    upgrades: Mapping[tuple[str, str], Item] = {}
    arrived: tuple[Arrival, ...] = ()
    lines: Lines = NO_LINES

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
    options, session = session_of(options._replace(unsafe=True, to_write=True))
    run = session.judged(keep=True)
    result = run.finish()
    projects = _projects(session, _unread(session, run, result.problems))
    by_root = {project.root: project for project in projects}
    roots = _Roots(session)

    def held(path: str) -> bool:
        project = by_root.get(roots.of(path))
        return project is not None and bool(project.obstacles(path))

    def refuse(findings: tuple[Firing, ...]) -> list[tuple[Firing, str]]:
        found = readers(findings, (entry.path for entry in session.inputs), session.disk)
        for finding, reader in found:
            reading.setdefault(reader, finding)
        return [(finding, f"{reader.path}:{reader.line} reads it") for reader, finding in reading.items()]

    reading: dict[Reader, Firing] = {}
    fixes = planned(session, run, result, held, refuse)
    edits: dict[File, list[Edit]] = {file: list(each) for file, each in fixes.plan.edits.items()}
    left = _judged_on(options, _changed(edits))
    people = [each for each in _judged_on(options, session.disk) if _is_for_people(each)] if edits else []
    for project in projects:
        _add(edits, project.bumps, project.target)
    lines, disk = Lines(edits), _changed(edits)
    judged = Session(options, disk).run(keep=True).judged
    starts = _starts(
        judged, (*left, *_judged_on(options, disk)), disk, by_root, [entry.path for entry in session.inputs]
    )
    return Migration(
        tuple(projects),
        edits,
        fixes,
        _with_people(people, [_moved(each, lines.before(each.path, each.line)) for each in left]),
        tuple(_start_moved(start, lines) for start in starts),
        fixes.files,
        tuple(reading),
        _upgrades(result.findings),
        tuple(arrivals(fixes.plan.applied, result.judged, judged)),
        lines,
    )


def _is_for_people(finding: Finding) -> bool:
    return finding.kind == CHECKLIST and finding.safety == "none"


def _with_people(people: list[Finding], left: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is left, with what people have to settle as the files were: a fix that goes to V1 hides what V0 did."""
    known = {(each.code, path) for each in people for path in (each.path, *each.children)}
    rest = [each for each in left if not (_is_for_people(each) and (each.code, each.path) in known)]
    return tuple(sorted((*people, *rest), key=order))


def _moved(finding: Finding, line: int) -> Finding:
    return finding._replace(region=finding.region._replace(line=line))


def _start_moved(start: Start, lines: Lines) -> Start:
    """The same with the lines of the files before the change."""
    found = start.found
    return start._replace(
        whys=tuple(why._replace(line=lines.before(why.path, why.line)) if why in found else why for why in start.whys),
        found=frozenset(),
    )


def _upgrades(findings: Iterable[Firing]) -> dict[tuple[str, str], Item]:
    """Frameworks that themselves have to be upgraded, each where its engine is written."""
    found: dict[tuple[str, str], Item] = {}
    for fired in findings:
        if fired.name == "engine-v0-removed" and fired.engine is not None and fired.engine.dialect.upgrade:
            engine, file = fired.engine, fired.spot.file
            item = Item(file.path, file.source.position(fired.spot.start).line, engine.dialect.upgrade.strip())
            found.setdefault((engine.situation.project, engine.dialect.id), item)
    return found


def session_of(options: Options) -> tuple[Options, Session]:
    """The session of a move, and its options: PATHs in the form in which pins are shown, however they are named."""
    session = Session(options)
    paths = tuple(map(from_here, session.paths))
    if paths == tuple(session.paths):
        return options, session
    options = options._replace(paths=paths)
    return options, Session(options)


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


def _unread(session: Session, run: Run, problems: Iterable[Problem]) -> dict[str, Problem]:
    """What could not be read, by path; "" as reason where it was judged all the same, or says nothing of settings."""
    judged = {os.path.normpath(path) for path in run.reads}
    found: dict[str, Problem] = {}
    for problem in problems:
        path = os.path.normpath(problem.path)
        if problem.reason != "outside":
            silent = path in judged or problem.reason in NO_CONFIGURATION
            found.setdefault(path, problem._replace(reason="") if silent else problem)
    return found


def _projects(session: Session, unread: Mapping[str, Problem]) -> list[Project]:
    """Every project with an input file, by root. unread: see `_unread`."""
    paths = [entry.path for entry in session.inputs if not entry.stdin]
    roots = _Roots(session)
    situations: dict[str, Situation] = {}
    for path in paths:
        situations.setdefault(roots.of(path), session.situations.of(path))
    needs, catalog = requires.load(), store.load()
    targets = {situation.target.value for situation in situations.values()}
    frameworks = session.knowledge.frameworks()
    packages = tuple(
        dict.fromkeys((VLLM, *frameworks, *(name for target in targets for name in demands.packages(needs, target))))
    )
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
        of_root_unread = {path: problem for path, problem in unread.items() if roots.of(path) == root}
        projects.append(_project(root, situation, of_root, session, needs, catalog, of_root_unread))
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
    unread: Mapping[str, Problem],
) -> Project:
    target = situation.target.value
    pins = [pin for pin in found.pins if pin.package == VLLM]
    forked = all(map(is_for_hardware, pins))
    seen = (place_of(pin, found.sources[pin.path], target, catalog, forked or pin.path in found.own) for pin in pins)
    reach = _Reach(session, found.own, situation)
    places = _together(reach.of(place, unread) for place in apart([place for place in seen if place is not None]))
    moves = situation.moves or bool(places)
    others: list[Demand] = [
        *demands.contradictions(found.pins, found.sources, needs, target),
        *demands.of_python(found.sources.values(), needs, target),
    ]
    if not moves:
        others = [demand for demand in others if demand.blocks]
    items = [
        Item(place.path, place.line, f"`{place.text}`: {place.obstacle}", place.blocks, place.path in found.own)
        for place in places
        if place.obstacle
    ]
    items += [Item(*demand) for demand in others]
    matrix = of_frameworks(situation.frameworks, session.knowledge.dialects, target)
    items += [Item("", 0, unfit.text, True) for unfit in matrix]
    ranges = [pin for pin in found.pins if pin.package not in situation.frameworks]
    items += [Item(*demand) for demand in demands.of_ranges(ranges, session.knowledge.dialects, target)]
    if moves:
        images = {pin.path for pin in pins}
        items += [
            Item(path, problem.line, f"{UNREAD}: {problem.message}", True, path in images and path in found.own)
            for path, problem in unread.items()
            if problem.reason and not any(item.path == path for item in items)
        ]
    if situation.moves and not pins and not found.locks:
        items.append(
            Item(
                root,
                0,
                f"no file here pins vLLM: install {target} where the engine runs (`pip install vllm=={target}`)",
            )
        )
    locks = tuple((path, _refresh(path)) for path in found.locks) if moves else ()
    services = {pin.path for pin in pins if pin.path in found.own and pin.exact and IMAGE in pin.text.lower()}
    services = {path for path in services if is_service(path)}
    project = Project(root, situation, (), tuple(dict.fromkeys(items)), locks, frozenset(services))
    bumps = (place for place in places if not place.obstacle and not project.obstacles(place.path))
    return project._replace(bumps=tuple(bumps))


def _together(places: Iterable[Place]) -> list[Place]:
    """The places; where none of them can move, one that is only not judged keeps the settings back as well."""
    places = list(places)
    if any(not place.obstacle for place in places):
        return places
    return [
        place._replace(blocks=True) if place.obstacle.startswith(UNJUDGED) and not is_service(place.path) else place
        for place in places
    ]


class _Reach:
    """What of a project a run judges: a version moves only with everything that runs with it."""

    def __init__(self, session: Session, own: frozenset[str], situation: Situation) -> None:
        self._inputs = {os.path.normpath(entry.path) for entry in session.inputs}
        self._folders = [os.path.abspath(path) for path in session.paths if session.disk.is_folder(path)]
        self._own = own
        pinned = situation.source.pinned
        self._evidence = os.path.normpath(pinned.path) if pinned is not None else ""

    def of(self, place: Place, unread: Mapping[str, Problem]) -> Place:
        """The place, with why it stays where its file, or what runs with it, is not judged."""
        path = os.path.normpath(place.path)
        if place.obstacle:
            return place
        if path in unread:
            return place._replace(obstacle=f"{UNREAD}: {unread[path].message}", blocks=True)
        around = self._around(path)
        if path in self._inputs or (around and not kind_of(path)):
            return place
        advice = "name it, or the project's folder" if is_service(path) else "name the project's folder"
        blocks = path == self._evidence or not (around or is_service(path))
        return place._replace(obstacle=f"{UNJUDGED}: {advice}", blocks=blocks)

    def _around(self, path: str) -> bool:
        """Whether a folder that is judged holds all that a file of pins is for: its folder, or that of `requirements/`."""
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.basename(folder) in SUBFOLDERS:
            folder = os.path.dirname(folder)
        return any(os.path.join(folder, "").startswith(os.path.join(judged, "")) for judged in self._folders)


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


def _judged_on(options: Options, disk: Disk) -> tuple[Finding, ...]:
    """The findings of changed files; a framework's release is an obstacle of its project, and no finding of an engine."""
    return tuple(each for each in lint(options, PLAIN, 1, disk)[0].findings if each.name != OUTSIDE_TARGET)


def _starts(
    judged: Iterable[JudgedEngine],
    findings: Iterable[Finding],
    disk: Disk,
    by_root: Mapping[str, Project],
    paths: list[str],
) -> tuple[Start, ...]:
    """Every engine, and every program that stops, of the changed files.

    findings: of the changed files with the releases as they were, and as they will be: some rules compare with the source, and
    say nothing once it is the target. paths: the input files.
    """
    by_place = {(each.path, each.line, each.option): each for each in reversed([*findings]) if stopping(each)}
    stops = sorted(by_place.values(), key=order)
    servers = Servers(stops, paths, disk)
    starts = [_start(each, stops, by_root, servers) for each in judged]
    named = {(start.path, start.engine) for start in starts}
    programs: dict[tuple[str, str], list[Why]] = {}
    for finding in stops:
        engine = finding.engine.id if finding.engine is not None else ""
        if (finding.path, engine) not in named and not finding.children:
            programs.setdefault((finding.path, finding.releases[1]), []).append(why_of(finding))
    found = frozenset(why for whys in programs.values() for why in whys)
    for project in by_root.values():
        for item in project.items:
            if item.blocks and UNREAD in item.text:
                programs.setdefault((item.path, project.target), [Why(item.path, item.line, item.text)])
    more = (Start(path, "", release, tuple(why), found=found) for (path, release), why in programs.items())
    return (*starts, *more)


def why_of(finding: Finding) -> Why:
    return Why(finding.path, finding.line, f"{finding.code} {finding.name}: {finding.message}")


def _start(judged: JudgedEngine, stops: list[Finding], projects: Mapping[str, Project], servers: Servers) -> Start:
    engine = judged.engine
    path, situation = engine.file.path, engine.situation
    project = projects.get(situation.project)
    items = project.obstacles(path) if project else []
    release = project.target if project is not None and items else situation.target.value
    found: dict[Why, None] = {}
    for finding in stops:
        mine = finding.path == path and (finding.engine is None or finding.engine.id == engine.id)
        if mine or path in finding.children:
            found.setdefault(why_of(finding))
    for finding in servers.stops_of(engine, situation.project):
        found.setdefault(why_of(finding))
    whys = (*(Why(item.path, item.line, item.text) for item in items), *found)
    arrived = judged.source.delivery.values.get("model")
    models = [written.value for written in engine.options if written.key in ("model", "model_tag", "model-tag")]
    models += [arrived.value] if arrived is not None else []
    has_model = any(isinstance(model, str) for model in models)
    of = situation.project, engine.dialect.id
    return Start(path, engine.id, release, whys, has_model, engine.role, of, frozenset(found))
