"""Values of the evaluator that plain Python objects cannot stand for."""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.source import Module


UNION: Any = Union  # subscripted with values at run time


class Undecidable(Exception):
    """The source alone does not decide this value."""


class ProgramError(Exception):
    """The program under evaluation raised; `error` is the (builtin) exception it would raise."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


class Unknown:
    """A value that source does not decide. Any question about it raises Undecidable."""

    __slots__ = ("expr",)

    def __init__(self, expr: str) -> None:
        self.expr = expr

    def __repr__(self) -> str:
        return f"Unknown({self.expr})"

    def _undecidable(self, *args: object) -> Any:
        raise Undecidable(self.expr)

    __bool__ = __iter__ = __len__ = __contains__ = __lt__ = __le__ = __gt__ = __ge__ = _undecidable
    __hash__ = __eq__ = __ne__ = __index__ = __int__ = __float__ = __str__ = __format__ = _undecidable


class External:
    """Something outside the source tree, known by its dotted name alone (`torch.dtype`)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"External({self.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, External) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __bool__(self) -> bool:
        raise Undecidable(self.name)

    def __iter__(self) -> Any:
        raise Undecidable(self.name)

    def __call__(self, *args: object, **kwargs: object) -> Any:  # typing forms insist on a callable
        raise Undecidable(self.name)

    def __or__(self, other: Any) -> Any:
        return UNION[self, other]

    def __ror__(self, other: Any) -> Any:
        return UNION[other, self]

    def __getitem__(self, item: object) -> External:
        return self


class Host:
    """A function of the evaluator standing for one of the standard library, under its dotted name."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call

    def __repr__(self) -> str:
        return f"Host({self.name})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)

    def __deepcopy__(self, memo: object) -> Host:
        return self


class HostObject:
    """Marks Python objects of the evaluator whose public attributes the program may use."""


class Missing(enum.Enum):
    """`dataclasses.MISSING` and pydantic's undefined."""

    MISSING = "MISSING"
    UNDEFINED = "PydanticUndefined"


MISSING = Missing.MISSING
UNDEFINED = Missing.UNDEFINED


class FieldInfo(HostObject):
    """`pydantic.Field(...)`, `dataclasses.field(...)` or `msgspec.field(...)`."""

    def __init__(self, default: Any, default_factory: Any, extra: dict[str, Any], pydantic: bool) -> None:
        self.default = default
        self.default_factory = default_factory
        self.extra = extra
        self.pydantic = pydantic
        self.deprecated = extra.get("deprecated")
        self.description = extra.get("description")
        self.init = extra.get("init")
        self.metadata: tuple[Any, ...] = ()


class Field(HostObject):
    """One entry of `dataclasses.fields(cls)`, plus what only the source shows."""

    def __init__(self, name: str, owner: Any, node: ast.AnnAssign | ast.Assign) -> None:
        self.name = name
        self.owner = owner
        self.node = node
        self.type: Any = None
        self.default: Any = MISSING
        self.default_factory: Any = MISSING
        self.init = True
        self.metadata: dict[str, Any] = {}
        self.info: FieldInfo | None = None
        self.doc = ""


class Function:
    """A function or lambda of the source. Calling it runs the evaluator."""

    __slots__ = ("defaults", "kind", "module", "name", "node", "owner", "run", "scope", "self_value")

    def __init__(self, node: Any, name: str, scope: Any, module: Module, run: Callable[..., Any]) -> None:
        self.node = node
        self.name = name
        self.scope = scope
        self.module = module
        self.run = run
        self.kind = "function"  # function | static | class | property | opaque (an unknown decorator)
        self.owner: Any = None
        self.self_value: Any = None
        self.defaults: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"Function({self.module.name}.{self.name})"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, args, kwargs)

    def __deepcopy__(self, memo: object) -> Function:
        return self

    def bound(self, value: Any) -> Function:
        copy = Function(self.node, self.name, self.scope, self.module, self.run)
        copy.kind, copy.owner, copy.defaults = self.kind, self.owner, self.defaults
        copy.self_value = value
        return copy


class Instance:
    """An object of a class of the source, built with these arguments."""

    __slots__ = ("args", "attrs", "cls", "kwargs")

    def __init__(self, cls: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.cls = cls
        self.args = args
        self.kwargs = kwargs
        self.attrs: dict[str, Any] = {}

    def __bool__(self) -> bool:
        if self.cls.lookup("__bool__") is None and self.cls.lookup("__len__") is None:
            return True
        raise Undecidable(self.cls.name)

    def __deepcopy__(self, memo: object) -> Instance:
        return self

    def __repr__(self) -> str:
        return f"Instance({self.cls.name})"


class Member:
    """One member of an Enum of the source."""

    __slots__ = ("cls", "name", "value")

    def __init__(self, cls: Any, name: str, value: Any) -> None:
        self.cls = cls
        self.name = name
        self.value = value

    def __repr__(self) -> str:
        return f"{self.cls.name}.{self.name}"

    def plain(self) -> Any:
        """The value an int or str enum member compares as; Undecidable for a bare Enum."""
        if self.cls.enum_mixin() is None:
            raise Undecidable(repr(self))
        return self.value

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Member):
            return other.cls is self.cls and other.name == self.name
        return self.cls.enum_mixin() is not None and bool(self.value == other)

    def __hash__(self) -> int:
        return hash(self.value) if self.cls.enum_mixin() is not None else hash((id(self.cls), self.name))

    def __lt__(self, other: Any) -> bool:
        return bool(self.plain() < (other.plain() if isinstance(other, Member) else other))

    def __deepcopy__(self, memo: object) -> Member:
        return self

    def __str__(self) -> str:
        if self.cls.enum_mixin() in ("IntEnum", "StrEnum"):
            return str(self.value)
        return repr(self)


class TypeBuiltin:
    """`type`, as a value (`isinstance(x, type)`) and as a call (`type(x)`)."""

    def __call__(self, value: Any) -> Any:
        if isinstance(value, Instance | Member):
            return value.cls
        if isinstance(value, Unknown | External):
            raise Undecidable("type()")
        return type(value)

    def __getitem__(self, item: Any) -> Any:
        return type[item]

    def __hash__(self) -> int:
        return hash(type)

    def __eq__(self, other: object) -> bool:
        return other is type or isinstance(other, TypeBuiltin)


def contains_unknown(value: Any, depth: int = 0) -> bool:
    """True when source does not decide some part of a plain container."""
    if isinstance(value, Unknown | External):
        return True
    if depth > 6:
        return False
    if isinstance(value, dict):
        return any(contains_unknown(v, depth + 1) or contains_unknown(k, depth + 1) for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return any(contains_unknown(v, depth + 1) for v in value)
    return False


class ModuleRef:
    """A module of the tree as a value."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __deepcopy__(self, memo: object) -> ModuleRef:
        return self
