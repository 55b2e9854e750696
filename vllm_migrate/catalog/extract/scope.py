"""Where a name is looked up: local variables, enclosing scopes, then the module."""

from __future__ import annotations

from typing import Any

from vllm_migrate.catalog.extract.source import Module


class Scope:
    """Local variables of one function call, class body or comprehension."""

    __slots__ = ("cls", "lenient", "module", "parent", "typing", "vars")

    def __init__(self, module: Module, parent: Scope | None = None, cls: Any = None, typing: bool = False) -> None:
        self.module = module
        self.parent = parent
        self.vars: dict[str, Any] = {}
        self.cls: Any = cls if cls is not None or parent is None else parent.cls
        self.lenient = False  # go on after a statement that cannot be followed
        self.typing: bool = typing or (parent is not None and parent.typing)

    def find(self, name: str) -> Scope | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.vars:
                return scope
            scope = scope.parent
        return None
