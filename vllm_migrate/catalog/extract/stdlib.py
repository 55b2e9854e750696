"""The parts of Python and its standard library the evaluator knows. Everything else stays External."""

from __future__ import annotations

import ast
import builtins
import collections
import copy
import functools
import itertools
import json
import math
import os.path
import re
import ssl
import types
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vllm_migrate.catalog.extract import texts
from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.expressions import iterate
from vllm_migrate.catalog.extract.values import (
    MISSING,
    UNDEFINED,
    External,
    FieldInfo,
    Function,
    Host,
    HostObject,
    Instance,
    Member,
    ProgramError,
    TypeBuiltin,
    Undecidable,
    Unknown,
    contains_unknown,
)

if TYPE_CHECKING:
    from vllm_migrate.catalog.extract.interp import Interpreter

_TYPING = [
    "Any",
    "Annotated",
    "Callable",
    "ClassVar",
    "Concatenate",
    "Dict",
    "Final",
    "FrozenSet",
    "Generic",
    "Iterable",
    "Iterator",
    "List",
    "Literal",
    "LiteralString",
    "Mapping",
    "NamedTuple",
    "Never",
    "NewType",
    "NoReturn",
    "NotRequired",
    "Optional",
    "ParamSpec",
    "Required",
    "Self",
    "Sequence",
    "Set",
    "Tuple",
    "Type",
    "TypeAlias",
    "TypeGuard",
    "TypeVar",
    "Union",
    "Awaitable",
    "AsyncGenerator",
    "Generator",
    "Protocol",
    "Hashable",
    "MutableMapping",
    "MutableSequence",
    "Collection",
    "AsyncIterator",
    "Coroutine",
    "Deque",
    "DefaultDict",
    "Counter",
]
_ABC = [
    "Callable",
    "Iterable",
    "Iterator",
    "Mapping",
    "Sequence",
    "Set",
    "Awaitable",
    "AsyncGenerator",
    "Generator",
    "Hashable",
]
_EXCEPTIONS = [
    "ValueError",
    "TypeError",
    "KeyError",
    "AttributeError",
    "RuntimeError",
    "ImportError",
    "NotImplementedError",
]
_SAFE = [
    "abs",
    "all",
    "any",
    "bool",
    "bytes",
    "dict",
    "divmod",
    "enumerate",
    "filter",
    "float",
    "frozenset",
    "int",
    "len",
    "list",
    "map",
    "max",
    "min",
    "object",
    "pow",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "slice",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
    "ord",
    "chr",
    "hex",
    "bin",
    "hash",
    "id",
]


def resolve(hosts: dict[str, Any], dotted: str) -> Any:
    """The evaluator's own object of this dotted name, else an External."""
    return hosts.get(dotted, External(dotted))


def hosts(it: Interpreter) -> dict[str, Any]:
    """Dotted name -> value, for what lies outside the source tree."""
    table: dict[str, Any] = {}
    for name in _TYPING:
        if hasattr(typing, name):
            table[f"typing.{name}"] = table[f"typing_extensions.{name}"] = getattr(typing, name)
    for name in _ABC:
        table[f"collections.abc.{name}"] = getattr(collections.abc, name)
    table.update(_typing_functions(it))
    table.update(_dataclass_functions())
    table.update(_environment())
    table.update(_library())
    table["sys.modules"] = LoadedModules(it)
    table["types.UnionType"] = types.UnionType
    table["types.NoneType"] = type(None)
    return table


def _host(name: str, call: Callable[..., Any]) -> Host:
    return Host(name, call)


def _typing_functions(it: Interpreter) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for home in ("typing", "typing_extensions"):
        table[f"{home}.cast"] = _host("cast", lambda kind, value: value)
        table[f"{home}.get_args"] = _host("get_args", typing.get_args)
        table[f"{home}.get_origin"] = _host("get_origin", typing.get_origin)
        table[f"{home}.is_typeddict"] = _host(
            "is_typeddict", lambda t: isinstance(t, ClassValue) and "TypedDict" in str(t.external_bases())
        )
        table[f"{home}.TYPE_CHECKING"] = False
    table["pydantic.SkipValidation"] = _SkipValidation()
    table["pydantic.functional_validators.SkipValidation"] = _SkipValidation()
    return table


