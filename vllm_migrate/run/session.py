"""One call of `lint` or `fix`, from its options to a report: configuration, releases, files, findings, offers.

What the command line does besides printing. Everything a hook's call imports is light; see docs/architecture.md.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vllm_migrate.catalog import store
from vllm_migrate.cli.options import Call
from vllm_migrate.dialects.workspace import MAX_BYTES, Workspace
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.report.model import Report
from vllm_migrate.resolve.view import Assumptions, Question
from vllm_migrate.rules.files import as_rules
from vllm_migrate.rules.finding import Finding
from vllm_migrate.run.dependencies import Dependencies
from vllm_migrate.run.judging import Result, Run
from vllm_migrate.run.pins import PACKAGES
from vllm_migrate.run.reported import record_baseline, sift
from vllm_migrate.run.settings import Settings
from vllm_migrate.run.walk import STDIN, Input, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vllm_migrate.documents.write import CannotWrite
    from vllm_migrate.fixes.apply import Fixer
    from vllm_migrate.fixes.plan import FixPlan

SOURCE, TARGET = "0.8.5", "0.18.1"

# Outputs that offer edits to apply: their edits are proved first.
OFFERING = frozenset(("json", "sarif"))


class Releases:
    """The two releases of a run and why they were chosen."""

    __slots__ = ("frameworks", "notes", "source", "source_why", "target", "target_why")

    def __init__(self) -> None:
        self.source, self.source_why = SOURCE, "the default"
        self.target, self.target_why = TARGET, "the default"
        self.notes: list[str] = []
        self.frameworks: dict[str, str] = {}


class Session:
    """What one call works with."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.dependencies = Dependencies()
        self.settings = Settings.of(call, self.dependencies)
        self.catalog = store.load()
        self.knowledge: Knowledge = load_knowledge()
        self.paths = call.paths or self.settings.config.includes(self.dependencies) or ["."]
        # The baseline is no input where a walk meets it; named, it is counted and not judged.
        self.inputs = [entry for entry in self._walked() if entry.named or not self._is_baseline(entry.path)]
        self.releases = self._releases()
        self.question = Question(self.releases.source, self.releases.target, self._assumptions())

    def _walked(self) -> Iterator[Input]:
        return walk(self.paths, self.settings.exclude, root=self.settings.root, dependencies=self.dependencies)

    def _is_baseline(self, path: str) -> bool:
        baseline = self.settings.baseline
        if not baseline:
            return False
        from vllm_migrate.run.baseline import is_baseline

        return is_baseline(path, baseline)

    def _releases(self) -> Releases:
        """--from and --to; else the configuration; else what the project pins today; else 0.8.5 and 0.18.1."""
        out = Releases()
        source, target = self.settings.source, self.settings.target
        self._pinned(out)
        if source:
            out.source, out.source_why = self._known(source[0]), source[1]
        if target:
            out.target, out.target_why = self._known(target[0]), target[1]
        if self.catalog.ordinal(out.source) > self.catalog.ordinal(out.target):
            raise UsageError(
                f"--from {out.source} is newer than --to {out.target}", "swap them, or name the release you move to"
            )
        out.notes.extend(
            self._added(release)
            for release in dict.fromkeys((out.source, out.target))
            if self.catalog.is_added(release)
        )
        return out

    def _added(self, release: str) -> str:
        """That a release is the user's own, so that nobody takes it for a shipped one."""
        instead = ", in place of the shipped one" if release in self.catalog.shipped else ""
        return f"vLLM {release} is as `catalog add` read it{instead} ({store.cache_folder()})"

    def _known(self, release: str) -> str:
        try:
            return self.catalog.canonical(release)
        except store.UnknownRelease as error:
            raise UsageError(str(error), "`vllm-migrate releases` lists them; `catalog add` adds one") from None

    def _pinned(self, out: Releases) -> None:
        """The release that the project pins today, where one place says it."""
        from vllm_migrate.run.versions import choose_source, input_pins, misread, notes, releases_for

        packages = tuple(dict.fromkeys((*PACKAGES, *self.knowledge.frameworks())))
        pins = releases_for(self.settings.root, self.dependencies, packages)
        pins += input_pins([entry.path for entry in self.inputs if not entry.stdin], pins, packages)
        out.frameworks = {pin.package: pin.version for pin in reversed(pins) if pin.exact and pin.package != "vllm"}
        if self.settings.source:
            return
        out.notes.extend(notes(pins))
        pin = choose_source(pins)
        fault = misread(self.settings.root, pin, self.dependencies)
        out.notes.extend([fault] if fault else [])
        if pin is None:
            return
        place = f"{os.path.relpath(pin.path)}:{pin.line}"
        target = self.settings.target[0] if self.settings.target else TARGET
        if not self.catalog.knows(pin.version):
            out.notes.append(f"{place} pins vllm {pin.version}, which the catalog lacks; compared with {out.source}")
        elif self.catalog.knows(target) and self.catalog.ordinal(pin.version) > self.catalog.ordinal(target):
            out.notes.append(f"{place} pins vllm {pin.version}, newer than the target; compared with {out.source}")
        else:
            out.source, out.source_why = self.catalog.canonical(pin.version), f"{place} pins it"

    def _assumptions(self) -> Assumptions:
        engine = self.settings.from_engine
        gpu = self.settings.gpu
        if gpu is not None and gpu.lower() not in self.knowledge.gpus:
            raise UsageError(f"--gpu: {gpu!r} is not known", "one of " + ", ".join(sorted(self.knowledge.gpus)))
        model, generation = _model_files(self.settings.model_config)
        return Assumptions(None if engine in (None, "auto") else engine, gpu, model, generation)

    def run(self, offer: Callable[[Finding], FixPlan | None] | None = None, keep: bool = False) -> Result:
        """Judge every input file. Scripts first: a configuration that one of them names is judged with it."""
        workspace = Workspace([entry.path for entry in self.inputs], note=self.dependencies.note)
        workspace.frameworks = self.releases.frameworks
        run = Run(self.question, self.catalog, self.knowledge, workspace, offer, keep)
        for entry in sorted(self.inputs, key=lambda entry: not entry.path.endswith((".sh", ".slurm", ".bash"))):
            self._judge(run, entry, workspace)
        return run.finish()

    def _judge(self, run: Run, entry: Input, workspace: Workspace) -> None:
        if entry.stdin:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            run.judge_file(self.call.text("stdin_filename") or _stdin_name(data), True, data)
        elif (workspace.claimed and os.path.normpath(entry.path) in workspace.claimed) or self._is_baseline(entry.path):
            run.result.files += 1
        else:
            run.judge_file(entry.path, entry.named)

    def rules(self) -> tuple[Rule, ...]:
        """Every rule there is: those of rules/ and those about files that cannot be analysed."""
        return self.knowledge.rules + as_rules()

    def planner(self) -> Callable[[Finding], FixPlan | None]:
        """What plans the edits of one finding; where the output offers them to apply, they are proved."""
        if (self.call.text("output_format") or "text") in OFFERING:
            return self.fixer().plan
        from vllm_migrate.fixes.plan import plan

        return plan

    def fixer(self) -> Fixer:
        from vllm_migrate.fixes.apply import Fixer

        return Fixer(self.question, self.catalog, self.knowledge)


