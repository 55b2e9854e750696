"""The data that files are judged by: this package's own, or that of the wheel `vllm-migrate-knowledge` if it is newer and fits.

The wheel holds rules, dialects and the catalog of releases, and no code. It is only looked for beside this package, in the same
site-packages: not along the import path, which may begin with a folder that is being linted.
"""

from __future__ import annotations

import json
import os

from vllm_migrate import __version__
from vllm_migrate.opening import read_bytes

WHEEL = "vllm-migrate-knowledge"
MANIFEST = "manifest.json"
_PACKAGE = os.path.dirname(os.path.abspath(__file__))
_BESIDE = os.path.join(os.path.dirname(_PACKAGE), WHEEL.replace("-", "_"))
OWN_KNOWLEDGE = os.path.join(_PACKAGE, "data")
OWN_CATALOG = os.path.join(_PACKAGE, "catalog", "data")


class Shipped:
    """Where the data stands. knowledge, catalog: folders; version: by date; origin: "" or the wheel's name; unused: why an
    installed wheel is not used, "" if it is, or if there is none."""

    __slots__ = ("catalog", "knowledge", "origin", "unused", "version")

    def __init__(self, tool: str, beside: str = _BESIDE) -> None:
        self.version = str(_manifest(OWN_KNOWLEDGE)["version"])
        self.knowledge, self.catalog, self.origin, self.unused = OWN_KNOWLEDGE, OWN_CATALOG, "", ""
        if not os.path.exists(os.path.join(beside, MANIFEST)):
            return
        try:
            manifest = _manifest(beside)
            version, first, before = (str(manifest[key]) for key in ("version", "tool", "before"))
            fits = _numbers(first) <= _numbers(tool) < _numbers(before)
            newer = _numbers(version) > _numbers(self.version)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.unused = f"{WHEEL} is installed but cannot be read ({type(error).__name__}): reinstall it"
            return
        if not newer:
            self.unused = f"{WHEEL} {version} is installed but not newer than vllm-migrate's own data ({self.version})"
        elif not fits:
            self.unused = (
                f"{WHEEL} {version} is installed but needs vllm-migrate >= {first}, < {before}; this is {tool}"
            )
        else:
            self.version, self.origin = version, WHEEL
            self.knowledge, self.catalog = os.path.join(beside, "knowledge"), os.path.join(beside, "catalog")


def _manifest(folder: str) -> dict[str, object]:
    manifest = json.loads(read_bytes(os.path.join(folder, MANIFEST)))
    if not isinstance(manifest, dict):
        raise TypeError
    return manifest


def _numbers(version: str) -> tuple[int, ...]:
    """`2026.11.30` in an order. Raises ValueError for anything but numbers and dots."""
    return tuple(int(part) for part in version.split("."))


# The file whose presence decides; a kept result depends on it.
WHEEL_MANIFEST = os.path.join(_BESIDE, MANIFEST)
SHIPPED = Shipped(__version__)
