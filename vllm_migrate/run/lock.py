"""`vllm-migrate.lock`: what every engine ends up with today, kept in the repository; and what has moved since.

JSON with one setting a line, in a fixed order, so that a change is read in a diff. `SCHEMA` describes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from vllm_migrate.catalog import store
from vllm_migrate.documents.disk import DISK, OUTSIDE
from vllm_migrate.documents.text.secrets import hide
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads, read_bytes
from vllm_migrate.resolve.table import REFUSED, Cell
from vllm_migrate.run.config import CHOICES
from vllm_migrate.run.effective import EngineView, effective
from vllm_migrate.run.fence import fence_of
from vllm_migrate.run.files import replace_file
from vllm_migrate.run.settings import Options

NAME = "vllm-migrate.lock"
SCHEMA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data", "lock.schema.json")
# What the call assumes of the machine, and the configuration that it names: a check repeats them.
ASSUMED = ("from_engine", "gpu", "model_config", "config", "isolated")
CORE = "engine"  # v0 or v1
UNKNOWN = "unknown"  # the origin of what no file decides
FIGURES = ("D", "b", "k3", "out")  # of a smoke verdict

Entry = Mapping[str, Any]


class Moved(NamedTuple):
    """What is not as it was locked. engine: path and id; option: "" for the engine itself; because: why, in words."""

    engine: str
    option: str
    old: object
    new: object
    because: str


def build(options: Options, folder: str, smoke: str | None = None) -> dict[str, Any]:
    """The contents of a lock that lies in `folder`, to which the paths of the options are relative. smoke: a file with what
    `smoke ... --output-format json` printed.

    Raises UsageError.
    """
    lock = _contents(options._replace(paths=options.paths or (".",)), folder)
    if not lock["engines"]:
        where = " ".join(lock["paths"])
        raise UsageError(f"no vLLM engine was recognised in {where}", "`vllm-migrate dialects` lists the frameworks")
    if smoke is not None:
        lock["smoke"] = _smoke(smoke)
    return lock


def _contents(options: Options, folder: str) -> dict[str, Any]:
    """What a lock in `folder` holds of the options' paths. Raises UsageError."""
    model, config = (named and _joined(folder, named) for named in (options.model_config, options.config))
    paths = tuple(_joined(folder, path) for path in options.paths)
    found = effective(options._replace(paths=paths, model_config=model, config=config))
    lock: dict[str, Any] = {
        "schema": 1,
        "catalog": store.load().version,
        "paths": [_shown(folder, path) for path in options.paths],
        "at": options.source,
        "assumed": {name: value for name in ASSUMED if (value := getattr(options, name)) not in (None, False)},
        "engines": sorted((_engine(one, folder) for one in found.engines), key=lambda one: (one["path"], one["id"])),
    }
    without_secrets: dict[str, Any] = json.loads(hide(dump(lock)))
    return without_secrets


def dump(lock: Mapping[str, Any]) -> str:
    """The text of a lock: keys in their order, one engine's setting a line."""

    def line(value: object) -> str:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        return text if text.isprintable() else json.dumps(value, sort_keys=True)  # it is read on terminals, too

    head = [f" {line(key)}: {line(value)}" for key, value in lock.items() if key != "engines"]
    engines = []
    for one in lock["engines"]:
        about = [f"   {line(key)}: {line(value)}" for key, value in one.items() if key != "settings"]
        settings = [f"    {line(option)}: {line(value)}" for option, value in sorted(one["settings"].items())]
        about.append('   "settings": {\n' + ",\n".join(settings) + "\n   }")
        engines.append("  {\n" + ",\n".join(about) + "\n  }")
    head.append(' "engines": [\n' + ",\n".join(engines) + "\n ]")
    return "{\n" + ",\n".join(head) + "\n}\n"


def write(path: str, lock: Mapping[str, Any]) -> None:
    """Put a lock on disk, all at once. Raises UsageError."""
    try:
        replace_file(path, dump(lock).encode(), durable=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "choose an -o FILE you can write to") from None


