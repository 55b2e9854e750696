"""Dumps of the user's own trainer, JSON Lines or Parquet: logprobs of both sides, so that no model is needed.

One sequence a line, under any of the names below; `mask` (1 or true: in the loss) drops the other tokens. Advantages and
weight versions are one number a token, or one for the sequence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import LINE, lines_of, loads, opened, opened_text
from vllm_migrate.smoke.errors import RecordingError
from vllm_migrate.smoke.recording import USER, WANTED, Header, Recording, Row, Scores

NAMES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt_ids", "prompt_token_ids", "prompts", "prompt", "query_ids"),
    "tokens": ("output_ids", "output_token_ids", "response_ids", "responses", "completion_ids", "token_ids", "tokens"),
    "rollout": (
        "rollout_logprobs",
        "rollout_log_probs",
        "sampling_logprobs",
        "sampling_per_token_logps",
        "inference_logprobs",
        "logprobs",
    ),
    "trainer": (
        "trainer_logprobs",
        "trainer_log_probs",
        "actor_logprobs",
        "old_log_probs",
        "old_logprobs",
        "old_per_token_logps",
        "train_logprobs",
    ),
    "entropy": ("trainer_entropy", "entropy", "entropys"),
    "varentropy": ("trainer_varentropy", "varentropy"),
    "mask": ("mask", "loss_mask", "response_mask", "completion_mask"),
    "advantages": ("advantages", "advantage"),
    "versions": ("weight_versions", "versions", "policy_versions", "weight_version", "policy_version"),
}
PARQUET = (".parquet", ".pq")
BATCH = 64  # sequences read from Parquet at once


def is_dump(path: str) -> bool:
    """Whether a file is a trainer's dump rather than a recording."""
    if path.endswith(PARQUET):
        return True
    try:
        with opened_text(path, wait=True) as file:
            first = loads(file.readline(LINE))
    except (OSError, ValueError):
        return False
    if not isinstance(first, dict) or first.get("kind") is not None or "samples" in first:
        return False
    return any(_get(first, part) is not None for part in ("trainer", "rollout", "tokens"))


def read_dump(path: str, sampling: Mapping[str, Any] | None = None) -> Recording:
    """The dump as a recording whose scores are in the column `trainer`. Raises RecordingError, UsageError."""
    values = _parquet(path) if path.endswith(PARQUET) else _json_lines(path)
    rows, unstopped = [], 0
    for number, value in values:
        rows.append(_row(value, f"{path}:{number}", number - 1))
        mask = _get(value, "mask") or [1]
        unstopped += value.get("finish_reason") == "stop" and any(mask) and not mask[-1]
    if not rows:
        raise RecordingError(
            f"{path} has no sequences", remedy="one JSON object per line, or one Parquet row per sequence"
        )
    notes = []
    if unstopped:
        notes.append(f"the loss mask leaves out the last token of {unstopped} sequences that ended with a stop token")
    header = Header(protocol="dump", source=path, sampling={USER: dict(sampling or {})}, notes=notes)
    return Recording(header, rows)


def _parquet(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their numbers, batch by batch."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            f"reading {path} needs pyarrow, which is not installed here",
            remedy="pip install pyarrow, or write the dump as JSON Lines",
        ) from None
    try:
        number = 0
        for batch in pyarrow.parquet.ParquetFile(opened(path)).iter_batches(batch_size=BATCH):
            for value in batch.to_pylist():
                number += 1
                yield number, value
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}", remedy=WANTED) from None
    except pyarrow.ArrowException as error:
        raise RecordingError(f"{path} is not Parquet: {str(error).splitlines()[0]}", remedy=WANTED) from None


def _json_lines(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects with the numbers of their lines."""
    number = 0
    try:
        with opened_text(path, wait=True) as file:
            for number, line in enumerate(lines_of(file), 1):
                if line.strip():
                    value = loads(line)
                    if not isinstance(value, dict):
                        raise RecordingError(f"{path}:{number} is not an object", remedy=WANTED)
                    yield number, value
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}", remedy=WANTED) from None
    except UnicodeDecodeError:
        raise RecordingError(f"{path} is not UTF-8", remedy=WANTED) from None
    except ValueError as error:
        raise RecordingError(f"{path}:{number} is not JSON: {error}", remedy=WANTED) from None


def _get(value: Mapping[str, Any], name: str) -> list[Any] | None:
    for key in NAMES[name]:
        found = value.get(key)
        if isinstance(found, list):
            return found
    return None


def _spread(value: Mapping[str, Any], name: str, length: int) -> list[Any] | None:
    """A field with one value a token, or one for the whole sequence."""
    for key in NAMES[name]:
        found = value.get(key)
        if isinstance(found, list):
            return found
        if found is not None:
            return [found] * length
    if name == "versions" and value.get("weight_version_start") is not None:
        start, end = value["weight_version_start"], value.get("weight_version_end")
        # Where between its ends the version changed is not reported; that it did sets the sequence apart.
        return [start] * length if end in (None, start) or length < 2 else [start] * (length - 1) + [end]
    return None


def _row(value: dict[str, Any], where: str, index: int) -> Row:
    tokens, trainer = _get(value, "tokens"), _get(value, "trainer")
    if tokens is None or trainer is None:
        kind, wanted = ("tokens", "output_ids") if tokens is None else ("trainer", "trainer_logprobs")
        held = ", ".join(map(str, value)) or "nothing"
        raise RecordingError(f"{where}: no {wanted} (it holds {held})", remedy=f"one of {', '.join(NAMES[kind])}")
    rollout = _get(value, "rollout") or [None] * len(tokens)
    mask = _get(value, "mask")
    keep = [i for i in range(len(tokens)) if mask is None or (i < len(mask) and mask[i])]
    if len(trainer) != len(tokens) or len(rollout) != len(tokens):
        keep = list(range(len(tokens)))  # left as it is: counted as a length mismatch

    def pick(values: list[Any] | None) -> list[Any] | None:
        return None if values is None else [values[i] for i in keep if i < len(values)]

    try:
        picked = [None if v is None else float(v) for v in pick(trainer) or []]
        reported = [None if v is None else float(v) for v in pick(rollout) or []]
        for i, v in enumerate(picked[: len(reported)]):
            if v is None or math.isnan(v):
                reported[i] = math.nan  # no evidence: counted before any statistic
        logp = [None if v is None or not math.isfinite(v) else v for v in picked]
        return Row(
            prompt=_get(value, "prompt") or [],
            tokens=[int(tokens[i]) for i in keep],
            logprobs=reported,
            prompt_index=index,
            finish=value.get("finish_reason"),
            versions=pick(_spread(value, "versions", len(tokens))),
            advantages=pick(_spread(value, "advantages", len(tokens))),
            scores={
                "trainer": Scores(
                    logp=logp, entropy=pick(_get(value, "entropy")), varentropy=pick(_get(value, "varentropy"))
                )
            },
        )
    except (TypeError, ValueError) as error:
        messages = str(error).splitlines()
        raise RecordingError(
            f"{where}: {' '.join(messages[:3])}", remedy="lists of numbers, one for each token"
        ) from None
