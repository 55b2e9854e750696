"""From the user's file to an engine to run: what reaches vLLM at one release, by the way its dialect takes.

A JSON file with the keys `engine_args` and, if need be, `sampling` and `env` is taken as it is, for engines that no
file of a known framework describes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads, read_bytes

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Written
    from vllm_migrate.dialects.situation import Situate
    from vllm_migrate.resolve.view import View
    from vllm_migrate.run.judging import JudgedEngine, Result

# The positional argument of `vllm serve`.
MODEL_KEYS = ("model", "model_tag", "model-tag")
# The sampling parameters that a rollout repeats.
SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "allowed_token_ids",
    "min_tokens",
    "max_tokens",
    "stop_token_ids",
    "ignore_eos",
    "bad_words",
)


STOP_STRINGS = (
    "stop strings are left out here; in training they leave token ids past the end of the text: mask those in the loss"
)


class SmokeEngine(NamedTuple):
    """One engine of a config at one release.

    engine_args: EngineArgs by name; sampling: the request's parameters; env: variables of its process; server: whether
    a server fills in the model's generation_config; pause: arguments of pause_generation, where the config has them;
    refused: what the release would refuse at start; notes: what could not be carried over; loss: of the RL loss, the
    clip range (`epsilon_low`, `epsilon_high`), whether that is a sequence's (`per_sequence`, GSPO) and the responses' `length`;
    release: whose arguments these are, "" where the file gives them as they are.
    """

    engine_args: dict[str, Any]
    sampling: dict[str, Any]
    env: dict[str, str]
    role: str
    path: str
    engine_id: str
    server: bool = False
    pause: dict[str, Any] = {}
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    loss: dict[str, Any] = {}
    release: str = ""


def check_file(path: str) -> None:
    """Raises UsageError unless a path is a file's."""
    if not os.path.isfile(path):
        what = f"{path} is a folder" if os.path.isdir(path) else f"no file {path}"
        raise UsageError(
            what, remedy="give the file with the engine in it; `vllm-migrate effective PATH` lists engines"
        )


def load_engine(
    path: str, release: str, engine_id: str | None = None, *, source: str = "0.8.5", fixed: bool = False
) -> SmokeEngine:
    """The engine of the file at `path` as it runs on `release`.

    `engine_id` chooses where there are several (the id, or its role). `fixed` applies the safe fixes for a move from
    `source` in memory; the file is never written. Raises UsageError.
    """
    check_file(path)
    plain = plain_engine(path)
    if plain is not None:
        if fixed:
            raise UsageError(
                f"--fixed needs a config of a known framework, and {path} holds engine arguments in JSON",
                remedy="without --fixed, with the pins written into engine_args",
            )
        return plain
    return _from_dialect(path, release, engine_id, source, fixed)


def plain_engine(path: str) -> SmokeEngine | None:
    """A JSON object with `engine_args`; None for any other file."""
    if not path.endswith(".json"):
        return None
    try:
        value = loads(read_bytes(path, wait=True))
    except (OSError, ValueError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("engine_args"), dict):
        return None
    env = {str(k): str(v) for k, v in (value.get("env") or {}).items()}
    return SmokeEngine(
        dict(value["engine_args"]),
        dict(value.get("sampling") or {}),
        env,
        "rl_rollout",
        path,
        "engine",
        bool(value.get("server")),
        dict(value.get("pause") or {}),
        loss=dict(value.get("loss") or {}),
    )


def _from_dialect(path: str, release: str, engine_id: str | None, source: str, fixed: bool) -> SmokeEngine:
    judged, notes = judged_engine(path, release, engine_id, source, fixed)
    view: View = judged.target if judged.target.release == release else judged.source
    return engine_at(path, view, notes)


def judged_engine(
    path: str, release: str, engine_id: str | None, source: str, fixed: bool
) -> tuple[JudgedEngine, list[str]]:
    """The engine of a file of a known framework, and the fixes made in memory, as notes. Raises UsageError."""
    texts: dict[str, str] = {}
    result = _run(path, source, release, texts)
    notes: list[str] = []
    if fixed:
        texts, notes = _fixed(result, source, release)
        result = _run(path, source, release, texts)
    return _choose(path, result, engine_id), notes


def _move(source: str, release: str) -> Situate:
    """The move that a smoke run makes, whatever the project pins."""
    from vllm_migrate.dialects.situation import Known, Situation, everywhere

    return everywhere(Situation(Known(source), Known(release)))


def _run(path: str, source: str, release: str, texts: dict[str, str]) -> Result:
    from vllm_migrate.catalog.store import load as load_catalog
    from vllm_migrate.dialects.workspace import Workspace
    from vllm_migrate.knowledge.load import load as load_knowledge
    from vllm_migrate.run.judging import Run

    workspace = Workspace([path], texts, situate=_move(source, release))
    run = Run(load_catalog(), load_knowledge(), workspace, keep=True)
    text = texts.get(os.path.normpath(path))
    run.judge_file(path, named=True, data=None if text is None else text.encode())
    return run.finish()


