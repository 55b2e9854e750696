"""What a call gets by `**name` where the module shows it: a dict literal near the call, with what is put into it later.

`kwargs = {"model": m}`, `kwargs["seed"] = 0`, `LLM(**kwargs)`; also `kwargs = settings(args)`, where a function of the module returns
the dict. The name must be bound once in the function of the call, or last in a block that the call is in. What a
branch puts in is a key without a decided value; a dict that is handed to anything else may hold more than is seen.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

# What is done with a dict by methods that leave it as it is.
_READS = frozenset(("get", "items", "keys", "values", "copy"))


class Entry(NamedTuple):
    """One key. owner: the dict literal, or the call of `dict`, in which it can be changed, else None. sure: no branch decides."""

    key: str
    name: ast.expr | ast.keyword
    value: ast.expr
    owner: ast.Dict | ast.Call | None
    sure: bool


class Unpacked(NamedTuple):
    """The keys behind one `**`, and whether they are all: then what is not among them is not passed."""

    entries: dict[str, Entry]
    complete: bool


NOTHING = Unpacked({}, False)


def unpacked(tree: ast.Module) -> dict[int, Unpacked]:
    """By the id of the expression behind `**`, what the calls of a module get."""
    out: dict[int, Unpacked] = {}
    returned = _returned(tree)
    for body in bodies(tree):
        out.update(_in_body(body, returned))
    return out


def _returned(tree: ast.Module) -> dict[str, ast.expr]:
    """By the name of a function of the module, the one dict that it returns, as a literal."""
    out: dict[str, ast.expr] = {}
    for function in tree.body:
        if not isinstance(function, ast.FunctionDef) or function.decorator_list:
            continue
        returns = [node for node, _ in statements(function.body) if isinstance(node, ast.Return)]
        value = returns[0].value if len(returns) == 1 else None
        if isinstance(value, ast.Dict | ast.Call) and _of_literal(value) is not NOTHING:
            out[function.name] = value
    return out


def bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The statements of the module and of each function in it."""
    yield tree.body
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body


def statements(body: list[ast.stmt], depth: int = 0) -> Iterator[tuple[ast.stmt, int]]:
    """Statements in order, with how many branches and loops they stand in; those of inner functions are left out."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield node, depth
        deeper = depth + (not isinstance(node, ast.With | ast.AsyncWith | ast.ClassDef))
        for field in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, field, None) or [], deeper)
        for handler in getattr(node, "handlers", None) or []:
            yield from statements(handler.body, deeper)
        for case in getattr(node, "cases", None) or []:
            yield from statements(case.body, deeper)


def inline(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in a statement itself, none of the statements in it."""
    stack = [node]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(
            child
            for child in ast.iter_child_nodes(found)
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        )


class _Body(NamedTuple):
    """Statements with their depth (see `statements`), and by name the numbers of those that name it and that bind it; put: what
    statements put into the dict of a name, once it was asked."""

    block: list[ast.stmt]
    lines: list[tuple[ast.stmt, int]]
    naming: dict[str, list[int]]
    binding: dict[str, list[int]]
    returned: dict[str, ast.expr]
    put: dict[tuple[int, str], tuple[list[Entry], bool]]


def _in_body(body: list[ast.stmt], returned: dict[str, ast.expr]) -> Iterator[tuple[int, Unpacked]]:
    read = _Body(body, list(statements(body)), {}, {}, returned, {})
    stars: list[tuple[ast.expr, int]] = []
    for number, (node, _) in enumerate(read.lines):
        for found in inline(node):
            if isinstance(found, ast.Call):
                stars += [(keyword.value, number) for keyword in found.keywords if keyword.arg is None]
            elif isinstance(found, ast.Name):
                for index in (read.naming,) if isinstance(found.ctx, ast.Load) else (read.naming, read.binding):
                    numbers = index.setdefault(found.id, [])
                    if number not in numbers[-1:]:
                        numbers.append(number)
    names = Counter(expression.id for expression, _ in stars if isinstance(expression, ast.Name))
    for expression, number in stars:
        if isinstance(expression, ast.Name):
            known = _of_name(read, expression, number)
            # What several calls get is changed for all of them: nothing is written there.
            yield id(expression), known if names[expression.id] == 1 else _nowhere(known)
        else:
            yield id(expression), _of_literal(expression)


def _nowhere(known: Unpacked) -> Unpacked:
    return known._replace(entries={key: entry._replace(owner=None) for key, entry in known.entries.items()})


