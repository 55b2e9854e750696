"""How `vllm serve --config FILE` carries a file's values to argparse, and which config classes refuse unknown keys."""

from __future__ import annotations

import ast

from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import config_classes

Carrier = dict[str, bool]


def carrier(it: Interpreter) -> Carrier:
    """lists: a YAML list becomes several arguments (else its Python text); mappings: a YAML mapping becomes
    JSON (else its Python text); dotted: `--option.key value` builds a mapping."""
    methods = parser_methods(it)
    loader = methods.get("load_config_file") or methods.get("_load_config_file")
    kinds = {_tested(call) for call in ast.walk(loader) if isinstance(call, ast.Call)} if loader else set()
    parse = methods.get("parse_args")
    return {
        "lists": "list" in kinds,
        "mappings": "dict" in kinds,
        "dotted": parse is not None and "create_nested_dict" in ast.unparse(parse),
    }


def parser_methods(it: Interpreter) -> dict[str, ast.FunctionDef]:
    """Methods of vLLM's own argument parser; empty when the tree has none."""
    module = it.tree.find_class("FlexibleArgumentParser")
    node = next((b.node for b in module.bindings["FlexibleArgumentParser"]), None) if module else None
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)} if isinstance(node, ast.ClassDef) else {}


def _tested(call: ast.Call) -> str:
    """The type in `isinstance(value, TYPE)`."""
    if ast.unparse(call.func) == "isinstance" and len(call.args) == 2:
        return ast.unparse(call.args[1])
    return ""


def classes(it: Interpreter) -> dict[str, dict[str, bool]]:
    """Config class -> {"forbid": it refuses unknown keys}."""
    found = {}
    for cls in config_classes(it):
        forbids = any(_forbids(it, node, one.module.name) for one in cls.ancestors() for node in _markers(one.node))
        found[cls.name] = {"forbid": forbids}
    return found


def _markers(node: ast.ClassDef) -> list[ast.expr]:
    values = [n.value for n in node.body if isinstance(n, ast.Assign) and "model_config" in ast.unparse(n.targets[0])]
    return [*node.decorator_list, *values]


def _forbids(it: Interpreter, node: ast.expr, module_name: str) -> bool:
    text = ast.unparse(node)
    if "extra=" in text:
        return "extra='forbid'" in text
    name = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    module = it.tree.module(module_name)
    if name != "config" or module is None:
        return False
    value = it.name_in(module, name)
    definition = getattr(value, "node", None)
    return definition is not None and "extra='forbid'" in ast.unparse(definition)