def _fixed(result: Result, source: str, release: str) -> tuple[dict[str, str], list[str]]:
    """The texts with safe fixes made, and what was done."""
    from vllm_migrate.catalog.store import load as load_catalog
    from vllm_migrate.documents.interface import apply_edits
    from vllm_migrate.fixes.apply import Fixer, fix_all
    from vllm_migrate.knowledge.load import load as load_knowledge

    fixer = Fixer(load_catalog(), load_knowledge(), situate=_move(source, release))
    outcome = fix_all(result.findings, fixer, False)
    texts = {os.path.normpath(file.path): apply_edits(file.source.text, edits) for file, edits in outcome.edits.items()}
    return texts, [f"--fixed: {finding.code} {finding.name} applied in memory" for finding in outcome.applied]


def _choose(path: str, result: Result, engine_id: str | None) -> JudgedEngine:
    engines = [judged for judged in result.judged if judged.engine.file.path == path] or result.judged
    if not engines:
        problem = f": {result.problems[0].message}" if result.problems else ""
        raise UsageError(
            f"no vLLM engine was recognised in {path}{problem}",
            remedy="see `vllm-migrate dialects`, or give a JSON file with engine_args",
        )
    names = [judged.engine.id for judged in engines]
    if engine_id is not None:
        wanted = [j for j in engines if engine_id in (j.engine.id, j.engine.role)]
        if not wanted:
            raise UsageError(f"{path} has no engine {engine_id!r}", remedy="--engine " + " or ".join(names))
        return wanted[0]
    rollouts = [judged for judged in engines if judged.engine.role == "rl_rollout"]
    if len(engines) > 1 and len(rollouts) != 1:
        raise UsageError(f"{path} has {len(engines)} engines", remedy="--engine " + " or ".join(names))
    return (rollouts or engines)[0]


def engine_at(path: str, view: View, notes: Sequence[str] = ()) -> SmokeEngine:
    """What reaches vLLM of the engine of a view."""
    from vllm_migrate.dialects.model import Engine
    from vllm_migrate.knowledge.expr import Undetermined

    engine, catalog, notes = view.engine, view.catalog, list(notes)
    assert isinstance(engine, Engine)
    known = catalog.names("engine", view.release) | catalog.names("llm", view.release)
    args: dict[str, Any] = {}
    left_out: list[str] = []
    for option, arrived in view.delivery.values.items():
        if isinstance(arrived.value, Undetermined):
            if arrived.written is not None:
                notes.append(f"{option} is left to vLLM's default: it depends on {'; '.join(arrived.value.reasons)}")
        elif option in known and arrived.value is not None:
            args[option] = _typed(option, arrived.value)
        elif option not in known and option not in MODEL_KEYS and arrived.written is not None:
            left_out.append(option)
    if left_out:
        notes.append(f"left out, for they are no engine arguments: {', '.join(left_out)}")
    for written in engine.options:  # the model of `vllm serve MODEL`
        if written.key in MODEL_KEYS and isinstance(written.value, str):
            args.setdefault("model", written.value)
    sampling, env = {}, {}
    for name, fact in engine.facts.items():
        kind, _, rest = name.partition(".")
        if isinstance(fact.value, Undetermined) or fact.value is None:
            continue
        if kind == "sampling" and rest in SAMPLING:
            sampling[rest] = fact.value
        elif name == "sampling.stop" and fact.value:
            notes.append(STOP_STRINGS)
        elif kind == "env":
            env[rest] = str(fact.value)
    if str(args.get("load_format", "")).startswith("dummy"):
        notes.append(f"load_format {args.pop('load_format')} left out: the rollout needs the checkpoint's weights")
    refused = tuple(
        f"{_place(t.written)}: {'unknown option ' if t.kind == 'unknown' and t.text.startswith('-') else ''}{t.text}"
        for t in view.delivery.diagnostics
        if t.kind in REFUSALS and t.certain and t.written.key not in MODEL_KEYS
    )
    notes += [f"{_place(t.written)}: {t.text}" for t in view.delivery.diagnostics if t.kind not in REFUSALS]
    via = engine.facts.get("sampling.via")
    server = (via.value if via is not None else "explicit") in ("http", "request")
    return SmokeEngine(
        args,
        sampling,
        env,
        engine.role,
        path,
        engine.id,
        server,
        _prefixed(engine.facts, "pause."),
        refused,
        tuple(notes),
        _prefixed(engine.facts, "loss."),
        view.release,
    )


def _place(written: Written) -> str:
    """file:line of a setting, and its key."""
    spot = written.spot
    if spot is None:
        return written.key
    return f"{spot.file.path}:{spot.file.source.position(spot.start).line} {written.key}"


# Troubles on the way that end a launch; the others change what arrives.
REFUSALS = ("unknown", "ambiguous", "choice", "value", "missing", "duplicate")
UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}


def _typed(option: str, value: Any) -> Any:
    """Text that vLLM's own parser would read as a size ("20000", "2k") or as JSON."""
    if not isinstance(value, str):
        return value
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgKMG]?)", value)
    if size and option.startswith(("max_", "num_", "kv_cache_memory", "block_size")):
        return int(float(size[1]) * UNITS[size[2]])
    if value.startswith(("{", "[")):
        try:
            return loads(value)
        except ValueError:
            return value
    return value


def _prefixed(given: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Facts of one kind that the config decides; None and what depends on something else are left out."""
    from vllm_migrate.knowledge.expr import Undetermined

    found = {name.removeprefix(prefix): fact.value for name, fact in given.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if value is not None and not isinstance(value, Undetermined)}
