"""One lint run: files to engines, engines to findings, each place once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Engine, Program, Spot, Subject
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.workspace import Problem, Workspace, bounded
from vllm_migrate.documents.interface import Source, Unreadable, decode
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.resolve.view import Question, View
from vllm_migrate.rules.files import file_finding, for_reason, named
from vllm_migrate.rules.finding import SEVERITIES, Finding, identity
from vllm_migrate.rules.judge import judge
from vllm_migrate.run.inherit import Ledger, home_of, merge

if TYPE_CHECKING:
    from collections.abc import Callable

    from vllm_migrate.fixes.plan import FixPlan

MARK = b"vllm-migrate:"


class Judged(NamedTuple):
    """An engine with its two views."""

    engine: Engine
    source: View
    target: View


class Result:
    """files: how many input files there were; engines: how many were found, without programs of imports alone; findings:
    sorted by place, each once.

    judged: the engines themselves, where they are kept; offers: by id of the finding, where they were made on the way.
    """

    __slots__ = ("engines", "files", "findings", "judged", "marked", "offers", "problems", "seen", "workspace")

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.files = 0
        self.engines = 0
        self.judged: list[Judged] = []
        self.offers: dict[int, FixPlan | None] = {}
        self.findings: list[Finding] = []
        self.problems: list[Problem] = []
        self.seen: list[str] = []  # the paths of the input files
        self.marked: list[Source] = []  # files with a comment addressed to us


class Run:
    """Judges files one by one; `finish` returns what was found.

    offer: makes a finding's offer. With it, a file that stands alone is let go as soon as its findings have theirs, so that
    memory does not grow with the number of files. keep: keep every engine with its views.
    """

    def __init__(
        self,
        question: Question,
        catalog: Catalog,
        knowledge: Knowledge,
        workspace: Workspace,
        offer: Callable[[Finding], FixPlan | None] | None = None,
        keep: bool = False,
    ) -> None:
        self._offer = offer
        self._keep = keep
        self._ledger = Ledger(knowledge)
        self.question = question
        self.catalog = catalog
        self.knowledge = knowledge
        self.result = Result(workspace)
        workspace.target = question.target
        self._prefilter = Prefilter(knowledge.dialects, catalog)
        self._by_identity: dict[tuple[str, str, int, str], Finding] = {}

    def judge_file(self, path: str, named: bool = False, data: bytes | None = None) -> None:
        """Lint one file. `named`: the user gave this very path, so that an unsupported dialect must not look clean."""
        self.result.files += 1
        self.result.seen.append(path)
        workspace = self.result.workspace
        try:
            data = workspace.read(path) if data is None else bounded(data)
            if MARK in data:
                self.result.marked.append(decode(path, data))
            if not self._prefilter.may_concern(path, data):
                if named:
                    decode(path, data)  # one that is not UTF-8 says so
                    self._unrecognised(path, data)
                return
            file, is_parent = workspace.take(path, data)
        except Unreadable as error:
            self.result.problems.append(Problem(path, error.reason, error.message, error.line, error.column))
            return
        found = discover(file, self.knowledge.dialects, self.catalog, workspace)
        fresh = [finding for subject in found.subjects for finding in self._judge(subject)]
        if named and not fresh and all(map(_imports_alone, found.subjects)):
            self._unrecognised(path, data, bool(found.subjects))
        # A parent stays: findings of its children may be written in it.
        if self._offer is not None and not is_parent and all(set(s.files) == {file} for s in found.subjects):
            for finding in fresh:
                self.result.offers[id(finding)] = self._offer(finding)
            workspace.release(file)

    def _judge(self, engine: Subject) -> list[Finding]:
        """The findings on one engine or program that are new."""
        question = self.question
        source, target = (
            View(engine, release, self.catalog, self.knowledge, question.assumptions, release == question.source)
            for release in (question.source, question.target)
        )
        if self._keep and isinstance(engine, Engine):
            self.result.judged.append(Judged(engine, source, target))
        self.result.engines += 0 if _imports_alone(engine) else 1
        self._ledger.enter(engine, self._ledger.pins(engine, source, target))
        home, fresh = home_of(engine), []
        for finding in judge(engine, source, target, self.knowledge):
            finding.home = home
            if self._add(finding):
                fresh.append(finding)
        for missing in engine.missing:
            if missing.kwargs:
                continue  # an idiom, and what depends on it says so
            node = missing.place.node
            self._add(_missing_parent(engine, missing.name, Spot(missing.place.file, node.start, node.end)))
        return fresh

    def _add(self, finding: Finding) -> bool:
        """Each place once: the graver of two wins, and names the file that made it so. False for one that did not win."""
        key = identity(finding)
        known = self._by_identity.get(key)
        path = finding.engine.file.path if finding.engine else ""
        if known is None:
            self._by_identity[key] = finding
            if path and path != finding.spot.file.path:
                finding.children.append(path)
            return True
        wins = _graver(finding, known)
        if wins:
            finding.children = known.children
            self._by_identity[key] = known = finding
        if path and path != finding.spot.file.path and path not in known.children:
            known.children.append(path)
        return wins

    def _unrecognised(self, path: str, data: bytes, imports: bool = False) -> None:
        source = Source(path, data, data.decode("utf-8", "replace"), False, "\n")
        spot = Spot(File.bare(source), 0, 0)
        judged = "nothing in it but its imports" if imports else "nothing in it"
        message = f"no vLLM engine was recognised in this file, so {judged} was judged"
        self._add(file_finding(named("no-engine-recognised"), message, spot))

    def finish(self) -> Result:
        result = self.result
        result.problems.extend(result.workspace.problems)
        for problem in result.problems:
            self._add(_problem(problem))
        for finding in self._by_identity.values():
            self._ledger.lower(finding)
        result.findings = sorted(
            merge(list(self._by_identity.values())),
            key=lambda f: (f.spot.file.path, f.spot.start, -SEVERITIES.index(f.severity), f.code, f.option),
        )
        return result


def _imports_alone(subject: Subject) -> bool:
    return isinstance(subject, Program) and subject.imports_alone


def _graver(finding: Finding, known: Finding) -> bool:
    return SEVERITIES.index(finding.severity) > SEVERITIES.index(known.severity)


def _missing_parent(engine: Subject, name: str, spot: Spot) -> Finding:
    message = f"the parent config {name} was not found, so what it sets is not known"
    finding = file_finding(named("parent-not-found"), message, spot, name, engine)
    finding.option = name
    return finding


def _problem(problem: Problem) -> Finding:
    spot = Spot(File.bare(Source(problem.path, b"", "", False, "\n")), problem.line, problem.column)
    return file_finding(for_reason(problem.reason), problem.message, spot, problem.reason)
