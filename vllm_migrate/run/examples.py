"""The examples of a dialect's file, judged as a run judges files: what `vllm-migrate dialects check` tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from vllm_migrate.catalog import store
from vllm_migrate.dialects.deliver import deliver
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.situation import Known, Situation, everywhere
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.disk import Memory
from vllm_migrate.knowledge.build import DialectFile, compile_all, read_dialects, rules_folder
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.knowledge.records import DialectExample
from vllm_migrate.run.judging import Run

SOURCE = "0.8.5"


class Checked(NamedTuple):
    """One example: of which dialect, its title, and what is wrong with it ("": nothing)."""

    dialect: str
    title: str
    wrong: str


def check_dialects(paths: Sequence[Path]) -> Iterator[Checked]:
    """Every example of the dialects in some files. Raises VllmMigrateError for a file that the build refuses."""
    known = read_dialects(rules_folder(), files=paths)
    knowledge = Knowledge(compile_all(rules_folder(), files=paths)[0])
    names = {path.stem for path in paths}
    for file in known:
        if file.dialect.id in names:
            yield from _of(file, knowledge)


def _of(file: DialectFile, knowledge: Knowledge) -> Iterator[Checked]:
    ident, examples = file.dialect.id, file.examples
    for kind in ("fires", "silent"):
        if not getattr(examples, kind):
            yield Checked(ident, kind, f"there is no example that {'fires' if kind == 'fires' else 'stays silent'}")
    for example in examples.fires:
        yield Checked(ident, example.title, _misses(_engines(ident, example, knowledge), example))
    for example in examples.silent:
        found = _engines(ident, example, knowledge)
        yield Checked(ident, example.title, f"it finds {', '.join(engine.id for engine in found)}" if found else "")


def _engines(ident: str, example: DialectExample, knowledge: Knowledge) -> list[Engine]:
    """The dialect's engines in an example."""
    situation = Situation(Known(SOURCE), Known(example.target))
    paths = list(example.files)
    workspace = Workspace(paths, disk=Memory(example.files), situate=everywhere(situation))
    run = Run(store.load(), knowledge, workspace, keep=True)
    for path in paths:
        run.judge_file(path)
    return [judged.engine for judged in run.finish().judged if judged.engine.name == ident]


def _misses(found: list[Engine], example: DialectExample) -> str:
    """What an example that fires lacks."""
    if not found:
        return "no engine is found"
    if [engine.role for engine in found] != [example.role]:
        return f"the roles of its engines are {', '.join(engine.role for engine in found)}, not {example.role}"
    values = deliver(found[0], store.load(), example.target).values
    for option, wanted in example.options.items():
        arrived = values.get(option)
        if arrived is None or arrived.written is None:
            return f"{option} does not arrive"
        if arrived.value != wanted:
            return f"{option} arrives as {arrived.value!r}, not {wanted!r}"
    return ""
