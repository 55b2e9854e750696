"""Classes of the source: bases, members, dataclass fields, enum members."""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.source import Module
from vllm_migrate.catalog.extract.values import (
    MISSING,
    UNDEFINED,
    UNION,
    External,
    Field,
    FieldInfo,
    Function,
    Member,
    TypeBuiltin,
    Undecidable,
    Unknown,
)

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.interp import Interpreter

_ENUM_BASES = {"enum.Enum", "enum.IntEnum", "enum.StrEnum", "enum.Flag", "enum.IntFlag"}


class ClassValue:
    """One class statement; its members are worked out when asked for."""

    def __init__(self, node: ast.ClassDef, scope: Scope, it: Interpreter) -> None:
        self.node = node
        self.name = node.name
        self.module: Module = scope.module
        self.scope = scope
        self.it = it
        self.body: dict[str, ast.AST] = {}
        self.annotations: dict[str, ast.AnnAssign] = {}
        self.cache: dict[str, Any] = {}
        self._bases: list[Any] | None = None
        self._members: list[Member] | None = None
        self._collect(node.body)

    def __repr__(self) -> str:
        return f"ClassValue({self.name})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.it.construct(self, args, kwargs)

    def __or__(self, other: Any) -> Any:
        return UNION[self, other]

    def __ror__(self, other: Any) -> Any:
        return UNION[other, self]

    def __deepcopy__(self, memo: object) -> ClassValue:
        return self

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Member]:
        if not self.is_enum():
            raise Undecidable(self.name)
        return iter(self.members())

    def _collect(self, body: list[ast.stmt]) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.body[node.name] = node
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                self.annotations[node.target.id] = node
                if node.value is not None:
                    self.body[node.target.id] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.body[target.id] = node
            elif isinstance(node, ast.If):
                test = ast.unparse(node.test)
                self._collect(node.orelse if "TYPE_CHECKING" in test else node.body + node.orelse)

    @property
    def bases(self) -> list[Any]:
        if self._bases is None:
            self._bases = []
            for node in self.node.bases:
                try:
                    base = self.it.evaluate(node, self.scope)
                except Undecidable:
                    base = Unknown(ast.unparse(node))
                origin = typing.get_origin(base)
                self._bases.append(origin if origin is not None else base)
        return self._bases

    def mro(self) -> list[Any]:
        """Classes of the source and names of others, most derived first."""
        order: list[Any] = [self]
        for base in self.bases:
            for one in base.mro() if isinstance(base, ClassValue) else [base]:
                if any(one is seen for seen in order):
                    order = [seen for seen in order if seen is not one]
                order.append(one)
        return order

    def ancestors(self) -> Iterator[ClassValue]:
        return (cls for cls in self.mro() if isinstance(cls, ClassValue))

    def external_bases(self) -> set[str]:
        names = set()
        for base in self.mro():
            if isinstance(base, External):
                names.add(base.name)
            elif isinstance(base, type):
                names.add(base.__name__)
        return names

    # -- members ---------------------------------------------------------------------------------

    def owner_of(self, name: str) -> ClassValue | None:
        return next((cls for cls in self.ancestors() if name in cls.body), None)

    def lookup(self, name: str) -> ast.AST | None:
        owner = self.owner_of(name)
        return owner.body[name] if owner else None

    def member(self, name: str) -> Any:
        """`Class.name` after import; raises KeyError when the class has no such attribute."""
        owner = self.owner_of(name)
        if owner is None:
            raise KeyError(name)
        if name not in owner.cache:
            owner.cache[name] = owner._evaluate(name)
        value = owner.cache[name]
        if isinstance(value, FieldInfo):
            return self._default_attribute(value)
        if isinstance(value, Function) and value.kind == "class":
            return value.bound(self)
        return value

    @staticmethod
    def _default_attribute(info: FieldInfo) -> Any:
        if info.default not in (MISSING, UNDEFINED):
            return info.default
        return info

    def _evaluate(self, name: str) -> Any:
        node = self.body[name]
        scope = Scope(self.module, self.scope, cls=self)
        scope.vars = ClassScope(self)
        if isinstance(node, ast.ClassDef):
            return ClassValue(node, scope, self.it)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = self.it.function(node, scope)
            function.owner = self
            return function
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            if self.is_enum() and isinstance(node, ast.Assign):
                return next(m for m in self.members() if m.name == name)
            return self.it.value_of(node.value, scope)
        raise KeyError(name)

    # -- enum ------------------------------------------------------------------------------------

    def is_enum(self) -> bool:
        return bool(self.external_bases() & _ENUM_BASES)

    def enum_mixin(self) -> str | None:
        """The plain type a member compares as: IntEnum, StrEnum, str, int; None for a bare Enum."""
        names = self.external_bases()
        for name in ("enum.IntEnum", "enum.StrEnum", "enum.IntFlag"):
            if name in names:
                return name[len("enum.") :]
        return next((name for name in ("str", "int") if name in names), None)

    def members(self) -> list[Member]:
        if self._members is None:
            self._members = []
            scope = Scope(self.module, self.scope, cls=self)
            for node in self.node.body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    name = node.targets[0].id
                    if name.startswith("_"):
                        continue
                    value = self._member_value(name, node.value, scope)
                    scope.vars[name] = value
                    self._members.append(Member(self, name, value))
        return self._members

    def _member_value(self, name: str, node: ast.expr, scope: Scope) -> Any:
        if ast.unparse(node) in ("auto()", "enum.auto()"):
            if self.enum_mixin() == "StrEnum":
                return name.lower()
            numbers = [m.value for m in self._members or () if isinstance(m.value, int)]
            return max(numbers) + 1 if numbers else 1
        return self.it.value_of(node, scope)

    # -- fields ----------------------------------------------------------------------------------

    def decorator_names(self) -> list[str]:
        names = []
        for node in self.node.decorator_list:
            target = node.func if isinstance(node, ast.Call) else node
            names.append(ast.unparse(target).rpartition(".")[2])
        return names

    def is_dataclass(self) -> bool:
        return any(set(cls.decorator_names()) & {"dataclass", "config"} for cls in self.ancestors())

    def is_record(self) -> bool:
        """A dataclass, pydantic model, msgspec struct or named tuple: annotated fields with defaults."""
        bases = {name.rpartition(".")[2] for name in self.external_bases()}
        return self.is_dataclass() or bool(bases & {"BaseModel", "Struct", "NamedTuple", "TypedDict"})

    def is_typed_dict(self) -> bool:
        return any(name.rpartition(".")[2] == "TypedDict" for name in self.external_bases())

    def fields(self, init_vars: bool = False) -> list[Field]:
        """Fields in definition order along the MRO, as `dataclasses.fields` gives them."""
        found: dict[str, Field] = {}
        for cls in reversed(list(self.ancestors())):
            if not (cls.annotations or cls.body):
                continue
            scope = Scope(cls.module, cls.scope, cls=cls)
            scope.vars = ClassScope(cls)
            docs = attribute_docs(cls.node)
            for name, node in cls.annotations.items():
                text = ast.unparse(node.annotation).strip("'\"")
                if "ClassVar" in text or text == "KW_ONLY":
                    continue
                if name == "model_config" and self._is_model():
                    continue
                if text.startswith(("InitVar", "dataclasses.InitVar")) and not init_vars:
                    found.pop(name, None)
                    continue
                found[name] = self._field(name, node, cls, scope, docs.get(name, ""))
        return list(found.values())

    def _is_model(self) -> bool:
        return any(name.rpartition(".")[2] == "BaseModel" for name in self.external_bases())

    def _field(self, name: str, node: ast.AnnAssign, cls: ClassValue, scope: Scope, doc: str) -> Field:
        field = Field(name, cls, node)
        field.doc = doc
        field.type = LazyType(node.annotation, scope, self.it)
        if node.value is None:
            return field
        if name not in cls.cache:
            cls.cache[name] = self.it.value_of(node.value, scope)
        value = cls.cache[name]
        if not isinstance(value, FieldInfo):
            field.default = value
            return field
        field.info = value
        field.init = value.extra.get("init", True) is not False
        field.doc = doc or (value.description if isinstance(value.description, str) else "")
        if value.pydantic:
            field.default = value
        else:
            field.default, field.default_factory = value.default, value.default_factory
        return field


