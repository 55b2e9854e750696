"""Sums of a piece, by how stale its tokens are; and a window of them, which merges over steps and ranks by addition."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import expm1
from operator import mul
from typing import Any, Literal, NamedTuple

from vllm_migrate.parity.batch import Columns, Layout, Left, Slice, pieces
from vllm_migrate.parity.contract import Contract
from vllm_migrate.smoke.stats import Sums, merge, shifted, sums

# fresh: drawn by the weights that score, after a prefix of the same weights. mixed: drawn by them after an update within
# the sequence, so that keys and values may be older. stale: drawn by older weights. unknown: no version says.
Bin = Literal["fresh", "mixed", "stale", "unknown"]
Key = tuple[Any, ...]
Counts = defaultdict[str, float]

# A token's k3 counts for 1 nat at most in what must not hang on a few tokens: e^x - 1 - x is 1 at these x.
CAP_LOW, CAP_HIGH = -1.8414, 1.1461
STILL = 1e-5  # |x| below this is float32 rounding, on neither side
CERTAIN, UNLIKELY = 0.0, math.log(0.05)  # reported as certain, and unlikely for the trainer: never sampled
CONFIDENT, DOUBTED = math.log(0.9), math.log(0.5)
LONG_ENOUGH = 16  # tokens from which on one sequence alone shows that its logprobs are moved
APART = 0.02  # mean |x| in nats from which on it is asked
CONTROL = 4096  # tokens that are enough for the positive control


class Tally(NamedTuple):
    """Sums over the tokens of one cluster in one bin; the capped k3 of all, and of its first and last three tenths."""

    sums: Sums
    capped: float
    first: float
    last: float

    @classmethod
    def merged(cls, parts: Sequence[Tally]) -> Tally:
        if len(parts) == 1:
            return parts[0]
        capped, first, last = (math.fsum(column) for column in list(zip(*parts, strict=True))[1:])
        return cls(merge([part.sums for part in parts]), capped, first, last)


class Window(NamedTuple):
    """What has been seen since the last look. `clusters`: prompt groups, else sequences. `ratios`: sum of x and tokens of
    each sequence. `starts`: capped k3 of tokens that begin a turn, and their number, by cluster. `members`: sequences of a
    group. `counts`: the rest, by name; faults are named `fault:KIND`.
    """

    clusters: dict[tuple[Key, Bin], list[Tally]]
    ratios: dict[Key, tuple[float, int]]
    starts: dict[Key, tuple[float, int]]
    members: dict[Key, set[Key]]
    counts: Counts

    @classmethod
    def empty(cls) -> Window:
        return cls({}, {}, {}, {}, defaultdict(float))

    @classmethod
    def merged(cls, parts: Sequence[Window]) -> Window:
        """The windows of all ranks, in their order; sequences without an id are one rank's own."""
        if len(parts) == 1:
            return parts[0]
        whole = cls.empty()
        for rank, part in enumerate(parts):
            own = {key: _owned(key, rank) for key in part.ratios}
            own |= {key: _owned(key, rank) for key, _ in part.clusters}
            for (key, kind), tallies in part.clusters.items():
                whole.clusters.setdefault((own[key], kind), []).extend(tallies)
            for key, (x, n) in part.ratios.items():
                _add(whole.ratios, own[key], x, n)
            for key, (k3, n) in part.starts.items():
                _add(whole.starts, own[key], k3, n)
            for key, sequences in part.members.items():
                whole.members.setdefault(key, set()).update(_owned(s, rank) for s in sequences)
            for name, value in part.counts.items():
                whole.counts[name] += value
        return whole

    @property
    def faulty(self) -> bool:
        """Whether anything in it is no evidence."""
        return any(n for name, n in self.counts.items() if name.startswith("fault:"))

    def add(self, columns: Columns, layout: Layout, contract: Contract, where: Where) -> None:
        """Adds a batch; what of it has no shape of a batch is counted, and said in a warning."""
        try:
            self._read(columns, layout, contract, where)
        except (TypeError, ValueError, IndexError, AttributeError, OverflowError, RuntimeError) as error:
            self.counts["fault:malformed"] += 1
            what = f"batch {where.call} at step {where.step} cannot be read: {type(error).__name__}: {error}"
            warnings.warn(what, RuntimeWarning, stacklevel=3)

    def _read(self, columns: Columns, layout: Layout, contract: Contract, where: Where) -> None:
        for piece in pieces(columns, layout, where.most):
            key: Key = _key(piece.sequence, where, piece.number, layout)
            group: Key = key if piece.group is None else ("group", piece.group)
            if piece.group is not None:
                self.members.setdefault(group, set()).add(key)
            if isinstance(piece, Left):
                self.counts[piece.kind if piece.kind in ("masked", "unread") else f"fault:{piece.kind}"] += 1
                continue
            bins = _bins(piece, contract, where)
            if bins is None:
                self.counts["fault:version-ahead"] += 1
                continue
            self._measure(piece, key, group, bins, contract)

    def _measure(self, piece: Slice, key: Key, group: Key, bins: Bin | list[Bin], contract: Contract) -> None:
        pairs = list(zip(piece.trainer, piece.reported, strict=True))
        x = [a - r for a, r in pairs if a is not None]
        if len(x) == len(pairs):
            capped = [expm1(v) - v if CAP_LOW < v < CAP_HIGH else 1.0 for v in x]
        else:
            capped = [0.0 if a is None else _capped(a - r) for a, r in pairs]
        tenths = len(capped) * 3 // 10
        whole = Tally(_sums(piece), sum(capped), sum(capped[:tenths]), sum(capped[len(capped) - tenths :]))
        if isinstance(bins, str):
            self.clusters.setdefault((group, bins), []).append(whole)
        else:
            for kind in dict.fromkeys(bins):
                at = [i for i, found in enumerate(bins) if found == kind]
                part = Tally(_sums(_picked(piece, at)), sum(capped[i] for i in at), whole.first, whole.last)
                self.clusters.setdefault((group, kind), []).append(part)
        _add(self.ratios, key, math.fsum(x), len(x))
        _add(self.starts, group, sum(capped[i] for i in piece.starts), len(piece.starts))
        later = piece.starts[1:] and capped[piece.starts[1] :]
        self.counts["later_turns"] += len(later)
        self.counts["later_turns_k3"] += sum(later)
        _count(self.counts, piece, x, capped, contract)


