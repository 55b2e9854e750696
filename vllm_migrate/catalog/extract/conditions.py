"""A walk over functions that keeps the conditions each statement stands under."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.catalog.extract.routes import conjunction, negated, simplified
from vllm_migrate.catalog.extract.settings import own_names
from vllm_migrate.catalog.extract.source import Module

LIMIT = 1_000  # characters of one condition or message
Def = ast.FunctionDef | ast.AsyncFunctionDef


class Spot(NamedTuple):
    """A statement, the class and function it stands in, its conditions, the function's own names, and what it appends to
    lists of its own, each with the conditions. rebound: names that may stand for something else by then."""

    node: ast.stmt
    block: list[ast.stmt]
    owner: str
    function: str
    tests: tuple[ast.expr, ...]
    names: dict[str, ast.expr]
    appended: dict[str, list[tuple[ast.expr, tuple[ast.expr, ...]]]]
    rebound: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        return f"{self.owner}.{self.function}" if self.owner else self.function

    @property
    def when(self) -> str:
        """The conditions as one expression, "" when there are none."""
        return cut(conjunction([simplified(ast.unparse(test)) for test in self.tests]))

    @property
    def condition(self) -> str:
        """The same, where a name of the function's own that stands for a setting or for constants is written as what it stands for."""
        plain = _Written({name: value for name, value in self.names.items() if name not in self.rebound})
        tests = [ast.unparse(plain.visit(ast.parse(ast.unparse(test), mode="eval"))) for test in self.tests]
        return cut(conjunction([simplified(test) for test in tests]))


class _Written(ast.NodeTransformer):
    """Puts chains of attributes, constants and tuples of these in the place of the names that stand for them."""

    def __init__(self, names: dict[str, ast.expr]) -> None:
        self.names = names
        self.depth = 0

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.names.get(node.id)
        if value is None or not _plain(value) or self.depth > 3:
            return node
        self.depth += 1
        copy = ast.parse(ast.unparse(value), mode="eval").body
        found: ast.expr = self.visit(copy)
        self.depth -= 1
        return found

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        node.value = self.visit(node.value)
        return node


def _plain(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple | ast.List | ast.Set):
        return all(isinstance(item, ast.Constant) for item in value.elts)
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name | ast.Constant)


def spots(module: Module) -> Iterator[Spot]:
    """Every statement of every function of a module. A method that its class calls at one place alone, under conditions,
    stands under these too."""
    for node in module.tree.body:
        if isinstance(node, Def):
            yield from _function(node, "")
        elif isinstance(node, ast.ClassDef):
            methods = [method for method in ast.walk(node) if isinstance(method, Def)]
            found = [spot for method in methods for spot in _function(method, node.name)]
            callers = _callers(found)
            for spot in found:
                caller = callers.get(spot.function)
                if caller is None or caller.function == spot.function:
                    yield spot
                else:
                    names, rebound = {**caller.names, **spot.names}, caller.rebound | spot.rebound
                    yield spot._replace(tests=caller.tests + spot.tests, names=names, rebound=rebound)


def _callers(found: list[Spot]) -> dict[str, Spot]:
    """Method -> the one statement of its class that calls it, where that stands under conditions."""
    calls: dict[str, list[Spot]] = {}
    for spot in found:
        if isinstance(spot.node, ast.Expr | ast.Assign | ast.Return | ast.AnnAssign):
            for call in (n for n in ast.walk(spot.node) if isinstance(n, ast.Call)):
                func = call.func
                if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "self":
                    calls.setdefault(func.attr, []).append(spot)
    return {name: mine[0] for name, mine in calls.items() if len(mine) == 1 and mine[0].tests}


def _function(node: Def, owner: str) -> Iterator[Spot]:
    names = dict(own_names(node))
    validated = dict(_validated(node))
    names.update(validated)
    rebound = frozenset(_bound_otherwise(node) - validated.keys())
    appended: dict[str, list[tuple[ast.expr, tuple[ast.expr, ...]]]] = {}
    for spot in _body(node.body, (), names, owner, node.name, appended):
        call = spot.node.value if isinstance(spot.node, ast.Expr) else None
        func = call.func if isinstance(call, ast.Call) and len(call.args) == 1 else None
        if isinstance(func, ast.Attribute) and func.attr == "append" and isinstance(func.value, ast.Name):
            assert isinstance(call, ast.Call)
            appended.setdefault(func.value.id, []).append((call.args[0], spot.tests))
        yield spot._replace(rebound=rebound)


