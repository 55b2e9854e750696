"""Rollouts from an engine of the user's: what to ask of it, and recordings from what it answers."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads, read_bytes, read_text
from vllm_migrate.smoke.backends.interface import Backend, Job, Watch
from vllm_migrate.smoke.contract import PROBE as PROBE_CONTRACT
from vllm_migrate.smoke.contract import SAMPLING_NAMES, Contract
from vllm_migrate.smoke.errors import EngineRunError, missing_extra
from vllm_migrate.smoke.recording import PROBE, USER, Header, Recording, Row, first_error
from vllm_migrate.smoke.source import SmokeEngine

M = TypeVar("M", bound=BaseModel)
PROMPT_TOKENS = 24
PROMPTS = 'one prompt per line: {"prompt_token_ids": [1, 2]}, [1, 2], or text for the model\'s tokenizer'


class Ask(NamedTuple):
    """How much to record: `prompts` token ids, or None for `num_prompts` random ones from `seed`."""

    num_prompts: int = 16
    max_tokens: int = 64
    seed: int = 0
    prompts: Sequence[Sequence[int]] | None = None
    probe: bool = True


def override(spec: SmokeEngine, assignments: Iterable[str]) -> SmokeEngine:
    """`spec` with `option=value` assignments; sampling parameters are told from engine arguments by name."""
    args, sampling = dict(spec.engine_args), dict(spec.sampling)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {assignment}: not option=value", remedy="--set logprobs_mode=processed_logprobs")
        try:
            value = loads(text)
        except ValueError:
            value = {"True": True, "False": False, "None": None}.get(text, text)
        scope, _, rest = name.partition(".")
        key = (rest if scope in ("sampling", "engine") and rest else name).replace("-", "_")
        into = sampling if scope == "sampling" or (key in SAMPLING_NAMES and scope != "engine") else args
        into[key] = value
    return spec._replace(engine_args=args, sampling=sampling)


def with_model(spec: SmokeEngine, model: str | None) -> SmokeEngine:
    """`spec` with the model to run. Raises UsageError where neither config nor command line names one."""
    if model is not None:
        return spec._replace(engine_args={**spec.engine_args, "model": model})
    if not spec.engine_args.get("model"):
        raise UsageError(f"{spec.path} does not say which model runs", remedy="--model DIR")
    return spec


def contracts(spec: SmokeEngine, ask: Ask) -> dict[str, dict[str, Any]]:
    """The user's sampling parameters, and the probe's where the user's cannot tell raw from processed logprobs."""
    user = {**spec.sampling, "max_tokens": ask.max_tokens}
    if ask.prompts is None:
        user["ignore_eos"] = True  # random prompts end anywhere; the law of each token is the same
    try:
        Contract.of(user)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{spec.path}: sampling parameter {'.'.join(map(str, first['loc']))}={first['input']!r}: {first['msg']}",
            remedy="correct it there, or --set NAME=VALUE",
        ) from None
    found = {USER: user}
    if ask.probe and Contract.of(user).blind:
        found[PROBE] = {**user, **PROBE_CONTRACT}
    return found


def record_job(spec: SmokeEngine, ask: Ask, reference: Recording | None = None) -> Job:
    """Samples of the user's contract (and of the probe's); with `reference`, its tokens step-scored on the same
    engine.
    """
    named = contracts(spec, ask)
    prompts = ask.prompts or _reference_prompts(reference, ask) or random_prompts(vocabulary(spec), ask)
    requests = [
        {"prompt": list(p), "contract": name, "prompt_index": i} for name in named for i, p in enumerate(prompts)
    ]
    sequences, args = step_sequences(reference) if reference else [], dict(spec.engine_args)
    if sequences and reference is not None:
        named["reference"] = dict(reference.header.sampling.get(USER, {}))
    top_k = max((int(c.get("top_k") or 0) for c in named.values()), default=0)
    if top_k > int(args.get("max_logprobs", 20) or 20) and top_k <= 256:
        args["max_logprobs"] = top_k
    args.setdefault("seed", ask.seed)
    return Job("record", args, named, requests, sequences, {"server": spec.server})


def step_job(spec: SmokeEngine, reference: Recording) -> Job:
    """Protocol B alone: the tokens of `reference` through the engine's sampling path."""
    job = record_job(spec, Ask(probe=False), reference)
    if not job.sequences:
        raise UsageError(
            "this recording's tokens cannot be step-scored: under penalties a prompt is not its own output",
            remedy="vllm-migrate smoke score REC --model DIR",
        )
    return job._replace(mode="step", requests=[])


def step_sequences(reference: Recording) -> list[dict[str, Any]]:
    """The reference's own tokens; none where penalties or min_tokens make a prompt differ from an output."""
    contract = reference.header.contract(USER)
    if contract.has_penalties or contract.min_tokens:
        return []
    return [
        {"prompt": row.prompt, "tokens": row.tokens, "contract": "reference", "prompt_index": row.prompt_index}
        for row in reference.rows
        if row.contract == USER and row.tokens
    ]


