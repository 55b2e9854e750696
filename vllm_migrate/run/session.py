"""What one run works with: configuration, input files, releases, knowledge. Everything here is light to import."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING

from vllm_migrate.catalog import store
from vllm_migrate.dialects.situation import Known
from vllm_migrate.dialects.workspace import MAX_BYTES, Workspace
from vllm_migrate.documents.disk import DISK, OUTSIDE, Disk
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import DATA, Knowledge
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.reading import as_rules, named
from vllm_migrate.knowledge.records import Rule
from vllm_migrate.run.dependencies import Dependencies, Unnoted
from vllm_migrate.run.fence import fence_of
from vllm_migrate.run.filtering import selection_of
from vllm_migrate.run.judging import STDIN, Present, Result, Run
from vllm_migrate.run.progress import advanced
from vllm_migrate.run.settings import Options, Settings
from vllm_migrate.run.situations import Situations
from vllm_migrate.run.walk import Input, walk
from vllm_migrate.shipped import SHIPPED, WHEEL_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vllm_migrate.fixes.apply import Fixer
    from vllm_migrate.report.model import Project

SCRIPTS = (".sh", ".slurm", ".bash")


class Session:
    """What one run works with. Raises UsageError where the options, or the configuration, are wrong."""

    def __init__(self, options: Options, disk: Disk = DISK) -> None:
        self.options = options
        self._stdin: bytes | None = None  # once it is read
        self.dependencies = Dependencies() if disk is DISK else Unnoted()
        self.disk = disk = disk.within(fence_of(options, disk, self.dependencies))
        self.settings = Settings.of(options, self.dependencies, disk)
        _note_knowledge(self.dependencies)  # before it is read
        self.catalog = store.load()
        self.knowledge: Knowledge = self._knowledge()
        self.knowledge = self.knowledge.asking(selection_of(self.settings, self.rules()).selects)
        if self.settings.baseline and not options.baseline:
            self._inside(self.settings.baseline, "baseline")
        self.paths = options.paths or self._included() or (".",)
        # The baseline is no input where a walk meets it; named, it is counted and not judged.
        unreadable: list[str] = []
        sources: list[str] = []
        walked = [
            entry for entry in self._walked(unreadable, sources) if entry.named or not self._is_baseline(entry.path)
        ]
        self.left_out = sources
        # A folder that cannot be listed is told as a file that cannot be read.
        self.inputs = [*walked, *(Input(os.path.normpath(folder), False) for folder in unreadable)]
        model = self._model_files()
        self.situations = Situations(self.settings, self.catalog, self.knowledge, self.dependencies, disk, model)

    def _included(self) -> tuple[str, ...]:
        """The PATHs that the configuration names."""
        config = self.settings.config
        for path in (paths := config.includes(self.dependencies)):
            self._inside(path, "include")
        return tuple(paths)

    def _inside(self, path: str, key: str) -> None:
        """Raises UsageError for a path of the configuration that leads out of the project."""
        if self.disk.outside(path):
            raise UsageError(
                f"{self.settings.config.where(key)}: {key}: {path} {OUTSIDE}", "a repository cannot allow that itself"
            )

    def _model_files(self) -> tuple[dict[str, object] | None, dict[str, object] | None]:
        """What `model_files` reads of the folder that the call or the configuration names."""
        folder, named = self.settings.model_config, self.options.model_config is not None
        if folder is not None and not named:
            self._inside(folder, "model-config")
        return model_files(folder, self.dependencies, self.disk.anywhere if named else self.disk.bytes_of)

    def _walked(self, unreadable: list[str], sources: list[str]) -> Iterator[Input]:
        return walk(
            self.paths,
            self.settings.exclude,
            root=self.settings.root,
            unreadable=unreadable,
            dependencies=self.dependencies,
            disk=self.disk,
            sources=sources,
        )

    def _knowledge(self) -> Knowledge:
        """What is shipped, and what the configuration adds to it."""
        config = self.settings.config
        entries = config.texts("knowledge")
        if not entries:
            return load_knowledge()
        from pathlib import Path

        from vllm_migrate.knowledge import private

        folders = private.folders_of(entries, config.root)
        own = [folder for entry, folder in zip(entries, folders, strict=True) if folder == Path(config.root, entry)]
        for path in (*own, *private.files_in(own)):  # an installed package is the user's
            self._inside(str(path), "knowledge")
        for path in private.files_in(folders):
            self.dependencies.note(str(path))
        return private.load_with(folders)

    def _is_baseline(self, path: str) -> bool:
        baseline = self.settings.baseline
        if not baseline:
            return False
        from vllm_migrate.run.baseline import is_baseline

        return is_baseline(path, baseline)

    def releases(self, projects: Sequence[Project]) -> tuple[Known, Known]:
        """The two releases that stand for the run: those asked for, else the first project's, else those of the folder."""
        situation = self.situations.of(os.path.join(self.settings.root or os.curdir, "-"))
        if not projects or situation.asked:
            return situation.source, situation.target
        first = projects[0]
        return Known(first.source, first.why), Known(first.target, first.target_why)

    def remarks(self, projects: Sequence[Project]) -> list[str]:
        """What to say of the evidence, and of releases that are the user's own, so that nobody takes them for shipped ones."""
        used = [release for project in projects for release in (project.source, project.target)]
        added = [self._added(release) for release in dict.fromkeys(used) if self.catalog.is_added(release)]
        unused = [SHIPPED.unused] if SHIPPED.unused else []
        left_out = [
            f"{os.path.normpath(folder)} is vLLM's own source, left out: its programs run with that vLLM. Name what you want judged in it"
            for folder in self.left_out
        ]
        return [*unused, *left_out, *dict.fromkeys(note for project in projects for note in project.notes), *added]

    def _added(self, release: str) -> str:
        instead = ", in place of the shipped one" if release in self.catalog.shipped else ""
        return f"vLLM {release} is as `catalog add` read it{instead} ({store.cache_folder()})"

    def run(self, present: Present | None = None, keep: bool = False, texts: dict[str, str] | None = None) -> Result:
        """Judge every input file in this process. Scripts first: a configuration that one names is judged with it."""
        return self.judged(present, keep, texts).finish()

    def judged(self, present: Present | None = None, keep: bool = False, texts: dict[str, str] | None = None) -> Run:
        """The run that has judged every input file. Begins anew where a file that was judged by itself turns out to be named by a
        later one, as by the compose file that mounts it."""
        claimed: frozenset[str] = frozenset()
        for _ in range(MAX_RUNS):
            run = self.new_run(present, keep, texts)
            run.workspace.claimed.update(claimed)
            for done, entry in enumerate(self.in_order(), 1):
                self.judge(run, entry)
                advanced(done, len(self.inputs))
            early = run.named_too_late()
            if not early:
                break
            claimed |= early
        return run

    def in_order(self) -> list[Input]:
        """The input files in the order in which they are judged: first those that may name a configuration of another."""
        first = set(map(id, self.naming))
        return [*self.naming, *(entry for entry in self.inputs if id(entry) not in first)]

    @cached_property
    def naming(self) -> list[Input]:
        """The input files that may name a configuration, scripts first."""
        scripts = [entry for entry in self.inputs if is_script(entry)]
        return [*scripts, *(entry for entry in self.inputs if not is_script(entry) and self._may_name(entry))]

    def _may_name(self, entry: Input) -> bool:
        """Whether a file has what stands before the name of a configuration in a command."""
        if entry.stdin or not kind_of(entry.path):
            return False
        try:
            data = self.disk.read(entry.path, MAX_BYTES)
        except Unreadable:
            return False  # which is said where it is judged
        return any(sign in data for sign in NAMES_ONE)

    def new_run(self, present: Present | None, keep: bool = False, texts: dict[str, str] | None = None) -> Run:
        """A run that has judged nothing yet. texts: stand for what is on disk, by normal path."""
        paths = [entry.path for entry in self.inputs]
        workspace = Workspace(paths, texts, note=self.dependencies.note, disk=self.disk, situate=self.situations.of)
        run = Run(self.catalog, self.knowledge, workspace, present, keep)
        unrecognised = named("no-engine-recognised")
        run.parses_named = selection_of(self.settings, self.rules()).selects(unrecognised.code, unrecognised.name)
        return run

    def judge(self, run: Run, entry: Input) -> None:
        """Judge one input file; not one that a script before it has named, nor the baseline."""
        claimed = run.workspace.claimed
        if entry.stdin:
            if sys.stdin is None:  # closed by the caller (`<&-`)
                raise UsageError("standard input is closed")
            if self._stdin is None:
                self._stdin = sys.stdin.buffer.read(MAX_BYTES + 1)
            run.judge_file(self.options.stdin_filename or _stdin_name(self._stdin), True, self._stdin)
        elif (claimed and os.path.normpath(entry.path) in claimed) or self._is_baseline(entry.path):
            run.files += 1
        else:
            text = run.workspace.texts.get(os.path.normpath(entry.path))
            run.judge_file(entry.path, entry.named, None if text is None else text.encode())

    def rules(self) -> tuple[Rule, ...]:
        """Every rule there is: those of rules/ and those about files that cannot be analysed."""
        return self.knowledge.rules + as_rules()

    def fixer(self, under: Workspace | None = None) -> Fixer:
        """Plans and proves fixes. under: has read the files."""
        from vllm_migrate.fixes.apply import Fixer

        return Fixer(self.catalog, self.knowledge, self.disk, self.situations.of, under)


NAMES_ONE = (b"--config", b'"@"', b"'@'", b" @ ")
# How often a run begins anew: a configuration that names further ones needs one more.
MAX_RUNS = 4


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
    return STDIN


def model_files(
    folder: str | None, dependencies: Dependencies, read: Callable[[str], bytes]
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """config.json and generation_config.json of --model-config. An absent generation_config.json sets nothing."""
    if folder is None:
        return None, None
    import json

    if os.path.isfile(folder):
        folder = os.path.dirname(folder)
    out: list[dict[str, object] | None] = []
    for name in ("config.json", "generation_config.json"):
        path = os.path.join(folder, name)
        dependencies.note(path)
        try:
            data = json.loads(read(path).decode("utf-8"))
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
    dependencies.note(WHEEL_MANIFEST)
    for folder in (DATA, store.DATA, store.cache_folder()):
        dependencies.note_files(folder)
