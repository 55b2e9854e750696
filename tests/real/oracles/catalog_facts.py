"""What a vLLM release's own objects hold, for comparison with the catalog.

Runs inside the interpreter of that release. Reads a JSON list of cases from stdin (their content does not
matter) and writes a list with one answer per case:

{"version", "home", "engine": {field: value}, "sampling": {...}, "config": {"Class.field": value},
 "llm": {parameter: value}, "flags": {option: {"dest", "default", "choices", "nargs", "const", "action", "type"}},
 "env": {name: value}}
A value without a JSON form is {"object": "Name"}.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import os
import pkgutil
import sys
from typing import Any


def plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return plain(value.value) if isinstance(value.value, str | int) else value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else {"object": repr(value)}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(v) for v in value), key=lambda v: (str(type(v)), str(v)))
    if isinstance(value, dict):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if inspect.isclass(value) or inspect.isfunction(value):
        return {"object": value.__name__}
    return {"object": type(value).__name__}


NONE = object()


def field_default(field: Any) -> Any:
    """The default of a dataclass field, pydantic's Field inside it included; NONE when it has none."""
    default, factory = field.default, field.default_factory
    if type(default).__name__ == "FieldInfo":
        factory = default.default_factory if default.default_factory is not None else dataclasses.MISSING
        default = default.default
        if type(default).__name__ == "PydanticUndefinedType":
            default = dataclasses.MISSING
    if factory is not dataclasses.MISSING:
        try:
            return factory()
        except Exception as error:
            return {"error": repr(error)}
    return NONE if default is dataclasses.MISSING else default


def fields_of(cls: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(cls):
        found = {f.name: field_default(f) for f in dataclasses.fields(cls)}
    elif hasattr(cls, "model_fields"):
        found = {
            n: NONE if f.is_required() else f.get_default(call_default_factory=True)
            for n, f in cls.model_fields.items()
        }
    elif hasattr(cls, "__struct_fields__"):
        found = struct_fields(cls)
    else:
        return {}
    return {name: {"required": True} if value is NONE else plain(value) for name, value in found.items()}


def struct_fields(cls: Any) -> dict[str, Any]:
    import msgspec

    found = {}
    for field in msgspec.structs.fields(cls):
        if field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
        else:
            found[field.name] = NONE if field.default is msgspec.NODEFAULT else field.default
    return found


def config_classes() -> dict[str, Any]:
    import vllm.config as root

    modules = [root]
    for info in pkgutil.iter_modules(getattr(root, "__path__", [])):
        modules.append(importlib.import_module(f"vllm.config.{info.name}"))
    found = {}
    for module in modules:
        for name, value in vars(module).items():
            if inspect.isclass(value) and value.__module__.startswith("vllm.config"):
                found[name] = value
                for inner, nested in vars(value).items():
                    if inspect.isclass(nested) and inner.endswith("Config"):
                        found[inner] = nested
    return found


def configs() -> dict[str, Any]:
    result = {}
    for name, cls in config_classes().items():
        if issubclass(cls, enum.Enum):
            continue
        values = fields_of(cls)
        if not values and name.endswith("Config"):
            values = {
                p.name: {"required": True} if p.default is p.empty else plain(p.default)
                for p in inspect.signature(cls.__init__).parameters.values()
                if p.name not in ("self", "args", "kwargs")
            }
        result.update({f"{name}.{field}": value for field, value in values.items()})
    return result


def llm() -> dict[str, Any]:
    from vllm.entrypoints.llm import LLM

    parameters = inspect.signature(LLM.__init__).parameters.values()
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {
        p.name: {"required": True} if p.default is p.empty else plain(p.default)
        for p in parameters
        if p.name != "self" and p.kind not in kinds
    }


def serve_parser() -> Any:
    import vllm.entrypoints.cli.serve as serve

    try:
        from vllm.utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    parser = FlexibleArgumentParser()
    subparsers = parser.add_subparsers()
    return serve.cmd_init()[0].subparser_init(subparsers)


def type_name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))


def flags() -> dict[str, Any]:
    result = {}
    for action in serve_parser()._actions:
        for option in action.option_strings:
            result[option] = {
                "dest": action.dest,
                "default": plain(action.default),
                "choices": None if action.choices is None else [plain(c) for c in action.choices],
                "nargs": action.nargs,
                "const": plain(action.const),
                "action": type(action).__name__,
                "type": None if action.type is None else type_name(action.type),
            }
    return result


def environment() -> dict[str, Any]:
    import vllm.envs as envs

    kept = dict(os.environ)
    result = {}
    for name, getter in envs.environment_variables.items():
        for other in [n for n in os.environ if n not in ("HOME", "PATH")]:
            del os.environ[other]
        try:
            value = plain(getter())
        except Exception as error:
            value = {"error": repr(error)}
        result[name] = value
        os.environ.update(kept)
    return result


def main() -> None:
    import vllm
    from vllm import SamplingParams
    from vllm.engine.arg_utils import AsyncEngineArgs

    answer = {
        "version": vllm.__version__,
        "home": os.path.expanduser("~"),
        "engine": fields_of(AsyncEngineArgs),
        "sampling": fields_of(SamplingParams),
        "llm": llm(),
        "config": configs(),
        "flags": flags(),
        "env": environment(),
    }
    with os.fdopen(out, "w") as stream:
        json.dump([answer for _ in cases], stream)


if __name__ == "__main__":
    cases = json.load(sys.stdin)
    out = os.dup(1)
    os.dup2(2, 1)  # vLLM logs to stdout
    main()
