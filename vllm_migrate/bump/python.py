"""Uses in a Python module: what is imported from vLLM, and where those names, their instances and subclasses are used.

A module is parsed, never imported. A name stands for what it was last bound to anywhere in the module, an instance for the
class that it was made of or is annotated with, `self` and `super()` for the class of vLLM's that a class inherits from, or is
mixed into; what none of these shows is not a use.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from vllm_migrate.bump.model import ATTRIBUTE, CALL, EXTENSION, FIELD, IMPORT, PATCH, ROUTE, SUBCLASS, Place, Use
from vllm_migrate.dialects import gates
from vllm_migrate.documents.python.calls import PythonDocument
from vllm_migrate.documents.text.source import decode

PACKAGE = "vllm"
CATCHES = ("ImportError", "ModuleNotFoundError", "AttributeError", "TypeError", "Exception", "RuntimeError")
# What a test of vLLM's version shows: its name beside the word, or a release of it. Versions of others say nothing of it.
VERSION = re.compile(
    r"(?i)vllm\w*version|vllm\W{0,12}_*version|version\W{0,12}vllm|vllm_v?\d|vllm_(?:ge|gt|lt|le|at_least)"
    r"|version.*['\"]v?0\.\d"
)
OTHERS = re.compile(r"(?i)torch|transformers|python_?version|sys\.version|cuda|ray\.|schema")
ASKS = ("hasattr", "getattr", "signature", "find_spec", "callable")
PATCHERS = ("patch", "setattr")


Has = Callable[[str], bool]


class Project(NamedTuple):
    """What is known besides a module. new: the release to move to; routes: of a server; has: whether vLLM has an attribute;
    mixed: classes of the repository that vLLM mixes into its worker."""

    new: str
    routes: frozenset[str]
    has: Has
    mixed: frozenset[str]
    worker: str


class _Inherited(NamedTuple):
    """What `self` of a class stands for. bases: of vLLM's; own: the names that the class itself defines."""

    bases: tuple[str, ...]
    own: frozenset[str]


def uses(path: str, text: str, project: Project) -> list[Use]:
    """Every use in a module; none in one that does not parse."""
    if PACKAGE not in text:
        return []
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return list(_Module(path, text, tree, project).uses())


def extension(path: str, text: str, name: str) -> tuple[Use, list[str]] | None:
    """The class of this name in a module, whose methods vLLM mixes into its worker, and the names of its bases; None where
    there is none."""
    if f"class {name}" not in text:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == name:
            bases = [chain[-1] for base in node.bases if (chain := _chain(base))]
            return Use(EXTENSION, name, Place(path, node.lineno), methods=_methods(node)), bases
    return None


def _methods(node: ast.ClassDef) -> tuple[tuple[str, int], ...]:
    return tuple(
        (item.name, item.lineno) for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    )


