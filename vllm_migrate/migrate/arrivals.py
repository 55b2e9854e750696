"""What the written settings come to: each pin with the old files and the source, and with the new files and the target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.dialects.model import Use
from vllm_migrate.resolve.table import SettingRow, row
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.effective import masked
from vllm_migrate.run.judging import JudgedEngine

CORE = "engine"


class Arrival(NamedTuple):
    """One option of one engine, without secrets. source, target: the releases; setting: its values in both, of the old files and
    of the new ones."""

    path: str
    engine: str
    source: str
    target: str
    setting: SettingRow


def arrivals(applied: Iterable[Firing], old: Iterable[JudgedEngine], new: Iterable[JudgedEngine]) -> Iterator[Arrival]:
    """Every option that fixes pinned, of each engine that it reaches."""
    before = {(judged.engine.file.path, judged.engine.id): judged for judged in old}
    pinned: dict[str, set[tuple[str, str]]] = {}
    for fired in applied:
        for action in fired.fix.actions if fired.fix is not None else ():
            if action.kind != "drop" and action.option and not isinstance(action.written, Use):
                of = pinned.setdefault(action.option, set())
                of |= {(fired.engine.file.path, fired.engine.id)} if fired.engine is not None else set()
    for judged in new:
        key = judged.engine.file.path, judged.engine.id
        was = before.get(key)
        if was is None:
            continue
        for option, engines in pinned.items():
            reached = option == CORE or (
                judged.target.value(option).written is not None and was.source.value(option).written is None
            )
            if key in engines or reached:
                setting = masked(row(option, was.source, judged.target))
                yield Arrival(*key, was.source.release, judged.target.release, setting)
