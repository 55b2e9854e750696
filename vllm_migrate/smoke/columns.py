"""Columns: the laws a logprob may belong to, and their log-likelihood, entropy and varentropy from logits.

A column is named by what has been done to the logits: `raw`, `T`, `T+k`, `T+k+p`, `pen+T+k+p+m` (penalties,
temperature, top_k, top_p, min_p); a suffix tells a variant: `@v0`, `@v1` (the other engine's order of min_p),
`@unrounded`, `@generation_config`. torch is imported where it is used, never when this module is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from vllm_migrate.smoke.contract import Contract, Order

if TYPE_CHECKING:
    from torch import Tensor

RAW = "raw"
# Logits kept beside the top_k-th, so that ties at the threshold (common in bfloat16) are seen; and the width in which
# a nucleus is looked for before the whole vocabulary is sorted.
TIES, NUCLEUS = 64, 1024


class Column(NamedTuple):
    """One law: `contract` is what is applied to the logits (None: nothing), in the order of `order`."""

    name: str
    contract: Contract
    order: Order
    penalties: bool

    @property
    def law(self) -> tuple[Any, ...]:
        """Two columns with the same law are the same column."""
        c = self.contract
        order = self.order if c.has_min_p and (c.has_top_k or c.has_top_p) else ""
        cuts = (c.temperature, c.top_k if c.has_top_k else -1, c.top_p, c.min_p, order)
        if not (self.penalties and (c.has_penalties or c.has_mask)):
            return cuts
        bias = (tuple(sorted(c.logit_bias.items())), tuple(c.allowed_token_ids), c.min_tokens)
        return (*cuts, c.presence_penalty, c.frequency_penalty, c.repetition_penalty, *bias)


class ColumnPlan(NamedTuple):
    """The columns to score; `claimed` names the one that is the whole contract in the recording's own order."""

    columns: tuple[Column, ...]
    claimed: str


