"""What `effective` says of every example: JSON's values and words of a configuration, never Python's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vllm_migrate.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path for path in EXAMPLES.glob("*/*") if path.is_dir())
REPRS = ("Undetermined(", "Unknown(", "<vllm_migrate", " object at 0x")


def cells(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for engine in report["engines"]:
        for setting in engine["settings"]:
            yield from (setting["from"], setting["to"])


def no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.relative_to(EXAMPLES).as_posix())
def test_both_formats_without_python(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setenv("COLUMNS", "400")
    name = folder.relative_to(EXAMPLES).as_posix()
    assert main(["effective", name, "--output-format", "json"]) in (0, None)
    out = capsys.readouterr().out
    report = json.loads(out, parse_constant=no_constant)
    assert report["engines"] and all(set(cell) == {"value", "origin", "depends_on"} for cell in cells(report))
    assert main(["effective", name, "--all"]) in (0, None)
    text = capsys.readouterr().out
    assert not [word for word in REPRS if word in out or word in text]
