"""Recordings: JSON Lines of a header, one row a sequence, and an end line that proves nothing was cut off.

    {"kind": "header", "schema": 1, "protocol": "samples", "vllm": "0.18.1", "engine": "v1", ...}
    {"kind": "row", "prompt": [ids], "tokens": [ids], "logprobs": [nats], ...}
    {"kind": "end", "rows": 16}

Numbers that JSON cannot hold are strings: "nan", "-inf", "inf". In scores, null is a token outside the column's
support.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vllm_migrate.opening import LINE, lines_of, loads, opened_text
from vllm_migrate.smoke.contract import Contract, Order
from vllm_migrate.smoke.errors import RecordingError
from vllm_migrate.smoke.validity import defect_of

SCHEMA = 1
USER, PROBE = "user", "probe"
WANTED = "a recording comes from `vllm-migrate smoke record`; a dump of your own trainer is JSON Lines or Parquet"

M = TypeVar("M", bound=BaseModel)
Protocol = Literal["samples", "step", "update", "prompt_logprobs", "dump"]


class ScoreInfo(BaseModel):
    """How the scores of a recording were made."""

    model_config = ConfigDict(extra="ignore")

    model: str
    dtype: str
    head_dtype: str
    updated_model: str | None = None
    hidden_size: int = 0
    experts: int = 0
    claimed: dict[str, str] = Field(default_factory=dict)  # contract name -> the column of the whole contract


def _one_contract() -> dict[str, dict[str, Any]]:
    return {USER: {}}


class Header(BaseModel):
    """What ran: settings as the engine ended up with them, contracts by name, releases, hardware."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    schema_: int = Field(default=SCHEMA, validation_alias="schema", serialization_alias="schema")
    protocol: Protocol = "samples"
    vllm: str | None = None
    engine: Literal["v0", "v1", "torch", "server", "unknown"] = "unknown"
    model: str | None = None
    source: str | None = None
    backend: str | None = None
    engine_args: dict[str, Any] = Field(default_factory=dict)
    effective: dict[str, Any] = Field(default_factory=dict)
    sampling: dict[str, dict[str, Any]] = Field(default_factory=_one_contract)
    hardware: dict[str, Any] = Field(default_factory=dict)
    update: dict[str, Any] = Field(default_factory=dict)
    loss: dict[str, Any] = Field(default_factory=dict)  # what the config says of its loss, for the clip previews
    scored: str | None = None  # protocol step: the engine whose tokens these are
    notes: list[str] = Field(default_factory=list)
    score: ScoreInfo | None = None

    def contract(self, name: str) -> Contract:
        return Contract.of(self.sampling.get(name, {}))

    @property
    def order(self) -> Order:
        """The order in which this engine cuts; every engine but V0 cuts min_p first."""
        return "v0" if self.engine == "v0" or self.effective.get("order") == "v0" else "v1"

    @property
    def dtype(self) -> str:
        return str(self.effective.get("dtype") or self.engine_args.get("dtype") or "auto").removeprefix("torch.")


class Scores(BaseModel):
    """One column of one sequence, in nats; None in `logp` is a token outside the support."""

    logp: list[float | None]
    entropy: list[float] | None = None
    varentropy: list[float] | None = None


class Row(BaseModel):
    """One sequence. `logprobs` are the engine's own, one per token of `tokens`."""

    model_config = ConfigDict(extra="ignore")

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float | None]
    contract: str = USER
    prompt_index: int | None = None
    finish: str | None = None
    cached: int | None = None
    preempted: int | None = None
    seen_prompt: list[int] | None = None  # the prompt as the engine tokenised it, where it says so
    support: list[list[int]] | None = None  # ids with a finite logprob, where the engine reports its top k
    phase: str | None = None  # protocol update: before, cached, inflight, after, other
    switch: int | None = None  # protocol update: tokens of an in-flight request before the new weights
    versions: list[int | str] | None = None  # weight version per token, where the engine reports it
    advantages: list[float] | None = None  # per token, where the trainer's side gives them
    entropy: list[float] | None = (
        None  # protocol step: of the law the engine scored with, where its support is complete
    )
    varentropy: list[float] | None = None
    scores: dict[str, Scores] | None = None

    @property
    def mixed(self) -> bool:
        """Whether the weights changed under the sequence."""
        return len(set(self.versions or ())) > 1


class Recording(NamedTuple):
    """A recording in memory."""

    header: Header
    rows: list[Row]


def read(path: str | os.PathLike[str]) -> Recording:
    """The recording at `path`. Raises RecordingError."""
    header, rows = stream(path)
    return Recording(header, list(rows))


