"""Evidence of the two releases at hand, looked up in their own source: the file, the symbol, and the line inside it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.real.oracles.client import RELEASES
from vllm_migrate.knowledge.build import read_effective, read_rules, rules_folder
from vllm_migrate.knowledge.records import Evidence

OWNERS = [(file.rule.name, file.page.evidence) for file in read_rules(rules_folder())]
OWNERS += [(file.entry.option, file.page.evidence) for file in read_effective(rules_folder())]


def package(python: str) -> Path:
    """The folder that holds `vllm/`; the interpreter is a script in the folder of its virtual environment."""
    for found in Path(python).parent.glob("venv/lib/python3*/site-packages"):
        if (found / "vllm").is_dir():
            return found
    pytest.skip("the source of this vLLM is not beside its interpreter")


def definitions(source: str) -> dict[str, list[tuple[int, int]]]:
    """Where classes, functions and assigned names stand, by `name` and by `Class.name`: first and last line."""
    out: dict[str, list[tuple[int, int]]] = {}

    def visit(node: ast.AST, owner: str) -> None:
        for child in ast.iter_child_nodes(node):
            for name in _names(child):
                place = (child.lineno, child.end_lineno or child.lineno)  # type: ignore[attr-defined]
                out.setdefault(name, []).append(place)
                out.setdefault(f"{owner}.{name}", []).append(place)
            visit(child, child.name if isinstance(child, ast.ClassDef) else owner)

    visit(ast.parse(source), "")
    return out


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = [t.id for t in targets if isinstance(t, ast.Name)]
    return names + [t.attr for t in targets if isinstance(t, ast.Attribute)]


def fault(item: Evidence, root: Path) -> str | None:
    """What is wrong with a piece of evidence; None when it is where it says."""
    assert item.file and item.symbol
    path = root / item.file
    if not path.is_file():
        return "no such file"
    places = definitions(path.read_text(encoding="utf-8")).get(item.symbol)
    if places is None:
        return "no such symbol"
    # A variable of vllm/envs.py is declared at the top and read further down.
    if not item.line or item.file == "vllm/envs.py":
        return None
    return None if any(first - 1 <= item.line <= last for first, last in places) else f"line {item.line} is not in it"


@pytest.mark.parametrize("release", RELEASES)
def test_evidence_is_where_it_says(vllm_pythons: dict[str, str], release: str) -> None:
    root = package(vllm_pythons[release])
    items = [(owner, item) for owner, each in OWNERS for item in each if item.release == release and item.file]
    assert len(items) >= 20
    wrong = [(owner, item.file, item.symbol, why) for owner, item in items if (why := fault(item, root)) is not None]
    assert wrong == []
