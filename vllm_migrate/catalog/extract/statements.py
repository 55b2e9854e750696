"""Execution of function bodies."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.expressions import SIZE_LIMIT, assign, binary, bounded, iterate
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.values import External, Instance, ProgramError, Undecidable, Unknown

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.interp import Interpreter


class Return(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Break(Exception):
    pass


class Continue(Exception):
    pass


def run_body(it: Interpreter, body: list[ast.stmt], scope: Scope) -> Any:
    """Value returned by these statements (None when they run off the end)."""
    try:
        execute(it, body, scope)
    except Return as result:
        return result.value
    return None


def execute(it: Interpreter, body: list[ast.stmt], scope: Scope) -> None:
    for node in body:
        try:
            handler = _HANDLERS.get(type(node))
            if handler is None:
                raise Undecidable(type(node).__name__)
            handler(it, node, scope)
        except (Undecidable, ProgramError) as error:
            if not scope.lenient:
                raise
            it.gaps.append(f"{scope.module.name}:{node.lineno}: {error}")
            _forget(node, scope)


def _forget(node: ast.stmt, scope: Scope) -> None:
    """What a statement that was not followed might have set is unknown from here on."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            scope.vars[part.id] = Unknown(part.id)


def _expression(it: Interpreter, node: ast.Expr, scope: Scope) -> None:
    if isinstance(node.value, ast.Constant):
        return
    it.evaluate(node.value, scope)


def _return(it: Interpreter, node: ast.Return, scope: Scope) -> None:
    raise Return(it.evaluate(node.value, scope) if node.value else None)


def _assign(it: Interpreter, node: ast.Assign, scope: Scope) -> None:
    try:
        value = it.evaluate(node.value, scope)
    except Undecidable:
        value = Unknown(ast.unparse(node.value))
    for target in node.targets:
        assign(it, target, value, scope)


def _annotated(it: Interpreter, node: ast.AnnAssign, scope: Scope) -> None:
    if node.value is not None:
        assign(it, node.target, it.evaluate(node.value, scope), scope)


def _augmented(it: Interpreter, node: ast.AugAssign, scope: Scope) -> None:
    old = it.evaluate(node.target, scope)
    new = it.evaluate(node.value, scope)
    if isinstance(old, list) and isinstance(node.op, ast.Add):
        old.extend(bounded(iterate(new), ast.unparse(node)))
        if len(old) > SIZE_LIMIT:
            raise Undecidable(ast.unparse(node))
        return
    assign(it, node.target, binary(node.op, old, new, ast.unparse(node)), scope)


def _if(it: Interpreter, node: ast.If, scope: Scope) -> None:
    test = ast.unparse(node.test)
    if test == "TYPE_CHECKING":
        execute(it, node.orelse, scope)
        return
    execute(it, node.body if it.truth(it.evaluate(node.test, scope)) else node.orelse, scope)


def _for(it: Interpreter, node: ast.For, scope: Scope) -> None:
    for item in iterate(it.evaluate(node.iter, scope)):
        it.step()
        assign(it, node.target, item, scope)
        try:
            execute(it, node.body, scope)
        except Break:
            return
        except Continue:
            continue
    execute(it, node.orelse, scope)


def _while(it: Interpreter, node: ast.While, scope: Scope) -> None:
    while it.truth(it.evaluate(node.test, scope)):
        it.step()
        try:
            execute(it, node.body, scope)
        except Break:
            return
        except Continue:
            continue


def _break(it: Interpreter, node: ast.Break, scope: Scope) -> None:
    raise Break


def _continue(it: Interpreter, node: ast.Continue, scope: Scope) -> None:
    raise Continue


def _pass(it: Interpreter, node: ast.stmt, scope: Scope) -> None:
    """Pass, global and nonlocal change nothing here."""


def _define(it: Interpreter, node: ast.FunctionDef, scope: Scope) -> None:
    scope.vars[node.name] = it.function(node, scope)


def _class(it: Interpreter, node: ast.ClassDef, scope: Scope) -> None:
    scope.vars[node.name] = ClassValue(node, scope, it)


def _import(it: Interpreter, node: ast.Import, scope: Scope) -> None:
    for alias in node.names:
        name = alias.name if alias.asname else alias.name.split(".")[0]
        scope.vars[alias.asname or name] = it.module_value(name)


def _import_from(it: Interpreter, node: ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        value = it.imported(scope.module.absolute(node), alias.name, scope.typing)
        scope.vars[alias.asname or alias.name] = value


def _with(it: Interpreter, node: ast.With, scope: Scope) -> None:
    for item in node.items:
        if item.optional_vars is not None:
            assign(it, item.optional_vars, Unknown(ast.unparse(item.context_expr)), scope)
    execute(it, node.body, scope)


def _assert(it: Interpreter, node: ast.Assert, scope: Scope) -> None:
    try:
        holds = it.truth(it.evaluate(node.test, scope))
    except Undecidable:
        return  # the program goes on only if it held
    if not holds:
        raise ProgramError(AssertionError())


def _raise(it: Interpreter, node: ast.Raise, scope: Scope) -> None:
    value = it.evaluate(node.exc, scope) if node.exc else None
    if isinstance(value, type) and issubclass(value, BaseException):
        value = value()
    raise ProgramError(value if isinstance(value, BaseException) else RuntimeError(ast.unparse(node)))


def _try(it: Interpreter, node: ast.Try, scope: Scope) -> None:
    try:
        execute(it, node.body, scope)
    except ProgramError as error:
        handler = next((h for h in node.handlers if _matches(it, h, error.error, scope)), None)
        if handler is None:
            raise
        if handler.name:
            scope.vars[handler.name] = error.error
        execute(it, handler.body, scope)
    else:
        execute(it, node.orelse, scope)
    execute(it, node.finalbody, scope)


def _matches(it: Interpreter, handler: ast.ExceptHandler, error: BaseException, scope: Scope) -> bool:
    if handler.type is None:
        return True
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    for node in nodes:
        kind = getattr(builtins, ast.unparse(node), None)
        if isinstance(kind, type) and isinstance(error, kind):
            return True
    return False


def _delete(it: Interpreter, node: ast.Delete, scope: Scope) -> None:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            container = it.evaluate(target.value, scope)
            key = it.evaluate(target.slice, scope)
            if not isinstance(container, dict | list):
                raise Undecidable(ast.unparse(node))
            try:
                del container[key]
            except (KeyError, IndexError) as error:
                raise ProgramError(error) from error
        elif isinstance(target, ast.Name):
            scope.vars.pop(target.id, None)


_HANDLERS: dict[type[ast.stmt], Callable[[Any, Any, Scope], None]] = {
    ast.Expr: _expression,
    ast.Return: _return,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.If: _if,
    ast.For: _for,
    ast.While: _while,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.Pass: _pass,
    ast.Global: _pass,
    ast.Nonlocal: _pass,
    ast.FunctionDef: _define,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.With: _with,
    ast.Assert: _assert,
    ast.Raise: _raise,
    ast.Try: _try,
    ast.Delete: _delete,
}

__all__ = ["External", "Instance", "execute", "run_body"]
