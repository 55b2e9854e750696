"""What an interpreter tells: its vLLM, its plugins and environment, and what it would make of the engine's arguments."""

from __future__ import annotations

import json
import os
import subprocess
from importlib import resources
from typing import Any, NamedTuple

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads
from vllm_migrate.smoke.backends.vllm_worker import ISOLATED, split_command
from vllm_migrate.verify.model import Running
from vllm_migrate.verify.record import of_entry
from vllm_migrate.verify.releases import known, shown

SOURCE = "python"
TIMEOUT_S = 300.0


class Interpreter(NamedTuple):
    """What an interpreter answered. record: of the engine that was asked for, as the recorder writes one; error: why there
    is none; variables: those that its vLLM knows, None without a vLLM; device: what its vLLM sees."""

    versions: dict[str, str]
    python: str
    plugins: dict[str, list[str]]
    env: dict[str, str]
    variables: tuple[str, ...] | None
    device: dict[str, Any]
    record: dict[str, Any] | None
    error: str

    @property
    def vllm(self) -> str:
        return next((version for name, version in self.versions.items() if name.startswith("vllm")), "")


def ask(command: str, engine_args: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> Interpreter:
    """Ask the interpreter that a command starts. Raises UsageError where it does not answer."""
    source = resources.files("vllm_migrate.verify").joinpath("recorder.py").read_text(encoding="utf-8")
    environment = {**os.environ, **(env or {})}
    environment.pop("PYTHONPATH", None)
    environment.pop("VLLM_MIGRATE_RECORD", None)
    words = [*split_command(command), ISOLATED, "-c", source]
    try:
        done = subprocess.run(
            words,
            input=json.dumps({"engine_args": engine_args}),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_S,
            env=environment,
            check=False,
        )
        answer = loads(done.stdout)
        answer["variables"] = None if answer["variables"] is None else tuple(answer["variables"])
        return Interpreter(**{"device": {}, **answer})
    except OSError as error:
        raise UsageError(
            f"cannot start {words[0]}: {error.strerror}", "--python PY, an interpreter with vLLM"
        ) from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{command}: no answer in {TIMEOUT_S:.0f} s", "--python PY, an interpreter that starts"
        ) from None
    except (ValueError, KeyError, TypeError):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise UsageError(
            f"{command} did not answer: {last[:300]}", "--python PY, an interpreter of Python 3.9 or newer"
        ) from None


def running(command: str, engine_args: dict[str, Any], env: dict[str, str], target: str | None = None) -> Running:
    """The engine that an interpreter would make of arguments. Raises UsageError."""
    found = ask(command, engine_args, env)
    if not found.vllm:
        raise UsageError(f"{command} has no vLLM", "--python PY, the interpreter that trains")
    notes = [
        f"plugins of {group.removeprefix('vllm.')}: {', '.join(points)}" for group, points in found.plugins.items()
    ]
    if found.record is not None:
        one = of_entry(found.record, SOURCE, command, target)
        return one._replace(notes=tuple(notes))
    why = found.error or "the engine's model is not known"
    notes.append(f"its vLLM rejected the arguments: {why}")
    stated = shown(found.vllm, target)
    release = known(stated or target or "", f"{command} has no vLLM")
    return Running(SOURCE, command, release if stated else "", notes=tuple(notes))
