"""Evaluation of expressions, one function per kind of node."""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vllm_migrate.catalog.extract import texts
from vllm_migrate.catalog.extract.classes import ClassValue, is_type_like
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.values import (
    UNION,
    External,
    HostObject,
    Instance,
    Member,
    Missing,
    ModuleRef,
    ProgramError,
    Undecidable,
    Unknown,
)

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.interp import Interpreter

SIZE_LIMIT = 100_000


def evaluate(it: Interpreter, node: ast.expr, scope: Scope) -> Any:
    handler = _HANDLERS.get(type(node))
    if handler is None:  # await, yield, a slice on its own
        raise Undecidable(ast.unparse(node))
    return handler(it, node, scope)


def _constant(it: Interpreter, node: ast.Constant, scope: Scope) -> Any:
    return node.value


def _name(it: Interpreter, node: ast.Name, scope: Scope) -> Any:
    found = scope.find(node.id)
    if found is not None:
        return found.vars[node.id]
    if node.id == "__class__" and scope.cls is not None:
        return scope.cls
    if node.id == "__name__":
        return scope.module.name
    if node.id == "__file__":
        return Unknown("__file__")
    return it.name_in(scope.module, node.id, scope.typing)


def _subscript(it: Interpreter, node: ast.Subscript, scope: Scope) -> Any:
    value = it.evaluate(node.value, scope)
    if isinstance(value, Unknown):
        return Unknown(ast.unparse(node))
    if isinstance(node.slice, ast.Slice):
        parts = [it.evaluate(p, scope) if p else None for p in _slice_parts(node.slice)]
        return _guarded(lambda: value[slice(*parts)])
    key = it.evaluate(node.slice, scope)
    if isinstance(value, ClassValue):
        return _class_item(value, key)
    if isinstance(value, Instance):
        raise Undecidable(ast.unparse(node))
    return _guarded(lambda: value[key])


def _slice_parts(node: ast.Slice) -> tuple[ast.expr | None, ...]:
    return node.lower, node.upper, node.step


def _class_item(cls: ClassValue, key: Any) -> Any:
    if not cls.is_enum():
        return cls  # a generic class with its parameters
    for member in cls.members():
        if member.name == key:
            return member
    raise ProgramError(KeyError(key))


def _guarded(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (Undecidable, ProgramError):
        raise
    except Exception as error:
        raise ProgramError(error) from error


def _items(it: Interpreter, nodes: list[ast.expr], scope: Scope) -> list[Any]:
    values: list[Any] = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            values.extend(bounded(iterate(it.evaluate(node.value, scope)), "*"))
        else:
            values.append(it.evaluate(node, scope))
    return values


def _list(it: Interpreter, node: ast.List, scope: Scope) -> Any:
    return _items(it, node.elts, scope)


def _tuple(it: Interpreter, node: ast.Tuple, scope: Scope) -> Any:
    return tuple(_items(it, node.elts, scope))


def _set(it: Interpreter, node: ast.Set, scope: Scope) -> Any:
    return set(_items(it, node.elts, scope))


def _dict(it: Interpreter, node: ast.Dict, scope: Scope) -> Any:
    result: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            part = it.evaluate(value, scope)
            if not isinstance(part, dict):
                raise Undecidable(ast.unparse(value))
            result.update(part)
        else:
            result[it.evaluate(key, scope)] = it.evaluate(value, scope)
    return result


def _lambda(it: Interpreter, node: ast.Lambda, scope: Scope) -> Any:
    return it.function(node, scope)


def _conditional(it: Interpreter, node: ast.IfExp, scope: Scope) -> Any:
    test = it.truth(it.evaluate(node.test, scope))
    return it.evaluate(node.body if test else node.orelse, scope)


def _boolean(it: Interpreter, node: ast.BoolOp, scope: Scope) -> Any:
    stop_at = isinstance(node.op, ast.Or)
    value: Any = None
    for part in node.values[:-1]:
        value = it.evaluate(part, scope)
        if it.truth(value) is stop_at:
            return value
    return it.evaluate(node.values[-1], scope)


def _unary(it: Interpreter, node: ast.UnaryOp, scope: Scope) -> Any:
    value = it.evaluate(node.operand, scope)
    if isinstance(node.op, ast.Not):
        return not it.truth(value)
    if isinstance(value, Unknown | External):
        return Unknown(ast.unparse(node))
    value = _plain(value)
    actions: dict[type[ast.unaryop], Callable[[Any], Any]] = {
        ast.USub: operator.neg,
        ast.UAdd: operator.pos,
        ast.Invert: operator.invert,
    }
    return _guarded(lambda: actions[type(node.op)](value))


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Member) else value


