"""Which setting an expression of the source reads: `self.scheduler_config.async_scheduling` is `async_scheduling`.

A setting is an engine argument under its own name, a field of a nested configuration (`speculative_config.method`), a
sampling parameter (`sampling.min_p`) or an environment variable (`env.VLLM_USE_V1`).
"""

from __future__ import annotations

import ast
import re
import typing
from collections.abc import Iterable, Iterator

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import class_named, config_classes, public_fields
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.values import ProgramError, Undecidable

_SAMPLING = ("sampling_params", "params", "SamplingParams")
_ARGUMENTS = ("args", "engine_args", "EngineArgs", "AsyncEngineArgs", "LLM")


class Settings:
    """The settings of one release, and the classes that carry them."""

    def __init__(self, it: Interpreter) -> None:
        self.it = it
        self.fields = {cls.name: _fields(cls) for cls in config_classes(it)}
        arguments = class_named(it, "AsyncEngineArgs", "vllm.engine.arg_utils")
        self.engine = {field.name for field in public_fields(arguments)}
        self.sampling = {f.name for f in public_fields(class_named(it, "SamplingParams", "vllm.sampling_params"))}
        self.classes = {snake(name): name for name in self.fields}
        module = it.tree.module("vllm.engine.arg_utils")
        self.argument_of = dict(_passed(module.tree, self.fields, self.engine)) if module is not None else {}

    def read(self, node: ast.AST, owner: str, names: dict[str, ast.expr]) -> set[str]:
        """Settings that an expression reads, in a method of class `owner`. `names` are the function's own names."""
        return _without_parents(set(self._read(node, owner, names, 0)))

    def with_choices(self, condition: str, module: str) -> str:
        """A condition in which `get_args(Name)` of a literal type is written as its choices."""
        home = self.it.tree.module(module)
        if "get_args(" not in condition or home is None:
            return condition
        try:
            tree = ast.parse(condition, mode="eval")
        except SyntaxError:  # one that was cut
            return condition
        return ast.unparse(_Choices(self.it, Scope(home)).visit(tree))

    def _read(self, node: ast.AST, owner: str, names: dict[str, ast.expr], depth: int) -> Iterator[str]:
        if isinstance(node, ast.Attribute):
            chain = _chain(node)
            if chain is not None:
                yield from self._chained(chain, owner, names, depth)
                return
        elif isinstance(node, ast.Name):
            yield from self._chained([node.id], owner, names, depth)
            return
        elif (key := _keyword(node)) in self.engine:
            yield key
            return
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr" and len(node.args) > 1:
            field = node.args[1]
            if isinstance(field, ast.Constant) and isinstance(field.value, str):
                inner = ast.Attribute(node.args[0], field.value, ast.Load())
                yield from self._read(inner, owner, names, depth)
                return
        for child in ast.iter_child_nodes(node):
            yield from self._read(child, owner, names, depth)

    def _chained(self, chain: list[str], owner: str, names: dict[str, ast.expr], depth: int) -> Iterator[str]:
        if chain[0] in names and depth < 4:
            value = names[chain[0]]
            if isinstance(value, ast.Name | ast.Attribute) and (start := _chain(value)) is not None:
                yield from self._chained([*start, *chain[1:]], owner, _less(names, chain[0]), depth + 1)
            else:
                yield from self._read(value, owner, _less(names, chain[0]), depth + 1)
            return
        found = self.named(chain, owner)
        if found:
            yield found

    def named(self, chain: list[str], owner: str) -> str:
        """The setting that a chain of attributes ends at, or runs through; "" when there is none."""
        if chain[0] == "envs" and len(chain) > 1:
            return f"env.{chain[1]}"
        holder = owner if chain[0] in ("self", "cls") else self._holder(chain[0], owner)
        parts = chain[1:]
        if not holder and len(chain) == 1:
            return ""
        for position, part in enumerate(parts):
            inner = self.classes.get(part)
            if inner and position + 1 < len(parts):
                holder = inner
                continue
            return self._field(holder, part)
        option = snake(holder) if holder in self.fields else ""
        return option if option in self.engine else ""

    def _holder(self, name: str, owner: str) -> str:
        if name in self.classes:
            return self.classes[name]
        bare = name.strip("_")
        if bare in self.classes:
            return self.classes[bare]
        return name if name in (*_SAMPLING, *_ARGUMENTS) else ""

    def _field(self, holder: str, field: str) -> str:
        if holder in _SAMPLING:
            return f"sampling.{field}" if field in self.sampling else ""
        if holder in _ARGUMENTS:
            return field if field in self.engine else ""
        if (argument := self.argument_of.get((holder, field))) is not None:
            return argument
        option = snake(holder)
        if option in self.engine and field in self.fields.get(holder, ()):
            return f"{option}.{field}"
        if field in self.engine and (field in self.fields.get(holder, ()) or field in self.classes):
            return field
        return ""


