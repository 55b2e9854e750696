"""Stands for argparse's parsers while a release's own code builds its command line."""

from __future__ import annotations

import ast
from typing import Any

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.values import External, Function, Host, HostObject, Unknown


class Flag:
    """One `add_argument` call: its option strings and keyword arguments as evaluated."""

    def __init__(self, options: tuple[str, ...], kwargs: dict[str, Any]) -> None:
        self.options = options
        self.kwargs = kwargs

    @property
    def name(self) -> str:
        """The long positive flag, or the only spelling there is."""
        return next((o for o in self.options if o.startswith("--")), self.options[0])

    @property
    def positional(self) -> bool:
        return not self.options[0].startswith("-")

    @property
    def dest(self) -> str:
        given = self.kwargs.get("dest")
        return given if isinstance(given, str) else self.name.lstrip("-").replace("-", "_")

    @property
    def action(self) -> str:
        return action_name(self.kwargs.get("action"))


class Parser(HostObject):
    """An ArgumentParser, one of its groups, or what add_subparsers returns."""

    collects = True

    def __init__(self, flags: list[Flag] | None = None) -> None:
        self.flags: list[Flag] = [] if flags is None else flags

    def add_argument(self, *options: Any, **kwargs: Any) -> Any:
        if any(isinstance(option, Unknown) for option in options):
            options[0].__bool__()
        self.flags.append(Flag(options, kwargs))
        return Unknown("add_argument()")

    def add_argument_group(self, *args: Any, **kwargs: Any) -> Parser:
        return Parser(self.flags)

    add_mutually_exclusive_group = add_argument_group
    add_subparsers = add_parser = add_argument_group

    def set_defaults(self, **kwargs: Any) -> None:
        for flag in self.flags:
            if flag.dest in kwargs:
                flag.kwargs["default"] = kwargs[flag.dest]


def action_name(action: Any) -> str:
    """`store`, `store_true`, `bool_optional`, ..., or the name of a class of vLLM's own."""
    if action is None:
        return "store"
    if isinstance(action, str):
        return action
    if isinstance(action, External):
        last = action.name.rpartition(".")[2]
        return "bool_optional" if last == "BooleanOptionalAction" else last
    if isinstance(action, ClassValue):
        bases = {name.rpartition(".")[2] for name in action.external_bases()}
        return "bool_optional" if "BooleanOptionalAction" in bases else action.name
    return "store"


def type_text(kind: Any) -> str:
    """What argparse's `type=` does, as text: int, float, str, json, optional_X, human_readable_int, ..."""
    if kind is None or kind is str:
        return "str"
    if isinstance(kind, type):
        return kind.__name__
    if isinstance(kind, Host):
        return "json" if kind.name == "json.loads" else kind.name
    if isinstance(kind, ClassValue):
        return kind.name
    if isinstance(kind, Function):
        return _function_text(kind)
    if isinstance(kind, External):
        return kind.name
    return "unknown"


def _function_text(kind: Function) -> str:
    if isinstance(kind.node, ast.Lambda):
        return ast.unparse(kind.node)
    if kind.name in ("_optional_type", "_parse_type"):
        found = kind.scope.find("return_type")
        inner = type_text(found.vars["return_type"]) if found else "unknown"
        if inner == "json" and "nullable_kvs" in ast.unparse(kind.node):
            inner = "json_or_kvs"
        return inner if kind.name == "_parse_type" else f"optional_{inner}"
    if kind.name == "parse_dataclass" and isinstance(kind.defaults.get("cls"), ClassValue):
        return f"dataclass:{kind.defaults['cls'].name}"
    if kind.owner is not None:
        return f"{kind.owner.name}.{kind.name}"
    return kind.name