def binary(op: ast.operator, left: Any, right: Any, text: str) -> Any:
    if isinstance(op, ast.BitOr) and (left is None or right is None):
        return UNION[left, right]
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return Unknown(text)
    if not isinstance(op, ast.BitOr) and (isinstance(left, External) or isinstance(right, External)):
        return Unknown(text)
    left, right = _plain(left), _plain(right)
    _check_size(op, left, right, text)
    if isinstance(op, ast.BitOr) and isinstance(left, str) != isinstance(right, str):
        return Unknown(text)  # a quoted annotation in a union
    return _guarded(lambda: _BINARY[type(op)](left, right))


_SIZED = (str, bytes, list, tuple)


def _check_size(op: ast.operator, left: Any, right: Any, text: str) -> None:
    if isinstance(op, ast.Pow | ast.LShift) and isinstance(right, int) and abs(right) > 200:
        raise Undecidable(text)
    if isinstance(op, ast.Pow | ast.Mult) and (_is_huge(left) or _is_huge(right)):
        raise Undecidable(text)
    both_sized = isinstance(left, _SIZED) and isinstance(right, _SIZED)
    if isinstance(op, ast.Add) and both_sized and len(left) + len(right) > SIZE_LIMIT:
        raise Undecidable(text)
    if isinstance(op, ast.Mod) and isinstance(left, str | bytes) and not texts.may_format(left, right):
        raise Undecidable(text)
    if isinstance(op, ast.Mult):
        for one, other in ((left, right), (right, left)):
            is_sized = isinstance(one, str | list | tuple | bytes) and isinstance(other, int)
            if is_sized and len(one) * other > SIZE_LIMIT:
                raise Undecidable(text)


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value.bit_length() > 10_000


def _binary(it: Interpreter, node: ast.BinOp, scope: Scope) -> Any:
    left = it.evaluate(node.left, scope)
    right = it.evaluate(node.right, scope)
    return binary(node.op, left, right, ast.unparse(node))


_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}


def _compare(it: Interpreter, node: ast.Compare, scope: Scope) -> Any:
    left = it.evaluate(node.left, scope)
    for op, part in zip(node.ops, node.comparators, strict=True):
        right = it.evaluate(part, scope)
        result = _compare_one(it, op, left, right, ast.unparse(node))
        if not result:
            return False
        left = right
    return True


def _compare_one(it: Interpreter, op: ast.cmpop, left: Any, right: Any, text: str) -> bool:
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        raise Undecidable(text)
    if isinstance(op, ast.Is | ast.IsNot):
        same = _identical(left, right, text)
        return same if isinstance(op, ast.Is) else not same
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(right, ClassValue):
            right = list(iterate(right))
        among_types = is_type_like(right) or not isinstance(left, External)
        if not among_types and not all(is_type_like(one) for one in iterate(right)):
            raise Undecidable(text)
        return bool(_guarded(lambda: _COMPARE[type(op)](left, right)))
    one_outside = isinstance(left, External) != isinstance(right, External)
    if one_outside and not (is_type_like(left) and is_type_like(right)):
        raise Undecidable(text)
    return bool(_guarded(lambda: _COMPARE[type(op)](left, right)))