def stream(path: str | os.PathLike[str]) -> tuple[Header, Iterator[Row]]:
    """The header, and the rows one at a time, so that a large recording needs no memory. Raises RecordingError."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise RecordingError(f"{path} is empty", remedy="record it again")
    if first[1].get("kind") != "header":
        if "samples" in first[1]:
            plain = _plain(first[1], path)
            return plain.header, iter(plain.rows)
        raise RecordingError(
            f"{path} does not start with a recording's header",
            remedy=WANTED,
        )
    if first[1].get("schema") != SCHEMA:
        raise RecordingError(
            f"{path}:1 has schema {first[1].get('schema')!r}; this version reads {SCHEMA}",
            remedy="record it again with this version, or read it with the version that wrote it",
        )
    return _header(first[1], path), _rows(lines, path)


def _header(value: dict[str, Any], path: str | os.PathLike[str]) -> Header:
    """The header, its contracts read once, so that a wrong value is found here."""
    header = _parse(Header, value, path, 1)
    for name in header.sampling:
        try:
            header.contract(name)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(("sampling", name, *map(str, first["loc"])))
            raise RecordingError(f"{path}:1: {where}: {first['msg']}", remedy="record it again") from None
    return header


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with opened_text(os.fspath(path), wait=True) as file:
            for number, line in enumerate(lines_of(file), 1):
                if not line.strip():
                    continue
                try:
                    value = loads(line)
                except ValueError as error:
                    if number > 1:
                        raise RecordingError(f"{path}:{number} is not JSON: {error}", remedy=WANTED) from None
                    value = loads(line + file.read(LINE))  # one object over many lines
                if not isinstance(value, dict):
                    raise RecordingError(f"{path}:{number} is not an object", remedy=WANTED)
                yield number, value
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror}", remedy=WANTED) from None
    except UnicodeDecodeError:
        raise RecordingError(f"{path} is not UTF-8", remedy=WANTED) from None
    except ValueError as error:
        raise RecordingError(f"{path} is not JSON: {error}", remedy=WANTED) from None


def _rows(lines: Iterator[tuple[int, dict[str, Any]]], path: str | os.PathLike[str]) -> Iterator[Row]:
    count, ended = 0, False
    for number, value in lines:
        if value.get("kind") == "end":
            if value.get("rows") != count:
                raise RecordingError(
                    f"{path}:{number} promises {value.get('rows')} rows and the file holds {count}",
                    remedy="record it again",
                )
            ended = True
        elif value.get("kind") == "row":
            count += 1
            yield _parse(Row, value, path, number)
    if not ended:
        raise RecordingError(f"{path} was cut off after {count} rows: it has no end line", remedy="record it again")


def _parse(model: type[M], value: dict[str, Any], path: str | os.PathLike[str], number: int) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise RecordingError(f"{path}:{number}: {first_error(error)}", remedy="record it again") from None


def first_error(error: ValidationError) -> str:
    """The field that is wrong, and how."""
    first = error.errors()[0]
    return ": ".join(part for part in (".".join(map(str, first["loc"])), first["msg"]) if part)


def _plain(value: dict[str, Any], path: str | os.PathLike[str]) -> Recording:
    """A single object {vllm, engine: {args}, sampling, samples: [{prompt, tokens, logprobs}]}."""
    args = value.get("engine") or {}
    v1 = "v1" in str(value.get("engine_class", "v1"))
    header = {
        "vllm": value.get("vllm"),
        "engine": "v1" if v1 else "v0",
        "engine_args": args,
        "effective": args,
        "sampling": {USER: value.get("sampling") or {}},
        "source": str(path),
    }
    samples = value["samples"]
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise RecordingError(f"{path}:1: samples is not a list of objects", remedy="record it again")
    rows = [_parse(Row, {**s, "prompt_index": i}, path, i + 1) for i, s in enumerate(samples)]
    return Recording(_header(header, path), rows)


def encode(value: Any) -> Any:
    """`value` with numbers that JSON cannot hold as strings; floats keep nine significant digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def write(path: str | os.PathLike[str], header: Header, rows: Iterable[Row]) -> int:
    """Writes a recording beside `path` and renames it into place; returns the number of rows."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    count = 0
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            head = header.model_dump(by_alias=True, exclude_none=True)
            file.write(json.dumps({"kind": "header", **encode(head)}, default=str) + "\n")
            for row in rows:
                file.write(json.dumps({"kind": "row", **encode(row.model_dump(exclude_none=True))}) + "\n")
                count += 1
            file.write(json.dumps({"kind": "end", "rows": count}) + "\n")
        os.replace(temporary, target)
    except OSError as error:
        raise RecordingError(
            f"cannot write {target}: {error.strerror}", remedy="-o FILE, in a folder to write to"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
    return count


def defect(row: Row) -> str | None:
    """Why a row is no evidence, or None. The kinds are counted before any statistic."""
    if row.finish in ("abort", "aborted", "error"):
        return "aborted"
    if not row.tokens:
        return "empty"
    if len(row.tokens) != len(row.logprobs):
        return "length-mismatch"
    found = defect_of(row.logprobs)
    if found is not None:
        return found
    if min(row.tokens) < 0:
        return "impossible-token"
    if row.seen_prompt is not None and row.seen_prompt != row.prompt:
        return "unequal-prompt"
    if _dead_end(row):
        return "dead-end-token-0"
    beside = [s.logp for s in (row.scores or {}).values()] + [
        v for v in (row.versions, row.advantages) if v is not None
    ]
    if any(len(values) != len(row.tokens) for values in beside):
        return "length-mismatch"
    return None


def _dead_end(row: Row) -> bool:
    """A grammar with no way on makes every logit -inf; the sampler then returns token 0 again and again."""
    tail = row.tokens[-4:]
    return len(tail) == 4 and not any(tail) and len(set(row.logprobs[-4:])) == 1


def valid(rows: Sequence[Row]) -> tuple[list[Row], dict[str, int]]:
    """The rows that are evidence, and the others counted by kind."""
    kinds: Counter[str] = Counter()
    good = []
    for row in rows:
        kind = defect(row)
        if kind is None:
            good.append(row)
        else:
            kinds[kind] += 1
    return good, dict(kinds)


def first_defects(rows: Sequence[Row]) -> list[str]:
    """For each kind of row that is no evidence, the first one."""
    found: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        kind = defect(row)
        if kind is not None:
            found.setdefault(kind, number)
    return [f"{kind}: first in row {number} of {len(rows)}" for kind, number in found.items()]
