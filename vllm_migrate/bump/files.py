"""Uses in all files of a repository: Python modules, engines of any dialect, and names in plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.bump import python
from vllm_migrate.bump.model import METRIC, OPTION, VARIABLE, Place, Use
from vllm_migrate.catalog import contract
from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.model import Written
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import Unreadable
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

MAX_BYTES = 5_000_000
_VARIABLE = re.compile(r"\bVLLM_[A-Z][A-Z0-9_]+\b")
_METRIC = re.compile(r"\bvllm:[a-z][a-z0-9_:]+\b")
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+(?:\.[a-z_]+)*")
_EXTENSION = re.compile(r"worker[-_]extension[-_]cls", re.IGNORECASE)
_CLASS = re.compile(r"[\w}]\.([A-Z]\w+)\b|\b([A-Z]\w+)\.__name__")
_NEAR = 400  # characters after the option in which the class is named
# Words by which a text shows that its options are those of a vLLM server.
_SERVES = ("vllm serve", "vllm.entrypoints", "vllm/vllm-openai")


def uses(paths: tuple[str, ...], old: str, new: str, disk: Disk = DISK) -> list[Use]:
    """Every use below the paths. Raises UsageError."""
    session = Session(Options(paths, old, new), disk)
    found: list[Use] = []
    modules: dict[str, str] = {}
    extensions: set[str] = set()
    for entry in session.inputs:
        text = _text(entry.path, session.disk)
        if entry.path.endswith(".py"):
            modules[entry.path] = text
        if "vllm" in text or "VLLM_" in text:
            found += _in_text(entry.path, text, session.catalog, old)
            extensions.update(_extensions(text))
    mixed = list(_mixed_in(extensions, modules))
    known = contract.load()
    project = python.Project(
        new,
        frozenset(name.partition(" ")[2] for name in session.catalog.all_names("route")),
        lambda dotted: known.has(dotted, old) is True,
        frozenset(use.name for use in mixed),
        contract.WORKERS["v1"],
    )
    for path, text in modules.items():
        found += python.uses(path, text, project)
    found += mixed
    for judged in session.run(keep=True).judged:
        for written in judged.engine.options:
            found += _option(written, "engine", written.option)
        for name, fact in judged.engine.facts.items():
            kind, _, rest = name.partition(".")
            if fact.written is not None and kind == "sampling":
                found += _option(fact.written, "sampling", rest)
    return found


def _mixed_in(names: set[str], modules: dict[str, str]) -> Iterator[Use]:
    """The classes of these names in the repository, and their bases there."""
    waiting, seen = sorted(names), set(names)
    while waiting:
        name = waiting.pop(0)
        for path, text in modules.items():
            known = python.extension(path, text, name)
            if known is not None:
                yield known[0]
                waiting += [base for base in known[1] if base not in seen]
                seen.update(known[1])


def _extensions(text: str) -> Iterator[str]:
    """Names of classes near a `worker_extension_cls`; those of the repository itself count."""
    for option in _EXTENSION.finditer(text):
        for match in _CLASS.finditer(text, option.end(), option.end() + _NEAR):
            yield match[1] or match[2]


def _option(written: Written, section: str, name: str) -> Iterator[Use]:
    source = written.spot.file.source
    if name and "." not in name:
        yield Use(OPTION, name, Place(source.path, source.position(written.spot.start).line), section)


def _text(path: str, disk: Disk) -> str:
    try:
        data = disk.read(path, MAX_BYTES)
    except (OSError, Unreadable):
        return ""
    return data.decode("utf-8", "replace") if len(data) <= MAX_BYTES else ""


def _in_text(path: str, text: str, catalog: Catalog, old: str) -> Iterator[Use]:
    """Variables, metrics and, where a server is started, flags."""
    known = catalog.names("cli", old) | catalog.names("frontend", old)
    serves = any(word in text for word in _SERVES)
    for number, line in enumerate(text.splitlines(), 1):
        place = Place(path, number)
        for match in _VARIABLE.finditer(line):
            yield Use(VARIABLE, match[0], place)
        for match in _METRIC.finditer(line):
            yield Use(METRIC, match[0], place)
        for match in _FLAG.finditer(line) if serves else ():
            if match[0] in known:
                yield Use(OPTION, match[0], place, "cli")
