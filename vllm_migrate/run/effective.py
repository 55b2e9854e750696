"""Every engine's settings at both releases."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.report.mask import mask, mask_value
from vllm_migrate.resolve.table import Cell, SettingRow, rows
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Releases, Session
from vllm_migrate.run.settings import Options


class EngineView(NamedTuple):
    """One engine: where it is written, and what it ends up with at both releases, without secrets.

    settings: changed ones first, then by name; each with its option, the values at the two releases (`source`,
    `target`), and whether it changes.
    """

    path: str
    id: str
    role: str
    dialect: str
    settings: tuple[SettingRow, ...]


def effective(options: Options, disk: Disk = DISK) -> tuple[Releases, tuple[EngineView, ...]]:
    """The releases that are compared, and the engines. Raises UsageError where the options or the files of ours are wrong."""
    session = Session(options, disk)
    return session.releases, tuple(map(_view, session.run(keep=True).judged))


def _view(judged: JudgedEngine) -> EngineView:
    engine = judged.engine
    settings = tuple(
        row._replace(source=_masked(row.option, row.source), target=_masked(row.option, row.target))
        for row in rows(judged.source, judged.target)
    )
    return EngineView(engine.file.path, engine.id, engine.role, engine.name, settings)


def _masked(option: str, cell: Cell) -> Cell:
    depends_on = mask(cell.depends_on) if cell.depends_on is not None else None
    reasons = tuple(map(mask, cell.reasons))
    return cell._replace(value=mask_value(option, cell.value), depends_on=depends_on, reasons=reasons)