class _SkipValidation:
    """`SkipValidation[X]` is `Annotated[X, ...]` at run time."""

    def __getitem__(self, item: Any) -> Any:
        return typing.Annotated[item, "SkipValidation"]


def _field_info(pydantic: bool, *args: Any, **kwargs: Any) -> FieldInfo:
    default = args[0] if args else kwargs.pop("default", UNDEFINED if pydantic else MISSING)
    if default is ... and pydantic:
        default = UNDEFINED
    factory = kwargs.pop("default_factory", None if pydantic else MISSING)
    return FieldInfo(default, factory, kwargs, pydantic)


def _fields(cls: Any) -> tuple[Any, ...]:
    owner = cls.cls if isinstance(cls, Instance) else cls
    if not isinstance(owner, ClassValue):
        raise Undecidable("fields()")
    return tuple(owner.fields())


def _is_dataclass(value: Any) -> bool:
    owner = value.cls if isinstance(value, Instance) else value
    return isinstance(owner, ClassValue) and owner.is_dataclass()


def _dataclass_functions() -> dict[str, Any]:
    stdlib_field = _host("field", functools.partial(_field_info, False))
    pydantic_field = _host("Field", functools.partial(_field_info, True))
    return {
        "dataclasses.field": stdlib_field,
        "dataclasses.fields": _host("fields", _fields),
        "dataclasses.is_dataclass": _host("is_dataclass", _is_dataclass),
        "dataclasses.MISSING": MISSING,
        "msgspec.field": stdlib_field,
        "pydantic.Field": pydantic_field,
        "pydantic.fields.Field": pydantic_field,
        "pydantic.fields.FieldInfo": FieldInfo,
        "pydantic_core.PydanticUndefined": UNDEFINED,
    }


class Environ(HostObject):
    """`os.environ` with nothing set."""

    def get(self, name: str, default: Any = None) -> Any:
        return default

    def keys(self) -> list[str]:
        return []

    def items(self) -> list[tuple[str, str]]:
        return []

    def __contains__(self, name: object) -> bool:
        return False

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(())


class LoadedModules(HostObject):
    """`sys.modules`: those of the tree, and nothing else."""

    def __init__(self, it: Interpreter) -> None:
        self.it = it

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.it.tree.path_of(name) is not None

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        return self.it.module_value(name)


def _environment() -> dict[str, Any]:
    environ = Environ()
    return {
        "os.environ": environ,
        "os.getenv": _host("os.getenv", environ.get),
        "os.path.join": _host("os.path.join", lambda *parts: "/".join(parts)),
        "os.path.expanduser": _host("os.path.expanduser", lambda path: path),
        "os.path.basename": _host("os.path.basename", os.path.basename),
        "os.path.dirname": _host("os.path.dirname", os.path.dirname),
        "sys.argv": ["vllm", "--help"],  # "--help" makes flags keep their documentation
        "sys.maxsize": 2**63 - 1,
    }


def _json_loads(text: Any, *args: Any) -> Any:
    return json.loads(text)


def _deepcopy(value: Any) -> Any:
    return copy.deepcopy(value)


def _library() -> dict[str, Any]:
    table: dict[str, Any] = {
        "json.loads": _host("json.loads", _json_loads),
        "json.dumps": _host("json.dumps", json.dumps),
        "copy.deepcopy": _host("copy.deepcopy", _deepcopy),
        "copy.copy": _host("copy.copy", copy.copy),
        "functools.partial": _host("functools.partial", functools.partial),
        "functools.reduce": _host("functools.reduce", functools.reduce),
        "collections.defaultdict": collections.defaultdict,
        "collections.OrderedDict": collections.OrderedDict,
        "collections.Counter": collections.Counter,
        "itertools.permutations": _host("itertools.permutations", itertools.permutations),
        "itertools.chain": _host("itertools.chain", itertools.chain),
        "itertools.product": _host("itertools.product", itertools.product),
        "argparse.SUPPRESS": "==SUPPRESS==",
        "ssl.CERT_NONE": int(ssl.CERT_NONE),
        "ssl.CERT_OPTIONAL": int(ssl.CERT_OPTIONAL),
        "ssl.CERT_REQUIRED": int(ssl.CERT_REQUIRED),
        "enum.auto": _host("enum.auto", lambda: Unknown("auto()")),
    }
    for name in ("inf", "nan", "pi", "e"):
        table[f"math.{name}"] = getattr(math, name)
    for name in ("ceil", "floor", "log", "log2", "sqrt", "prod"):
        table[f"math.{name}"] = _host(f"math.{name}", getattr(math, name))
    for home in ("re", "regex"):
        for name in ("match", "search", "fullmatch", "sub", "split", "findall", "escape"):
            table[f"{home}.{name}"] = _host(f"{home}.{name}", texts.pattern(getattr(re, name)))
    return table


