"""What other programs call: `from vllm_migrate import lint, fix, effective`. The command line calls this, too.

Nothing here prints, exits, or keeps anything from one call to the next; calls may be made from several threads. The
names that `vllm_migrate` exports follow semantic versioning; `run_lint` and its like take the command line's whole
record of options, and may change.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.documents.disk import DISK, Disk, Memory, Unsaved
from vllm_migrate.errors import UsageError
from vllm_migrate.report.findings import EVERYTHING, Detail
from vllm_migrate.run.settings import Options

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report
    from vllm_migrate.run.complete import Completion
    from vllm_migrate.run.dependencies import Dependencies
    from vllm_migrate.run.effective import Effective, EngineView
    from vllm_migrate.run.fix import FixPlan
    from vllm_migrate.run.inspect import Inspection

    Completions = tuple[Completion, ...]

Path = str | os.PathLike[str]
Paths = Path | Sequence[Path]
Files = Mapping[str, str | bytes]
ENGINES = ("auto", "v0", "v1")


def lint(
    paths: Paths = (),
    *,
    files: Files | None = None,
    from_: str | None = None,
    to: str | None = None,
    from_engine: str = "auto",
    gpu: str | None = None,
    model_config: Path | None = None,
    config: Path | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Report:
    """What changes for these files between two releases of vLLM; the edits of its fixes are proved.

    paths: files and folders; without one, the configuration's `include`, else the working folder. files: a project in
    memory, by path relative to the working folder; then nothing is read from the disk, and paths are of these files.
    from_, to: releases; without them the configuration decides, else what the project pins, else 0.8.5 and 0.18.1.
    from_engine: "v0" or "v1", where 0.8.5 to 0.10 may have run either. gpu: "a100", "h100", ... model_config: a folder
    with config.json. config: the configuration file; without it, the nearest. select, ignore: codes, their beginnings,
    or names of rules. Raises UsageError for a call or a configuration that is wrong.
    """
    options = _options(paths, files, from_, to, from_engine, gpu, model_config, config, select, ignore)
    return run_lint(options, EVERYTHING, 1, _disk(files))[0]


def fix(
    paths: Paths = (),
    *,
    files: Files | None = None,
    from_: str | None = None,
    to: str | None = None,
    from_engine: str = "auto",
    gpu: str | None = None,
    model_config: Path | None = None,
    config: Path | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    unsafe: bool = False,
) -> FixPlan:
    """What `fix` would write: every edit is proved, nothing is written before `.write()`.

    unsafe: fixes that need a review, too. The rest as for `lint`. Raises UsageError.
    """
    options = _options(paths, files, from_, to, from_engine, gpu, model_config, config, select, ignore)
    return run_fix(options._replace(unsafe=unsafe), _disk(files))


def effective(
    paths: Paths = (),
    *,
    files: Files | None = None,
    from_: str | None = None,
    to: str | None = None,
    from_engine: str = "auto",
    gpu: str | None = None,
    model_config: Path | None = None,
    config: Path | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> tuple[EngineView, ...]:
    """Every engine's settings at both releases, each with its origin. Arguments as for `lint`; rules play no part in it.

    Raises UsageError.
    """
    options = _options(paths, files, from_, to, from_engine, gpu, model_config, config, select, ignore)
    return run_effective(options, _disk(files)).engines


def _disk(files: Files | None) -> Disk:
    return DISK if files is None else Memory(files)


def _options(
    paths: Paths,
    files: Files | None,
    from_: str | None,
    to: str | None,
    from_engine: str,
    gpu: str | None,
    model_config: Path | None,
    config: Path | None,
    select: Sequence[str],
    ignore: Sequence[str],
) -> Options:
    if from_engine not in ENGINES:
        raise UsageError(f"from_engine: {from_engine!r} is not one of {', '.join(ENGINES)}")
    for name, selectors in (("select", select), ("ignore", ignore)):
        if isinstance(selectors, str):
            raise UsageError(f"{name} is a list of rules", f'write ["{selectors}"]')
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    named = tuple(os.fspath(path) for path in several)
    if "-" in named:
        raise UsageError("standard input is for the command line", "give its text in `files`")
    return Options(
        named or (() if files is None else (os.curdir,)),
        from_,
        to,
        None if from_engine == "auto" else from_engine,
        gpu,
        None if model_config is None else os.fspath(model_config),
        select=tuple(select),
        ignore=tuple(ignore),
        config=None if config is None else os.fspath(config),
    )


def run_lint(options: Options, detail: Detail, jobs: int | None, disk: Disk = DISK) -> tuple[Report, Dependencies]:
    """`lint` from a record of options, and what its report depends on. Raises UsageError."""
    from vllm_migrate.run.lint import lint

    return lint(options, detail, jobs, disk)


def run_fix(options: Options, disk: Disk = DISK) -> FixPlan:
    """`fix` from a record of options. Raises UsageError."""
    from vllm_migrate.run.fix import fix

    return fix(options, disk)


def run_effective(options: Options, disk: Disk = DISK) -> Effective:
    """`effective` from a record of options, and the releases that stand for the run. Raises UsageError."""
    from vllm_migrate.run.effective import effective

    return effective(options, disk)


def run_inspect(path: str, options: Options, disk: Disk = DISK) -> Inspection:
    """One file with every setting written in it, each with its place and its values at both releases. Raises UsageError."""
    from vllm_migrate.run.inspect import inspect

    return inspect(path, options, disk)


def run_complete(path: str, text: str, offset: int, options: Options, unsaved: Mapping[str, str]) -> Completions:
    """What may stand at an offset (code points) of a file whose text is `text`. unsaved: texts of other files, by path.

    Raises UsageError.
    """
    from vllm_migrate.run.complete import complete

    return complete(path, text, offset, options, lambda marked: Unsaved({**unsaved, **marked}))


def option_story(name: str) -> str:
    """The life of an option of vLLM over all releases as lines of text; "" where no release had it."""
    from vllm_migrate.catalog import store
    from vllm_migrate.catalog.history import explain_option, render_text

    found = explain_option(store.load(), name)
    return render_text(found._replace(stories=found.stories[:1])) if found is not None else ""