def read(path: str) -> dict[str, Any]:
    """The lock at a path. Raises UsageError."""
    try:
        lock: dict[str, Any] = loads(read_bytes(path))
    except FileNotFoundError:
        raise UsageError(f"no {path}", "`vllm-migrate lock` writes it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}", "`vllm-migrate lock` rewrites it") from None
    if not _is_lock(lock):
        raise UsageError(f"{path} is not a lock of this version", "`vllm-migrate lock` rewrites it")
    return lock


def _is_lock(lock: object) -> bool:
    """Whether a file's contents have the shape of a lock: anybody may have edited it."""
    if not isinstance(lock, dict) or lock.get("schema") != 1 or not {"catalog", "at"} <= set(lock):
        return False
    paths, assumed, engines = lock.get("paths"), lock.get("assumed", {}), lock.get("engines")
    if not isinstance(paths, list) or not isinstance(assumed, dict) or not isinstance(engines, list):
        return False
    if assumed.get("isolated", True) is not True:
        return False
    named = [value for name, value in assumed.items() if name != "isolated"]
    texts = [*paths, *named, *((lock["at"],) if lock["at"] is not None else ())]
    if not all(isinstance(text, str) and "\0" not in text for text in texts) or not set(assumed) <= set(ASSUMED):
        return False
    if assumed.get("from_engine", "auto") not in CHOICES["from-engine"]:
        return False
    return all(isinstance(engine, dict) and _is_engine(engine) for engine in engines)


def _is_engine(engine: Entry) -> bool:
    settings = engine.get("settings")
    named = all(isinstance(engine.get(key), str) for key in ("path", "id", "release", "why"))
    if not named or not isinstance(settings, dict):
        return False
    return all(
        isinstance(one, dict) and "value" in one and isinstance(one.get("origin"), str) for one in settings.values()
    )


def check(path: str, allow_outside: tuple[str, ...] = ()) -> list[Moved]:
    """What moved since a lock was written: engines, releases, values, each with why. Raises UsageError."""
    lock = read(path)
    folder = os.path.dirname(path) or os.curdir
    options = Options(
        tuple(lock["paths"]), lock["at"], lock["at"], **lock.get("assumed", {}), allow_outside=allow_outside
    )
    fence = fence_of(options._replace(paths=(folder,)), DISK)
    for named in (*options.paths, options.model_config or "", options.config or ""):
        if not fence.holds(os.path.realpath(_joined(folder, named))):
            raise UsageError(f"{path}: {named} {OUTSIDE}", "`vllm-migrate lock` rewrites the lock")
    left = tuple(named for named in options.paths if os.path.lexists(_joined(folder, named)))
    return differences(lock, _contents(options._replace(paths=left), folder) if left else {**lock, "engines": []})


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Moved]:
    """What differs between two locks."""
    before, after = _by_name(old), _by_name(new)
    other_catalog = old["catalog"] != new["catalog"]
    moved: list[Moved] = []
    for name in sorted({*before, *after}):
        if name not in after:
            moved.append(Moved(name, "", "locked", None, "the engine is no longer in any file"))
        elif name not in before:
            moved.append(Moved(name, "", None, "found", "the engine is new"))
        else:
            moved += _of_engine(name, before[name], after[name], other_catalog)
    return moved


def _of_engine(name: str, old: Entry, new: Entry, other_catalog: bool) -> list[Moved]:
    moved: list[Moved] = []
    release = old["release"] != new["release"]
    if release:
        moved.append(Moved(name, "release", old["release"], new["release"], new["why"]))
    pairs = {
        option: (before, after)
        for option in sorted({*old["settings"], *new["settings"]})
        for before, after in [(old["settings"].get(option, {}), new["settings"].get(option, {}))]
        if _compared(before) != _compared(after)
    }
    causes = [option for option, pair in pairs.items() if option == CORE or _written(*pair)]
    for option, (before, after) in pairs.items():
        why = _why(option, before, after, new["release"] if release else "", other_catalog, causes)
        moved.append(Moved(name, option, _told(before), _told(after), why))
    return moved


