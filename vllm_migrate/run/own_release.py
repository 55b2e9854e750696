"""The release of a training framework in its own repository: what its project file, or a file of its package, says it is."""

from __future__ import annotations

import os
import re

from vllm_migrate.documents.disk import Disk
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.run.pins import DECLARED, LONGEST, Pin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from vllm_migrate.run.dependencies import Dependencies

MAX_BYTES = 256_000
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_NAME = re.compile(rb"""^\s*name\s*=\s*["']?([A-Za-z0-9][\w.-]*)""", re.MULTILINE)
_VERSION = re.compile(rb"""^\s*(?:version|__version__|VERSION)\s*(?::\s*\w+\s*)?=\s*["']?(\d[\w.+!-]*)""", re.MULTILINE)
_PARTS = re.compile(rb"^\s*(MAJOR|MINOR|PATCH)\s*=\s*(\d+)", re.MULTILINE)
_BARE = re.compile(rb"\s*v?(\d+(?:\.\d+)+[\w.+]*)\s*\Z")
_BASE = re.compile(r"\d+(?:\.\d+)*")


def own_release(folder: str, packages: tuple[str, ...], dependencies: Dependencies, disk: Disk) -> Pin | None:
    """What the project in a folder is, where it is one of these packages. A development version counts as its release."""
    for name in PROJECT_FILES:
        path = os.path.join(folder, name)
        dependencies.note(path)
        data = _read(path, disk)
        found = _NAME.search(data)
        package = _normal(found[1].decode()) if found is not None else ""
        if package not in packages:
            continue
        for version, where, line in _versions(folder, path, data, package, dependencies, disk):
            base = _BASE.match(version)
            if base is not None and len(version) <= LONGEST:
                return Pin(package, base[0], where, line, f"{package} {version}", DECLARED, True)
    return None


def _versions(
    folder: str, path: str, data: bytes, package: str, dependencies: Dependencies, disk: Disk
) -> Iterator[tuple[str, str, int]]:
    """Versions with path and line: of the project file, else of the files that hold a package's version by custom."""
    found = _VERSION.search(data)
    if found is not None and (found[1] != b"0.0.0"):
        yield found[1].decode(), path, data.count(b"\n", 0, found.start(1)) + 1
    module = package.replace("-", "_")
    files = [
        os.path.join(folder, start, module, name)
        for start in ("", "src")
        for name in ("version/version", "_version.py", "version.py", "package_info.py", "__init__.py")
    ]
    for file in (*files, os.path.join(folder, "VERSION"), os.path.join(folder, "version.txt")):
        dependencies.note(file)
        text = _read(file, disk)
        parts: dict[bytes, bytes] = dict(_PARTS.findall(text))
        if len(parts) == 3:
            yield b".".join(parts[key] for key in (b"MAJOR", b"MINOR", b"PATCH")).decode(), file, 1
        found = _VERSION.search(text) or _BARE.match(text)
        if found is not None:
            yield found[1].decode(), file, text.count(b"\n", 0, found.start(1)) + 1


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _read(path: str, disk: Disk) -> bytes:
    try:
        return disk.read(path, MAX_BYTES)[:MAX_BYTES]
    except Unreadable:
        return b""
