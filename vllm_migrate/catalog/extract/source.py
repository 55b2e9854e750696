"""A source tree and its modules: what each top-level name is bound to, and in which context."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from typing import Any

from vllm_migrate.opening import read_bytes

TYPING, ELSE, MAIN, EXCEPT = "typing", "else", "main", "except"
Statement = ast.stmt


class Binding:
    """One top-level statement that binds a name: its context and the tests it stands under."""

    __slots__ = ("context", "guards", "node")

    def __init__(self, node: ast.AST, context: str, guards: tuple[tuple[ast.expr, bool], ...]) -> None:
        self.node = node
        self.context = context
        self.guards = guards


class Module:
    """One module: its syntax tree, bindings per name, and statements that change a bound container."""

    def __init__(self, name: str, path: str, is_package: bool, text: str) -> None:
        self.name = name
        self.path = path
        self.is_package = is_package
        self.text = text
        self.tree = ast.parse(text)
        self.bindings: dict[str, list[Binding]] = {}
        self.mutations: dict[str, list[Statement]] = {}
        self.stars: list[ast.ImportFrom] = []
        self.cache: dict[tuple[str, bool], Any] = {}
        self._collect(self.tree.body, MAIN, ())

    @property
    def package(self) -> str:
        return self.name if self.is_package else self.name.rpartition(".")[0]

    def absolute(self, node: ast.ImportFrom) -> str:
        """Dotted name of the module a `from ... import` names."""
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        base = ".".join(parts[: len(parts) - node.level + 1])
        return f"{base}.{node.module}" if node.module else base

    def _bind(self, name: str, node: ast.AST, context: str, guards: Any) -> None:
        self.bindings.setdefault(name, []).append(Binding(node, context, guards))

    def _collect(self, body: list[ast.stmt], context: str, guards: Any) -> None:
        for node in body:
            if isinstance(node, ast.If):
                self._collect_if(node, context, guards)
            elif isinstance(node, ast.Try):
                self._collect(node.body, context, guards)
                for handler in node.handlers:
                    self._collect(handler.body, EXCEPT, guards)
                self._collect(node.orelse + node.finalbody, context, guards)
            elif isinstance(node, ast.With):
                self._collect(node.body, context, guards)
            else:
                self._collect_simple(node, context, guards)

    def _collect_if(self, node: ast.If, context: str, guards: Any) -> None:
        test = ast.unparse(node.test)
        if test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self._collect(node.body, TYPING, guards)
            self._collect(node.orelse, ELSE if context == MAIN else context, guards)
        elif test in ("not TYPE_CHECKING", "not typing.TYPE_CHECKING"):
            self._collect(node.body, ELSE if context == MAIN else context, guards)
            self._collect(node.orelse, TYPING, guards)
        else:
            self._collect(node.body, context, (*guards, (node.test, True)))
            self._collect(node.orelse, context, (*guards, (node.test, False)))

    def _collect_simple(self, node: ast.stmt, context: str, guards: Any) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._bind(node.name, node, context, guards)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self._bind(alias.asname or alias.name.split(".")[0], node, context, guards)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.name == "*":
                    self.stars.append(node)
                else:
                    self._bind(alias.asname or alias.name, node, context, guards)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                self._collect_target(target, node, context, guards)
        elif context != TYPING:
            for name in _mutated_names(node):
                self.mutations.setdefault(name, []).append(node)

    def _collect_target(self, target: ast.expr, node: ast.stmt, context: str, guards: Any) -> None:
        if isinstance(target, ast.Name):
            if isinstance(node, ast.AnnAssign) and node.value is None and context != TYPING:
                return
            self._bind(target.id, node, context, guards)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._collect_target(part, node, context, guards)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            self.mutations.setdefault(target.value.id, []).append(node)


_MUTATORS = {"append", "extend", "update", "add", "remove", "pop", "insert", "setdefault", "clear", "sort"}


def _mutated_names(node: ast.stmt) -> Iterator[str]:
    seen = set()
    for part in ast.walk(node):
        name = None
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in _MUTATORS:
            name = part.func.value
        elif isinstance(part, ast.AugAssign):
            name = part.target
        elif isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store | ast.Del):
            name = part.value
        if isinstance(name, ast.Name) and name.id not in seen:
            seen.add(name.id)
            yield name.id


FILE_LIMIT = 16 << 20  # bytes of one source file


def is_source(path: str) -> bool:
    """True for a plain Python file of moderate size; a link must lead to one. Devices, pipes and sockets are none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size > FILE_LIMIT:
        return False
    return not os.path.islink(path) or os.path.realpath(path).endswith(".py")