def _stdin_name(data: bytes) -> str:
    """The name of standard input that was given none: a program says in its first line what runs it."""
    if data.startswith(b"#!"):
        runner = {word.rpartition(b"/")[2].rstrip(b".0123456789") for word in data[2:200].split(b"\n", 1)[0].split()}
        if b"python" in runner:
            return "stdin.py"
        if not runner.isdisjoint((b"sh", b"bash", b"dash", b"ksh", b"zsh")):
            return "stdin.sh"
    return "stdin.yaml"


def _model_files(folder: str | None) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """config.json and generation_config.json of --model-config. An absent generation_config.json sets nothing."""
    if folder is None:
        return None, None
    import json

    if os.path.isfile(folder):
        folder = os.path.dirname(folder)
    out: list[dict[str, object] | None] = []
    for name in ("config.json", "generation_config.json"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as handle:
                data = json.load(handle)
        except FileNotFoundError:
            if name == "config.json":
                raise UsageError(f"--model-config: no {name} in {folder}") from None
            data = {}
        except (OSError, ValueError) as error:
            raise UsageError(f"--model-config: {name}: {error}") from None
        out.append(data if isinstance(data, dict) else {})
    return out[0], out[1]


class LintOutcome:
    """A lint: the report, the exit code, and the dependencies of what was looked at."""

    __slots__ = ("dependencies", "exit_code", "report")

    def __init__(self, report: Report, exit_code: int, dependencies: Dependencies) -> None:
        self.report = report
        self.exit_code = exit_code
        self.dependencies = dependencies


def lint(call: Call) -> LintOutcome:
    """Lint as the call asks."""
    session = Session(call)
    plan = session.planner()
    result = session.run(plan)
    report = Report(
        session.releases.source, session.releases.target, session.releases.source_why, session.releases.target_why
    )
    report.files = result.files
    report.engines = result.engines
    report.paths = session.paths
    report.arguments = _arguments(call)
    report.notes = session.releases.notes
    report.fail_on = session.settings.fail_on
    report.rules = session.knowledge.rules
    report.quiet = call.flag("quiet")
    report.problems = result.problems
    _fill(report, session, result, plan)
    if result.files == 0:
        return LintOutcome(report, 3, session.dependencies)
    for path in (store.cache_folder(), session.settings.baseline, session.settings.model_config):
        if path:
            session.dependencies.note(path)
    return LintOutcome(report, 1 if report.failing() else 0, session.dependencies)


def _arguments(call: Call) -> list[str]:
    out: list[str] = []
    for name, field in (("--from", "source"), ("--to", "target"), ("--from-engine", "from_engine"), ("--gpu", "gpu")):
        value = call.text(field)
        if value is not None:
            out.extend((name, value))
    return out


def _fill(report: Report, session: Session, result: Result, plan: Callable[[Finding], FixPlan | None]) -> None:
    """Findings that are selected and not suppressed, with their edits."""
    sifted = sift(result, session.settings, session.rules())
    kept = sifted.kept
    report.suppressed = sifted.suppressed
    report.notes.extend(sifted.notes)
    if session.call.flag("write_baseline"):
        report.notes.append(record_baseline(kept, session.settings.baseline))
        kept = []
    if session.call.flag("add_ignores"):
        from vllm_migrate.run.ignores import write_ignores

        report.notes.extend(write_ignores(kept, result.workspace))
        kept = []
    for finding in kept:
        report.add(finding, result.offers[id(finding)] if id(finding) in result.offers else plan(finding))


class FixOutcome:
    """A fix: what was or would be written, what was refused and why, the exit code."""

    __slots__ = ("exit_code", "failed", "files", "findings", "plan", "released", "written")

    def __init__(self, plan: FixPlan, findings: list[Finding], files: int) -> None:
        self.plan = plan
        self.findings = findings
        self.files = files
        self.written: list[str] = []
        self.failed: list[CannotWrite] = []  # files that could not be written
        self.exit_code = 0
        self.released = ("", "")


def fix(call: Call) -> FixOutcome:
    """Fix as the call asks: plan and prove everything, write it with --write."""
    from vllm_migrate.fixes.write import write_all

    if call.flag("write") and not call.flag("check") and STDIN in call.paths:
        raise UsageError(
            "--write: standard input (-) is no file", "leave out --write: the diff goes to standard output"
        )
    session = Session(call)
    result = session.run()
    findings = sift(result, session.settings, session.rules()).kept
    out = FixOutcome(_planned(session, findings), findings, result.files)
    out.released = (session.releases.source, session.releases.target)
    if result.files == 0:
        out.exit_code = 3
    elif call.flag("write") and not call.flag("check"):
        out.written, out.failed = write_all(out.plan.edits)
        out.exit_code = 2 if out.failed else 0
    else:
        out.exit_code = 1 if out.plan.edits else 0
    return out


def _planned(session: Session, findings: list[Finding]) -> FixPlan:
    """What may be written, proved by itself; what reaches into parents outside the PATHs is planned to be shown."""
    from vllm_migrate.fixes.apply import fix_all

    fixer, unsafe = session.fixer(), session.call.flag("unsafe")
    whole = fix_all(findings, fixer, unsafe)
    outside = {file: edits for file, edits in whole.edits.items() if not file.requested}
    if not outside or session.call.flag("follow_parents"):
        return whole._replace(shown=whole.applied)
    own = fix_all(findings, fixer, unsafe, lambda file: not file.requested)
    settled = {id(finding) for finding in (*own.applied, *(finding for finding, _ in own.refused))}
    refused = tuple((finding, why) for finding, why in whole.refused if id(finding) not in settled)
    return own._replace(refused=own.refused + refused, outside=outside, shown=whole.applied)