def _bound_otherwise(node: Def) -> set[str]:
    """Names that a function binds in another way than by one plain assignment: parameters, targets of loops, parts of tuples."""
    spec = node.args
    found = {one.arg for one in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)}
    for part in ast.walk(node):
        targets: list[ast.expr] = []
        if isinstance(part, ast.For | ast.AsyncFor | ast.AugAssign | ast.comprehension):
            targets = [part.target]
        elif isinstance(part, ast.Assign):
            targets = [target for target in part.targets if isinstance(target, ast.Tuple | ast.List)]
        elif isinstance(part, ast.withitem) and part.optional_vars is not None:
            targets = [part.optional_vars]
        found |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return found


def _validated(node: Def) -> Iterator[tuple[str, ast.expr]]:
    """A field validator's value stands for the field it validates."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("field_validator"):
            fields = [a.value for a in decorator.args if isinstance(a, ast.Constant)]
            if len(fields) == 1 and len(node.args.args) > 1:
                holder = ast.Name("self", ast.Load())
                yield node.args.args[1].arg, ast.Attribute(holder, str(fields[0]), ast.Load())


def _body(
    body: list[ast.stmt],
    tests: tuple[ast.expr, ...],
    names: dict[str, ast.expr],
    owner: str,
    function: str,
    appended: dict[str, list[tuple[ast.expr, tuple[ast.expr, ...]]]],
) -> Iterator[Spot]:
    for node in body:
        if isinstance(node, Def | ast.ClassDef):
            continue  # methods of their own
        yield Spot(node, body, owner, function, tests, names, appended)
        for inner, more in _inner(node):
            yield from _body(inner, (*tests, *more), names, owner, function, appended)
        if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], ast.Return | ast.Continue):
            tests = (*tests, _not(node.test))


def _inner(node: ast.stmt) -> Iterator[tuple[list[ast.stmt], tuple[ast.expr, ...]]]:
    """The blocks of a compound statement, each with the conditions that it adds."""
    if isinstance(node, ast.If):
        yield node.body, (node.test,)
        yield node.orelse, (_not(node.test),)
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield node.body, ()
    elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
        yield node.body, ()
        yield node.orelse, ()
    elif isinstance(node, ast.Try):
        yield node.body + node.orelse + node.finalbody, ()
        for handler in node.handlers:
            yield handler.body, ()
    elif isinstance(node, ast.Match):
        for case in node.cases:
            yield case.body, (ast.Compare(node.subject, [ast.Eq()], [_pattern(case.pattern)]),)


def _pattern(pattern: ast.pattern) -> ast.expr:
    try:
        return ast.parse(ast.unparse(pattern), mode="eval").body
    except SyntaxError:
        return ast.Constant(ast.unparse(pattern))


def _not(test: ast.expr) -> ast.expr:
    return ast.parse(negated(ast.unparse(test)), mode="eval").body


# -- messages ------------------------------------------------------------------------------------


def message(node: ast.expr, names: dict[str, ast.expr]) -> str:
    """A message as text, what is filled in as `{expression}` (or as it stands in a `%` format)."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        parts = (one.value if isinstance(one, ast.Constant | ast.FormattedValue) else "" for one in node.values)
        return "".join(f"{{{ast.unparse(one)}}}" if isinstance(one, ast.expr) else str(one) for one in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return message(node.left, names) + message(node.right, names)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return message(node.left, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return message(node.func.value, names)
    if isinstance(node, ast.Name) and node.id in names and not isinstance(names[node.id], ast.Name):
        return message(names[node.id], names)
    return ""


def identity(text: str) -> str:
    """A name for a message that is the same whatever is filled in: its first words and a digest."""
    template = re.sub(r"\{[^{}]*\}|%[-\d.]*[a-z]", "{}", " ".join(text.split()))
    words = re.findall(r"[A-Za-z0-9]+", template.lower())[:6]
    return f"{'-'.join(words)}-{hashlib.sha256(template.encode()).hexdigest()[:6]}"


def cut(text: str) -> str:
    return text if len(text) <= LIMIT else text[:LIMIT] + "..."
