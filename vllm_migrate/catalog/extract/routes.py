"""Server routes with the tests they stand under: a walk along the calls that build the server's app.

The walk starts at `build_app` and follows every call that is handed the app, keeping the conditions met on
the way (`if envs.VLLM_SERVER_DEV_MODE:`, `if not ...: return`). A router's routes get the conditions of the
place it is included at and those its own decorators stand under.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from vllm_migrate.catalog.extract.facts import Facts
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import Section
from vllm_migrate.catalog.extract.source import Module

Guards = tuple[str, ...]
RouterKey = tuple[str, str, str]  # module, function ("" at top level), name of the router there
METHODS = {"get", "post", "put", "delete", "patch", "head", "websocket"}
_STARTS = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.launchers.app")


_TASK = re.compile("supported_tasks|_TASKS|model_config|pooling_task")


class _Place:
    """Where the walk stands: module, function, the names bound by imports of that function."""

    def __init__(self, module: Module, function: str = "") -> None:
        self.module = module
        self.function = function
        self.imports: dict[str, tuple[str, str]] = {}
        self.routers: set[str] = set()
        self.bound: dict[str, RouterKey] = {}  # parameters that are a caller's router
        self.locals: dict[str, str] = {}

    def spelled(self, test: str) -> str:
        """A condition with the function's own names replaced by what they stand for."""
        for name, meaning in self.locals.items():
            escaped = meaning.replace("\\", r"\\")
            test = re.sub(rf"(?<![\w.]){name}(?![\w.])", escaped, test)
        return test


class _Walk:
    def __init__(self, it: Interpreter) -> None:
        self.it = it
        self.routes: list[tuple[RouterKey, str, Guards]] = []
        self.included: list[tuple[RouterKey, Guards]] = []
        self.direct: list[tuple[str, Guards]] = []
        self.modules: set[str] = set()
        self.running: set[tuple[str, str]] = set()

    def module(self, name: str) -> Module | None:
        """The module, its top level walked once."""
        found = self.it.tree.module(name)
        if found is not None and name not in self.modules:
            self.modules.add(name)
            self.statements(found.tree.body, (), _Place(found))
        return found

    def function(
        self, module_name: str, name: str, guards: Guards, routers: list[RouterKey | None] | None = None
    ) -> None:
        module = self.module(module_name)
        if module is None or (module_name, name) in self.running:
            return
        node = next((b.node for b in module.bindings.get(name, ())), None)
        if isinstance(node, ast.ImportFrom):
            alias = next(a for a in node.names if (a.asname or a.name) == name)
            self.function(module.absolute(node), alias.name, guards, routers)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            self.running.add((module_name, name))
            place = _Place(module, name)
            for arg, router in zip(node.args.args, routers or (), strict=False):
                if router is not None:
                    place.bound[arg.arg] = router
            self.statements(node.body, guards, place)
            self.running.discard((module_name, name))

    # -- statements ------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt], guards: Guards, place: _Place) -> None:
        for node in body:
            if isinstance(node, ast.If):
                test = ast.unparse(node.test)
                test = simplified(place.spelled(test))
                self.statements(node.body, (*guards, test), place)
                self.statements(node.orelse, (*guards, negated(test)), place)
                if node.body and isinstance(node.body[-1], ast.Return | ast.Raise) and not node.orelse:
                    guards = (*guards, negated(test))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.decorated(node, guards, place)
            elif isinstance(node, ast.Try):
                self.statements(node.body + node.orelse + node.finalbody, guards, place)
            elif isinstance(node, ast.With | ast.For | ast.AsyncWith):
                self.statements(node.body, guards, place)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    source = place.module.absolute(node)
                    place.imports[alias.asname or alias.name] = (source, alias.name)
            else:
                self.simple(node, guards, place)

    def simple(self, node: ast.stmt, guards: Guards, place: _Place) -> None:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("APIRouter("):
            place.routers.update(t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BoolOp) and place.function:
            meaning = place.spelled(ast.unparse(node.value))
            place.locals.update({t.id: f"({meaning})" for t in node.targets if isinstance(t, ast.Name)})
        for call in ast.walk(node):
            if isinstance(call, ast.Call):
                self.call(call, guards, place)

    def decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef, guards: Guards, place: _Place) -> None:
        for decorator in node.decorator_list:
            func = decorator.func if isinstance(decorator, ast.Call) else None
            if isinstance(func, ast.Attribute) and func.attr in METHODS | {"api_route", "route"}:
                assert isinstance(decorator, ast.Call)
                self.added(func, decorator, guards, place)

    def call(self, node: ast.Call, guards: Guards, place: _Place) -> None:
        func = node.func
        if isinstance(func, ast.Attribute) and func.attr == "include_router":
            if node.args and isinstance(node.args[0], ast.Name):
                self.included.append((self.key(node.args[0].id, place), guards))
        elif isinstance(func, ast.Attribute) and func.attr == "add_api_route":
            self.added(func, node, guards, place)
        elif isinstance(func, ast.Name) and func.id == "Mount" and place.function:
            for name in route_names("get", node):
                self.direct.append((name, guards))
        elif any(isinstance(a, ast.Name) and a.id in ("app", "router") for a in node.args):
            self.follow(func, node.args, guards, place)

    def follow(self, func: ast.expr, args: list[ast.expr], guards: Guards, place: _Place) -> None:
        routers = [self.key(a.id, place) if ast.unparse(a) == "router" else None for a in args if _is_name(a)]
        if isinstance(func, ast.Name):
            module, name = self.origin(func.id, place)
            self.function(module, name, guards, routers)
        elif isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name):
            module, name = self.origin(func.value.id, place)
            self.function(f"{module}.{name}", func.attr, guards)

    def origin(self, name: str, place: _Place) -> tuple[str, str]:
        if name in place.imports:
            return place.imports[name]
        for binding in place.module.bindings.get(name, ()):
            if isinstance(binding.node, ast.ImportFrom):
                alias = next(a for a in binding.node.names if (a.asname or a.name) == name)
                return place.module.absolute(binding.node), alias.name
        return place.module.name, name

    def key(self, name: str, place: _Place) -> RouterKey:
        if name in place.bound:
            return place.bound[name]
        if name in place.routers and place.function:
            return place.module.name, place.function, name
        module, original = self.origin(name, place)
        self.module(module)
        return module, "", original

    def added(self, func: ast.Attribute, call: ast.Call, guards: Guards, place: _Place) -> None:
        if not isinstance(func.value, ast.Name):
            return
        for name in route_names(func.attr, call):
            if func.value.id == "app":
                if place.function:
                    self.direct.append((name, guards))
            else:
                self.routes.append((self.key(func.value.id, place), name, guards))