def _identical(left: Any, right: Any, text: str) -> bool:
    if left is right:
        return True
    if isinstance(left, ModuleRef) and isinstance(right, ModuleRef):
        return left.name == right.name
    for one, other in ((left, right), (right, left)):
        if isinstance(one, External) and not is_type_like(other) and not isinstance(other, Missing):
            raise Undecidable(text)
    if isinstance(left, ClassValue) and isinstance(right, ClassValue):
        return left.node is right.node
    return bool(left == right) if is_type_like(left) and is_type_like(right) else False


def in_order(values: set[Any] | frozenset[Any]) -> list[Any]:
    """Members of a set in one order whatever the hash seed. (The program itself has none to rely on.)"""
    return sorted(values, key=lambda one: (type(one).__name__, repr(one)))


def bounded(values: Iterable[Any], text: str) -> list[Any]:
    """The values as a list; Undecidable where there are more than any release has."""
    found = list(itertools.islice(values, SIZE_LIMIT + 1))
    if len(found) > SIZE_LIMIT:
        raise Undecidable(text)
    return found


def iterate(value: Any) -> Iterator[Any]:
    """Iterate as the program would; Undecidable for what source does not decide."""
    if isinstance(value, ClassValue):
        if not value.is_enum():
            raise Undecidable(value.name)
        return iter(value.members())
    if isinstance(value, Instance):
        raise Undecidable(value.cls.name)
    if isinstance(value, set | frozenset):
        return iter(in_order(value))
    result: Iterator[Any] = _guarded(lambda: iter(value))
    return result


def assign(it: Interpreter, target: ast.expr, value: Any, scope: Scope) -> None:
    """Bind a target: a name, an attribute of an instance, an item of a container, a tuple of these."""
    if isinstance(target, ast.Name):
        scope.vars[target.id] = value
    elif isinstance(target, ast.Tuple | ast.List):
        values = list(iterate(value))
        if any(isinstance(t, ast.Starred) for t in target.elts) or len(values) != len(target.elts):
            raise Undecidable(ast.unparse(target))
        for part, item in zip(target.elts, values, strict=True):
            assign(it, part, item, scope)
    elif isinstance(target, ast.Subscript):
        container = it.evaluate(target.value, scope)
        key = it.evaluate(target.slice, scope)
        if not isinstance(container, dict | list):
            raise Undecidable(ast.unparse(target))
        _guarded(lambda: container.__setitem__(key, value))
    elif isinstance(target, ast.Attribute):
        owner = it.evaluate(target.value, scope)
        if isinstance(owner, HostObject):
            return  # `parser.epilog = ...`
        if not isinstance(owner, Instance):
            raise Undecidable(ast.unparse(target))
        owner.attrs[target.attr] = value
    else:
        raise Undecidable(ast.unparse(target))


def _comprehend(it: Interpreter, generators: list[ast.comprehension], scope: Scope) -> Iterator[Scope]:
    first, rest = generators[0], generators[1:]
    for item in iterate(it.evaluate(first.iter, scope)):
        inner = Scope(scope.module, scope)
        assign(it, first.target, item, inner)
        if all(it.truth(it.evaluate(test, inner)) for test in first.ifs):
            if rest:
                yield from _comprehend(it, rest, inner)
            else:
                yield inner


def _list_comp(it: Interpreter, node: ast.ListComp, scope: Scope) -> Any:
    return [it.evaluate(node.elt, inner) for inner in _comprehend(it, node.generators, scope)]


def _set_comp(it: Interpreter, node: ast.SetComp, scope: Scope) -> Any:
    return {it.evaluate(node.elt, inner) for inner in _comprehend(it, node.generators, scope)}


def _generator(it: Interpreter, node: ast.GeneratorExp, scope: Scope) -> Any:
    return (it.evaluate(node.elt, inner) for inner in _comprehend(it, node.generators, scope))


