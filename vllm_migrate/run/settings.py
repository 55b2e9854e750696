"""The settings of one run: its options over the configuration file over the defaults."""

from __future__ import annotations

import os
from typing import NamedTuple

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.run.config import Config, load_config, read_config
from vllm_migrate.run.dependencies import Dependencies

Why = tuple[str, str]  # a release and where it was said


class Options(NamedTuple):
    """What the caller asks for; what is None or empty is for the configuration file, else the default, to decide.

    paths: files, folders or `-`; source, target: releases; select, ignore, extend_select: rules; exclude: patterns;
    config: the configuration file to read; isolated: read none; model_config: a folder; stdin_filename: the name that
    `-` is judged under; fail_on: a severity or "never"; fail_on_checklist: items of
    the checklist count, too; baseline: a file of known findings; diff: a unified diff, to whose changed lines findings are
    kept; allow_outside: folders that may be read and written though they are outside of the project;
    write, reason: suppression comments are written, with that reason;
    to_write: what keeps an engine from starting counts whether or not the project hides it, and so does all that a baseline hides;
    diff_text: what `diff` holds, once it is read;
    history: where a project pins its target already, the release before it is looked for in its Git history.
    """

    paths: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    from_engine: str | None = None
    gpu: str | None = None
    model_config: str | None = None
    stdin_filename: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    config: str | None = None
    isolated: bool = False
    fail_on: str | None = None
    fail_on_checklist: bool = False
    baseline: str | None = None
    diff: str | None = None
    diff_text: str | None = None
    write_baseline: bool = False
    add_ignores: bool = False
    write: bool = False
    reason: str | None = None
    unsafe: bool = False
    to_write: bool = False
    follow_parents: bool = False
    allow_outside: tuple[str, ...] = ()
    history: bool = False


class Settings:
    """What a run works with. source and target are None where nobody says; root is the project's folder."""

    __slots__ = (
        *("baseline", "config", "exclude", "fail_on", "fail_on_checklist"),
        *("model_config", "options", "root", "unsafe"),
    )

    def __init__(self, options: Options, config: Config, disk: Disk = DISK) -> None:
        self.options = options
        self.config = config
        self.root = config.root if config.path else _start(options.paths, disk)
        self.exclude = [*(config.texts("exclude") or []), *options.exclude]
        self.fail_on = options.fail_on or config.text("fail-on") or "warning"
        self.fail_on_checklist = options.fail_on_checklist or config.flag("fail-on-checklist")
        self.model_config = options.model_config or config.file("model-config")
        self.unsafe = options.unsafe or config.flag("unsafe-fixes")
        self.baseline = options.baseline or config.file("baseline")

    @classmethod
    def of(cls, options: Options, dependencies: Dependencies | None = None, disk: Disk = DISK) -> Settings:
        """The settings of a run, with the configuration file that it names or that is nearest to its first PATH.

        dependencies: notes what is looked at.
        """
        if options.isolated:
            return cls(options, Config(), disk)
        named = options.config
        if named and dependencies is not None:
            dependencies.note(named)
        if named:
            return cls(options, read_config(named, disk), disk)
        return cls(options, load_config(_start(options.paths, disk), dependencies, disk), disk)

    def remarks(self, writes: bool) -> list[str]:
        """What the project's own file decides of what is written, else also of what fails, where the call does not say it."""
        out = []
        if self.fail_on == "never" and self.options.fail_on is None and not writes:
            out.append(f'{self.config.where("fail-on")} sets fail-on = "never": whatever is found, the exit code is 0')
        if self.unsafe and not self.options.unsafe:
            out.append(f"{self.config.where('unsafe-fixes')} sets unsafe-fixes: fixes that need review are applied too")
        return out

    @property
    def source(self) -> Why | None:
        return self._release(self.options.source, "from")

    @property
    def target(self) -> Why | None:
        return self._release(self.options.target, "to")

    def _release(self, option: str | None, key: str) -> Why | None:
        if option:
            return option, f"--{key}"
        written = self.config.text(key)
        return (written, self.config.where(key)) if written else None


def _start(paths: tuple[str, ...], disk: Disk) -> str:
    """The folder that the search for a configuration begins in."""
    first = paths[0] if paths and paths[0] != "-" else os.curdir
    return first if disk.is_folder(first) else os.path.dirname(first) or os.curdir
