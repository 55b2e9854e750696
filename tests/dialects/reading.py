"""Small files on disk, read as a run reads them: engines, what arrives, findings, the files after every fix."""

from __future__ import annotations

from pathlib import Path

from tests.situations import move
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.deliver import Delivery, deliver
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.apply import Fixer, fix_all
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.judging import Result, Run

# The rules whose fixes these tests write: another rule's pin must not change what they expect.
FIXED = frozenset(
    (
        "arg-disable-log-requests",
        "async-scheduling-default",
        "duplicate-keyword",
        "engine-v0-removed",
        "logprobs-semantics",
        "multi-step",
        "args-misc-removed",
        "prefix-caching-default",
        "yaml-false-dropped",
    )
)


class Reading:
    """One run over files, given by name and text. frameworks: releases that the project pins."""

    def __init__(
        self,
        folder: Path,
        files: dict[str, str],
        source: str = "0.8.5",
        target: str = "0.18.1",
        frameworks: dict[str, str] | None = None,
        engine: str | None = None,
        knowledge: Knowledge | None = None,
    ) -> None:
        self.folder = folder
        self.knowledge = knowledge or load_knowledge()
        self.names = list(files)
        self.situate = move(source, target, engine, frameworks=frameworks)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.result = self._run()

    def _run(self) -> Result:
        paths = [str(self.folder / name) for name in self.names]
        run = Run(load_catalog(), self.knowledge, Workspace(paths, situate=self.situate), keep=True)
        for path in paths:
            run.judge_file(path)
        return run.finish()

    @property
    def engines(self) -> list[Engine]:
        return [judged.engine for judged in self.result.judged]

    @property
    def engine(self) -> Engine:
        (engine,) = self.engines
        return engine

    @property
    def findings(self) -> list[Firing]:
        return self.result.findings

    def names_of(self) -> set[str]:
        return {finding.name for finding in self.findings}

    def named(self, name: str) -> Firing:
        return next(finding for finding in self.findings if finding.name == name)

    def delivery(self, release: str) -> Delivery:
        return deliver(self.engine, load_catalog(), release)

    def arrives(self, release: str) -> dict[str, object]:
        """What reaches the engine, by option."""
        return {option: arrived.value for option, arrived in self.delivery(release).values.items()}

    def diagnostics(self, release: str) -> set[tuple[str, str]]:
        return {(diagnostic.kind, diagnostic.option) for diagnostic in self.delivery(release).diagnostics}

    def fix(self) -> Plan:
        """Write every fix there is; another run over the result has nothing left to write."""
        outcome = self._fixed(self.result)
        for file, edits in outcome.edits.items():
            Path(file.path).write_text(apply_edits(file.source.text, edits), encoding="utf-8")
        if outcome.edits:
            assert not self._fixed(self._run()).edits, "a second fix changes something"
        return outcome

    def _fixed(self, result: Result) -> Plan:
        fixer = Fixer(load_catalog(), self.knowledge, situate=self.situate)
        return fix_all([finding for finding in result.findings if finding.name in FIXED], fixer, unsafe=True)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")
