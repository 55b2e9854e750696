"""Programs of a framework that a project holds: where one cannot be imported, no engine that the framework starts does."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.disk import Disk
from vllm_migrate.migrate.readers import source_of
from vllm_migrate.report.finding import Finding

LOADED = re.compile(r"(?:from|import)\b")  # at the beginning of a line: whenever the module is
TESTS = re.compile(r"(?:\A|/)(?:tests?|examples?|benchmarks?)/|(?:\A|/)(?:test_[^/]*|conftest)\.py\Z")


class Servers:
    """stops: what keeps programs from starting; paths: the input files."""

    def __init__(self, stops: Iterable[Finding], paths: Iterable[str], disk: Disk) -> None:
        self._disk = disk
        self._programs = {os.path.normpath(path) for path in paths if path.endswith(".py") and not _is_test(path)}
        self._stops: dict[str, Finding] = {}
        for finding in stops:
            path = os.path.normpath(finding.path)
            if path in self._programs and LOADED.match(self._text(path).split("\n")[finding.line - 1]):
                self._stops.setdefault(path, finding)
        used = self._used()
        self._stops = {path: finding for path, finding in self._stops.items() if path in used}

    def stops_of(self, engine: Engine, root: str) -> Iterator[Finding]:
        """What keeps the package that starts an engine of a project, its framework's or that of its file, from being imported."""
        names = [engine.dialect.framework or engine.dialect.id]
        if engine.argv is not None and engine.file.path.endswith(".py"):
            names.append(_package(engine.file.path, root))
        for path, finding in self._stops.items():
            if _package(path, root) in (name.replace("-", "_") for name in names):
                yield finding

    def _text(self, path: str) -> str:
        source = source_of(path, self._disk)
        return source.text if source is not None else ""

    def _used(self) -> set[str]:
        """The stopping modules that another program names; each program is read once."""
        names = {path: _naming(path) for path in self._stops}
        out: set[str] = set()
        for other in self._programs if names else ():
            text = self._text(other)
            out |= {path for path, name in names.items() if path != other and path not in out and name.search(text)}
        return out


def _naming(path: str) -> re.Pattern[str]:
    """How a program names a module: in an import, or as a path or dotted name in quotes."""
    name = re.escape(os.path.splitext(os.path.basename(path))[0])
    return re.compile(rf"\b(?:import|from)\b.*\b{name}\b|[\"'][\w./]+[./]{name}(?:\.py)?[\"']")


def _is_test(path: str) -> bool:
    return TESTS.search(path.replace(os.sep, "/")) is not None


def _package(path: str, root: str) -> str:
    """The package of a project's file, which may stand below src/; "" for a file without one."""
    folders = os.path.relpath(path, root).split(os.sep)[:-1]
    return next((folder for folder in folders if folder != "src"), "")