def _compared(setting: Entry) -> object:
    """What counts as a move: the value, and whether it is open; not the line it stands on."""
    if not setting:
        return None
    return {"one of": setting["value"]} if "depends_on" in setting else setting["value"]


def _told(setting: Entry) -> object:
    """A value as people read it: one that is open with what it may be, and what decides it."""
    if "depends_on" not in setting:
        return setting.get("value")
    value = setting["value"]
    options = " or ".join(map(_word, value)) if isinstance(value, list) else "" if value is None else _word(value)
    decided = f"depending on {setting['depends_on']}" if setting["depends_on"] else ""
    return ", ".join(part for part in (options, decided) if part) or UNKNOWN


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _why(option: str, before: Entry, after: Entry, release: str, other_catalog: bool, causes: list[str]) -> str:
    """causes: what of the same engine moved because of a file."""
    origins = before.get("origin", ""), after.get("origin", "")
    if _written(before, after):
        return f"{origins[0] or 'nothing'} -> {origins[1] or 'nothing'}"
    if release:
        because = str(after.get("origin", "it has no such option"))
        return f"vLLM {release}" + f": {because}" * (because != UNKNOWN)
    if option == CORE and after:
        return str(after["origin"])
    if causes:
        return f"resolved at run time; moved with {', '.join(causes)}"
    return "the catalog has changed" if other_catalog else "what it depends on has changed"


def _written(before: Entry, after: Entry) -> bool:
    return any(":" in each.get("origin", "") for each in (before, after))


def _by_name(lock: Mapping[str, Any]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for one in lock["engines"]:
        name = f"{one['path']} {one['id']}"
        while name in found:
            name += "'"
        found[name] = one
    return found


def _engine(view: EngineView, folder: str) -> dict[str, Any]:
    source, known = view.situation.source, view.situation.core
    decided = (
        known.value
        and known.because
        and all(row.option != CORE or ":" not in row.source.origin for row in view.settings)
    )
    core = {CORE: {"value": known.value, "origin": _shown(folder, known.because)}} if decided else {}
    return {
        "path": _shown(folder, view.path),
        "id": view.id,
        "role": view.role,
        "dialect": view.dialect,
        "release": source.value,
        "why": _shown(folder, source.because),
        "settings": {row.option: _setting(row.source, folder) for row in view.settings if not row.source.absent} | core,
    }


def _setting(cell: Cell, folder: str) -> dict[str, object]:
    setting: dict[str, object] = {"value": cell.value, "origin": _shown(folder, cell.origin)}
    if cell.origin == REFUSED:
        setting["value"] = "(refused)"
    if cell.undecided or cell.depends_on:
        setting["depends_on"] = cell.depends_on or ""
    return setting


def _joined(folder: str, path: str) -> str:
    return path if folder in ("", os.curdir) else os.path.normpath(os.path.join(folder, path))


def _shown(folder: str, text: str) -> str:
    """A path, or a text that begins with one, as seen from the lock's folder."""
    prefix = os.path.join(os.path.normpath(folder), "")
    shown = text.removeprefix(prefix) if folder not in ("", os.curdir) else text
    return shown.replace(os.sep, "/")


def _smoke(path: str) -> dict[str, object]:
    """The verdict and its key figures. Raises UsageError."""
    try:
        found = loads(read_bytes(path), parse_constant=_no_number)
        metrics = found["metrics"]
        figures = {name: metrics[name]["value"] for name in sorted(metrics) if name in FIGURES}
        return {"verdict": found["verdict"], "layer": found["layer"], "n_tokens": found["n_tokens"], **figures}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--smoke: {path}: {error}", "what `vllm-migrate smoke run --output-format json` printed"
        ) from None


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")
