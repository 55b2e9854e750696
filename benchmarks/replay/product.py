"""The one place where the replay asks vllm-migrate: what an engine of a file runs with, and what a fix writes.

Engine arguments, the sampling contract, the pause and the loss of every arm come from here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

from vllm_migrate.resolve.table import rows
from vllm_migrate.run.fix import fix
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options
from vllm_migrate.smoke.source import load_engine


class Reading(NamedTuple):
    """One engine of a file at one release, as vllm-migrate reads it.

    pause: the arguments of pause_generation, None where weights are replaced without a pause; refused: what would keep
    the release from starting.
    """

    path: str
    release: str
    dialect: str
    core: str
    engine_args: dict[str, Any]
    sampling: dict[str, Any]
    pause: dict[str, Any] | None
    loss: dict[str, Any]
    refused: tuple[str, ...]
    notes: tuple[str, ...]


def read(path: Path, release: str, source: str) -> Reading:
    """The engine of the file at `path`, which was written for `source`, at `release`. Raises UsageError."""
    spec = load_engine(str(path), release, source=source)
    judged = _judged(path, source, release)
    view = judged.source if release == source else judged.target
    pauses = view.value("rl.pauses").value is True and bool(spec.pause)
    return Reading(
        path=str(path),
        release=release,
        dialect=view.engine.name,
        core=str(view.value("engine").value),
        engine_args=spec.engine_args,
        sampling=spec.sampling,
        pause=spec.pause if pauses else None,
        loss=spec.loss,
        refused=spec.refused,
        notes=spec.notes,
    )


def write_fix(source_folder: Path, folder: Path, source: str, target: str) -> list[str]:
    """A copy of `source_folder` at `folder` after `fix --unsafe --write`; the engine arguments that the fix is about."""
    shutil.copytree(source_folder, folder)
    planned = fix(Options(paths=(str(folder),), source=source, target=target, isolated=True, unsafe=True))
    planned.write()
    return sorted({finding.option for finding in planned.plan.applied if finding.option not in ("", "engine")})


def before(path: Path, options: list[str], source: str, target: str) -> dict[str, Any]:
    """What those of `options` were at `source` that `target` would change in the file as it is."""
    judged = _judged(path, source, target)
    return {
        row.option: row.source.value
        for row in rows(judged.source, judged.target)
        if row.option in options and row.changed and not (row.source.absent or row.source.undecided)
    }


def without(path: Path, option: str, source: str, target: str) -> None:
    """Takes the line away that sets `option`, in whichever file of the composition it stands. Raises LookupError."""
    written = _judged(path, source, target).target.value(option).written
    if written is None or written.spot is None:
        raise LookupError(f"{path} does not set {option}")
    place = Path(written.spot.file.path)
    text = written.spot.file.source.text
    start = text.rfind("\n", 0, written.spot.start) + 1
    end = text.find("\n", written.spot.start)
    place.write_text(text[:start] + (text[end + 1 :] if end >= 0 else ""), encoding="utf-8")


def _judged(path: Path, source: str, target: str) -> JudgedEngine:
    found = Session(Options(paths=(str(path),), source=source, target=target, isolated=True)).run(keep=True).judged
    if len(found) != 1:
        raise LookupError(f"{path} has {len(found)} engines, not one")
    return found[0]