class SourceTree:
    """The .py files below `root/vllm`, parsed when asked for."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.modules: dict[str, Module | None] = {}
        self._classes: dict[str, list[str]] | None = None

    def path_of(self, name: str) -> tuple[str, bool] | None:
        """(file, is it a package) of a module of vllm; None for all others, even where they lie beside it."""
        if name != "vllm" and not name.startswith("vllm."):
            return None
        base = os.path.join(self.root, *name.split("."))
        if is_source(os.path.join(base, "__init__.py")):
            return os.path.join(base, "__init__.py"), True
        if is_source(base + ".py"):
            return base + ".py", False
        return None

    def module(self, name: str) -> Module | None:
        """The module under this dotted name, None when the tree has none (or it does not parse)."""
        if name not in self.modules:
            found = self.path_of(name)
            self.modules[name] = self._load(name, *found) if found else None
        return self.modules[name]

    def _load(self, name: str, path: str, is_package: bool) -> Module | None:
        try:
            return Module(name, path, is_package, self.read(path))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None

    def is_package(self, name: str) -> bool:
        ours = name == "vllm" or name.startswith("vllm.")
        return ours and os.path.isdir(os.path.join(self.root, *name.split(".")))

    @staticmethod
    def read(path: str) -> str:
        return read_bytes(path).decode("utf-8", "replace").replace("\r\n", "\n")

    def files(self, under: str = "vllm") -> Iterator[str]:
        """Paths of the .py files below a folder, sorted."""
        for folder, folders, names in os.walk(os.path.join(self.root, *under.split("."))):
            folders.sort()
            for name in sorted(names):
                if name.endswith(".py") and is_source(os.path.join(folder, name)):
                    yield os.path.join(folder, name)

    def module_name(self, path: str) -> str:
        relative = os.path.relpath(path, self.root)[: -len(".py")].replace(os.sep, ".")
        return relative[: -len(".__init__")] if relative.endswith(".__init__") else relative

    def relative(self, path: str) -> str:
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def find_class(self, name: str, under: str = "vllm") -> Module | None:
        """First module below `under` with a top-level class of this name; None when there is none."""
        if self._classes is None:
            self._classes = self._index_classes()
        for module in self._classes.get(name, ()):
            if module == under or module.startswith(under + "."):
                return self.module(module)
        return None

    def _index_classes(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for path in self.files():
            module = self.module_name(path)
            if module.startswith(("vllm.third_party", "vllm.vllm_flash_attn")):
                continue
            for found in re.finditer(r"^class (\w+)", self.read(path), re.MULTILINE):
                index.setdefault(found[1], []).append(module)
        return index

    def digest(self) -> str:
        """sha256 over the sorted relative paths and contents of every .py file of the tree."""
        whole = hashlib.sha256()
        for path in self.files():
            if "/third_party/" in self.relative(path) or "/vllm_flash_attn/" in self.relative(path):
                continue  # vendored: differs between wheel and sdist of one release
            if os.path.basename(path) == "_version.py":
                continue
            whole.update(self.relative(path).encode() + b"\0")
            whole.update(hashlib.sha256(read_bytes(path)).digest())
        return whole.hexdigest()
