"""Two runs side by side: what their engines ran with, by layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from vllm_migrate.catalog import relevance
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import lines_of, opened_output
from vllm_migrate.report.mask import mask_value
from vllm_migrate.resolve.table import rows
from vllm_migrate.verify import log, run
from vllm_migrate.verify.compare import PLACES, alike
from vllm_migrate.verify.model import Running
from vllm_migrate.verify.show import word

LAYERS = ("semantic", "inference-path", "weight-update", "numerics", "performance", "other")


class Side(NamedTuple):
    """One run: its folder, the release and why it is that one, and values by option with their origin."""

    path: str
    release: str
    why: str
    values: dict[str, tuple[object, str]]


class Moved(NamedTuple):
    """One option in which two runs differ. layer: of the RL run that it can move; None where a run does not tell."""

    option: str
    layer: str
    first: object
    first_origin: str
    second: object
    second_origin: str


def side(path: str, target: str | None, engine: str | None) -> Side:
    """What a run's folder tells: effective values of its configurations, over them what its logs say, without those in which
    its logs differ. Raises UsageError."""
    folder = run.read(path, target)
    release, why = folder.release or target or "", folder.why or "--to"
    values: dict[str, tuple[object, str]] = {}
    judged = run.judged_in(folder, target, engine) if folder.artefacts else None
    if judged is not None:
        release = judged.target.release
        for row in rows(judged.target, judged.target):
            if not row.target.absent and not row.target.undecided:
                values[row.option] = (mask_value(row.option, row.target.value), row.target.origin)
    logged: dict[str, tuple[object, str]] = {}
    differing: set[str] = set()
    for path_of_log in folder.logs:
        with opened_output(path_of_log) as stream:
            reported = log.running(lines_of(stream), path_of_log, folder.release or target)
        release = reported.release or release
        for name, value in _logged(reported).items():
            if not alike(logged.setdefault(name, value)[0], value[0]):
                differing.add(name)
    values.update(logged)
    values = {name: value for name, value in values.items() if name not in differing}
    if not values:
        raise UsageError(f"{path} has no engine configuration and no startup log", "two folders of runs")
    return Side(path, release, why, values)


def _logged(reported: Running) -> dict[str, tuple[object, str]]:
    return {
        name: (one.value, one.where)
        for name, one in reported.reported.items()
        if "." not in name or name.startswith("comp")
    }


def moved(first: Side, second: Side) -> list[Moved]:
    """Options in which two runs differ, the layers in their order; one that a single run tells is among them only
    where the other's release has it unset."""
    layers = relevance.layers()
    found = []
    if first.release != second.release:
        found.append(Moved("vllm", "semantic", first.release, first.why, second.release, second.why))
    for option in sorted({*first.values, *second.values} - PLACES):
        one, other = first.values.get(option), second.values.get(option)
        if one is None or other is None or alike(one[0], other[0]) or alike(other[0], one[0]):
            continue
        name = option.partition(".")[0] if option.startswith("compilation") else option.rpartition(".")[2]
        found.append(Moved(option, layers.get(name, "other"), *one, *other))
    return sorted(found, key=lambda each: (LAYERS.index(each.layer) if each.layer in LAYERS else 5, each.option))


def as_json(first: Side, second: Side, found: list[Moved]) -> dict[str, Any]:
    """The contract of `diff --runs --output-format json`."""
    runs = [{"path": one.path, "release": one.release, "why": one.why} for one in (first, second)]
    return {"schema": 1, "runs": runs, "changes": [each._asdict() for each in found]}


def as_text(first: Side, second: Side, found: list[Moved]) -> list[str]:
    """A line an option, under its layer."""
    lines = [f"{first.path} (vLLM {first.release}) -> {second.path} (vLLM {second.release}): {len(found)} changes"]
    for layer in LAYERS:
        mine = [each for each in found if each.layer == layer]
        if mine:
            lines += ["", layer]
        for each in mine:
            lines.append(f"  {each.option}: {word(each.first)} -> {word(each.second)}")
            lines.append(f"    {each.first_origin} -> {each.second_origin}")
    return lines


def as_markdown(first: Side, second: Side, found: list[Moved]) -> list[str]:
    """A table."""
    lines = [f"# {first.path} to {second.path}", "", "| layer | option | before | after |", "|---|---|---|---|"]
    return lines + [f"| {e.layer} | `{e.option}` | {word(e.first)} | {word(e.second)} |" for e in found]