class _Module:
    def __init__(self, path: str, text: str, tree: ast.Module, project: Project) -> None:
        self.path = path
        self.tree = tree
        self.project = project
        self.tests = gates.Tests(PythonDocument(decode(path, text.encode()), tree), project.new)
        self.guarded: set[int] = set()
        self.bound = dict(_bindings(tree))
        self.keys = _mappings(tree)
        self.instances: dict[str, str] = {}
        self.inherited: dict[int, _Inherited] = {}
        self.inherited = dict(self._inherited())
        self.instances = dict(self._instances())
        self.flags = set(self._flags())
        self.guarded = set(self._guarded())

    def uses(self) -> Iterator[Use]:
        yield from self._imports()
        inner = {id(n.value) for n in ast.walk(self.tree) if isinstance(n, ast.Attribute)}
        called = {id(n.func) for n in ast.walk(self.tree) if isinstance(n, ast.Call)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                yield from self._subclass(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
                yield from self._assignment(node)
            elif isinstance(node, ast.Attribute) and id(node) not in inner and id(node) not in called:
                yield from self._attribute(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from self._text(node)

    def _place(self, node: ast.AST) -> Place:
        return Place(self.path, getattr(node, "lineno", 1), id(node) in self.guarded)

    # -- names

    def resolve(self, node: ast.expr) -> str:
        """The dotted name of vLLM's that an expression is; "" for anything else."""
        chain = _chain(node)
        if not chain:
            return ""
        for size in range(len(chain), 0, -1):
            head = ".".join(chain[:size])
            found = self.bound.get(head) or self.instances.get(head)
            if found:
                return ".".join((found, *chain[size:]))
        return self._of_self(node)

    def _of_self(self, node: ast.expr) -> str:
        """The dotted name of an attribute of `self` or `super()` that a class of vLLM's has; "" for anything else."""
        root, names = _rooted(node)
        known = self.inherited.get(id(root))
        if known is None or not names or (isinstance(root, ast.Name) and names[0] in known.own):
            return ""
        if names == ["__init__"]:
            return known.bases[0]
        base = next((one for one in known.bases if self.project.has(f"{one}.{names[0]}")), "")
        return ".".join((base, *names)) if base else ""

    def _inherited(self) -> Iterator[tuple[int, _Inherited]]:
        """What `self` and `super()` stand for in the methods of classes that inherit from vLLM's, by the node."""
        classes = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)}
        for node in classes.values():
            line, bases = [node], []
            for one in line:
                parents = [".".join(_chain(base)) for base in one.bases]
                line += [classes[name] for name in parents if name in classes and classes[name] not in line]
                bases += [found for base in one.bases if (found := self.resolve(base))]
                bases += [self.project.worker] if one.name in self.project.mixed else []
            known = _Inherited(tuple(bases), frozenset(name for one in line for name in _own_names(one)))
            for method in node.body if bases else ():
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from ((id(root), known) for root in _selves(method))

    def _instances(self) -> Iterator[tuple[str, str]]:
        """`self.llm` -> `vllm.LLM`, for what is made of a class of vLLM's, or annotated with one."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.value, ast.Call):
                made = self.resolve(node.value.func)
                owner, _, last = made.rpartition(".")
                made = owner if last.startswith("from_") else made
                if made and made.rpartition(".")[2][:1].isupper() and (chain := _chain(node.targets[0])):
                    yield ".".join(chain), made
            elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                made = self.resolve(_annotated(node.annotation))
                target = node.arg if isinstance(node, ast.arg) else ".".join(_chain(node.target))
                if made and target and made.rpartition(".")[2][:1].isupper():
                    yield target, made

    # -- guards

    def _flags(self) -> Iterator[str]:
        """Names that stand for a test of vLLM's version or of what it has, or for whether an import worked."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and self._asks(node.value):
                yield from (".".join(_chain(target)) for target in node.targets)
            elif isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers):
                for part in (*node.body, *(each for handler in node.handlers for each in handler.body)):
                    if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant):
                        yield from (".".join(_chain(target)) for target in part.targets)

    def _asks(self, test: ast.expr) -> bool:
        """Whether an expression asks for vLLM's version, or what something of vLLM's has."""
        text = ast.unparse(test)
        if VERSION.search(text) and not OTHERS.search(text):
            return True
        for node in ast.walk(test):
            if isinstance(node, ast.Name | ast.Attribute) and self.resolve(node).endswith("__version__"):
                return True
            if isinstance(node, ast.Call) and node.args and (chain := _chain(node.func)) and chain[-1] in ASKS:
                asked = node.args[0]
                is_text = isinstance(asked, ast.Constant) and str(asked.value).startswith(f"{PACKAGE}.")
                if is_text or any(self.resolve(part) for part in ast.walk(asked) if isinstance(part, ast.expr)):
                    return True
        return False

    def _guards(self, test: ast.expr) -> bool:
        names = {".".join(_chain(node)) for node in ast.walk(test) if isinstance(node, ast.Name | ast.Attribute)}
        return not names.isdisjoint(self.flags) or self._asks(test)

    def _guarded(self) -> Iterator[int]:
        """Nodes that stand where a version is asked for, or where a failure is caught."""
        for node in ast.walk(self.tree):
            parts: list[ast.AST] = []
            if isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers):
                parts = [*node.body, *node.orelse, *(each for handler in node.handlers for each in handler.body)]
            elif isinstance(node, ast.With) and any(_suppresses(item.context_expr) for item in node.items):
                parts = [*node.body]
            elif isinstance(node, ast.If) and self._guards(node.test):
                holds = self.tests.holds(node.test)  # what runs at the new release is no use of the old one's
                parts = [node.test, *(() if holds is True else node.body), *(() if holds is False else node.orelse)]
            elif isinstance(node, ast.Match) and self._guards(node.subject):
                parts = [*node.cases]
            elif isinstance(node, ast.IfExp) and self._guards(node.test):
                parts = [node]
            for block in (getattr(node, "body", None), getattr(node, "orelse", None)):
                parts += self._behind_exit(block) if isinstance(block, list) else []
            for part in parts:
                yield from map(id, ast.walk(part))

    def _behind_exit(self, block: list[ast.stmt]) -> list[ast.stmt]:
        """The statements behind a test of a version that ends the block."""
        for at, one in enumerate(block):
            if not isinstance(one, ast.If) or not self._guards(one.test):
                continue
            ends = isinstance(one.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)
            if ends and self.tests.holds(one.test) is not False:
                return block[at + 1 :]
        return []

    # -- uses

    def _imports(self) -> Iterator[Use]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*"]
            else:
                continue
            for name in names:
                if name.startswith(f"{PACKAGE}."):
                    yield Use(IMPORT, name, self._place(node))

    def _subclass(self, node: ast.ClassDef) -> Iterator[Use]:
        methods = _methods(node)
        for base in node.bases:
            name = self.resolve(base)
            if name:
                yield Use(SUBCLASS, name, self._place(node), methods=methods)

    def _call(self, node: ast.Call) -> Iterator[Use]:
        chain = _chain(node.func)
        last = chain[-1] if chain else ""
        if last in PATCHERS or (len(chain) > 1 and chain[-2:-1] == ["patch"]):
            yield from self._patched(node)
        name = self.resolve(node.func)
        if not name:
            return
        keywords = {keyword.arg for keyword in node.keywords if keyword.arg}
        more = any(isinstance(one, ast.Starred) for one in node.args)
        for keyword in node.keywords:
            if keyword.arg is None:
                known = self.keys.get(".".join(_chain(keyword.value)))
                keywords |= known or set()
                more = True
        yield Use(CALL, name, self._place(node), "", tuple(sorted(keywords)), len(node.args), more)

    def _patched(self, node: ast.Call) -> Iterator[Use]:
        """`setattr(Class, "name", ...)`, `patch.object(Class, "name")` and `patch("vllm.x.y")`."""
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.startswith(f"{PACKAGE}."):
            yield Use(PATCH, first.value, self._place(node))
        second = node.args[1] if len(node.args) > 1 else None
        owner = self.resolve(first) if first is not None else ""
        if owner and isinstance(second, ast.Constant) and isinstance(second.value, str):
            yield Use(PATCH, f"{owner}.{second.value}", self._place(node))

    def _assignment(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> Iterator[Use]:
        """An assignment to an attribute of a module or class of vLLM's. (To one of an instance is no patch.)"""
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            chain = _chain(target)
            name = self.resolve(target) if isinstance(target, ast.Attribute) else ""
            on_self = id(_rooted(target)[0]) in self.inherited
            if (
                name
                and not on_self
                and not any(".".join(chain[:at]) in self.instances for at in range(1, len(chain) + 1))
            ):
                yield Use(PATCH, name, self._place(node))

    def _attribute(self, node: ast.Attribute) -> Iterator[Use]:
        if isinstance(node.ctx, ast.Store):
            return
        name = self.resolve(node)
        if name:
            yield Use(ATTRIBUTE, name, self._place(node))
        chain = _chain(node)
        for holder, field in itertools.pairwise(chain):
            if holder.endswith("_config") and holder != "vllm_config":
                yield Use(FIELD, f"{_camel(holder)}.{field}", self._place(node))

    def _text(self, node: ast.Constant) -> Iterator[Use]:
        text = str(node.value)
        if text.startswith(f"{PACKAGE}.") and all(part.isidentifier() for part in text.split(".")):
            yield Use(ATTRIBUTE, text, self._place(node))
        path = text.partition("?")[0].rstrip("/")
        path = path[path.find("/", path.find("://") + 3) :] if "://" in path else path
        if path in self.project.routes:
            yield Use(ROUTE, path, self._place(node))


def _chain(node: ast.expr) -> list[str]:
    """`a.b.c` as its names; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _rooted(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """What a chain of attributes begins with, and their names."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return node, names[::-1]


def _own_names(node: ast.ClassDef) -> Iterator[str]:
    """The names that a class defines, or assigns on anything in its methods."""
    yield from (item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef))
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute | ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.attr if isinstance(part, ast.Attribute) else part.id