class Where(NamedTuple):
    """When and by which weights a batch was scored; `call` numbers batches, `most` tokens of it are read."""

    step: int
    call: int
    version: Any
    opening: bool  # nothing was trained before: what was sampled is of the weights that score
    most: int | None


def _key(sequence: Any, where: Where, number: int, layout: Layout) -> Key:
    if sequence is not None:
        return ("sequence", where.step, sequence)
    shared = layout.get("cu_seqlens") is not None and "offset" in layout
    return ("slice", where.call, number) if shared else ("own", 0, where.call, number)


def _owned(key: Key, rank: int) -> Key:
    return ("own", rank, *key[2:]) if key[0] == "own" else key


def _add(found: dict[Key, tuple[float, int]], key: Key, value: float, n: int) -> None:
    if n:
        before = found.get(key, (0.0, 0))
        found[key] = (before[0] + value, before[1] + n)


def _capped(x: float) -> float:
    """The k3 of a token, 1 nat at most; a token outside the trainer's support is counted by itself."""
    return expm1(x) - x if CAP_LOW < x < CAP_HIGH else 1.0


def _sums(piece: Slice) -> Sums:
    """Where no varentropy is there, the square of surprisal minus entropy stands for it: that is its expectation."""
    varentropy = piece.varentropy
    if piece.entropy is not None and varentropy is None:
        pairs = zip(piece.trainer, piece.entropy, strict=True)
        varentropy = [0.0 if a is None else (-a - h) ** 2 for a, h in pairs]
    return sums(piece.trainer, piece.reported, piece.entropy, varentropy)


def _picked(piece: Slice, at: Sequence[int]) -> Slice:
    def pick(values: Any) -> Any:
        return None if values is None else [values[i] for i in at]

    names = ("tokens", "reported", "trainer", "entropy", "varentropy")
    return piece._replace(**{name: pick(getattr(piece, name)) for name in names})


def _bins(piece: Slice, contract: Contract, where: Where) -> Bin | list[Bin] | None:
    """How stale a piece is, as a whole or by token; None where a version is newer than the trainer's."""
    versions = piece.versions
    if versions is None:
        return "fresh" if contract.lag == 0 or where.opening else "unknown"
    if not isinstance(versions, list):
        versions = [versions]
    if any(isinstance(v, int) and isinstance(where.version, int) and v > where.version for v in versions):
        return None
    found: list[Bin] = []
    for version in versions:
        if version is None:
            found.append("unknown")
        elif version != where.version:
            found.append("stale")
        else:
            pure = piece.first or not isinstance(piece.versions, list)
            found.append("mixed" if version != versions[0] else "fresh" if pure else "unknown")
    return found[0] if len(set(found)) == 1 else found


