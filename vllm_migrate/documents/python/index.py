"""What stands in a module, found in one pass over its tree in the order of the text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from vllm_migrate.documents.python.values import dotted_name

_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_GUARDS = (ast.If, ast.Try, ast.TryStar)
_NUMBERS = (ast.Constant, ast.UnaryOp, ast.BinOp)
_SETTERS = frozenset(("setdefault", "update", "putenv"))  # last names of calls that may set a variable
_LEAVES = frozenset(("ctx", "op", "ops", "names"))  # fields without anything to find below
_FIELDS: dict[type, tuple[str, ...]] = {}

# Names that say whether a package is installed, and functions that look for one by its name.
_AVAILABLE = re.compile(r"(?i)_*(?:(?:is_|has_)?[a-z0-9]+_(?:is_)?(?:available|installed)|has_vllm|vllm_exists)")
_LOOKS_UP = re.compile(
    r"_*(?:find_spec|(?:is_)?(?:package|module)_(?:available|installed|exists)|is_installed|has_package)"
)


class ModuleScope(NamedTuple):
    """What is around a node. `call`: the innermost call in whose arguments it stands, -1 for none; `loop`: the outermost
    loop of the same function."""

    function: str = ""
    conditional: bool = False
    in_string: bool = False
    call: int = -1
    guarded: bool = False
    loop: ast.stmt | None = None


class FoundCall(NamedTuple):
    node: ast.Call
    scope: ModuleScope
    statement: int
    awaited: bool


class Text(NamedTuple):
    """A string, or a constant part of an f-string, inside the arguments of call number `call` (the innermost; -1: of none).

    key: it is a key of a dict literal.
    """

    node: ast.Constant
    call: int
    key: bool

    @property
    def value(self) -> str:
        return str(self.node.value)


class Index:
    """Calls, imports, chains of attributes, strings, definitions and bindings of a module, each in order.

    `made` are assignments of a call to one target (`made_by` has the target by the id of the call), `attributes` what is assigned to
    attributes by the name before the last dot and the function, `bindings` the lines on which a name or attribute is assigned in a
    function, `loops` the `async for` loops, `dicts` the dict literals in no other one.
    `by_name` has the numbers of calls by the last name of what is called. `setters` are statements and calls that may set
    an environment variable, with their function and, of a call, its number. `bound` counts the bindings of a name, `values`
    has the last number or constant assigned to it.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.calls: list[FoundCall] = []
        self.by_name: dict[str, list[int]] = {}
        self.imports: list[tuple[ast.Import | ast.ImportFrom, ModuleScope]] = []
        self.chains: list[tuple[ast.Attribute, ModuleScope]] = []
        self.texts: list[Text] = []
        self.setters: list[tuple[ast.Assign, str] | int] = []
        self.functions: set[str] = set()
        self.classes: list[ast.ClassDef] = []
        self.dicts: list[ast.Dict] = []
        self._within: set[int] = set()  # dicts in other ones
        self.made: list[tuple[ast.expr, ast.Call]] = []
        self.made_by: dict[int, ast.expr] = {}
        self.attributes: dict[str, dict[str, list[tuple[ast.Attribute, ast.expr]]]] = {}
        self.bindings: dict[tuple[str, str], list[int]] = {}
        self.loops: list[tuple[ast.AsyncFor, str]] = []
        self.bound: dict[str, int] = {}
        self.values: dict[str, ast.expr] = {}
        self._awaited: set[int] = set()
        self._inner: set[int] = set()  # chains that a longer one begins with
        self._statement = 0
        self._read(tree)

    @property
    def constants(self) -> dict[str, ast.expr]:
        """Names that are bound once in the whole module, by an assignment of a number, a text, a boolean or None."""
        return {name: value for name, value in self.values.items() if self.bound.get(name) == 1}

    def _read(self, tree: ast.Module) -> None:
        stack: list[tuple[ast.AST, ModuleScope]] = [(tree, ModuleScope())]
        while stack:
            node, scope = stack.pop()
            kind = type(node)
            if kind is ast.Name:
                if not isinstance(node.ctx, ast.Load):  # type: ignore[attr-defined]
                    self._bind(node.id)  # type: ignore[attr-defined]
                continue
            if kind is ast.Constant:
                if isinstance(node.value, str):  # type: ignore[attr-defined]
                    self.texts.append(Text(node, scope.call, False))  # type: ignore[arg-type]
                continue
            inside = self._enter(node, scope)
            if inside is None:
                continue
            fields = _FIELDS.get(kind)
            if fields is None:
                fields = _FIELDS[kind] = tuple(reversed([name for name in node._fields if name not in _LEAVES]))
            if kind is ast.Dict:
                stack += [(child, inside) for child in reversed(self._of_dict(node, scope))]  # type: ignore[arg-type]
                continue
            for name in fields:
                value = getattr(node, name)
                if type(value) is list:
                    stack += [(child, inside) for child in reversed(value) if isinstance(child, ast.AST)]
                elif isinstance(value, ast.AST):
                    stack.append((value, inside))

    def _enter(self, node: ast.AST, scope: ModuleScope) -> ModuleScope | None:
        """Note a node; the scope of what is below, None where nothing is asked of it."""
        if isinstance(node, ast.stmt):
            self._statement += 1
        note = _NOTES.get(type(node))
        return scope if note is None else note(self, node, scope)

    def _definition(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: ModuleScope
    ) -> ModuleScope:
        self.functions.add(node.name)
        self._bind(node.name)
        if isinstance(node, ast.ClassDef):
            self.classes.append(node)
        name = f"{scope.function}.{node.name}" if scope.function else node.name
        conditional = scope.conditional or not isinstance(node, ast.ClassDef)
        return ModuleScope(name, conditional, guarded=scope.guarded)

    def _assignment(self, node: ast.Assign, scope: ModuleScope) -> ModuleScope:
        self._assigned(node.targets, node.value)
        for target in node.targets:
            if isinstance(target, ast.Attribute):
                named = self.attributes.setdefault(dotted_name(target.value), {})
                named.setdefault(scope.function, []).append((target, node.value))
            if isinstance(target, ast.Name | ast.Attribute):
                self.bindings.setdefault((dotted_name(target), scope.function), []).append(node.lineno)
        if any(isinstance(target, ast.Subscript) for target in node.targets):
            self.setters.append((node, scope.function))
        return scope

    def _annotated(self, node: ast.AnnAssign, scope: ModuleScope) -> ModuleScope:
        self._assigned([node.target], node.value)
        return scope

    def _expression(self, node: ast.Expr, scope: ModuleScope) -> ModuleScope | None:
        return None if isinstance(node.value, ast.Constant) else scope  # a docstring

    def _import(self, node: ast.Import | ast.ImportFrom, scope: ModuleScope) -> ModuleScope:
        self.imports.append((node, scope))
        for alias in node.names:
            self._bind(alias.asname or alias.name.partition(".")[0])
        return scope

    def _elsewhere(self, node: ast.Global | ast.Nonlocal, scope: ModuleScope) -> ModuleScope:
        for name in node.names:
            self._bind(name, 2)  # from elsewhere too
        return scope

    def _branch(self, node: ast.stmt, scope: ModuleScope) -> ModuleScope:
        if isinstance(node, ast.AsyncFor):
            self.loops.append((node, scope.function))
        guarded = scope.guarded or (isinstance(node, _GUARDS) and not _asks_installed(node))
        loop = scope.loop or (node if isinstance(node, _LOOPS) else None)
        return scope._replace(conditional=True, guarded=guarded, loop=loop)

    def _dict(self, node: ast.Dict, scope: ModuleScope) -> ModuleScope:
        if id(node) not in self._within:
            self.dicts.append(node)
            self._within.update(id(inner) for inner in ast.walk(node) if isinstance(inner, ast.Dict))
        return scope

    def _await(self, node: ast.Await, scope: ModuleScope) -> ModuleScope:
        self._awaited.add(id(node.value))
        return scope

    def _string(self, node: ast.JoinedStr, scope: ModuleScope) -> ModuleScope:
        return scope._replace(in_string=True)

    def _argument(self, node: ast.arg, scope: ModuleScope) -> ModuleScope:
        self._bind(node.arg)
        return scope

    def _name(self, node: ast.ExceptHandler | ast.MatchAs | ast.MatchStar, scope: ModuleScope) -> ModuleScope:
        if node.name:
            self._bind(node.name)
        return scope

    def _in_call(self, node: ast.Call, scope: ModuleScope) -> ModuleScope:
        number = len(self.calls)
        self.calls.append(FoundCall(node, scope, self._statement, id(node) in self._awaited))
        callee = node.func
        last = callee.attr if isinstance(callee, ast.Attribute) else callee.id if isinstance(callee, ast.Name) else "?"
        self.by_name.setdefault(last, []).append(number)
        if last in _SETTERS:
            self.setters.append(number)
        return scope._replace(call=number)

    def _chain(self, node: ast.Attribute, scope: ModuleScope) -> ModuleScope:
        """Note the longest chain of names; those that it begins with are parts of it."""
        if id(node) in self._inner:
            return scope
        self.chains.append((node, scope))
        place = node.lineno, node.col_offset
        below: ast.expr = node.value
        while isinstance(below, ast.Attribute | ast.Call | ast.Subscript):
            if isinstance(below, ast.Attribute) and (below.lineno, below.col_offset) == place:
                self._inner.add(id(below))
            below = below.func if isinstance(below, ast.Call) else below.value
        return scope

    def _of_dict(self, node: ast.Dict, scope: ModuleScope) -> list[ast.expr]:
        """What is below a dict literal, but for keys that are constants: those are noted here."""
        others: list[ast.expr] = []
        for key in node.keys:
            if not isinstance(key, ast.Constant):
                others += [key] if key is not None else []
            elif isinstance(key.value, str):
                self.texts.append(Text(key, scope.call, True))
        return others + node.values

    def _assigned(self, targets: list[ast.expr], value: ast.expr | None) -> None:
        called = value.value if isinstance(value, ast.Await) else value
        if len(targets) == 1 and isinstance(called, ast.Call):
            self.made.append((targets[0], called))
            self.made_by[id(called)] = targets[0]
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and isinstance(value, _NUMBERS):
            self.values[targets[0].id] = value

    def _bind(self, name: str, times: int = 1) -> None:
        self.bound[name] = self.bound.get(name, 0) + times