def _selves(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """The `self` (or `cls`) and `super()` of a method."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments or any(ast.unparse(one) == "staticmethod" for one in method.decorator_list):
        return
    for node in ast.walk(method):
        is_self = isinstance(node, ast.Name) and node.id == arguments[0].arg
        if isinstance(node, ast.Name | ast.Call) and (is_self or ast.unparse(node) == "super()"):
            yield node


def _bindings(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that imports bind to something of vLLM's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == PACKAGE:
                    yield (alias.asname, alias.name) if alias.asname else (PACKAGE, PACKAGE)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _mappings(tree: ast.Module) -> dict[str, set[str]]:
    """Keys of mappings by the name they are bound to, as far as they are written out."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if target is None:
            continue
        if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            found.setdefault(".".join(_chain(target.value)), set()).add(str(target.slice.value))
        elif isinstance(node, ast.Assign):
            found.setdefault(".".join(_chain(target)), set()).update(_keys(node.value))
    return found


def _keys(value: ast.expr) -> Iterable[str]:
    if isinstance(value, ast.Dict):
        return [str(key.value) for key in value.keys if isinstance(key, ast.Constant)]
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "dict":
        return [keyword.arg for keyword in value.keywords if keyword.arg]
    return ()


def _annotated(node: ast.expr) -> ast.expr:
    """The class in `LLM | None`, `Optional[LLM]` and `"LLM"`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    if isinstance(node, ast.BinOp):
        return _annotated(node.left)
    return _annotated(node.slice) if isinstance(node, ast.Subscript) else node


def _suppresses(node: ast.expr) -> bool:
    """Whether a context manager is `contextlib.suppress(ImportError)` or its like."""
    is_suppress = isinstance(node, ast.Call) and _chain(node.func)[-1:] == ["suppress"]
    return is_suppress and any(name in ast.unparse(node) for name in CATCHES)


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler goes on where vLLM lacks something."""
    caught = handler.type is None or any(name in ast.unparse(handler.type) for name in CATCHES)
    return caught and not isinstance(handler.body[-1], ast.Raise)


def _camel(name: str) -> str:
    """`kv_transfer_config` -> `KvTransferConfig`; the catalog is asked without regard to case."""
    return "".join(part.capitalize() for part in name.split("_"))
