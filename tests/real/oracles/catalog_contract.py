"""What real classes have and real calls take, and what real entry points do with unknown keys of a mapping.

A case is {"classes": [...], "functions": [...], "options": {...}}; the answer has the same keys.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import sys
from typing import Any

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ["HF_HUB_OFFLINE"] = "0"  # else the model is looked for on this machine; nothing is fetched here either
UNKNOWN = "no_such_key_anywhere"


def resolve(dotted: str) -> Any:
    """The object of a dotted name; raises ImportError or AttributeError."""
    module, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        owner, _, outer = module.rpartition(".")
        return getattr(getattr(importlib.import_module(owner), outer), name)


def signature(value: Any) -> Any:
    """[[name, kind, default as text or None], ...], None where Python gives none."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    out = []
    for one in found.parameters.values():
        default = None if one.default is inspect.Parameter.empty else repr(one.default)
        out.append([one.name, one.kind.name, default])
    return out


def class_facts(cls: type) -> dict[str, Any]:
    own: dict[str, Any] = {}
    for base in cls.__mro__:
        if base.__module__.split(".")[0] == "vllm":
            for name in vars(base):
                own.setdefault(name, f"{base.__module__}.{base.__qualname__}")
    plain = {n: o for n, o in own.items() if not n.startswith("__") and hasattr(cls, n)}
    methods = {}
    for name in plain:
        value = inspect.getattr_static(cls, name)
        if inspect.isfunction(value) or isinstance(value, (staticmethod, classmethod)):
            methods[name] = signature(getattr(cls, name))
            if inspect.isfunction(value) and methods[name]:
                methods[name] = methods[name][1:]
    return {"attributes": plain, "methods": methods, "call": signature(cls), "mro": [b.__module__ for b in cls.__mro__]}


def looked_up(names: list[str], read: Any) -> dict[str, Any]:
    out = {}
    for name in names:
        try:
            out[name] = read(resolve(name))
        except BaseException as error:  # a class whose module needs a GPU or a package that is not there
            out[name] = {"error": f"{type(error).__name__}: {error}"[:200]}
    return out


class Captured(Exception):
    pass


def outcome(make: Any, option: str) -> str:
    try:
        made = make()
    except Captured as caught:
        made = caught.args[0]
    except BaseException as error:
        text = str(error)
        mine = UNKNOWN in text or isinstance(error, SystemExit)
        return "refused" if mine else f"error: {type(error).__name__}: {text[:200]}"
    value = getattr(made, option)
    if isinstance(value, dict):
        return "dict"
    return "kept" if hasattr(value, UNKNOWN) else "dropped"


def unknown_keys(options: dict[str, Any]) -> dict[str, dict[str, str]]:
    from vllm import LLM
    from vllm.engine.arg_utils import AsyncEngineArgs, EngineArgs
    from vllm.v1.engine.llm_engine import LLMEngine as V1

    try:
        from vllm.utils.argparse_utils import FlexibleArgumentParser
    except ImportError:
        from vllm.utils import FlexibleArgumentParser

    def capture(*args: Any, **kwargs: Any) -> Any:
        raise Captured(kwargs.get("engine_args") or args[0])

    V1.from_engine_args = capture
    home = sys.modules[LLM.__init__.__module__]
    if hasattr(home, "LLMEngine"):
        home.LLMEngine.from_engine_args = capture
    parser = AsyncEngineArgs.add_cli_args(FlexibleArgumentParser(exit_on_error=False))

    def raised(message: str) -> Any:
        raise ValueError(message)

    parser.error = raised
    found = {}
    for option, known in options.items():
        value = {**known, UNKNOWN: 1}
        text = ["--model", "m", f"--{option.replace('_', '-')}", json.dumps(value)]
        found[option] = {
            "engine": outcome(lambda o=option, v=value: EngineArgs(model="m", **{o: dict(v)}), option),
            "llm": outcome(lambda o=option, v=value: LLM(model="m", **{o: dict(v)}), option),
            "parser": outcome(lambda t=text: EngineArgs.from_cli_args(parser.parse_args(t)), option),
        }
    return found


def main() -> None:
    cases = json.load(sys.stdin)
    logging.disable(logging.CRITICAL)
    out, sys.stdout = sys.stdout, sys.stderr
    answers = []
    for case in cases:
        answers.append(
            {
                "classes": looked_up(case["classes"], class_facts),
                "functions": looked_up(case["functions"], signature),
                "options": unknown_keys(case["options"]) if case["options"] else {},
            }
        )
    json.dump(answers, out, default=str)


if __name__ == "__main__":
    main()
