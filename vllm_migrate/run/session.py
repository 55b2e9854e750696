"""What one run works with: configuration, input files, releases, knowledge. Everything here is light to import."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vllm_migrate.catalog import store
from vllm_migrate.dialects.workspace import MAX_BYTES, Workspace
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import DATA, Knowledge
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.resolve.view import Assumptions, Question
from vllm_migrate.rules.files import as_rules
from vllm_migrate.run.dependencies import Dependencies, Unnoted
from vllm_migrate.run.judging import Present, Result, Run
from vllm_migrate.run.pins import PACKAGES
from vllm_migrate.run.settings import Options, Settings
from vllm_migrate.run.walk import Input, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.fixes.apply import Fixer

SOURCE, TARGET = "0.8.5", "0.18.1"
SCRIPTS = (".sh", ".slurm", ".bash")


class Releases:
    """The two releases of a run and why they were chosen."""

    __slots__ = ("frameworks", "notes", "source", "source_why", "target", "target_why")

    def __init__(self) -> None:
        self.source, self.source_why = SOURCE, "the default"
        self.target, self.target_why = TARGET, "the default"
        self.notes: list[str] = []
        self.frameworks: dict[str, str] = {}


class Session:
    """What one run works with. Raises UsageError where the options, or the configuration, are wrong."""

    def __init__(self, options: Options, disk: Disk = DISK) -> None:
        self.options = options
        self.disk = disk
        self.dependencies = Dependencies() if disk is DISK else Unnoted()
        self.settings = Settings.of(options, self.dependencies, disk)
        _note_knowledge(self.dependencies)  # before it is read
        self.catalog = store.load()
        self.knowledge: Knowledge = load_knowledge()
        self.paths = options.paths or tuple(self.settings.config.includes(self.dependencies)) or (".",)
        # The baseline is no input where a walk meets it; named, it is counted and not judged.
        self.inputs = [entry for entry in self._walked() if entry.named or not self._is_baseline(entry.path)]
        self.releases = self._releases()
        self.question = Question(self.releases.source, self.releases.target, self._assumptions())

    def _walked(self) -> Iterator[Input]:
        return walk(
            self.paths, self.settings.exclude, root=self.settings.root, dependencies=self.dependencies, disk=self.disk
        )

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
        pins = releases_for(self.settings.root, self.dependencies, packages, self.disk)
        pins += input_pins([entry.path for entry in self.inputs if not entry.stdin], pins, packages, self.disk)
        out.frameworks = {pin.package: pin.version for pin in reversed(pins) if pin.exact and pin.package != "vllm"}
        if self.settings.source:
            return
        out.notes.extend(notes(pins))
        pin = choose_source(pins)
        fault = misread(self.settings.root, pin, self.dependencies, self.disk)
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
        model, generation = _model_files(self.settings.model_config, self.dependencies, self.disk)
        return Assumptions(None if engine in (None, "auto") else engine, gpu, model, generation)

    def run(self, present: Present | None = None, keep: bool = False) -> Result:
        """Judge every input file in this process. Scripts first: a configuration that one names is judged with it."""
        run = self.new_run(present, keep)
        for entry in self.in_order():
            self.judge(run, entry)
        return run.finish()

    def in_order(self) -> list[Input]:
        """The input files in the order in which they are judged."""
        return sorted(self.inputs, key=lambda entry: not is_script(entry))

    def new_run(self, present: Present | None, keep: bool = False) -> Run:
        """A run that has judged nothing yet."""
        workspace = Workspace([entry.path for entry in self.inputs], note=self.dependencies.note, disk=self.disk)
        workspace.frameworks = self.releases.frameworks
        return Run(self.question, self.catalog, self.knowledge, workspace, present, keep)

    def judge(self, run: Run, entry: Input) -> None:
        """Judge one input file; not one that a script before it has named, nor the baseline."""
        claimed = run.workspace.claimed
        if entry.stdin:
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
            run.judge_file(self.options.stdin_filename or _stdin_name(data), True, data)
        elif (claimed and os.path.normpath(entry.path) in claimed) or self._is_baseline(entry.path):
            run.files += 1
        else:
            run.judge_file(entry.path, entry.named)

    def rules(self) -> tuple[Rule, ...]:
        """Every rule there is: those of rules/ and those about files that cannot be analysed."""
        return self.knowledge.rules + as_rules()

    def fixer(self) -> Fixer:
        from vllm_migrate.fixes.apply import Fixer

        return Fixer(self.question, self.catalog, self.knowledge, self.disk)


def is_script(entry: Input) -> bool:
    """Whether a file is judged before the others."""
    return entry.path.endswith(SCRIPTS)


def _stdin_name(data: bytes) -> str:
    """The name of standard input that was given none: a program says in its first line what runs it."""
    if data.startswith(b"#!"):
        runner = {word.rpartition(b"/")[2].rstrip(b".0123456789") for word in data[2:200].split(b"\n", 1)[0].split()}
        if b"python" in runner:
            return "stdin.py"
        if not runner.isdisjoint((b"sh", b"bash", b"dash", b"ksh", b"zsh")):
            return "stdin.sh"
    return "stdin.yaml"


def _model_files(
    folder: str | None, dependencies: Dependencies, disk: Disk
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """config.json and generation_config.json of --model-config. An absent generation_config.json sets nothing."""
    if folder is None:
        return None, None
    import json

    if disk.is_file(folder):
        folder = os.path.dirname(folder)
    out: list[dict[str, object] | None] = []
    for name in ("config.json", "generation_config.json"):
        path = os.path.join(folder, name)
        dependencies.note(path)
        try:
            data = json.loads(disk.bytes_of(path, wait=True).decode("utf-8"))
        except FileNotFoundError:
            if name == "config.json":
                raise UsageError(f"--model-config: no {name} in {folder}") from None
            data = {}
        except (OSError, ValueError) as error:
            raise UsageError(f"--model-config: {name}: {error}") from None
        out.append(data if isinstance(data, dict) else {})
    return out[0], out[1]


def _note_knowledge(dependencies: Dependencies) -> None:
    """Note the data that is judged by: the compiled rules, the shipped catalog, the releases that the user added."""
    for folder in (DATA, store.DATA, store.cache_folder()):
        dependencies.note_files(folder)
