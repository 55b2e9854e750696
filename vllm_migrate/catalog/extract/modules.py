"""Which modules a release has, and which names can be imported from each: a reading of every file's top level.

`names(root)` maps module to {name: kind}; kind is "defined" (a class or function), "assigned", "passed on" (imported from
vllm) or "borrowed" (imported from elsewhere). `*` stands for what a reading cannot list: a star import, or a module that
answers for names itself (`__getattr__`) and does not spell out which. Those that it spells out are "passed on".
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator

from vllm_migrate.catalog.extract.source import is_source
from vllm_migrate.opening import read_text

DEFINED, ASSIGNED, PASSED_ON, BORROWED, OPEN = "defined", "assigned", "passed on", "borrowed", "*"

# Not what other programs import: models, kernels, code of others, tests.
LEFT_OUT = re.compile(
    r"vllm\.(?:model_executor\.models\.|model_executor\.kernels|models\.|third_party|kernels|benchmarks|triton_utils"
    r"|transformers_utils\.configs\.)|.*\.ops\.|.*\btests?\b"
)

Names = dict[str, dict[str, str]]


def names(root: str) -> Names:
    """The modules below `root`/vllm. Files that this interpreter cannot parse are open."""
    out: Names = {}
    for folder, folders, files in os.walk(os.path.join(root, "vllm")):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            if not file.endswith(".py") or not is_source(path):
                continue
            module = os.path.relpath(path, root)[:-3].replace(os.sep, ".").removesuffix(".__init__")
            if LEFT_OUT.match(module + "."):
                continue
            out[module] = top_level(read_text(path, errors="replace"), module, file == "__init__.py")
    return out


def top_level(text: str, module: str, is_package: bool) -> dict[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {OPEN: DEFINED}
    found: dict[str, str] = {}
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        statement = todo.pop()
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[statement.name] = DEFINED
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            _imported(statement, found)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                for node in ast.walk(target):
                    if isinstance(node, ast.Name):
                        found.setdefault(node.id, ASSIGNED)
        for field in ("body", "orelse", "finalbody"):
            if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                todo.extend(getattr(statement, field, []))
        for handler in getattr(statement, "handlers", []):
            todo.extend(handler.body)
    if "__getattr__" in found:
        served = _served(tree)
        found.update({OPEN: DEFINED} if served is None else {n: PASSED_ON for n in served if n not in found})
    return found


def _served(tree: ast.Module) -> set[str] | None:
    """The names for which a module's `__getattr__` answers; None where a reading cannot tell.

    It is read where it asks about the name alone (`name == "x"`, `name in TABLE`) and raises for all others.
    """
    hook = next((s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "__getattr__"), None)
    if hook is None or not hook.args.args:
        return None
    asked, out = hook.args.args[0].arg, set[str]()
    body = list(hook.body)
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    while body:
        statement = body.pop(0)
        if isinstance(statement, ast.Raise):
            return out
        names = _asked_for(statement.test, asked, tree) if isinstance(statement, ast.If) else None
        if names is None:
            return None
        out |= names
        assert isinstance(statement, ast.If)
        body = statement.orelse or body
    return None


def _asked_for(test: ast.expr, asked: str, tree: ast.Module) -> set[str] | None:
    """The names for which a condition on the name alone holds; None for any other condition."""
    if not isinstance(test, ast.Compare) or not isinstance(test.left, ast.Name) or test.left.id != asked:
        return None
    right = test.comparators[0]
    if isinstance(test.ops[0], ast.Eq) and isinstance(right, ast.Constant):
        return {str(right.value)}
    if not isinstance(test.ops[0], ast.In) or ast.unparse(right) == "globals()":
        return set() if isinstance(test.ops[0], ast.In) else None
    if isinstance(right, ast.Name):
        right = next((value for name, value in _bindings(tree) if name == right.id), right)
    items = right.keys if isinstance(right, ast.Dict) else getattr(right, "elts", [None])
    names = {item.value for item in items if isinstance(item, ast.Constant)}
    return {str(name) for name in names} if len(names) == len(items) else None


def _bindings(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """What assignments at the top level bind."""
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from ((target.id, statement.value) for target in targets if isinstance(target, ast.Name))


def _imported(statement: ast.Import | ast.ImportFrom, found: dict[str, str]) -> None:
    own = isinstance(statement, ast.ImportFrom) and (
        statement.level > 0 or (statement.module or "").partition(".")[0] == "vllm"
    )
    for alias in statement.names:
        if alias.name == "*":
            found[OPEN] = DEFINED
        else:
            found.setdefault((alias.asname or alias.name).partition(".")[0], PASSED_ON if own else BORROWED)
