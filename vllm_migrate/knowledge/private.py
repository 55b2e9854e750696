"""Rules and dialects of a project's own beside those that are shipped: `knowledge` in the configuration names their folders.

An entry is a folder beside the configuration, or the name of an installed package's entry point in the group
`vllm_migrate.knowledge` (`acme = "acme_rules"`: the folder of that package; `"acme_rules:rules"`: one in it). Nothing of
the package is imported. Compiling takes the build's parsers; what comes out is kept in the cache, by the files' content.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from vllm_migrate.catalog.store import cache_folder
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import COMPILED, Knowledge
from vllm_migrate.opening import read_bytes, read_own

GROUP = "vllm_migrate.knowledge"


def folders_of(entries: Sequence[str], root: str) -> list[Path]:
    """The folder of each entry; a relative one starts at `root`. Raises UsageError."""
    return [_folder(entry, root) for entry in entries]


def _folder(entry: str, root: str) -> Path:
    folder = Path(root, entry)
    if folder.is_dir():
        return folder
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=GROUP, name=entry):
        spec = find_spec(point.module) if "." not in point.module else None
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            inner = Path(place, *point.attr.split(".")) if point.attr else Path(place)
            if inner.is_dir():
                return inner
    raise UsageError(
        f"knowledge: there is no folder {folder}", f"nor an installed package with the entry point {entry} in {GROUP}"
    )


def files_in(folders: Sequence[Path]) -> list[Path]:
    """What the folders hold, in a fixed order."""
    return [
        path for folder in folders for pattern in ("*.yaml", "dialects/*.yaml") for path in sorted(folder.glob(pattern))
    ]


def load_with(folders: Sequence[Path]) -> Knowledge:
    """The shipped knowledge with that of the folders. Raises VllmMigrateError with the file, the line and the field."""
    digest = hashlib.sha256(read_bytes(COMPILED))
    for path in files_in(folders):
        digest.update(os.fsencode(path.name) + b"\0" + read_bytes(str(path)) + b"\0")
    kept = Path(cache_folder()).parent / "knowledge" / f"{digest.hexdigest()[:32]}.json"
    try:
        return Knowledge(json.loads(read_own(str(kept))))
    except (OSError, ValueError):
        pass
    from vllm_migrate.knowledge.build import compile_all, rules_folder

    raw = json.dumps(compile_all(rules_folder(), folders)[0])
    _keep(kept, raw)
    return Knowledge(json.loads(raw))


def _own(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_WRONLY, 0o600)


def _keep(path: Path, text: str) -> None:
    """Write a file of the cache; one that cannot be written is made again next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        with open(partial, "x", encoding="utf-8", opener=_own) as stream:
            stream.write(text)
        partial.replace(path)
    except OSError:
        pass