def builtin_names(it: Interpreter) -> dict[str, Any]:
    """Names every module starts with."""
    table = {name: getattr(builtins, name) for name in _SAFE + _EXCEPTIONS}
    table["pow"] = _host("pow", texts.power)
    table.update({name: getattr(builtins, name) for name in dir(builtins) if name.endswith("Error")})
    table["Exception"] = Exception
    table.update(
        isinstance=_host("isinstance", lambda value, kind: _is_instance(value, kind)),
        issubclass=_host("issubclass", _is_subclass),
        type=TypeBuiltin(),
        hasattr=_host("hasattr", functools.partial(_has_attribute, it)),
        getattr=_host("getattr", functools.partial(_get_attribute, it)),
        callable=_host("callable", _callable),
        next=_host("next", _next),
        iter=_host("iter", iterate),
        print=_host("print", lambda *args, **kwargs: None),
        vars=_host("vars", lambda *args: Unknown("vars()")),
        staticmethod=_host("staticmethod", lambda function: function),
        NotImplemented=NotImplemented,
        Ellipsis=...,
    )
    return table


def _is_instance(value: Any, kind: Any) -> bool:
    if isinstance(kind, tuple):
        return any(_is_instance(value, one) for one in kind)
    if isinstance(value, External) and isinstance(kind, TypeBuiltin):
        return False  # asked of annotations only: "is it a class derived from dict"; outside classes are not
    if isinstance(value, Unknown | External):
        raise Undecidable("isinstance")
    if isinstance(kind, TypeBuiltin):
        return isinstance(value, type | ClassValue)
    if isinstance(kind, ClassValue):
        return isinstance(value, Instance | Member) and any(
            isinstance(c, ClassValue) and c.node is kind.node for c in value.cls.mro()
        )
    if isinstance(kind, External):
        if isinstance(value, Instance):
            raise Undecidable("isinstance")
        return False
    if isinstance(value, Member):
        return value.cls.enum_mixin() is not None and isinstance(value.value, kind)
    if not isinstance(kind, type | types.UnionType):
        raise Undecidable("isinstance")
    return isinstance(value, kind)


def _is_subclass(value: Any, kind: Any) -> bool:
    if isinstance(kind, tuple):
        return any(_is_subclass(value, one) for one in kind)
    if isinstance(value, ClassValue):
        if isinstance(kind, type):
            return kind.__name__ in value.external_bases() or kind is object
        return any(c is kind for c in value.mro())
    if isinstance(value, type):
        return isinstance(kind, type) and issubclass(value, kind)
    raise Undecidable("issubclass")


def _has_attribute(it: Interpreter, value: Any, name: str) -> bool:
    try:
        found = it.attribute(value, name, name)
    except ProgramError:
        return False
    if isinstance(found, Unknown | External):
        raise Undecidable("hasattr")
    return True


def _get_attribute(it: Interpreter, value: Any, name: str, *default: Any) -> Any:
    try:
        return it.attribute(value, name, f"getattr({name})")
    except ProgramError:
        if default:
            return default[0]
        raise


def _callable(value: Any) -> bool:
    if isinstance(value, Unknown | External):
        raise Undecidable("callable")
    return isinstance(value, Function | Host | ClassValue | type)


def _next(iterator: Any, *default: Any) -> Any:
    for value in iterator:
        return value
    if default:
        return default[0]
    raise ProgramError(StopIteration())


__all__ = ["ast", "builtin_names", "contains_unknown", "hosts", "resolve"]
