"""Every dialect's own examples: the engine that is found in them with its role and options, or that none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.situations import move
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.deliver import deliver
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.build import DialectFile, read_dialects, rules_folder
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.knowledge.records import DialectExample
from vllm_migrate.run.judging import Run

DIALECTS = read_dialects(rules_folder())


def engines(folder: Path, name: str, example: DialectExample) -> list[Engine]:
    """The dialect's engines in an example, read as a run reads them."""
    paths = []
    for file, text in example.files.items():
        (folder / file).write_text(text, encoding="utf-8")
        paths.append(str(folder / file))
    workspace = Workspace(paths, situate=move("0.8.5", example.target))
    run = Run(load_catalog(), load_knowledge(), workspace, keep=True)
    for path in paths:
        run.judge_file(path)
    result = run.finish()
    assert not result.problems, [problem.message for problem in result.problems]
    return [judged.engine for judged in result.judged if judged.engine.name == name]


def examples(kind: str) -> list[object]:
    return [
        pytest.param(file.dialect.id, example, id=f"{file.dialect.id}-{example.title.replace(' ', '_')}")
        for file in DIALECTS
        for example in getattr(file.examples, kind)
    ]


@pytest.mark.parametrize(("name", "example"), examples("fires"))
def test_an_engine_is_found(name: str, example: DialectExample, tmp_path: Path) -> None:
    found = engines(tmp_path, name, example)
    assert [engine.role for engine in found] == [example.role]
    delivery = deliver(found[0], load_catalog(), example.target)
    arrived = {option: delivery.values[option].value for option in example.options if option in delivery.values}
    assert arrived == example.options
    assert all(delivery.values[option].written is not None for option in example.options)


@pytest.mark.parametrize(("name", "example"), examples("silent"))
def test_none_is_found(name: str, example: DialectExample, tmp_path: Path) -> None:
    assert engines(tmp_path, name, example) == []


@pytest.mark.parametrize("file", DIALECTS, ids=lambda file: file.dialect.id)
def test_every_dialect_has_both(file: DialectFile) -> None:
    # One that knows uses alone finds no engine: the examples of the rules about its uses are its own.
    assert not file.dialect.engines or (file.examples.fires and file.examples.silent)