def _dict_comp(it: Interpreter, node: ast.DictComp, scope: Scope) -> Any:
    return {
        it.evaluate(node.key, inner): it.evaluate(node.value, inner)
        for inner in _comprehend(it, node.generators, scope)
    }


def _format(it: Interpreter, node: ast.JoinedStr, scope: Scope) -> Any:
    text = ""
    for part in node.values:
        value = it.evaluate(part, scope)
        if isinstance(value, Unknown | External | Instance):
            return Unknown(ast.unparse(node))
        text += value if isinstance(value, str) else str(value)
        if len(text) > SIZE_LIMIT:
            raise Undecidable(ast.unparse(node)[:SIZE_LIMIT])
    return text


def _formatted(it: Interpreter, node: ast.FormattedValue, scope: Scope) -> Any:
    value = it.evaluate(node.value, scope)
    if isinstance(value, Unknown | External | Instance):
        return value
    spec = it.evaluate(node.format_spec, scope) if node.format_spec else ""
    if isinstance(spec, Unknown):
        return spec
    if not texts.is_modest(spec):
        raise Undecidable(ast.unparse(node))
    if node.conversion == ord("r"):
        value = repr(value)
    elif node.conversion == ord("s"):
        value = str(value)
    return _guarded(lambda: format(value if not isinstance(value, Member) else str(value), spec))


def _walrus(it: Interpreter, node: ast.NamedExpr, scope: Scope) -> Any:
    value = it.evaluate(node.value, scope)
    scope.vars[node.target.id] = value
    return value


def _call(it: Interpreter, node: ast.Call, scope: Scope) -> Any:
    if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
        return Super(scope)
    callee = it.evaluate(node.func, scope)
    args = tuple(_items(it, node.args, scope))
    kwargs: dict[str, Any] = {}
    collects = getattr(getattr(callee, "__self__", None), "collects", False)
    for keyword in node.keywords:
        if collects and keyword.arg is not None:  # an undecided keyword does not spoil the flag
            kwargs[keyword.arg] = it.value_of(keyword.value, scope)
            continue
        value = it.evaluate(keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif isinstance(value, dict):
            kwargs.update(value)
        else:
            raise Undecidable(ast.unparse(node))
    return it.apply(callee, args, kwargs, node)


class Super:
    """`super()` inside a method."""

    def __init__(self, scope: Scope) -> None:
        self.cls = scope.cls
        self.first = _first_argument(scope)


def _first_argument(scope: Scope) -> Any:
    for name in ("self", "cls"):
        found = scope.find(name)
        if found is not None:
            return found.vars[name]
    raise Undecidable("super()")


def _attribute_or_super(it: Interpreter, node: ast.Attribute, scope: Scope) -> Any:
    value = it.evaluate(node.value, scope)
    if not isinstance(value, Super):
        return it.attribute(value, node.attr, ast.unparse(node))
    start = value.first.cls if isinstance(value.first, Instance) else value.first
    order = [cls for cls in start.mro() if isinstance(cls, ClassValue)]
    after = order[next((i for i, c in enumerate(order) if c.node is value.cls.node), -1) + 1 :]
    for cls in after:
        if node.attr in cls.body:
            member = cls.member(node.attr)
            return member.bound(value.first) if hasattr(member, "bound") else member
    return lambda *args, **kwargs: None  # object's own


_HANDLERS: dict[type[ast.expr], Any] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute_or_super,
    ast.Subscript: _subscript,
    ast.List: _list,
    ast.Tuple: _tuple,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.Lambda: _lambda,
    ast.IfExp: _conditional,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.Compare: _compare,
    ast.ListComp: _list_comp,
    ast.SetComp: _set_comp,
    ast.GeneratorExp: _generator,
    ast.DictComp: _dict_comp,
    ast.JoinedStr: _format,
    ast.FormattedValue: _formatted,
    ast.NamedExpr: _walrus,
    ast.Call: _call,
}