def plan(
    contract: Contract,
    order: Order,
    *,
    bf16: bool = False,
    inherited: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> ColumnPlan:
    """The columns a recording under `contract` may have reported or sampled from.

    `inherited` is the model's generation_config, `given` the sampling parameters as the request wrote them.
    """
    if contract.greedy:
        contract = contract.model_copy(update={"temperature": 1.0, "top_k": -1, "top_p": 1.0, "min_p": 0.0})
    native = contract.rounded() if bf16 and order == "v0" else contract
    found = list(_ladder(native, order))
    claimed = found[-1]
    other: Order = "v0" if order == "v1" else "v1"
    found.append(claimed._replace(name=f"{claimed.name}@{other}", order=other))
    found.append(claimed._replace(name=f"{claimed.name}@unrounded", contract=contract))
    if inherited:
        filled = contract.with_defaults(inherited, given or {})
        found.append(Column(f"{_name(filled, True)}@generation_config", filled, order, True))
    unique: dict[tuple[Any, ...], Column] = {}
    for column in found:
        unique.setdefault(column.law, column)
    return ColumnPlan(tuple(unique.values()), unique[claimed.law].name)


def _ladder(contract: Contract, order: Order) -> list[Column]:
    bare = Contract(opaque=contract.opaque)
    tempered = bare.model_copy(update={"temperature": contract.temperature})
    top_k = tempered.model_copy(update={"top_k": contract.top_k})
    top_p = top_k.model_copy(update={"top_p": contract.top_p})
    rungs = [bare, tempered, top_k, top_p, top_p.model_copy(update={"min_p": contract.min_p})]
    plain = [Column(_name(rung, False), rung, order, False) for rung in rungs]
    if not (contract.has_penalties or contract.has_mask):
        return plain
    neutral = {"temperature": 1.0, "top_k": -1, "top_p": 1.0, "min_p": 0.0}
    only = contract.model_copy(update=neutral)
    return [*plain, Column(_name(only, True), only, order, True), Column(_name(contract, True), contract, order, True)]


def _name(contract: Contract, penalties: bool) -> str:
    parts = []
    if penalties and (contract.has_penalties or contract.has_mask):
        parts.append("pen")
    if contract.temperature != 1.0:
        parts.append("T")
    parts += [
        mark for mark, on in (("k", contract.has_top_k), ("p", contract.has_top_p), ("m", contract.has_min_p)) if on
    ]
    return "+".join(parts) or RAW


class History(NamedTuple):
    """What penalties and min_tokens look at: one sequence, and the output position of the first row of logits."""

    prompt: Sequence[int]
    output: Sequence[int]
    start: int
    stop_ids: Sequence[int] = ()


class Values(NamedTuple):
    """Per position, in nats: log p(token), entropy, varentropy; each a float tensor [n]."""

    logp: Tensor
    entropy: Tensor
    varentropy: Tensor


def evaluate(logits: Tensor, tokens: Tensor, columns: Sequence[Column], history: History) -> dict[str, Values]:
    """Every column's values for `tokens` [n] under `logits` [n, V] (any float dtype; computed in float32).

    A token outside a column's support has log p = -inf.
    """
    shaped: dict[tuple[Any, ...], Tensor] = {}
    scaled: dict[tuple[Any, ...], _Scaled] = {}
    result = {}
    for column in columns:
        contract = column.contract
        key = (
            column.penalties,
            contract.repetition_penalty,
            contract.presence_penalty,
            contract.frequency_penalty,
        )
        if key not in shaped:
            shaped[key] = shape(logits, contract, history) if column.penalties else logits.float()
        at = (*key, contract.temperature)
        if at not in scaled:
            same = contract.temperature == 1.0
            scaled[at] = _Scaled(shaped[key] if same else shaped[key] / contract.temperature)
        result[column.name] = _one(scaled[at], tokens, column)
    return result


class _Scaled:
    """Logits after the temperature, and what several columns need of them."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self._total: Tensor | None = None
        self._top: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """Log-sum-exp of every row [n]."""
        if self._total is None:
            self._total = self.logits.logsumexp(1)
        return self._total

    def top(self, width: int) -> Tensor:
        """The `width` largest logits of every row [n, width], descending."""
        if self._top is None or self._top.shape[1] < width:
            self._top = self.logits.topk(width, dim=1).values
        return self._top[:, :width]


def _one(scaled: _Scaled, tokens: Tensor, column: Column) -> Values:
    import torch

    logits, contract = scaled.logits, column.contract
    own = logits.gather(1, tokens[:, None]).squeeze(1)
    if not (contract.has_top_k or contract.has_top_p or contract.has_min_p):
        return _law(logits, scaled.total, own, torch.isfinite(own))
    values = scaled.top(_width(contract, logits.shape[1]))
    result, enough = _cut(values, scaled.total, own, column)
    if values.shape[1] == logits.shape[1] or bool(enough.all()):
        return result
    rest = (~enough).nonzero().squeeze(1)
    full = logits[rest].sort(dim=1, descending=True).values
    part, _ = _cut(full, scaled.total[rest], own[rest], column)
    for whole, piece in zip(result, part, strict=True):
        whole[rest] = piece
    return result


def _cut(values: Tensor, total: Tensor, own: Tensor, column: Column) -> tuple[Values, Tensor]:
    """The truncated law of descending logits `values`, and for which rows they reach far enough."""
    import torch

    keep, enough = keep_sorted(values, column.contract, column.order, total)
    threshold = values.masked_fill(~keep, torch.inf).amin(1)
    kept = values.masked_fill(~keep, -torch.inf)
    return _law(kept, kept.logsumexp(1), own, own >= threshold), enough


def _width(contract: Contract, vocabulary: int) -> int:
    """How many of the largest logits decide the support: top_k and its ties, else what a nucleus seldom exceeds."""
    return min(vocabulary, contract.top_k + TIES if contract.has_top_k else NUCLEUS)


def keep_sorted(values: Tensor, contract: Contract, order: Order, total: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the descending logits `values` [n, w] a sampler keeps, and for which rows `w` was wide enough to tell.

    `total` is the log-sum-exp of the whole row. V1 cuts min_p, top_k, top_p; V0 top_k, top_p, min_p. A cut looks at the
    distribution the cuts before it left, renormalised; ties at the k-th value stay, as in vLLM.
    """
    import torch

    keep = torch.isfinite(values)
    reached = torch.zeros(values.shape[0], dtype=torch.bool, device=values.device)
    enough = ~reached
    cuts = [("m", contract.has_min_p)] if order == "v1" else []
    cuts += [("k", contract.has_top_k and contract.top_k < values.shape[1]), ("p", contract.has_top_p)]
    cuts += [("m", contract.has_min_p)] if order == "v0" else []
    for kind in (kind for kind, active in cuts if active):
        if kind == "k":
            keep &= values >= values[:, contract.top_k - 1 : contract.top_k]
        elif kind == "m":
            keep &= values >= values[:, :1] + math.log(contract.min_p)
        else:
            left = values.masked_fill(~keep, -torch.inf)
            norm = torch.where(reached, left.logsumexp(1), total)
            mass = (left - norm[:, None]).exp()
            keep &= mass.cumsum(1) - mass < contract.top_p
            keep[:, 0] = True
        reached |= ~keep[:, -1]
        enough &= reached
    return keep, enough


def _law(values: Tensor, norm: Tensor, own: Tensor, inside: Tensor) -> Values:
    """log p, H and V of the distribution with logits `values` (-inf: not in the support); H and V count 0 log 0 as
    0.
    """
    import torch

    logp = values - norm[:, None]
    p = logp.exp()
    logp.clamp_(min=-1e4)  # finite where p is 0
    entropy = -torch.einsum("nv,nv->n", p, logp)
    square = torch.einsum("nv,nv->n", p.mul_(logp), logp)
    varentropy = (square - entropy * entropy).clamp_min(0.0)
    return Values(torch.where(inside, own - norm, -torch.inf), entropy, varentropy)


def shape(logits: Tensor, contract: Contract, history: History) -> Tensor:
    """Logits [n, V] in float32 after mask, bias and penalties, as vLLM applies them before the temperature."""
    import torch

    x = logits.float().clone()
    n, vocabulary = x.shape
    if contract.allowed_token_ids:
        mask = torch.ones(vocabulary, dtype=torch.bool, device=x.device)
        mask[torch.tensor(contract.allowed_token_ids, device=x.device)] = False
        x.masked_fill_(mask, -torch.inf)
    for token, bias in contract.logit_bias.items():
        x[:, token] += bias
    early = max(0, min(n, contract.min_tokens - history.start))
    if early and history.stop_ids:
        x[:early, list(history.stop_ids)] = -torch.inf
    return _penalise(x, contract, history) if contract.has_penalties else x


def _penalise(x: Tensor, contract: Contract, history: History) -> Tensor:
    import torch

    n, vocabulary = x.shape
    prompt = torch.zeros(vocabulary, dtype=torch.bool, device=x.device)
    prompt[torch.tensor(list(history.prompt), dtype=torch.long, device=x.device)] = True
    before = torch.tensor(list(history.output[: history.start]), dtype=torch.long, device=x.device)
    counts = torch.bincount(before, minlength=vocabulary).float()
    for row in range(n):
        if row:
            counts[history.output[history.start + row - 1]] += 1
        seen = counts > 0
        rep = contract.repetition_penalty
        if rep != 1.0:
            scaled = torch.where(x[row] > 0, x[row] / rep, x[row] * rep)
            x[row] = torch.where(prompt | seen, scaled, x[row])
        x[row] -= contract.frequency_penalty * counts + contract.presence_penalty * seen
    return x


def replay(logits: Tensor, tokens: Tensor, contract: Contract, support: Sequence[Sequence[int]]) -> Tensor:
    """log p [n] of `tokens` when the recorded support stands in for top_k, top_p and min_p (temperature applied here).

    An empty support leaves that position unmasked. It keeps a token that rounding alone would push out.
    """
    import torch

    scaled = logits.float() / contract.temperature
    own = scaled.gather(1, tokens[:, None]).squeeze(1)
    width = max((len(ids) for ids in support), default=0)
    if width == 0:
        return own - scaled.logsumexp(1)
    index = torch.zeros(len(support), width, dtype=torch.long, device=scaled.device)
    mask = torch.zeros(len(support), width, dtype=torch.bool, device=scaled.device)
    for row, ids in enumerate(support):
        index[row, : len(ids)] = torch.tensor(list(ids), dtype=torch.long)
        mask[row, : len(ids)] = True
    norm = scaled.gather(1, index).masked_fill(~mask, -torch.inf).logsumexp(1)
    norm = torch.where(mask.any(1), norm, scaled.logsumexp(1))
    inside = ((index == tokens[:, None]) & mask).any(1) | ~mask.any(1)
    return torch.where(inside, own - norm, -torch.inf)
