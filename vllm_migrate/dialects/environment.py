"""What a dialect's own conditions can ask: the configuration, its facts, the framework's release."""

from __future__ import annotations

from vllm_migrate.dialects.interpolate import resolve
from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.tree import Tree
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.knowledge.cases import choose
from vllm_migrate.knowledge.expr import Unsure


class DialectEnv:
    """Names and functions of the conditions in a dialect file.

    has('a.b')          whether the composed configuration has that path
    config('a.b')       its scalar value (interpolations followed), None when absent
    writes_bool('a.b')  whether any value of the mapping there is a bare true or false
    fact.NAME           a fact the dialect file defines, by its cases
    value, option       of the pin being written
    """

    def __init__(self, engine: Engine, extra: dict[str, object] | None = None) -> None:
        self.engine = engine
        self.extra = extra or {}

    def name(self, dotted: str) -> object:
        if dotted in self.extra:
            return self.extra[dotted]
        if dotted.startswith("fact."):
            return self.fact(dotted[5:])
        raise KeyError(dotted)

    def call(self, function: str, args: list[object]) -> object:
        path = str(args[0]) if args else ""
        if function == "has":
            return True if self._found(path) is not None else self._absent(False, path)
        if function == "config":
            tree = self._found(path)
            if tree is None:
                return self._absent(None, path)
            return self.scalar(tree, path)
        if function == "writes_bool":
            tree = self._found(path)
            return tree is not None and any(isinstance(c.value, bool) for c in tree.children.values())
        if function == "transport":
            return self.extra.get(f"transport.{path}")
        raise KeyError(function)

    def fact(self, name: str) -> object:
        facts = self.engine.dialect.get("facts")
        cases = facts.get(name) if isinstance(facts, dict) else None
        if not isinstance(cases, list):
            raise KeyError(name)
        return choose(cases, self).value

    def scalar(self, tree: Tree, path: str) -> object:
        if tree.is_map or tree.is_seq:
            return tree.plain()
        root = self.engine.root
        value = resolve(root, path, tree.value) if root is not None else tree.value
        if isinstance(value, Unknown):
            return Unsure((f"the value of {path} ({value.text})",))
        return value

    def _found(self, path: str) -> Tree | None:
        return self.engine.root.at(path) if self.engine.root is not None else None

    def _absent(self, value: object, path: str) -> object:
        if self.engine.missing:
            names = ", ".join(m.name for m in self.engine.missing)
            return Unsure((f"{path}, which may be set in a parent that was not found ({names})",))
        return value