def _count(counts: Counts, piece: Slice, x: Sequence[float], capped: Sequence[float], contract: Contract) -> None:
    """What is counted over all tokens, whatever their bin."""
    if not x:
        return
    least, largest = min(x), max(x)
    low, high = math.log1p(-contract.epsilon[0]), math.log1p(contract.epsilon[1])
    counts["tokens"] += len(x)
    if contract.per_sequence:
        mean = sum(x) / len(x)
        counts["clip_low"], counts["clip_high"] = counts["clip_low"] + (mean < low), counts["clip_high"] + (mean > high)
    else:
        counts["clip_low"] += sum(v < low for v in x) if least < low else 0
        counts["clip_high"] += sum(v > high for v in x) if largest > high else 0
    counts["below"] += sum(v < -STILL for v in x) if least < -STILL else 0
    counts["above"] += sum(v > STILL for v in x) if largest > STILL else 0
    counts["equal"] += x.count(0.0)
    if least < DOUBTED - CONFIDENT or largest > CONFIDENT - DOUBTED:
        _disagreements(counts, piece)
    _alignment(counts, piece, sum(map(abs, x)) / len(x))
    _slope(counts, piece)
    _end(counts, piece, contract)


def _disagreements(counts: Counts, piece: Slice) -> None:
    for a, r in zip(piece.trainer, piece.reported, strict=True):
        if a is None:
            continue
        counts["confident"] += (r > CONFIDENT and a < DOUBTED) or (a > CONFIDENT and r < DOUBTED)
        counts["unsampled"] += r >= CERTAIN and a < UNLIKELY


def _alignment(counts: Counts, piece: Slice, apart: float) -> None:
    """Whether this sequence's logprobs agree better when they are moved by one token, inside its own boundaries; asked
    of sequences whose logprobs lie `apart`, and of some for the positive control.
    """
    n = len(piece.tokens)
    if counts["moved"] < CONTROL:
        moved, pairs = shifted(piece.trainer, piece.reported, 1)
        here, _ = shifted(piece.trainer, piece.reported, 0)
        for name, value in (("moved_x", moved), ("moved", pairs), ("still_x", here), ("still", n)):
            counts[name] += value
    if n < LONG_ENOUGH or apart < APART:
        return
    here = shifted(piece.trainer, piece.reported, 0)[0] / n
    best = min(moved / pairs for moved, pairs in (shifted(piece.trainer, piece.reported, by) for by in (-1, 1)))
    counts["fault:shifted-by-one"] += best < here / 4


def _slope(counts: Counts, piece: Slice) -> None:
    """Sums for the slope of the trainer's logprobs on the reported ones: 1/T where raw ones were reported."""
    pairs = [(a, r) for a, r in zip(piece.trainer, piece.reported, strict=True) if a is not None]
    a, r = zip(*pairs, strict=True)
    for name, value in (("a", sum(a)), ("r", sum(r)), ("ar", sum(map(mul, a, r))), ("rr", sum(map(mul, r, r)))):
        counts[f"slope_{name}"] += value


def _end(counts: Counts, piece: Slice, contract: Contract) -> None:
    if piece.left_out is None or not contract.stop_token_ids:
        return
    token, logprob = piece.left_out
    ends = token in contract.stop_token_ids and piece.tokens[-1] not in contract.stop_token_ids
    counts["end_left_out"] += bool(ends and logprob)


def slope(counts: Counts) -> float:
    """The slope of the trainer's logprobs on the reported ones, by least squares; nan where they do not vary."""
    n = counts["tokens"]
    if not n:
        return math.nan
    below = counts["slope_rr"] - counts["slope_r"] ** 2 / n
    return (counts["slope_ar"] - counts["slope_a"] * counts["slope_r"] / n) / below if below > 1e-12 * n else math.nan


def by_cluster(window: Window, kinds: Iterable[Bin]) -> list[Tally]:
    """One tally a cluster, over bins."""
    groups: dict[Key, list[Tally]] = {}
    wanted = set(kinds)
    for (key, kind), parts in window.clusters.items():
        if kind in wanted:
            groups.setdefault(key, []).extend(parts)
    return [Tally.merged(parts) for parts in groups.values()]