def _is_name(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name)


def route_names(method: str, call: ast.Call) -> Iterator[str]:
    """`POST /pause` for each HTTP method of a decorator or an add_api_route call with a literal path."""
    path = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "path"), None)
    if not (isinstance(path, ast.Constant) and isinstance(path.value, str)):
        return
    methods = [method.upper()]
    if method in ("api_route", "route", "add_api_route"):
        given = next((k.value for k in call.keywords if k.arg == "methods"), None)
        methods = [str(e.value) for e in getattr(given, "elts", ()) if isinstance(e, ast.Constant)] or ["GET"]
    for one in methods:
        yield f"{one} {path.value}"


def negated(test: str) -> str:
    """The opposite condition in its shortest spelling."""
    return simplified(f"not ({test})")


def simplified(test: str) -> str:
    """A condition without double negations and needless parentheses."""
    return ast.unparse(_DoubleNot().visit(ast.parse(test, mode="eval")))


class _DoubleNot(ast.NodeTransformer):
    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        inner = node.operand
        both = isinstance(node.op, ast.Not) and isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not)
        return inner.operand if both and isinstance(inner, ast.UnaryOp) else node


def server(it: Interpreter) -> Section:
    """Routes of the OpenAI-compatible server: `POST /pause` with `gate` (conditions on flags and
    environment) and `task` (conditions on what the model supports); neither means always there."""
    walk = _Walk(it)
    for name in _STARTS:
        module = it.tree.module(name)
        if module is not None and "build_app" in module.bindings:
            walk.function(name, "build_app", ())
            break
    found: dict[str, list[Guards]] = {}
    for name, guards in walk.direct:
        found.setdefault(name, []).append(guards)
    for router, guards in walk.included:
        for key, name, own in walk.routes:
            if key == router:
                merged = own if own[: len(guards)] == guards else guards + own
                found.setdefault(name, []).append(tuple(dict.fromkeys(merged)))
    return {name: gate_facts(ways) for name, ways in found.items()}


def gate_facts(ways: list[Guards]) -> Facts:
    """Facts of a route reachable in these ways: the one with the fewest conditions counts."""
    best = min(ways, key=len)
    tasks = [g for g in best if _TASK.search(g) and "args" not in g]
    gate = [g for g in best if g not in tasks]
    facts: Facts = {}
    if gate:
        facts["gate"] = conjunction(gate)
    if tasks:
        facts["task"] = conjunction(tasks)
    return facts


def conjunction(tests: list[str]) -> str:
    """All of these conditions as one expression."""
    if len(tests) < 2:
        return "".join(tests)
    return " and ".join(f"({t})" if " or " in t and not t.startswith("(") else t for t in tests)
