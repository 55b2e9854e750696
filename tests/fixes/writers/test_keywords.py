"""Keywords of a call of vLLM's interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Program, Use
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import CannotEdit, apply_edits
from vllm_migrate.fixes.carriers import writer_of
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.plan import edits_of
from vllm_migrate.knowledge.load import load as load_knowledge

TEXT = "from vllm import SamplingParams\n\nparams = SamplingParams(n=2, best_of=4)\n"


def program(folder: Path, text: str = TEXT) -> tuple[Program, Use]:
    """A program, and its one call."""
    path = folder / "rollout.py"
    path.write_text(text, encoding="utf-8")
    workspace = Workspace([str(path)])
    file = workspace.load(str(path))
    assert file is not None
    (found,) = discover(file, load_knowledge().dialects, load_catalog(), workspace).programs
    (call,) = (use for use in found.uses if use.name == "sampling-params")
    return found, call


def after(ops: list[FileOp]) -> str:
    ((file, edits),) = edits_of(ops).items()
    return apply_edits(file.source.text, edits)


@pytest.mark.parametrize(
    ("option", "value", "arguments"),
    [("best_of", 8, {"n": 2, "best_of": 8}), ("seed", 1, {"n": 2, "best_of": 4, "seed": 1})],
)
def test_set(option: str, value: object, arguments: dict[str, object], tmp_path: Path) -> None:
    found, call = program(tmp_path)
    text = after(writer_of(found, call).set(option, value))
    assert program(tmp_path, text)[1].arguments == arguments


def test_drop(tmp_path: Path) -> None:
    found, call = program(tmp_path)
    text = after(writer_of(found, call).drop(call.written, "best_of"))
    assert text == TEXT.replace(", best_of=4", "")
    assert program(tmp_path, text)[1].arguments == {"n": 2}


def test_no_keyword_is_renamed(tmp_path: Path) -> None:
    found, call = program(tmp_path)
    with pytest.raises(CannotEdit, match="not renamed"):
        writer_of(found, call).respell(call.written, "n", 4)