def _reference_prompts(reference: Recording | None, ask: Ask) -> list[list[int]]:
    """The prompts of the reference run, so that the two runs answer the same ones."""
    rows = [row for row in reference.rows if row.contract == USER] if reference else []
    return [row.prompt for row in rows[: ask.num_prompts]]


def random_prompts(vocabulary_size: int, ask: Ask) -> list[list[int]]:
    """Seeded token prompts; the first ids, where special tokens live, are left out."""
    generator = random.Random(ask.seed)
    low = min(16, vocabulary_size // 8)
    return [[generator.randrange(low, vocabulary_size) for _ in range(PROMPT_TOKENS)] for _ in range(ask.num_prompts)]


def vocabulary(spec: SmokeEngine) -> int:
    """The vocabulary size in the model's config.json; a small one where the model is not a local folder."""
    try:
        config = loads(read_bytes(os.path.join(str(spec.engine_args["model"]), "config.json")))
    except (OSError, ValueError, KeyError):
        return 1000
    text = config.get("text_config") or config
    return int(text.get("vocab_size") or 1000)


def read_prompts(path: str, model: str | None) -> list[list[int]]:
    """Prompts of a file: JSON Lines with `prompt_token_ids` (or a list of ids), or text lines for the model's
    tokenizer.
    """
    try:
        lines = read_text(path, wait=True).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise UsageError(f"cannot read prompts from {path}: {reason}", remedy=PROMPTS) from None
    found, texts = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = loads(line)
        except ValueError:
            value = line
        if isinstance(value, dict):
            value = value.get("prompt_token_ids") or value.get("prompt_ids") or value.get("prompt")
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list) and value and all(isinstance(v, int) for v in value):
            found.append(value)
        else:
            raise UsageError(f"{path}:{number}: neither token ids nor text: {line[:80]}", remedy=PROMPTS)
    if not found and not texts:
        raise UsageError(f"{path} holds no prompts", remedy=PROMPTS)
    return found + _tokenise(texts, model)


def _tokenise(texts: list[str], model: str | None) -> list[list[int]]:
    if not texts:
        return []
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise missing_extra("transformers") from None
    if model is None:
        raise UsageError("text prompts need the model's tokenizer", remedy="--model DIR, or prompts as token ids")
    tokenizer = AutoTokenizer.from_pretrained(model)
    return [list(tokenizer(text)["input_ids"]) for text in texts]


class Rollout(NamedTuple):
    """What an engine answered: its own samples, and the step scoring of a reference's tokens."""

    samples: Recording
    steps: Recording | None


def _valid(model: type[M], line: dict[str, Any], what: str) -> M:
    """What the engine answered as a record. Raises EngineRunError with the field at fault."""
    try:
        found = model.model_validate(line)
        if isinstance(found, Header):
            for name in found.sampling:
                found.contract(name)
        return found
    except ValidationError as error:
        raise EngineRunError(f"{what} that the engine gave: {first_error(error)}") from None


def check(spec: SmokeEngine) -> None:
    """Raises EngineRunError where the release refuses what the config says."""
    if spec.refused:
        release = f"vLLM {spec.release}" if spec.release else "this release"
        raise EngineRunError(
            f"{release} rejects the config, and the real launch would fail as well: " + "; ".join(spec.refused),
            f"vllm-migrate fix {spec.path} shows what it accepts; --fixed does so in memory",
        )


def run_job(backend: Backend, job: Job, spec: SmokeEngine, watch: Watch) -> Rollout:
    """Runs a job and sorts its rows. Raises EngineRunError."""
    check(spec)
    notes = list(spec.notes)

    def listen(line: dict[str, Any]) -> None:
        if line.get("kind") == "note":
            notes.append(str(line.get("text")))
        watch(line)

    lines = backend.run(job, listen)
    first = next(lines, None)
    if first is None or first.get("kind") != "header":
        raise EngineRunError("the engine gave no header")
    header = _valid(Header, {**first, "source": spec.path, "backend": backend.name}, "the header")
    rows = [_valid(Row, line, f"row {number}") for number, line in enumerate(lines, 1)]
    sampling = {name: value for name, value in header.sampling.items() if name != "reference"}
    loss = {"length": spec.sampling.get("max_tokens"), **spec.loss}
    known = {name: value for name, value in loss.items() if value is not None}
    header = header.model_copy(update={"notes": notes, "sampling": sampling, "loss": known})
    steps = [row.model_copy(update={"contract": USER}) for row in rows if row.phase == "step"]
    samples = Recording(header, [row for row in rows if row.phase != "step"])
    if not job.sequences:
        return Rollout(samples, None)
    stepped = header.model_copy(update={"protocol": "step", "sampling": {USER: job.contracts["reference"]}})
    return Rollout(samples, Recording(stepped, steps))
