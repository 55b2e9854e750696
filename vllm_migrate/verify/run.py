"""What the folder of a run tells: the configurations that it wrote down, its job logs, and the packages it ran with."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import lines_of, loads, opened_output
from vllm_migrate.report.mask import mask_value
from vllm_migrate.resolve.table import Cell, rows
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.verify import log
from vllm_migrate.verify.engine import chosen
from vllm_migrate.verify.model import ARGUMENT, Reported, Running
from vllm_migrate.verify.releases import known, shown

SOURCE = "run"
LOGS = (".log", ".out", ".err")
ARTEFACTS = (".yaml", ".yml", ".toml", ".json")
REQUIREMENTS = ("requirements.txt", "pip_freeze.txt", "conda-environment.yaml", "wandb-metadata.json")
MAX_FILES = 2000
MAX_LOGS = 200
_PINNED = re.compile(r"^\W*vllm(?:-cpu)?==([^\s;\"',]+)", re.MULTILINE)


class Folder(NamedTuple):
    """The folder of one run. release: of vLLM, "" where it does not tell; why: the file that does."""

    path: str
    artefacts: tuple[str, ...]
    logs: tuple[str, ...]
    release: str
    why: str


def read(path: str, target: str | None = None) -> Folder:
    """What a folder holds. `target` stands for a release that the catalog lacks. Raises UsageError."""
    if not os.path.isdir(path):
        raise UsageError(f"no folder {path}", "the folder that Hydra, W&B or the framework wrote")
    files = sorted(_files(path))
    logs = [one for one in files if one.endswith(LOGS) and _shows_start(one)][:MAX_LOGS]
    release, why = _release(files)
    if not release:
        release, why = _logged(logs)
    if release and not shown(release, target):
        release = why = ""
    artefacts = [one for one in files if one.endswith(ARTEFACTS) and os.path.basename(one) not in REQUIREMENTS]
    return Folder(path, tuple(artefacts), tuple(logs), release, why)


def running(path: str, target: str | None, engine: str | None = None) -> list[Running]:
    """The engines that a run's folder shows: of its configurations, and of each log. Raises UsageError."""
    folder = read(path, target)
    found = []
    if folder.artefacts:
        judged = judged_in(folder, target, engine)
        if judged is not None:
            found.append(_composed(judged, folder))
    for one in folder.logs:
        with opened_output(one) as stream:
            found.append(log.running(lines_of(stream), one, folder.release or target))
    if not found:
        raise UsageError(
            f"--run: {path} has no engine configuration and no startup log",
            "Hydra keeps .hydra/config.yaml, W&B files/config.yaml; --log FILE reads a log elsewhere",
        )
    return found


def judged_in(folder: Folder, target: str | None, engine: str | None = None) -> JudgedEngine | None:
    """The engine of a run's configurations at its release; None where they have none. Raises UsageError."""
    missing = f"{folder.path} does not show the release: no requirements.txt and no startup log"
    release = known(folder.release or target or "", missing)
    judged = Session(Options(folder.artefacts, release, release, isolated=True)).run(keep=True).judged
    return chosen((), judged, engine, folder.path) if judged else None


def _composed(judged: JudgedEngine, folder: Folder) -> Running:
    """What was written or passed for the engine of a run, as far as it is known."""
    reported = {}
    for row in rows(judged.target, judged.target):
        cell = row.target
        if _is_set(cell):
            reported[row.option] = Reported(mask_value(row.option, cell.value), ARGUMENT, cell.origin)
    notes = (f"vLLM {judged.target.release} is what {folder.why} names",) if folder.why else ()
    return Running(SOURCE, judged.engine.file.path, folder.release, reported, notes=notes)


def _is_set(cell: Cell) -> bool:
    known_value = cell.depends_on is None and not cell.undecided and not cell.absent and cell.value is not None
    return known_value and (":" in cell.origin or cell.origin == "framework default")


def _files(path: str) -> Iterator[str]:
    count = 0
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if name not in (".git", "checkpoints", "__pycache__", "code"))
        for name in sorted(names):
            count += 1
            if count > MAX_FILES:
                return
            if name.endswith((*LOGS, *ARTEFACTS)) or name in REQUIREMENTS:
                yield os.path.join(folder, name)


def _shows_start(path: str) -> bool:
    try:
        with opened_output(path) as stream:
            return log.holds_engine(lines_of(stream))
    except OSError:
        return False


def _release(files: list[str]) -> tuple[str, str]:
    """The release that a list of the run's packages names, and the list; both "" where there is none."""
    for path in files:
        if os.path.basename(path) not in REQUIREMENTS:
            continue
        try:
            with opened_output(path) as stream:
                text = stream.read(5_000_000)
        except OSError:
            continue
        if path.endswith(".json"):
            text = "\n".join(_packages(text))
        match = _PINNED.search(text)
        if match is not None:
            return match[1], path
    return "", ""


def _packages(text: str) -> list[str]:
    try:
        data = loads(text)
    except ValueError:
        return []
    found = data.get("pip") or data.get("packages") if isinstance(data, dict) else None
    return [str(one) for one in found] if isinstance(found, list) else []


def _logged(logs: list[str]) -> tuple[str, str]:
    for path in logs:
        with opened_output(path) as stream:
            release = log.release_of(lines_of(stream))
        if release:
            return release, path
    return "", ""
