"""The settings of an engine at two releases side by side, with their origins."""

from __future__ import annotations

from vllm_migrate.effective.view import Value, View, no_option
from vllm_migrate.knowledge.expr import Unsure, same
from vllm_migrate.records import NamedTuple


class Cell(NamedTuple):
    """One effective value: origin in words (file:line, framework default, vLLM default, ...), what it depends on.

    absent: the release has no such option, and nothing stands for it. reasons: `depends_on`, one by one.
    """

    value: object
    origin: str
    depends_on: str | None
    absent: bool = False
    reasons: tuple[str, ...] = ()


class Row(NamedTuple):
    option: str
    source: Cell
    target: Cell
    changed: bool


def rows(source: View, target: View) -> list[Row]:
    """Every option that is written, passed by the framework, or known to resolve: changed rows first, then by name."""
    options = {"engine", *source.knowledge.effective, *source.delivery.values, *target.delivery.values}
    options.update(
        name for name in source.engine.given if name.startswith(("sampling.", "env.")) and name != "sampling.via"
    )
    options.update(trouble.option for view in (source, target) for trouble in view.delivery.troubles if trouble.option)
    out = [_row(option, source, target) for option in options]
    return sorted(out, key=lambda row: (not row.changed, row.option))


def _row(option: str, source: View, target: View) -> Row:
    before, after = source.value(option), target.value(option)
    left, right = _cell(option, before, source), _cell(option, after, target)
    differs = left.origin == REFUSED or right.origin == REFUSED or not _alike(before.value, after.value)
    return Row(option, left, right, differs and left != right)


REFUSED = "refused"


def _alike(old: object, new: object) -> bool:
    if isinstance(old, Unsure) and isinstance(new, Unsure):
        return old.reasons == new.reasons
    return not isinstance(old, Unsure) and not isinstance(new, Unsure) and same(old, new)


def _cell(option: str, value: Value, view: View) -> Cell:
    for trouble in view.delivery.troubles:
        if trouble.option == option and trouble.kind != "dropped":
            return Cell(None, REFUSED, None)
    if isinstance(value.value, Unsure):
        options = list(value.value.options) or None
        return Cell(options, _origin(value), "; ".join(value.value.reasons), reasons=value.value.reasons)
    return Cell(value.value, _origin(value), None, value.because == no_option(option, view.release))


def _origin(value: Value) -> str:
    written = value.written
    if written is not None:
        source = written.spot.file.source
        return f"{source.path}:{source.position(written.spot.start).line}"
    names = {
        "written": "--from-engine",
        "framework": "framework default",
        "resolved": "resolved at run time",
        "default": "vLLM default",
        "unknown": "unknown",
    }
    return names[value.origin]
