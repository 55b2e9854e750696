"""Programs of a project that its engines are started by: where one cannot be imported, no engine behind it starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.disk import Disk
from vllm_migrate.migrate.readers import source_of
from vllm_migrate.report.finding import Finding

# An import that runs whenever the module is loaded: `from A import B, C`, `import A`.
IMPORT = re.compile(r"^(?:from[ \t]+([.\w]+)[ \t]+import[ \t]*(\([^)]*\)|[^#\n]*)|import[ \t]+([\w.]+))", re.MULTILINE)
TESTS = re.compile(r"(?:\A|/)(?:tests?|examples?|benchmarks?)/|(?:\A|/)(?:test_[^/]*|conftest)\.py\Z")


class Servers:
    """stops: what keeps programs from starting; paths: the input files."""

    def __init__(self, stops: Iterable[Finding], paths: Iterable[str], disk: Disk) -> None:
        self._disk = disk
        self._programs = {os.path.normpath(path) for path in paths if path.endswith(".py")}
        self._texts: dict[str, str] = {}
        self._stops: dict[str, Finding] = {}
        for finding in stops:
            path = os.path.normpath(finding.path)
            line = self._text(path).split("\n")[finding.line - 1 : finding.line] if path in self._programs else []
            if any(IMPORT.match(text) for text in line) and not TESTS.search(path.replace(os.sep, "/")):
                self._stops.setdefault(path, finding)

    def stops_of(self, engine: Engine, root: str) -> Iterator[Finding]:
        """What keeps the programs that start an engine of a project from being imported."""
        if not self._stops:
            return
        reached = self._reached([*self._named(engine, root), os.path.normpath(engine.file.path)], root)
        package = _packages(engine, root)
        for path, finding in self._stops.items():
            folders = os.path.relpath(path, root).split(os.sep)
            own = package.intersection(folders[:1] if folders[0] != "src" else folders[1:2])
            if path in reached or (own and self._is_used(path)):
                yield finding

    def _text(self, path: str) -> str:
        if path not in self._texts:
            source = source_of(path, self._disk)
            self._texts[path] = source.text if source is not None else ""
        return self._texts[path]

    def _named(self, engine: Engine, root: str) -> Iterator[str]:
        """The programs that an engine's own command runs: `python serve.py`, `python -m app.serve`."""
        shell = engine.file.shell
        if shell is None or engine.argv is None:
            return
        words = [word.value or "" for word in shell.commands[engine.argv[0]].words]
        for before, word in pairwise(["", *words]):
            if before == "-m":
                yield from self._module(word, root)
            elif word.endswith(".py"):
                near = (os.path.join(folder, word) for folder in (root, os.path.dirname(engine.file.path)))
                yield from (path for path in map(os.path.normpath, near) if path in self._programs)

    def _module(self, dotted: str, *folders: str) -> Iterator[str]:
        name = os.path.join(*dotted.split(".")) if dotted else ""
        for folder in (*folders, *(os.path.join(folder, "src") for folder in folders)):
            for path in (f"{name}.py", os.path.join(name, "__init__.py")):
                path = os.path.normpath(os.path.join(folder, path))
                if path in self._programs:
                    yield path

    def _reached(self, paths: list[str], root: str) -> set[str]:
        """The programs, and those of the project that they import when they are loaded."""
        reached: set[str] = set()
        while paths:
            path = paths.pop()
            if path in reached or path not in self._programs:
                continue
            reached.add(path)
            for package, names, module in IMPORT.findall(self._text(path)):
                folder, dotted = os.path.dirname(path), (package or module)
                dots = len(dotted) - len(dotted.lstrip("."))
                base = os.path.join(folder, *[os.pardir] * (dots - 1)) if dots else folder
                inner = [name.split()[0] for name in names.strip("() \n").split(",") if name.strip()]
                for each in (dotted.lstrip("."), *(f"{dotted.lstrip('.')}.{name}".lstrip(".") for name in inner)):
                    paths += self._module(each, base, *([] if dots else [root]))
        return reached

    def _is_used(self, path: str) -> bool:
        """Whether another program names the module."""
        name = os.path.splitext(os.path.basename(path))[0]
        named = re.compile(
            rf"\b(?:import|from)\b.*\b{re.escape(name)}\b|[\"'][\w./]+[./]{re.escape(name)}(?:\.py)?[\"']"
        )
        others = (other for other in self._programs if other != path and not TESTS.search(other.replace(os.sep, "/")))
        return any(name in self._text(other) and named.search(self._text(other)) for other in others)


def _packages(engine: Engine, root: str) -> set[str]:
    """The names of the Python packages that may start an engine: its framework's, and the one that holds its command."""
    names = [engine.dialect.framework, engine.dialect.id]
    if engine.argv is not None and engine.file.path.endswith(".py"):
        names.append(os.path.relpath(engine.file.path, root).split(os.sep)[0])
    return {name.replace("-", "_") for name in names if name}