class LazyType:
    """A field's annotation, evaluated when it is looked at."""

    def __init__(self, node: ast.expr, scope: Scope, it: Interpreter) -> None:
        self.node = node
        self.scope = scope
        self.it = it

    def value(self, typing_context: bool = False) -> Any:
        scope = Scope(self.scope.module, self.scope, typing=typing_context)
        return self.it.value_of(self.node, scope)


class ClassScope(dict[str, Any]):
    """Names of a class body, for the expressions that stand in it."""

    def __init__(self, cls: ClassValue) -> None:
        super().__init__()
        self.cls = cls

    def __contains__(self, name: object) -> bool:
        return name in self.cls.body and not isinstance(
            self.cls.body[str(name)], ast.FunctionDef | ast.AsyncFunctionDef
        )

    def __getitem__(self, name: str) -> Any:
        return self.cls.member(name)


def field_docs(cls: Any) -> dict[str, str]:
    """Documentation of every field of a class, its bases' included."""
    if not isinstance(cls, ClassValue):
        raise Undecidable("docs of an unknown class")
    docs: dict[str, str] = dict.fromkeys((f.name for f in cls.fields()), "")
    for one in reversed(list(cls.ancestors())):
        docs.update(attribute_docs(one.node))
    return docs


def attribute_docs(node: ast.ClassDef) -> dict[str, str]:
    """The string standing after each annotated assignment of a class body, dedented."""
    docs = {}
    for here, after in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)):
            continue
        target: ast.AST | None = None
        if isinstance(here, ast.AnnAssign | ast.Assign):
            target = here.target if isinstance(here, ast.AnnAssign) else here.targets[0]
        if isinstance(target, ast.Name) and isinstance(after.value.value, str):
            docs[target.id] = inspect.cleandoc(after.value.value)
    return docs


def is_type_like(value: Any) -> bool:
    """A type, typing form or class of the source: things `is` may tell apart by name."""
    return (
        isinstance(value, type | ClassValue | External | TypeBuiltin | types.UnionType)
        or typing.get_origin(value) is not None
        or getattr(value, "__module__", "") == "typing"
    )