def _of_literal(node: ast.expr) -> Unpacked:
    if isinstance(node, ast.Dict):
        entries = {
            key.value: Entry(key.value, key, value, node, True)
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
        return Unpacked(entries, len(entries) == len(node.keys))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        named = {key.arg: Entry(key.arg, key, key.value, node, True) for key in node.keywords if key.arg is not None}
        return Unpacked(named, len(named) == len(node.keywords))
    return NOTHING


def _of_name(body: _Body, name: ast.Name, until: int) -> Unpacked:
    every = body.binding.get(name.id, [])
    bound = [number for number in every if number < until][-1:]
    if not bound:
        return NOTHING
    made, depth = body.lines[bound[0]]
    value = made.value if isinstance(made, ast.Assign | ast.AnnAssign) else None
    known = _of_value(value, body.returned) if value is not None else NOTHING
    if known is NOTHING or (len(every) > 1 and not _leads(body.block, made, body.lines[until][0])):
        return NOTHING
    entries, complete = dict(known.entries), known.complete
    for number in body.naming[name.id]:
        if bound[0] < number <= until:
            node, level = body.lines[number]
            if number == until:  # the use itself is none of them
                put, whole = _put(node, name)
            else:
                asked = (number, name.id)
                if asked not in body.put:
                    body.put[asked] = _put(node, name)
                put, whole = body.put[asked]
            complete = complete and whole
            for entry in put:
                entries[entry.key] = entry._replace(sure=level <= depth)
    return Unpacked(entries, complete)


def _of_value(value: ast.expr, returned: dict[str, ast.expr]) -> Unpacked:
    """The dict that an expression makes, or that the function returns which it calls."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in returned:
        known = _of_literal(returned[value.func.id])
        # What the function puts in is known by its arguments alone, and belongs to other callers, too.
        return known._replace(entries={key: e._replace(owner=None, sure=False) for key, e in known.entries.items()})
    return _of_literal(value)


def _leads(block: list[ast.stmt], made: ast.stmt, use: ast.stmt) -> bool:
    """Whether a statement stands in a block before one that is, or holds, another: no branch goes around it."""
    for at, node in enumerate(block):
        if node is made:
            return any(use is inner for later in block[at + 1 :] for inner in ast.walk(later))
        inner_blocks = [getattr(node, field, None) or [] for field in ("body", "orelse", "finalbody")]
        inner_blocks += [handler.body for handler in getattr(node, "handlers", None) or []]
        inner_blocks += [case.body for case in getattr(node, "cases", None) or []]
        if any(_leads(inner, made, use) for inner in inner_blocks):
            return True
    return False


def _put(node: ast.stmt, name: ast.Name) -> tuple[list[Entry], bool]:
    """What a statement puts into the dict of a name, and whether that is all that it does with it."""
    uses = [
        found for found in inline(node) if isinstance(found, ast.Name) and found.id == name.id and found is not name
    ]
    if not uses:
        return [], True
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
        key = target.slice
        if _is(target.value, name) and isinstance(key, ast.Constant) and isinstance(key.value, str):
            return [Entry(key.value, key, node.value, None, True)], len(uses) == 1
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is(call.func.value, name):
        if call.func.attr == "update" and len(uses) == 1:
            return _updated(call)
        return [], call.func.attr in _READS
    return [], _only_read(node, name)


def _updated(call: ast.Call) -> tuple[list[Entry], bool]:
    entries, complete = list[Entry](), True
    for argument in call.args:
        known = _of_literal(argument)
        entries += [entry._replace(owner=None) for entry in known.entries.values()]
        complete = complete and known.complete
    for keyword in call.keywords:
        if keyword.arg is None:
            complete = False
        else:
            entries.append(Entry(keyword.arg, keyword, keyword.value, None, True))
    return entries, complete


def _is(node: ast.expr, name: ast.Name) -> bool:
    return isinstance(node, ast.Name) and node.id == name.id


def _only_read(node: ast.stmt, name: ast.Name) -> bool:
    """Whether a statement only looks a dict up, prints it or passes its entries on."""
    for found in inline(node):
        if isinstance(found, ast.Call):
            spelled = ast.unparse(found.func)
            tame = spelled in ("print", "len", "dict", "str", "repr") or ".info" in spelled or ".debug" in spelled
            if not tame and any(_is(argument, name) for argument in found.args):
                return False
            if any(keyword.arg is not None and _is(keyword.value, name) for keyword in found.keywords):
                return False
        elif isinstance(found, ast.Assign | ast.Return | ast.Subscript) and found.value is not None:
            looked_up = isinstance(found, ast.Subscript) and isinstance(found.ctx, ast.Load)
            if _is(found.value, name) and not looked_up:
                return False
    return True
