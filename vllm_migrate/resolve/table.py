"""The settings of an engine at two releases side by side, with their origins."""

from __future__ import annotations

import math
from typing import NamedTuple

from vllm_migrate.dialects.composition import unseen
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.expr import Undetermined, same
from vllm_migrate.resolve.view import Value, View, no_option


class Cell(NamedTuple):
    """One effective value: origin in words (file:line, framework default, vLLM default, ...), what it depends on.

    value: JSON's kinds of values alone. undecided: no file decides it, and value is a list of all it may be, or None.
    absent: the release has no such option, and nothing stands for it. reasons: `depends_on`, one by one.
    """

    value: object
    origin: str
    depends_on: str | None
    absent: bool = False
    reasons: tuple[str, ...] = ()
    undecided: bool = False


class SettingRow(NamedTuple):
    option: str
    source: Cell
    target: Cell
    changed: bool


def rows(source: View, target: View) -> list[SettingRow]:
    """Every option that is written, passed by the framework, or known to resolve: changed rows first, then by name."""
    options = {"engine", *source.knowledge.effective, *source.delivery.values, *target.delivery.values}
    options.update(
        name for name in source.engine.facts if name.startswith(("sampling.", "env.")) and name != "sampling.via"
    )
    options.update(
        diagnostic.option for view in (source, target) for diagnostic in view.delivery.diagnostics if diagnostic.option
    )
    out = [row(option, source, target) for option in options]
    return sorted(out, key=lambda each: (not each.changed, each.option))


def row(option: str, source: View, target: View) -> SettingRow:
    """One option at two releases."""
    before, after = source.value(option), target.value(option)
    left, right = _cell(option, before, source), _cell(option, after, target)
    differs = left.origin == REFUSED or right.origin == REFUSED or not _alike(before.value, after.value)
    return SettingRow(option, left, right, differs and left != right)


REFUSED = "refused"


def _alike(old: object, new: object) -> bool:
    if isinstance(old, Undetermined) and isinstance(new, Undetermined):
        return old.reasons == new.reasons
    return not isinstance(old, Undetermined) and not isinstance(new, Undetermined) and same(old, new)


def _cell(option: str, value: Value, view: View) -> Cell:
    for diagnostic in view.delivery.diagnostics:
        if diagnostic.option == option and diagnostic.kind != "dropped":
            return Cell(None, REFUSED, None)
    if value.because == no_option(option, view.release):
        return Cell(None, _origin(value), None, True)
    reasons: list[str] = []
    shown = _plain(value.value, option, reasons)
    hidden = _unseen(option, value, view)
    reasons += [hidden] if hidden and hidden not in reasons else []
    return Cell(
        shown, _origin(value), "; ".join(reasons) or None, False, tuple(reasons), isinstance(value.value, Undetermined)
    )


def _plain(value: object, name: str, reasons: list[str]) -> object:
    """A value in JSON's kinds: what no file decides as its text, or as None; `reasons` gets what that depends on."""
    if isinstance(value, Undetermined):
        reasons.extend(reason for reason in value.reasons if reason not in reasons)
        return [_plain(option, name, reasons) for option in value.options] or None
    if isinstance(value, Unknown):
        reasons.append(f"the value of {name} ({value.text})")
        return value.text
    if isinstance(value, dict):
        return {str(key): _plain(inner, f"{name}.{key}", reasons) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, name, reasons) for inner in value]
    if value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _unseen(option: str, value: Value, view: View) -> str:
    """What may set an option that the files seen leave unset, in a sentence part; "" where nothing is hidden.

    Parameters of requests have their own reasons (see View), variables and the engine's core are no options.
    """
    missing = view.engine.missing
    section = option.partition(".")[0]
    if not missing or value.written is not None or section in ("engine", "sampling", "env"):
        return ""
    arrived = view.delivery.values.get(section)
    if arrived is not None and arrived.written is not None:
        return ""
    return f"whether {unseen(missing)} sets it"


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
