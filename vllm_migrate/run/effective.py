"""Every engine's settings at both releases."""

from __future__ import annotations

from typing import NamedTuple

from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.situation import Known
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.report.mask import mask, mask_value
from vllm_migrate.resolve.table import Cell, SettingRow, rows
from vllm_migrate.resolve.view import View
from vllm_migrate.run.judging import JudgedEngine
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options


class EngineSituation(NamedTuple):
    """What is known of an engine before any rule is asked, each part with what shows it.

    core: the engine core at the source, "" where it is not decided (then the reasons are in words); framework: its release;
    unread: inputs that exist and were not read.
    """

    project: str
    source: Known
    target: Known
    core: Known
    role: Known
    framework: Known | None
    gpu: Known | None
    executor: Known
    unread: tuple[str, ...]

    @property
    def releases(self) -> tuple[str, str]:
        return self.source.value, self.target.value


class EngineView(NamedTuple):
    """One engine: where it is written, and what it ends up with at both releases, without secrets.

    settings: changed ones first, then by name; each with its option, the values at the two releases (`source`,
    `target`), and whether it changes. situation: what is known of the engine besides.
    """

    path: str
    id: str
    role: str
    dialect: str
    settings: tuple[SettingRow, ...]
    situation: EngineSituation


class Effective(NamedTuple):
    """What `effective` shows: the two releases that stand for the run, and the engines."""

    source: Known
    target: Known
    engines: tuple[EngineView, ...]


def effective(options: Options, disk: Disk = DISK) -> Effective:
    """Every engine with its settings. Raises UsageError where the options or the files of ours are wrong."""
    session = Session(options, disk)
    result = session.run(keep=True)
    return Effective(*session.releases(result.projects), tuple(map(_view, result.judged)))


def _view(judged: JudgedEngine) -> EngineView:
    engine = judged.engine
    settings = tuple(map(masked, rows(judged.source, judged.target)))
    return EngineView(engine.file.path, engine.id, engine.role, engine.name, settings, _situation(judged))


def _situation(judged: JudgedEngine) -> EngineSituation:
    engine, situation = judged.engine, judged.engine.situation
    return EngineSituation(
        situation.project,
        situation.source,
        situation.target,
        _known(judged.source, "engine"),
        situation.role or Known(engine.role, f"the {engine.name} dialect"),
        _framework(judged),
        situation.gpu,
        _known(judged.target, "distributed_executor_backend"),
        tuple(mask(missing.name) for missing in engine.missing),
    )


def _framework(judged: JudgedEngine) -> Known | None:
    """The release of the framework, and which ones the target's values are of where that one does not run with it."""
    engine, target = judged.engine, judged.target.release
    pinned = engine.situation.frameworks.get(engine.dialect.framework)
    if pinned is None:
        return None
    assumed = DialectEnv(engine.origin, engine.facts, target).frameworks()
    if not assumed or pinned.value in assumed:
        return pinned
    first, last = assumed[0], assumed[-1]
    which = first if first == last else f"one of {first} to {last}"
    return pinned._replace(because=f"{pinned.because}; it does not run with {target}, so {which} is assumed there")


def _known(view: View, option: str) -> Known:
    """An effective value as a part of a situation; "" where it is not decided, with the reasons in words."""
    value = view.value(option)
    if isinstance(value.value, Undetermined):
        return Known("", mask("; ".join(value.value.reasons)))
    return Known(str(value.value), mask(value.because))


def masked(row: SettingRow) -> SettingRow:
    """The row without secrets."""
    return row._replace(source=_masked(row.option, row.source), target=_masked(row.option, row.target))


def _masked(option: str, cell: Cell) -> Cell:
    depends_on = mask(cell.depends_on) if cell.depends_on is not None else None
    reasons = tuple(map(mask, cell.reasons))
    return cell._replace(value=mask_value(option, cell.value), depends_on=depends_on, reasons=reasons)
