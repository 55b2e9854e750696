"""Worker extensions that an engine's settings name by module path (`worker_extension_cls: pkg.mod.Class`), found in the project and
judged where they are defined."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from vllm_migrate.dialects.contract_uses import SETTING, members_of
from vllm_migrate.dialects.model import Engine, Program, Use
from vllm_migrate.dialects.recognition import origin_of
from vllm_migrate.dialects.tree import File
from vllm_migrate.dialects.uses import left_out
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.documents.python.values import dotted_name
from vllm_migrate.knowledge.records import Dialect

SOURCES = ("", "src")  # where a project keeps its packages
MAX_FOLDERS = 12
MAX_BASES = 8


def programs_of(engines: Sequence[Engine], dialects: Sequence[Dialect], workspace: Workspace) -> Iterator[Program]:
    """A program for each extension class of the project that an engine names, with the names that it defines as uses."""
    asked: set[tuple[str, str]] = set()
    for engine in engines:
        for dotted in _named(engine):
            for file, name in _classes(engine.file.outermost.path, dotted, workspace):
                if (file.path, name) in asked:
                    continue
                asked.add((file.path, name))
                yield from _programs(file, name, engine, dialects, workspace)


def _named(engine: Engine) -> Iterator[str]:
    """The dotted names that are written for the option."""
    for written in engine.options:
        key = written.option or written.key.rpartition(".")[2].lstrip("-").replace("-", "_")
        if key == SETTING and isinstance(written.value, str) and "." in written.value:
            yield written.value


def _classes(path: str, dotted: str, workspace: Workspace) -> Iterator[tuple[File, str]]:
    """The module and name of a class, then those of the project's classes that it inherits from in other modules."""
    asked, seen = [dotted], set[str]()
    while asked and len(seen) < MAX_BASES:
        module, _, name = asked.pop().rpartition(".")
        file = _module(path, module, workspace)
        if file is None or f"{module}.{name}" in seen:
            continue
        seen.add(f"{module}.{name}")
        assert isinstance(file.data, PythonData)
        code = file.data.code
        node = next((node for node in code.index.classes if node.name == name), None)
        if node is None:  # a package that gives a class of another module
            passed_on = code.aliases.get(name, "")
            asked += [passed_on] if "." in passed_on else []
            continue
        yield file, name
        bases = [code.resolve(dotted_name(base)) for base in node.bases]
        asked += [base for base in bases if "." in base and not base.startswith("vllm.")]


def _module(path: str, dotted: str, workspace: Workspace) -> File | None:
    """A module of the project, looked for from the folder of a file upward."""
    inner = dotted.split(".")
    if not all(part.isidentifier() for part in inner):
        return None
    folder = os.path.dirname(path)
    for _ in range(MAX_FOLDERS):
        for place in (os.path.join(folder, source, *inner) for source in SOURCES):
            for name in (f"{place}.py", os.path.join(place, "__init__.py")):
                if workspace.disk.outside(name):
                    continue
                file = workspace.load(name)
                if file is not None and isinstance(file.data, PythonData):
                    return file
        above = os.path.dirname(folder)
        if above == folder:
            break
        folder = above
    return None


def _programs(
    file: File, name: str, engine: Engine, dialects: Sequence[Dialect], workspace: Workspace
) -> Iterator[Program]:
    assert isinstance(file.data, PythonData)
    for dialect in dialects:
        uses: list[Use] = []
        for entry in dialect.uses:
            if entry.members == "extension" and not left_out(file, entry):
                uses += members_of(file, file.data.code, entry, {name})
        if uses:
            origin = origin_of(file, dialect, workspace)._replace(situation=engine.situation)
            yield Program(f"{dialect.id}:{name}", origin.of_role(engine.role), {}, uses)
