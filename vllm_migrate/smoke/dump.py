"""Dumps of the user's own trainer, JSON Lines or Parquet: logprobs of both sides, so that no model is needed.

One sequence a line, under any of the names below; `mask` (1 or true: in the loss) drops the other tokens.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.errors import RecordingError
from vllm_migrate.smoke.recording import USER, Header, Recording, Row, Scores

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
}


def is_dump(path: str) -> bool:
    """Whether a file is a trainer's dump rather than a recording."""
    if path.endswith((".parquet", ".pq")):
        return True
    try:
        with open(path, encoding="utf-8") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and first.get("kind") != "header" and _get(first, "trainer") is not None


def read_dump(path: str, sampling: Mapping[str, Any] | None = None) -> Recording:
    """The dump as a recording whose scores are in the column `trainer`. Raises RecordingError."""
    rows = [_row(value, f"{path}:{number}", number - 1) for number, value in enumerate(_values(path), 1)]
    if not rows:
        raise RecordingError(f"{path} is empty")
    header = Header(protocol="dump", source=path, sampling={USER: dict(sampling or {})})
    return Recording(header, rows)


def _values(path: str) -> Iterator[dict[str, Any]]:
    if path.endswith((".parquet", ".pq")):
        try:
            import pyarrow.parquet
        except ImportError:
            raise UsageError(
                "reading Parquet needs pyarrow, which is not installed here",
                remedy="pip install pyarrow, or write the dump as JSON Lines",
            ) from None
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
        return
    try:
        for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise RecordingError(f"{path}:{number} is not an object")
                yield value
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RecordingError(f"{path} is not JSON Lines: {error}") from None


def _get(value: Mapping[str, Any], name: str) -> list[Any] | None:
    for key in NAMES[name]:
        found = value.get(key)
        if isinstance(found, list):
            return found
    return None


def _row(value: dict[str, Any], where: str, index: int) -> Row:
    tokens, trainer = _get(value, "tokens"), _get(value, "trainer")
    if tokens is None or trainer is None:
        missing = "output_ids" if tokens is None else "trainer_logprobs"
        raise RecordingError(
            f"{where}: no {missing}; known names: {', '.join(NAMES['tokens' if tokens is None else 'trainer'])}"
        )
    rollout = _get(value, "rollout") or [None] * len(tokens)
    mask = _get(value, "mask")
    keep = [i for i in range(len(tokens)) if mask is None or (i < len(mask) and mask[i])]
    if len(trainer) != len(tokens) or len(rollout) != len(tokens):
        keep = list(range(len(tokens)))  # left as it is: counted as a length mismatch

    def pick(values: list[Any] | None) -> list[Any] | None:
        return None if values is None else [values[i] for i in keep if i < len(values)]

    picked, told = pick(trainer) or [], pick(rollout) or []
    logp = [None if v is None or not math.isfinite(v) else float(v) for v in picked]
    for i, v in enumerate(picked[: len(told)]):
        if v is None or math.isnan(v):
            told[i] = math.nan  # no evidence: counted before any statistic
    scores = Scores(logp=logp, entropy=pick(_get(value, "entropy")), varentropy=pick(_get(value, "varentropy")))
    return Row(
        prompt=_get(value, "prompt") or [],
        tokens=[int(tokens[i]) for i in keep],
        logprobs=told,
        prompt_index=index,
        finish=value.get("finish_reason"),
        scores={"trainer": scores},
    )
