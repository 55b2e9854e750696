"""Late resolution: where a release sets an option after the user's value is known, and under which tests.

A declared default of None says little; what it becomes is written in EngineArgs, in the post-inits and
validators of config classes, in platform hooks, in LLM and SamplingParams. Each assignment is kept as
(guards, value) text under `Class.method:target`.
"""

from __future__ import annotations

import ast

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import class_named, config_classes
from vllm_migrate.catalog.extract.routes import conjunction, negated
from vllm_migrate.catalog.extract.source import Module

Rules = dict[str, list[list[str]]]
_PLATFORMS = ("vllm.platforms.interface", "vllm.platforms.cuda", "vllm.platforms.cpu", "vllm.platforms.rocm")
LIMIT = 600  # characters of one expression


def late(it: Interpreter) -> Rules:
    """`Class.method:target` -> [[guards joined by " and ", value], ...] in source order."""
    rules: Rules = {}
    for cls in _classes(it):
        for name, node in cls.body.items():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                _Collector(rules, f"{cls.name}.{name}").body(node.body, ())
    for module in (it.tree.module(name) for name in (*_PLATFORMS, "vllm.config.vllm")):
        if module is not None:
            _functions(rules, module)
    return rules


def _classes(it: Interpreter) -> list[ClassValue]:
    found = []
    for name in ("EngineArgs", "AsyncEngineArgs", "LLM", "SamplingParams"):
        found.append(class_named(it, name))
    found += config_classes(it)
    for platform in _PLATFORMS:
        module = it.tree.module(platform)
        for name, bindings in module.bindings.items() if module else ():
            if module is not None and isinstance(bindings[-1].node, ast.ClassDef) and "Platform" in name:
                value = it.name_in(module, name)
                if isinstance(value, ClassValue):
                    found.append(value)
    return found


def _functions(rules: Rules, module: Module) -> None:
    """Module-level functions that set fields (`enable_norm_fusion(cfg)` and the tables of levels)."""
    for name, bindings in module.bindings.items():
        node = bindings[-1].node
        if isinstance(node, ast.FunctionDef):
            _Collector(rules, f"{module.name.rpartition('.')[2]}.{name}").body(node.body, ())
            returns = [n for n in ast.walk(node) if isinstance(n, ast.Return) and n.value is not None]
            if module.name == "vllm.config.vllm" and len(returns) == 1 and returns[0].value is not None:
                rules.setdefault(f"vllm.{name}:return", []).append(["", short(returns[0].value)])
        elif isinstance(node, ast.Assign) and name.startswith("OPTIMIZATION_LEVEL"):
            rules[f"vllm:{name}"] = [["", short(node.value)]]


class _Collector:
    def __init__(self, rules: Rules, where: str) -> None:
        self.rules = rules
        self.where = where

    def body(self, statements: list[ast.stmt], guards: tuple[str, ...]) -> None:
        for node in statements:
            if isinstance(node, ast.If):
                test = short(node.test)
                self.body(node.body, (*guards, test))
                self.body(node.orelse, (*guards, negated(test)))
                if _leaves(node.body) and not node.orelse:
                    guards = (*guards, negated(test))
            elif isinstance(node, ast.With | ast.For | ast.While):
                self.body(node.body, guards)
            elif isinstance(node, ast.Try):
                self.body(node.body + node.orelse + node.finalbody, guards)
            elif isinstance(node, ast.Match):
                for case in node.cases:
                    self.body(case.body, (*guards, f"{short(node.subject)} is {ast.unparse(case.pattern)}"))
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    self.assigned(target, node.value, guards)
            elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
                self.assigned(node.target, node.value, guards)

    def assigned(self, target: ast.expr, value: ast.expr, guards: tuple[str, ...]) -> None:
        if isinstance(target, ast.Tuple):
            for one in target.elts:
                self.assigned(one, value, guards)
            return
        name = target_name(target)
        if name:
            entry = [conjunction(list(guards)), short(value)]
            entries = self.rules.setdefault(f"{self.where}:{name}", [])
            if entry not in entries:
                entries.append(entry)


def _leaves(body: list[ast.stmt]) -> bool:
    """True when what follows runs only if the test failed. (A raise only refuses: no condition of a value.)"""
    return bool(body) and isinstance(body[-1], ast.Return | ast.Continue)


def target_name(target: ast.expr) -> str:
    """`self.x`, `cfg.scheduler_config.x` -> the dotted text; `kwargs["x"]` -> x; `default_x` as it is."""
    if isinstance(target, ast.Attribute):
        text = ast.unparse(target)
        return "" if "(" in text or "[" in text or target.attr.startswith("_") else text.removeprefix("self.")
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        owner = ast.unparse(target.value)
        return str(target.slice.value) if owner in ("kwargs", "engine_args", "config_kwargs") else ""
    if isinstance(target, ast.Name) and target.id.startswith("default_"):
        return target.id
    return ""


def short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= LIMIT else text[:LIMIT] + "..."
