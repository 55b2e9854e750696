"""Registries that modules fill while they are imported: `@Manager.register_module("name")`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.classes import ClassValue
    from vllm_migrate.catalog.extract.source import SourceTree


def registered(tree: SourceTree, manager: ClassValue) -> list[str]:
    """Names registered with `manager.register_module`, in the order of the files' names."""
    mark = f"{manager.name}.register_module"
    names: list[str] = []
    for path in tree.files(manager.module.package):
        text = tree.read(path)
        if mark not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    names += _names(decorator, mark, node.name)
    return names


def _names(decorator: ast.expr, mark: str, class_name: str) -> list[str]:
    if not isinstance(decorator, ast.Call) or ast.unparse(decorator.func) != mark:
        return []
    given = decorator.args[:1] + [k.value for k in decorator.keywords if k.arg == "name"]
    if not given:
        return [class_name]
    parts = given[0].elts if isinstance(given[0], ast.List | ast.Tuple) else given
    return [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)]