class _Choices(ast.NodeTransformer):
    def __init__(self, it: Interpreter, scope: Scope) -> None:
        self.it = it
        self.scope = scope

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if ast.unparse(node.func) != "get_args" or len(node.args) != 1:
            self.generic_visit(node)
            return node
        try:
            found = list(_flat(self.it.value_of(node, self.scope)))
        except (Undecidable, ProgramError, LookupError, TypeError):
            return node
        if not found or not all(isinstance(one, str) for one in found):
            return node
        return ast.Tuple([ast.Constant(str(one)) for one in found], ast.Load())


def _flat(values: Iterable[object]) -> Iterator[object]:
    """The choices of a literal type, also where some are those of other ones."""
    for one in values:
        inner = typing.get_args(one)
        yield from _flat(inner) if inner else (one,)


def _keyword(node: ast.AST) -> str:
    """The name in `kwargs.get("x", ...)` and `kwargs["x"]`."""
    key: ast.expr | None = None
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "kwargs":
        key = node.slice
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("kwargs.get", "kwargs.pop") and node.args:
        key = node.args[0]
    return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""


def snake(name: str) -> str:
    """`KVTransferConfig` -> `kv_transfer_config`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _fields(cls: ClassValue) -> set[str]:
    if cls.is_record():
        return {field.name for field in cls.fields(init_vars=True) if field.init and not field.name.startswith("_")}
    node = cls.body.get("__init__")
    if not isinstance(node, ast.FunctionDef):
        return set()
    return {a.arg for a in (*node.args.args, *node.args.kwonlyargs)} - {"self"}


def _passed(
    tree: ast.Module, fields: dict[str, set[str]], arguments: set[str]
) -> Iterator[tuple[tuple[str, str], str]]:
    """((class, field), engine argument) for each `CacheConfig(cache_dtype=self.kv_cache_dtype)`."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        names = dict(own_names(function))
        for node in ast.walk(function):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in fields):
                continue
            for keyword in node.keywords:
                argument = _argument(keyword, names, arguments)
                if keyword.arg and argument:
                    yield (node.func.id, keyword.arg), argument


def _argument(keyword: ast.keyword, names: dict[str, ast.expr], arguments: set[str]) -> str:
    """The engine argument that a keyword passes on, also where the function works on it first."""
    value = keyword.value
    chain = _chain(value) if isinstance(value, ast.Attribute) else None
    if chain is not None:
        return chain[1] if len(chain) == 2 and chain[0] == "self" and chain[1] in arguments else ""
    value = names.get(value.id, value) if isinstance(value, ast.Name) else value
    read = {c[1] for n in ast.walk(value) if isinstance(n, ast.Attribute) and (c := _chain(n)) and c[0] == "self"}
    alike = sorted(name for name in read & arguments if keyword.arg and keyword.arg in name)
    return alike[0] if len(alike) == 1 else ""


def own_names(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, ast.expr]]:
    """Names that a function assigns once, with what they stand for."""
    assigned: dict[str, list[ast.expr]] = {}
    for part in ast.walk(node):
        targets: list[ast.expr] = []
        if isinstance(part, ast.Assign):
            targets = part.targets
        elif isinstance(part, ast.AnnAssign | ast.NamedExpr):
            targets = [part.target]
        value = part.value if isinstance(part, ast.Assign | ast.AnnAssign | ast.NamedExpr) else None
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                assigned.setdefault(target.id, []).append(value)
    yield from ((name, values[0]) for name, values in assigned.items() if len(values) == 1)


def _chain(node: ast.expr) -> list[str] | None:
    """`a.b.c` as its names; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else None


def _less(names: dict[str, ast.expr], name: str) -> dict[str, ast.expr]:
    return {key: value for key, value in names.items() if key != name}


def _without_parents(found: set[str]) -> set[str]:
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}
