"""Environment variables: what vllm/envs.py declares (`env`), and what is read elsewhere (`env_other`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from vllm_migrate.catalog.extract.facts import Facts, annotation_text, default_of, deprecation, jsonable
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import Section
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.source import TYPING, Module
from vllm_migrate.catalog.extract.values import Function, Unknown


def declared(it: Interpreter) -> Section:
    """Every key of `environment_variables` with the value its getter gives in an empty environment."""
    module = it.tree.module("vllm.envs")
    if module is None:
        return {}
    table = it.name_in(module, "environment_variables")
    if not isinstance(table, dict):
        raise LookupError("environment_variables is not a dict that can be read")
    nodes = _getters(module)
    docs = _comments(module, nodes)
    section: Section = {}
    for name, getter in table.items():
        node = nodes.get(name)
        facts: Facts = {"default": _default(it, getter, node)}
        if kind := _declared_type(module, name):
            facts["type"] = kind
        facts.update(_call_facts(it, module, node))
        if doc := docs.get(name):
            facts["doc"] = doc
            if text := deprecation(doc):
                facts.setdefault("deprecated", text)
        section[name] = facts
    return section


def _default(it: Interpreter, getter: object, node: ast.expr | None) -> object:
    body = node.body if isinstance(node, ast.Lambda) else node
    text = ast.unparse(body) if body is not None else "unknown"
    value = it.call(getter)
    return {"expr": text} if isinstance(value, Unknown) else default_of(value, text)


def _getters(module: Module) -> dict[str, ast.expr]:
    """Name -> the expression standing for it in the table (in updates of the table as well)."""
    found: dict[str, ast.expr] = {}
    statements = [b.node for b in module.bindings.get("environment_variables", ())]
    for statement in statements + list(module.mutations.get("environment_variables", ())):
        for part in ast.walk(statement):
            if isinstance(part, ast.Dict):
                for key, value in zip(part.keys, part.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        found.setdefault(key.value, value)
    return found


def _declared_type(module: Module, name: str) -> str:
    for binding in module.bindings.get(name, ()):
        if binding.context == TYPING and isinstance(binding.node, ast.AnnAssign):
            return annotation_text(binding.node.annotation)
    return ""


def _call_facts(it: Interpreter, module: Module, node: ast.expr | None) -> Facts:
    """Choices of `env_with_choices(name, default, choices)`; what replaces a `deprecated_env(...)`."""
    if not isinstance(node, ast.Call):
        return {}
    callee = ast.unparse(node.func)
    arguments = {k.arg: k.value for k in node.keywords}
    facts: Facts = {}
    if callee.endswith("with_choices"):
        given = arguments.get("choices") or (node.args[2] if len(node.args) > 2 else None)
        value = it.value_of(given, Scope(module)) if given is not None else None
        if isinstance(value, Function):
            value = it.call(value)
        if isinstance(value, list | tuple | set):
            facts["choices"] = [jsonable(v) for v in value]
    if "deprecated" in callee:
        facts["deprecated"] = " ".join(ast.unparse(a) for a in node.args[1:3])
    return facts


def _comments(module: Module, nodes: dict[str, ast.expr]) -> dict[str, str]:
    """The comment block standing over each key of the table."""
    lines = module.text.split("\n")
    docs = {}
    for name in nodes:
        found = re.search(rf"^ {{4}}['\"]{re.escape(name)}['\"]\s*:", module.text, re.MULTILINE)
        if found is None:
            continue
        number = module.text.count("\n", 0, found.start())
        block: list[str] = []
        while number > 0 and lines[number - 1].strip().startswith("#"):
            number -= 1
            block.insert(0, lines[number].strip().lstrip("# "))
        text = " ".join(line for line in block if line and not line.startswith(("=", "-----")))
        if text:
            docs[name] = text
    return docs


_READ = re.compile(r"(?:getenv|environ(?:\.get)?)\s*[(\[]\s*[rbf]?['\"]")
_GETTERS = ("os.getenv", "os.environ.get", "getenv", "environ.get")
_SKIPPED = ("vllm.third_party", "vllm.vllm_flash_attn", "vllm.envs", "vllm.benchmarks")


def elsewhere(it: Interpreter, known: Section) -> Section:
    """Variables read outside vllm/envs.py that it does not declare."""
    section: Section = {}
    for path in it.tree.files():
        name = it.tree.module_name(path)
        if name.startswith(_SKIPPED) or not _READ.search(it.tree.read(path)):
            continue
        module = it.tree.module(name)
        if module is None:
            continue
        for variable, default, has_default in _reads(module):
            if variable in known or not re.fullmatch(r"[A-Z][A-Z0-9_]+", variable):
                continue
            facts: Facts = {"default": None, "module": name}
            if default is not None:
                facts["default"] = default_of(it.value_of(default, Scope(module)), ast.unparse(default))
            elif not has_default:
                facts = {"required": True, "module": name}
            old = section.get(variable)
            if old is None or (old.get("default") is None and facts.get("default") is not None):
                section[variable] = facts
    return section


def _reads(module: Module) -> Iterator[tuple[str, ast.expr | None, bool]]:
    """(variable, expression of its default, whether a missing variable is allowed) of every read."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            if node.args and _is_getter(node.func):
                yield _text(node.args[0]), node.args[1] if len(node.args) > 1 else None, True
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_environ(node.value):
            yield _text(node.slice), None, False


def _is_getter(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("get", "getenv") and ast.unparse(node) in _GETTERS


def _is_environ(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.environ", "environ")


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
