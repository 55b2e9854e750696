"""A trainer's batch, padded, ragged or packed, as pieces: what one sequence holds on this rank.

Arrays are nested lists or anything with `tolist` (numpy, torch on any device); neither is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypedDict

from vllm_migrate.smoke.validity import SERVER_FLOOR, defect_of

ROUNDING = 0.01  # a trainer's logprob above this is no rounding of 0, bfloat16 included
PER_SEQUENCE_OR_TOKEN = "weight_version has one for each sequence, or one for each token"
LEAST_ENTROPY = -0.1  # below this an entropy is no rounding of 0


class Layout(TypedDict, total=False):
    """What `update` takes beside the columns.

    `trainer_version`: of the weights that scored, counted as `weight_version` is; `step` where it is left out.
    `groups`: one id of its prompt a sequence; `sequences`: one id a sequence, equal on the ranks that share it.
    `cu_seqlens`: boundaries of packed sequences, of the whole packed row; `offset`: where in it this rank's slice begins.
    `rollout_token_ids`: the ids the engine returned, to be compared with those that were scored.
    """

    trainer_version: int | None
    groups: Sequence[Any] | None
    sequences: Sequence[Any] | None
    cu_seqlens: Any
    offset: int
    rollout_token_ids: Any


class Columns(NamedTuple):
    """The columns of a batch, one value a token, aligned: entry i of each belongs to token i."""

    token_ids: Any
    rollout: Any
    trainer: Any
    mask: Any
    versions: Any = None
    entropy: Any = None
    varentropy: Any = None


class Slice(NamedTuple):
    """The tokens of one sequence inside the mask; `starts` are those that begin a turn.

    `first` is False where an earlier slice of a sequence-parallel rank holds its beginning. `left_out` is the token after
    the last one inside the mask and its reported logprob, where there is one.
    """

    number: int
    sequence: Any
    group: Any
    tokens: list[int]
    reported: list[float]
    trainer: list[float | None]
    entropy: list[float] | None
    varentropy: list[float] | None
    versions: Any
    starts: list[int]
    first: bool
    left_out: tuple[int, float | None] | None


class Left(NamedTuple):
    """A sequence without a piece, and why: it is no evidence, or (no fault) `masked` as a whole, or `unread`."""

    kind: str
    number: int = -1
    sequence: Any = None
    group: Any = None


def plain(value: Any) -> Any:
    """`value` with arrays as lists."""
    if getattr(value, "is_nested", False):
        return [part.tolist() for part in value.unbind()]
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(part) if hasattr(part, "tolist") else part for part in value]
    return value


def _rows(value: Any) -> list[list[Any]] | None:
    """A column as one list a row; a flat one is a single row."""
    found = plain(value)
    if found is None:
        return None
    nested = bool(found) and isinstance(found[0], (list, tuple))
    return list(found) if nested else [found] if found else []


class _Cut(NamedTuple):
    """Where a sequence lies: its row, and the columns from `low` to `high`."""

    number: int
    row: int
    low: int
    high: int
    first: bool


def _cuts(lengths: list[int], boundaries: Sequence[int] | None, offset: int) -> list[_Cut]:
    if boundaries is None:
        return [_Cut(row, row, 0, length, True) for row, length in enumerate(lengths)]
    end = offset + (lengths[0] if lengths else 0)
    found = []
    for number, (low, high) in enumerate(pairwise(boundaries)):
        inside = max(low, offset) - offset, min(high, end) - offset
        if inside[0] < inside[1]:
            found.append(_Cut(number, 0, *inside, low >= offset))
    return found


def pieces(columns: Columns, layout: Layout, most: int | None = None) -> Iterator[Slice | Left]:
    """The sequences of a batch. Of more than about `most` tokens a fixed share of whole sequences is read."""
    tokens = _rows(columns.token_ids) or []
    table = [_rows(c) for c in (columns.rollout, columns.trainer, columns.mask, columns.entropy, columns.varentropy)]
    table.append(_rows(layout.get("rollout_token_ids")))
    lengths = [len(tokens), *(len(column) for column in table if column is not None)]
    whole = _unusable(columns, lengths)
    if whole is not None:
        if any(lengths):
            yield Left(whole)
        return
    versions, boundaries = plain(columns.versions), plain(layout.get("cu_seqlens"))
    offset = layout.get("offset", 0)
    if boundaries is not None and not _fits(boundaries, tokens, table[2], layout):
        yield Left("boundaries")
        return
    count = len(tokens) if boundaries is None else len(boundaries) - 1
    if boundaries is None and isinstance(versions, list) and len(versions) != count:
        raise ValueError(PER_SEQUENCE_OR_TOKEN)
    ids = _ids(layout.get("sequences"), count), _ids(layout.get("groups"), count)
    size = sum(map(len, tokens)) if boundaries is None else boundaries[-1]
    stride = math.ceil(size / most) if most and size else 1
    for cut in _cuts([len(row) for row in tokens], boundaries, offset):
        named = [None if known is None else known[cut.number] for known in ids]
        row: list[Any] = [tokens[cut.row], *(None if column is None else column[cut.row] for column in table)]
        if cut.number % stride:
            yield Left("unread", cut.number, *named)
        elif any(column is not None and len(column) != len(row[0]) for column in row):
            yield Left("length-mismatch", cut.number, *named)
        else:
            yield _piece(cut, row, named, _versions_of(versions, cut, len(row[0]), boundaries is not None))


def _unusable(columns: Columns, lengths: Sequence[int]) -> str | None:
    """Why a batch is no evidence as a whole."""
    if columns.rollout is None or columns.trainer is None:
        return "missing-logprobs"
    if columns.rollout is columns.trainer:
        return "same-tensor"
    return "length-mismatch" if len(set(lengths)) > 1 else None


def _fits(boundaries: Sequence[int], tokens: list[list[Any]], mask: list[list[Any]] | None, layout: Layout) -> bool:
    """Whether they rise from 0 over a single row; of what lies behind the last one, nothing may be inside the mask."""
    rising = all(low <= high for low, high in pairwise(boundaries))
    if len(tokens) > 1 or len(boundaries) < 2 or boundaries[0] != 0 or not rising or layout.get("offset", 0) < 0:
        return False
    if not tokens:
        return True
    end = boundaries[-1] - layout.get("offset", 0)
    if "offset" not in layout and end > len(tokens[0]):
        return False
    behind = range(max(0, end), len(tokens[0]))
    return not behind or (mask is not None and not any(mask[0][i] for i in behind if i < len(mask[0])))


def _ids(value: Any, count: int) -> list[Any] | None:
    """One id a sequence. Raises ValueError for another number of them."""
    found = plain(value)
    if found is None:
        return None
    if not isinstance(found, list | tuple) or len(found) != count:
        raise ValueError("groups and sequences have one id for each sequence")
    return [tuple(one) if isinstance(one, list) else one for one in found]


def _versions_of(versions: Any, cut: _Cut, length: int, packed: bool) -> Any:
    """One version of the sequence, or a list with one a token of it. Raises ValueError where they do not fit."""
    if not isinstance(versions, list):
        return versions
    if not packed:
        found = versions[cut.row]
    else:
        flat = versions[0] if versions and isinstance(versions[0], list) else versions
        found = flat if len(flat) == length else flat[cut.number]
    if isinstance(found, list) and len(found) != length:
        raise ValueError(PER_SEQUENCE_OR_TOKEN)
    return found[cut.low : cut.high] if isinstance(found, list) else found


def _piece(cut: _Cut, row: Sequence[Any], named: Sequence[Any], versions: Any) -> Slice | Left:
    columns: list[Any] = [None if column is None else column[cut.low : cut.high] for column in row]
    ids, reported, mask = columns[0], columns[1], columns[3]
    if mask is not None and not all(0 <= inside < math.inf for inside in mask):
        return Left("malformed", cut.number, *named)
    kept = range(len(ids)) if mask is None else [i for i, inside in enumerate(mask) if inside]
    if not kept:
        return Left("masked", cut.number, *named)
    picked = [None if column is None else [column[i] for i in kept] for column in columns]
    tokens, values, scored, _, entropy, varentropy, theirs = picked
    assert tokens is not None and values is not None and scored is not None
    defect = defect_of(values) or _defect(tokens, scored, theirs) or _defect_of_law(entropy, varentropy)
    if defect is not None:
        return Left(defect, cut.number, *named)
    after = kept[-1] + 1
    return Slice(
        cut.number,
        named[0],
        named[1],
        tokens,
        values,
        [None if value is None or value <= SERVER_FLOOR else value for value in scored],
        entropy,
        varentropy,
        [versions[i] for i in kept] if isinstance(versions, list) else versions,
        [j for j, i in enumerate(kept) if (kept[j - 1] != i - 1 if j else i > 0 or cut.first)],
        cut.first,
        (ids[after], reported[after]) if after < len(ids) else None,
    )


def _defect(tokens: Sequence[int], scored: Sequence[float | None], theirs: Sequence[int] | None) -> str | None:
    """What is wrong with the trainer's side of a sequence, or with its ids."""
    if any(value is not None and (math.isnan(value) or value > ROUNDING) for value in scored):
        return "trainer-logprob"
    if not all(0 <= token < math.inf for token in tokens):
        return "impossible-token"
    return "unequal-tokens" if theirs is not None and list(theirs) != list(tokens) else None


def _defect_of_law(entropy: Sequence[float] | None, varentropy: Sequence[float] | None) -> str | None:
    """What is wrong with the entropies of the trainer's distribution; a varentropy below 0 is rounding."""
    low = any(not LEAST_ENTROPY <= value < math.inf for value in entropy or ())
    return "impossible-entropy" if low or not all(map(math.isfinite, varentropy or ())) else None
