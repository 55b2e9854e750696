"""Keywords of a call of vLLM's interfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from vllm_migrate import fix
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.discover import discover
from vllm_migrate.dialects.model import Program, Use
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.carriers import writer_of
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.plan import edits_of
from vllm_migrate.knowledge.load import load as load_knowledge

TEXT = "from vllm import SamplingParams\n\nparams = SamplingParams(n=2, best_of=4)\n"


def program(folder: Path, text: str = TEXT, name: str = "sampling-params") -> tuple[Program, list[Use]]:
    """A program, and its uses of a name."""
    path = folder / "rollout.py"
    path.write_text(text, encoding="utf-8")
    workspace = Workspace([str(path)])
    file = workspace.load(str(path))
    assert file is not None
    (found,) = discover(file, load_knowledge().dialects, load_catalog(), workspace).programs
    return found, [use for use in found.uses if use.name == name]


def after(ops: list[FileOp]) -> str:
    ((file, edits),) = edits_of(ops).items()
    return apply_edits(file.source.text, edits)


@pytest.mark.parametrize(
    ("option", "value", "arguments"),
    [("best_of", 8, {"n": 2, "best_of": 8}), ("seed", 1, {"n": 2, "best_of": 4, "seed": 1})],
)
def test_set(option: str, value: object, arguments: dict[str, object], tmp_path: Path) -> None:
    found, (call,) = program(tmp_path)
    text = after(writer_of(found, call).set(option, value))
    assert program(tmp_path, text)[1][0].arguments == arguments


def test_drop(tmp_path: Path) -> None:
    found, (call,) = program(tmp_path)
    text = after(writer_of(found, call).drop(call.written, "best_of"))
    assert text == TEXT.replace(", best_of=4", "")
    assert program(tmp_path, text)[1][0].arguments == {"n": 2}


FIELD = "from vllm.config import CompilationConfig\n\nconfig = CompilationConfig(level=3, cache_dir='a')\n"


@pytest.mark.parametrize(("value", "written"), [(3, "mode=3"), ("FULL", "mode='FULL'")])
def test_respell(value: object, written: str, tmp_path: Path) -> None:
    found, uses = program(tmp_path, FIELD, "config-argument")
    level = uses[0]
    text = after(writer_of(found, level).respell(level.written, "mode", level.written.value if value == 3 else value))
    assert text == FIELD.replace("level=3", written)


def test_calls_that_an_edit_counts_anew() -> None:
    """`dict(...)` becomes a literal, and so the calls behind it have other numbers."""
    text = (
        "from vllm import LLM\nfrom vllm.config import CompilationConfig\n"
        'a = LLM("m", compilation_config=dict(level=0))\n'
        "b = CompilationConfig(level=3)\nc = CompilationConfig(level=2)\n"
    )
    after = fix(files={"run.py": text}, unsafe=True, from_="0.9.2").texts["run.py"]
    assert "CompilationConfig(mode=3)" in after and "CompilationConfig(mode=2)" in after
    assert fix(files={"run.py": after}, unsafe=True, from_="0.9.2").texts == {}
