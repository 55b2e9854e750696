"""Run an oracle script inside a vLLM's interpreter, with a timeout, clear errors and cached answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

VARIABLES = {"0.8.5": "VLLM_MIGRATE_REAL_0_8_5", "0.18.1": "VLLM_MIGRATE_REAL_0_18_1"}
RELEASES = tuple(VARIABLES)
# Further releases, VLLM_MIGRATE_REAL_MORE=0.12.0=PYTHON:0.24.0=PYTHON: release -> interpreter.
MORE = dict(pair.split("=", 1) for pair in os.environ.get("VLLM_MIGRATE_REAL_MORE", "").split(":") if "=" in pair)
ORACLES = Path(__file__).parent
TIMEOUT_S = 420
# vLLM looks at a model's class in a process of its own, which can fail on a busy machine: no answer to keep.
PASSING = "failed to be inspected"
# Findings that do not say that the release refuses what is written; what the last two name the engine refuses.
NOT_THE_PARSERS = (
    "yaml-false-dropped",
    "deprecated-option",
    "partial-prefills",
    "more-ranks-than-gpus",
    "kv-connector-removed",
    "model-removed",
    "value-removed",  # the model configuration refuses it
    "value-out-of-bounds",  # the configuration does
)
# What some options' own types refuse when they are parsed, and the engine's configuration refuses for the others.
MAYBE_THE_ENGINES = {"attention-backend-gone", "nested-key-refused", "refused-combination"}


def agree(found: list[str], accepted: bool) -> bool:
    """Whether names of findings that stop a server fit a parser's answer."""
    return set(found) <= MAYBE_THE_ENGINES if accepted else bool(found)


class OracleError(RuntimeError):
    """The script did not answer: no such interpreter, a crash, a timeout, or output that is not JSON."""


def cache_root() -> Path:
    """Folder of releases and answers: $VLLM_MIGRATE_REAL_DIR, else ~/.cache/vllm-migrate-real."""
    return Path(os.environ.get("VLLM_MIGRATE_REAL_DIR") or "~/.cache/vllm-migrate-real").expanduser()


def named_pythons() -> dict[str, str]:
    """release: the interpreter that its variable names. Raises OracleError."""
    found = {}
    for release, variable in VARIABLES.items():
        if not os.environ.get(variable):
            raise OracleError(f"set {variable} to a python that imports vLLM {release}")
        found[release] = os.environ[variable]
    return found


def run_oracle(
    py: str, script: str, cases: list[dict[str, Any]], *arguments: str, timeout_s: float = TIMEOUT_S
) -> list[dict[str, Any]]:
    """One answer per case from `script` (a file name in this folder) run by the interpreter `py`.

    Answers are kept under cache_root() by interpreter, oracle sources, arguments and cases.
    Raises OracleError.
    """
    key = _key(py, arguments, script, cases)
    kept = cache_root() / "answers" / f"{key}.json"
    if kept.is_file():
        return _checked(kept.read_text(encoding="utf-8"), cases, script)
    command = [py, str(ORACLES / script), *arguments]
    try:
        done = subprocess.run(
            command, input=json.dumps(cases), capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OracleError(f"{script} under {py}: no answer in {timeout_s:.0f} s") from error
    except OSError as error:
        raise OracleError(f"{script} under {py}: {error}") from error
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-15:])
        raise OracleError(f"{script} under {py}: exit {done.returncode}\n{tail}")
    answers = _checked(done.stdout, cases, script)
    if PASSING not in done.stdout:
        _keep(kept, done.stdout)
    return answers


def _key(py: str, arguments: tuple[str, ...], script: str, cases: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    interpreter = Path(py)
    stamp = interpreter.stat().st_mtime_ns if interpreter.exists() else 0
    digest.update(json.dumps([py, stamp, arguments, script, cases], sort_keys=True).encode())
    for source in sorted({script, "serve_parser.py"}):  # the other scripts import it
        digest.update((ORACLES / source).read_bytes())
    return digest.hexdigest()[:32]


def _checked(text: str, cases: list[dict[str, Any]], script: str) -> list[dict[str, Any]]:
    try:
        answers = json.loads(text)
    except ValueError as error:
        raise OracleError(f"{script}: output is not JSON: {text[:200]!r}") from error
    if not isinstance(answers, list) or len(answers) != len(cases):
        raise OracleError(f"{script}: {len(cases)} cases, but not as many answers: {text[:200]!r}")
    return answers


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
