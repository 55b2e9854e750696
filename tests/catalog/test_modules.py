"""What can be imported at each release: names of a source text, merged over releases, asked for a pair of releases."""

from __future__ import annotations

import pytest

from vllm_migrate.catalog import modules
from vllm_migrate.catalog.extract.modules import names, top_level
from vllm_migrate.catalog.store import load as load_catalog

RELEASES = ["1.0", "1.1", "1.2"]
READ = [
    {
        "vllm": {"LLM": "passed on"},
        "vllm.utils": {"Parser": "defined", "Any": "borrowed", "kept": "defined", "_private": "defined"},
        "vllm.worker": {},
        "vllm.worker.worker": {"Worker": "defined"},
    },
    {
        "vllm": {"LLM": "passed on"},
        "vllm.utils": {"kept": "defined"},
        "vllm.utils.argparse": {"Parser": "defined"},
        "vllm.worker": {},
        "vllm.worker.worker": {"Worker": "defined"},
    },
    {
        "vllm": {"LLM": "passed on"},
        "vllm.utils": {"kept": "defined", "*": "defined"},
        "vllm.utils.argparse": {"Parser": "defined"},
        "vllm.v1.gpu_worker": {"Worker": "defined"},
    },
]


@pytest.fixture
def found() -> modules.Modules:
    return modules.Modules(modules.merged(RELEASES, READ))


def test_names_of_a_text() -> None:
    text = """
import os
from typing import Any
from vllm.a import b as c
from .d import e
try:
    import ray
except ImportError:
    ray = None
if True:
    class A:
        inner = 1
def f():
    local = 1
x, (y, z) = 1, (2, 3)
w: int = 4
"""
    assert top_level(text, "vllm.m", False) == {
        "os": "borrowed",
        "Any": "borrowed",
        "c": "passed on",
        "e": "passed on",
        "ray": "assigned",
        "A": "defined",
        "f": "defined",
        "x": "assigned",
        "y": "assigned",
        "z": "assigned",
        "w": "assigned",
    }
    assert "*" in top_level("from x import *", "vllm.m", False)
    assert "*" in top_level("def __getattr__(name): ...", "vllm.m", True)
    assert top_level("def f(:", "vllm.m", False) == {"*": "defined"}


def test_names_of_a_tree(tmp_path: object) -> None:
    from pathlib import Path

    root = Path(str(tmp_path))
    for path, text in {
        "vllm/__init__.py": "LLM = 1",
        "vllm/a/b.py": "x = 1",
        "vllm/model_executor/models/qwen.py": "y = 1",
        "other/c.py": "z = 1",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    assert names(str(root)) == {"vllm": {"LLM": "assigned"}, "vllm.a.b": {"x": "assigned"}}


@pytest.mark.parametrize(
    ("dotted", "source", "target", "gone"),
    [
        ("vllm.worker.worker.Worker", "1.0", "1.2", "1.2"),
        ("vllm.worker.worker", "1.0", "1.2", "1.2"),
        ("vllm.worker.worker.Worker", "1.0", "1.1", ""),
        ("vllm.utils.Parser", "1.0", "1.1", "1.1"),
        ("vllm.utils.Parser", "1.1", "1.2", ""),
        ("vllm.utils.Any", "1.0", "1.1", ""),
        ("vllm.utils.kept", "1.0", "1.2", ""),
        ("vllm.LLM", "1.0", "1.2", ""),
        ("vllm.never.there", "1.0", "1.2", ""),
        ("vllm.worker.worker.Worker", "0.9", "1.2", ""),
    ],
)
def test_since_when_an_import_fails(found: modules.Modules, dotted: str, source: str, target: str, gone: str) -> None:
    assert found.gone(dotted, source, target) == gone


def test_where_a_name_went(found: modules.Modules) -> None:
    assert found.homes("Parser", "1.1") == ["vllm.utils.argparse"]
    assert found.homes("Worker", "1.2") == ["vllm.v1.gpu_worker"]
    assert found.homes("Nobody", "1.2") == []


def test_the_shipped_file_knows_every_shipped_release() -> None:
    shipped = modules.load()
    for release in load_catalog().shipped:
        assert shipped.has("vllm.engine.arg_utils.EngineArgs", release) is not False
        assert shipped.has("vllm.engine.arg_utils", release) is True
    assert shipped.gone("vllm.worker.worker.Worker", "0.8.5", "0.18.1") == "0.11.0"
    assert shipped.gone("vllm.utils.FlexibleArgumentParser", "0.8.5", "0.18.1") == "0.14.0"
    assert shipped.homes("FlexibleArgumentParser", "0.18.1") == ["vllm.utils.argparse_utils"]
