"""What can be imported at each release: names of a source text, merged over releases, asked for a pair of releases."""

from __future__ import annotations

import json

import pytest

from vllm_migrate.catalog import modules
from vllm_migrate.catalog import names as all_names
from vllm_migrate.catalog.extract.modules import names, top_level
from vllm_migrate.catalog.store import DATA
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


def test_names_are_put_together_and_taken_apart_again() -> None:
    data = all_names.merged(RELEASES, READ)
    public = [{m: {n: k for n, k in names.items() if n[:1] != "_"} for m, names in one.items()} for one in READ]
    assert all_names.unmerged(data) == public
    groups = {"d0-1": "Parser", "b0-1": "Any", "d0-": "kept", "d2-": "*", "": "d0-"}
    assert data["names"]["vllm.utils"] == groups
    assert json.loads(all_names.dump(data)) == data
    assert modules.merged(RELEASES, public) == modules.merged(RELEASES, READ), "private names are not in it"


def test_a_name_that_came_back_as_another_kind() -> None:
    read: list[dict[str, dict[str, str]]] = [
        {"vllm.m": {"f": kind}} if kind else {"vllm.m": {}} for kind in ("defined", "", "passed on")
    ]
    data = all_names.merged(RELEASES, read)
    assert data["names"] == {"vllm.m": {"d0-1 p2-": "f", "": "d0-"}} and all_names.unmerged(data) == read


def test_the_shipped_names_make_the_shipped_modules() -> None:
    with open(f"{DATA}/{all_names.FILE}", encoding="utf-8") as stream:
        data = json.load(stream)
    with open(f"{DATA}/{modules.FILE}", encoding="utf-8") as stream:
        assert modules.merged(data["releases"], all_names.unmerged(data)) == json.load(stream)


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


RAISES = "    raise AttributeError(name)\n"


@pytest.mark.parametrize(
    ("body", "served"),
    [
        ('    "Says so."\n    if name == "a":\n        return 1\n' + RAISES, {"a"}),
        ("    if name in TABLE:\n        return TABLE[name]\n" + RAISES, {"b", "c"}),
        (
            '    if name == "a":\n        return 1\n    elif name in globals():\n        return 2\n    else:\n    '
            + RAISES,
            {"a"},
        ),
        ("    value = TABLE.get(name)\n    if value is None:\n    " + RAISES + "    return value\n", None),
        ('    if name.startswith("a"):\n        return 1\n' + RAISES, None),
        ("    if name in UNKNOWN:\n        return 1\n" + RAISES, None),
        ("    return 1\n", None),
    ],
)
def test_a_module_that_answers_for_some_names_itself(body: str, served: set[str] | None) -> None:
    found = top_level('TABLE = {"b": 1, "c": 2}\ndef __getattr__(name):\n' + body, "vllm.m", False)
    assert {name for name, kind in found.items() if kind == "passed on"} == (served or set())
    assert ("*" in found) == (served is None)


def test_a_name_that_a_module_serves_no_longer() -> None:
    """vllm.utils of 0.11.1 answers for three old names, and for no others."""
    shipped = modules.load()
    assert shipped.gone("vllm.utils.get_ip", "0.8.5", "0.18.1") == "0.11.1"
    assert shipped.gone("vllm.utils.get_open_port", "0.8.5", "0.13.0") == ""
    assert shipped.gone("vllm.utils.get_open_port", "0.8.5", "0.18.1") == "0.14.0"


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
    assert shipped.gone("vllm.utils.FlexibleArgumentParser", "0.8.5", "0.18.1") == "0.11.1"
    assert shipped.homes("FlexibleArgumentParser", "0.18.1") == ["vllm.utils.argparse_utils"]