# What is noted of a node, by its kind.
_NOTES: dict[type, Callable[[Index, Any, ModuleScope], ModuleScope | None]] = {
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), Index._definition),
    **dict.fromkeys((ast.Import, ast.ImportFrom), Index._import),
    **dict.fromkeys((ast.Global, ast.Nonlocal), Index._elsewhere),
    **dict.fromkeys(_BRANCHES, Index._branch),
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar), Index._name),
    ast.Assign: Index._assignment,
    ast.AnnAssign: Index._annotated,
    ast.Expr: Index._expression,
    ast.Call: Index._in_call,
    ast.Attribute: Index._chain,
    ast.Await: Index._await,
    ast.Dict: Index._dict,
    ast.JoinedStr: Index._string,
    ast.arg: Index._argument,
}


def _asks_installed(node: ast.stmt) -> bool:
    """Whether a condition asks only whether a package is installed, whatever its release: `if is_vllm_available():`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot) and len(test.ops) == 1:
        none = test.comparators[0]
        test = test.left if isinstance(none, ast.Constant) and none.value is None else test
    if isinstance(test, ast.Call) and test.args:
        return _LOOKS_UP.fullmatch(dotted_name(test.func).rpartition(".")[2]) is not None and len(test.args) == 1
    asked = test.func if isinstance(test, ast.Call) and not test.keywords else test
    name = dotted_name(asked) if isinstance(asked, ast.Name | ast.Attribute) else ""
    return _AVAILABLE.fullmatch(name.rpartition(".")[2]) is not None
