"""Files to engines, engines to findings: some or all files of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Engine, Program, Spot, Subject
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.dialects.situation import Beyond, Situation
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Problem, Workspace, bounded
from vllm_migrate.documents.disk import OUTSIDE
from vllm_migrate.documents.interface import Source, Unreadable, decode
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.documents.steps import limited
from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.reading import for_reason, named
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.findings import Detail, finding_of
from vllm_migrate.report.model import Project
from vllm_migrate.resolve.view import View
from vllm_migrate.rules.files import file_finding
from vllm_migrate.rules.finding import Firing
from vllm_migrate.rules.judge import judge
from vllm_migrate.run.merge import (
    Candidate,
    Identity,
    Ran,
    Unique,
    candidate_of,
    home_of,
    pinned_options,
    pins_of,
    ran,
    settled,
)

MARK = b"vllm-migrate:"
STDIN = "stdin.yaml"  # what standard input is called that has no name and no `#!` line
# Of files that do not parse, those speak of vLLM that have one of these words; others are no loss.
SPEAKS = (b"vllm", b"gpu_memory_utilization", b"gpu-memory-utilization", b"max_model_len", b"max-model-len", b"rollout")
HEAD = 4096  # bytes: where a configuration in JSON says what it is about, and a vocabulary or a data set does not
TEXTUAL = ("syntax", "template")
PLAIN = Detail(edits=False, preview=False)

# Makes findings for reports, with what they offer, of those that rules made of one file.
Present = Callable[[list[Firing], Workspace], list[Finding]]


class JudgedEngine(NamedTuple):
    """An engine with its two views."""

    engine: Engine
    source: View
    target: View


class Marked(NamedTuple):
    """A file with a comment addressed to us."""

    path: str
    text: str


class Part(NamedTuple):
    """What some files of a run gave; plain data, that another process may have made.

    files: how many; engines: how many were found, without programs of imports alone; problems: of these files;
    parent_problems: of files that they name; projects: moves that engines of theirs make; seen: their paths; claimed:
    configurations that a command line of theirs names, by normal path; engines_ran: see `merge.ran`.
    """

    files: int
    engines: int
    candidates: tuple[Candidate, ...]
    engines_ran: tuple[Ran, ...]
    problems: tuple[Problem, ...]
    parent_problems: tuple[Problem, ...]
    projects: frozenset[Project]
    seen: tuple[str, ...]
    marked: tuple[Marked, ...]
    claimed: frozenset[str]


class Result(NamedTuple):
    """What all files gave. candidates: by place, each once; judged: the engines themselves, where they are kept."""

    files: int
    engines: int
    candidates: tuple[Candidate, ...]
    problems: tuple[Problem, ...]
    projects: tuple[Project, ...]
    seen: tuple[str, ...]
    marked: tuple[Marked, ...]
    judged: tuple[JudgedEngine, ...] = ()

    @property
    def findings(self) -> list[Firing]:
        """The findings as rules made them, where they are kept."""
        return [candidate.fired for candidate in self.candidates if candidate.fired is not None]


class Run:
    """Judges files one by one; `part` and `finish` return what was found.

    present: makes findings for reports, with what they offer. With it a file that stands alone is let go as soon as its
    findings are made, so that memory does not grow with the number of files; without it findings stay as rules made
    them, with their files. keep: keep every engine with its views.
    """

    def __init__(
        self,
        catalog: Catalog,
        knowledge: Knowledge,
        workspace: Workspace,
        present: Present | None = None,
        keep: bool = False,
    ) -> None:
        self.catalog = catalog
        self.knowledge = knowledge
        self.workspace = workspace
        self.files = 0
        self.parses_named = True  # also those in which the bytes alone show that no engine can be recognised
        self.judged: list[JudgedEngine] = []
        self._present = present
        self._keep = keep
        self._options = pinned_options(knowledge)
        self._prefilter = Prefilter(knowledge.dialects, catalog)
        self._engines = 0
        self._unique = Unique()
        self._waiting: dict[Identity, Candidate] = {}  # those whose files are still needed
        self._ran: list[Ran] = []
        self._projects: set[Project] = set()
        self.reads: dict[str, set[str]] = {}  # the files, by normal path, that an input's engines are composed of
        self._problems: list[Problem] = []
        self._seen: list[str] = []
        self._marked: list[Marked] = []
        self._outside: set[str] = set()  # parents that a finding says were not read
        self._skipped: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def judge_file(self, path: str, named: bool = False, data: bytes | None = None) -> None:
        """Lint one file. `named`: the user gave this very path, so that an unsupported dialect must not look clean.

        Whatever goes wrong with a file is a problem of that file, and the run goes on.
        """
        self.files += 1
        self._seen.append(path)
        try:
            self._judge_file(path, named, data)
        except Exception as error:
            self._problems.append(problem_of(path, error))

    def _judge_file(self, path: str, named: bool, data: bytes | None) -> None:
        workspace = self.workspace
        try:
            data = workspace.read(path) if data is None else bounded(data)
            if MARK in data:
                self._marked.append(Marked(path, decode(path, data).text))
            if not self._prefilter.may_concern(path, data):
                if named:
                    decode(path, data)  # one that is not UTF-8 says so
                    if self.parses_named and kind_of(path):  # and one that does not parse
                        file, is_parent, _ = self._taken(path, data)
                        if not is_parent:
                            workspace.release(file)
                    self._unrecognised(path, data)
                return
            file, is_parent, filled = self._taken(path, data)
            with limited():
                found = workspace.discovered.get(os.path.normpath(path))
                found = found or discover(file, self.knowledge.dialects, self.catalog, workspace)
                fresh = [candidate for subject in found.subjects for candidate in self._judge(subject)]
        except Unreadable as error:
            if named or _matters(error, path, data or b""):
                self._problems.append(Problem(path, error.reason, error.message, error.line, error.column))
            return
        if filled is not None and found.subjects:
            self._problems.append(filled)
        if named and not fresh and all(map(_imports_alone, found.subjects)):
            self._unrecognised(path, data, bool(found.subjects))
        read = {each for subject in found.subjects for each in subject.files}
        self.reads[path] = {os.path.normpath(each.path) for each in read}
        # A parent stays: findings of its children may be written in it.
        if is_parent or not read <= {file} or self._keep:
            return
        if self._present is not None:
            self._show(fresh)
        if self._present is not None or not fresh:
            workspace.release(file)

    def _taken(self, path: str, data: bytes) -> tuple[File, bool, Problem | None]:
        """The File, whether a child of it has loaded it before, and what is wrong with a script of which placeholders alone are
        wrong. Raises Unreadable."""
        try:
            return *self.workspace.take(path, data), None
        except Unreadable as error:
            what = "file is a template" if error.reason == "template" else "script does not parse"
            readable = error.reason in TEXTUAL
            file = self.workspace.read_only(path, data, f"the {what} (line {error.line})") if readable else None
            if file is None:
                raise
            reason = "placeholders" if error.reason == "syntax" else error.reason
            message = f"{error.message}; its placeholders are read as variables, and nothing is written in it"
            return file, False, Problem(path, reason, message, error.line, error.column)

    def _judge(self, engine: Subject) -> list[Candidate]:
        """The findings on one engine or program that are new. Raises Unreadable("too-much")."""
        situation = engine.situation
        self._projects.add(_project(situation))
        source = View(engine, situation.source.value, self.catalog, self.knowledge, is_source=True)
        target = View(engine, situation.target.value, self.catalog, self.knowledge, is_source=not situation.moves)
        if self._keep and isinstance(engine, Engine):
            self.judged.append(JudgedEngine(engine, source, target))
        self._engines += 0 if _imports_alone(engine) else 1
        self._ran.extend(ran(engine, pins_of(engine, source, target, self._options)))
        home = home_of(engine)
        found = (
            candidate_of(fired, home)
            for fired in judge(engine, source, target, self.knowledge)
            if not self._runs_elsewhere(fired, target.release)
        )
        fresh = [candidate for candidate in found if self._add(candidate)]
        if situation.beyond is not None:
            fresh += [
                candidate for candidate in (candidate_of(_beyond(situation.beyond), home),) if self._add(candidate)
            ]
        for missing in engine.missing:
            if missing.inline:
                continue  # an idiom, and what depends on it says so
            node = missing.place.node
            spot = Spot(missing.place.file, node.start, node.end)
            named_by = os.path.dirname(missing.place.file.path)
            path = os.path.join(named_by, missing.name)
            outside = self.workspace.disk.outside(path)
            if outside:
                self._outside.add(os.path.normpath(path))
            fired = _missing_parent(engine, missing.name, spot, outside)
            self._add(candidate_of(fired))
        return fresh

    def _runs_elsewhere(self, fired: Firing, release: str) -> bool:
        """Whether what a finding is about stands where the program goes at other releases alone."""
        document = fired.spot.file.data
        if document is None or document.carrier != "python":
            return False
        from vllm_migrate.dialects.gates import left_out, skipped
        from vllm_migrate.documents.python.document import PythonData

        assert isinstance(document, PythonData)
        key = (fired.spot.file.path, release)
        if key not in self._skipped:
            self._skipped[key] = skipped(document.code, release)
            folder, name = os.path.split(fired.spot.file.path)
            package = self.workspace.load(os.path.join(folder, "__init__.py")) if name != "__init__.py" else None
            code = package.data.code if package is not None and isinstance(package.data, PythonData) else None
            if code is not None and left_out(code, name.removesuffix(".py"), release):
                self._skipped[key] = [(0, len(document.source.text) + 1)]
        return any(start <= fired.spot.start < end for start, end in self._skipped[key])

    def _add(self, candidate: Candidate) -> bool:
        if not self._unique.add(candidate):
            return False
        if self._present is not None:
            self._waiting[candidate.identity] = candidate
        return True

    def _show(self, candidates: list[Candidate]) -> None:
        """Turn candidates into findings for reports, and let what the rules made go."""
        assert self._present is not None
        shown = [candidate for candidate in candidates if self._waiting.get(candidate.identity) is candidate]
        fired = [self._unique.fired(candidate) for candidate in shown]
        findings = self._present([each for each in fired if each], self.workspace)
        for candidate, finding in zip(shown, findings, strict=True):
            del self._waiting[candidate.identity]
            self._unique.replace(candidate._replace(finding=finding, fired=None))

    def _show_rest(self) -> None:
        """Show what waited for the end; what cannot be shown is a problem of its file."""
        try:
            self._show(list(self._waiting.values()))
            return
        except Exception:
            waiting = list(self._waiting.values())
        for candidate in waiting:
            try:
                self._show([candidate])
            except Exception as error:
                self._problems.append(problem_of(candidate.place, error))
                del self._waiting[candidate.identity]
                self._unique.drop(candidate)

    def _unrecognised(self, path: str, data: bytes, imports: bool = False) -> None:
        source = Source(path, data, data.decode("utf-8", "replace"), False, "\n")
        spot = Spot(File.bare(source), 0, 0)
        judged = "nothing in it but its imports" if imports else "nothing in it"
        message = f"no vLLM engine was recognised in this file, so {judged} was judged"
        self._add(candidate_of(file_finding(named("no-engine-recognised"), message, spot)))

    def named_too_late(self) -> frozenset[str]:
        """The configurations that were judged by themselves before the file that names them."""
        return frozenset(self.workspace.claimed & set(map(os.path.normpath, self._seen)))

    def part(self) -> Part:
        """What the files so far gave."""
        if self._present is not None:
            self._show_rest()
        return Part(
            self.files,
            self._engines,
            tuple(self._unique.all()),
            tuple(self._ran),
            tuple(self._problems),
            (*self.workspace.problems, *self._left_out()),
            frozenset(self._projects),
            tuple(self._seen),
            tuple(self._marked),
            frozenset(self.workspace.claimed),
        )

    def _left_out(self) -> Iterator[Problem]:
        """The files outside of the project that no finding speaks of."""
        for path in dict.fromkeys(self.workspace.outside):
            if os.path.normpath(path) not in self._outside:
                yield Problem(path, "outside", OUTSIDE, 0, 0)

    def finish(self) -> Result:
        """What all files gave."""
        return combine([self.part()])._replace(judged=tuple(self.judged))


def _matters(error: Unreadable, path: str, data: bytes) -> bool:
    """Whether a file that a walk met and that cannot be read may be a configuration: one of ours by its words, and no data."""
    if error.reason == "too-large" and path.endswith(".json"):
        data = data[:HEAD]
    elif error.reason not in TEXTUAL:
        return True
    data = data.lower()
    return any(word in data for word in SPEAKS)


def problem_of(path: str, error: Exception) -> Problem:
    """The problem that an error in judging a file is. Raises what is no matter of one file: an error of the call."""
    if isinstance(error, VllmMigrateError) or os.environ.get("VLLM_MIGRATE_TRACEBACK"):
        raise error
    if isinstance(error, RecursionError):
        return Problem(path, "too-deep", "is nested too deeply to be judged", 0, 0)
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f" in {os.path.basename(at.tb_frame.f_code.co_filename)}:{at.tb_lineno}" if at is not None else ""
    message = f"internal error: {type(error).__name__}{where}; please report it (VLLM_MIGRATE_TRACEBACK=1 shows where it happened)"
    return Problem(path, "internal", message, 0, 0)


def _project(situation: Situation) -> Project:
    source, target = situation.source, situation.target
    root = situation.project.replace(os.sep, "/")
    return Project(root, source.value, target.value, source.because, target.because, situation.notes)


def _imports_alone(subject: Subject) -> bool:
    return isinstance(subject, Program) and subject.imports_alone


def combine(parts: Iterable[Part]) -> Result:
    """The parts of a run, in the order of their files, as one."""
    parts = list(parts)
    unique = Unique()
    for part in parts:
        for candidate in part.candidates:
            unique.add(candidate)
    # A file that several name as their parent was read by each part, and is one problem.
    elsewhere = dict.fromkeys(problem for part in parts for problem in part.parent_problems)
    problems = (*(problem for part in parts for problem in part.problems), *elsewhere)
    for problem in problems:
        fired = _unread(problem)
        unique.add(candidate_of(fired)._replace(finding=finding_of(fired, None, PLAIN)))
    return Result(
        sum(part.files for part in parts),
        sum(part.engines for part in parts),
        tuple(settled(unique.all(), (engine for part in parts for engine in part.engines_ran))),
        problems,
        tuple(sorted({project for part in parts for project in part.projects})),
        tuple(path for part in parts for path in part.seen),
        tuple(marked for part in parts for marked in part.marked),
    )


def _beyond(found: Beyond) -> Firing:
    spot = Spot(File.bare(Source(found.path, b"", "", False, "\n")), found.line, 1)
    message = (
        f"vLLM {found.release} is newer than the catalog; {found.instead}, the newest known release, stands in for it"
    )
    return file_finding(named("release-beyond-catalog"), message, spot, found.release)


def _missing_parent(engine: Subject, name: str, spot: Spot, outside: bool) -> Firing:
    rule = named("outside-project" if outside else "parent-not-found")
    why = "leads outside the project and was not read" if outside else "was not found"
    message = f"the parent config {name} {why}, so what it sets is not known"
    return file_finding(rule, message, spot, name, engine)._replace(option=name)


def _unread(problem: Problem) -> Firing:
    spot = Spot(File.bare(Source(problem.path, b"", "", False, "\n")), problem.line, problem.column)
    message = problem.message
    if problem.path == STDIN and problem.reason == "syntax":
        message += "; standard input is read as YAML, unless --stdin-filename NAME says what it is (train.py, run.sh)"
    return file_finding(for_reason(problem.reason), message, spot, problem.reason)
