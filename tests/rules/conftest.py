"""The engine of a small file, and its views at two releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.load import load
from vllm_migrate.resolve.view import View

ReadEngine = Callable[[Path, str], Engine]


@pytest.fixture(scope="session")
def read_engine() -> ReadEngine:
    """Write a text to a path and read its first engine."""

    def read(path: Path, text: str) -> Engine:
        path.write_text(text, encoding="utf-8")
        workspace = Workspace([str(path)])
        file = workspace.load(str(path))
        assert file is not None
        return discover(file, load().dialects, load_catalog(), workspace).engines[0]

    return read


@pytest.fixture(scope="session")
def view_both() -> Callable[[Engine, str, str], tuple[View, View]]:
    """An engine at the source and at the target release."""

    def views(engine: Engine, source: str, target: str) -> tuple[View, View]:
        return (
            View(engine, source, load_catalog(), load(), is_source=True),
            View(engine, target, load_catalog(), load()),
        )

    return views
