"""The trainer's side: a forward pass over recorded tokens, and what a trainer would claim for each of them.

The trunk runs in batches of a bounded number of tokens, the head in chunks of a bounded number of logits, rows stream
from the recording to the scored file: the peak does not grow with the number of sequences.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import loads, read_bytes
from vllm_migrate.smoke.columns import RAW, Column, ColumnPlan, History, Values, evaluate, plan, replay
from vllm_migrate.smoke.errors import missing_extra
from vllm_migrate.smoke.recording import USER, Header, Row, ScoreInfo, Scores, defect

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS = 4096
DTYPES = ("auto", "float32", "bfloat16", "float16", "float64")
CHUNK_LOGITS = 8 * 1024 * 1024  # 32 MiB of float32; about eight such blocks live at once

# Suffixes of columns that are not laws but other ways to compute the claimed one.
REPLAY, OTHER_HEAD, OLD, STALE, SWITCHED = "@replay", "@other-head", "@old", "@stale", "@switched"
DERIVED = (REPLAY, OTHER_HEAD, OLD, STALE, SWITCHED)

Progress = Callable[[int, int], None]


class ScoreOptions(NamedTuple):
    """How to score: `dtype` and `head_dtype` are torch names ("float32"), or "auto" for the checkpoint's own."""

    dtype: str = "auto"
    head_dtype: str = "auto"
    device: str = "auto"
    batch_tokens: int = BATCH_TOKENS
    chunk_logits: int = CHUNK_LOGITS


class Model:
    """A causal language model split in trunk and head, so that full logits never exist for a whole batch."""

    def __init__(self, path: str, options: ScoreOptions) -> None:
        torch, transformers = _packages()
        if not Path(path).is_dir():
            raise UsageError(f"no model directory at {path}", remedy="--model DIR, a local checkpoint")
        for wanted in (options.dtype, options.head_dtype):
            if wanted not in DTYPES:
                raise UsageError(f"no dtype {wanted!r}", remedy=f"--dtype and --head-dtype: one of {', '.join(DTYPES)}")
        try:
            self.config = transformers.AutoConfig.from_pretrained(path)
            name = options.dtype if options.dtype != "auto" else _config_dtype(self.config)
            self.dtype = getattr(torch, name)
            load = transformers.AutoModelForCausalLM.from_pretrained
            self.model = load(path, dtype=self.dtype, low_cpu_mem_usage=True).eval()
        except (OSError, ValueError, KeyError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            remedy = "--model DIR, a checkpoint that transformers loads; or compare a dump of your own trainer"
            raise UsageError(f"cannot load the model in {path}: {reason}", remedy) from error
        self.device = _device(options.device)
        self.model.to(self.device)
        self.head = self.model.get_output_embeddings()
        self.dtype_name = name
        self.head_name = options.head_dtype if options.head_dtype != "auto" else name
        self.path = path
        text = self.config.get_text_config() if hasattr(self.config, "get_text_config") else self.config
        self.hidden_size = int(getattr(text, "hidden_size", 0) or 0)
        names = ("num_experts", "num_local_experts", "n_routed_experts")
        self.experts = max(int(getattr(text, n, 0) or 0) for n in names)
        self.vocabulary = int(getattr(text, "vocab_size", 0) or 0)
        self._split: bool | None = None
        self._weights: dict[str, Tensor] = {}

    def hidden(self, batch: Sequence[Sequence[int]]) -> Tensor:
        """Last hidden states [sequences, longest, width]; shorter sequences are padded on the right."""
        import torch

        longest = max(len(ids) for ids in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        mask = torch.zeros(len(batch), longest, dtype=torch.long)
        for i, row in enumerate(batch):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        with torch.inference_mode():
            trunk = self.model.base_model
            out = trunk(input_ids=ids.to(self.device), attention_mask=mask.to(self.device), use_cache=False)
        return out.last_hidden_state

    def hidden_across(self, old: Model, ids: Sequence[int], split: int) -> Tensor:
        """Last hidden states [1, len(ids) - split, width] when the first `split` tokens keep `old`'s keys and
        values.
        """
        import torch

        row = torch.tensor([list(ids)], device=self.device)
        _, past = old.onward(row[:, :split], None)
        return self.onward(row[:, split:], past)[0]

    def onward(self, ids: Tensor, past: Any) -> tuple[Tensor, Any]:
        """Last hidden states of `ids` [n, m] that follow the cache `past`, and the cache with them in it."""
        import torch

        trunk = self.model.base_model
        # transformers renames the parameter; what older releases know is deprecated in newer ones.
        name = "cache" if "cache" in inspect.signature(trunk.forward).parameters else "past_key_values"
        with torch.inference_mode():
            out = trunk(input_ids=ids, use_cache=True, **{name: past})
        return out.last_hidden_state, getattr(out, name)

    def logits(self, hidden: Tensor, head_dtype: str | None = None) -> Tensor:
        """float32 logits [n, V] of hidden states [n, width], the product in `head_dtype` (default: the model's)."""
        import torch

        name = head_dtype or self.head_name
        with torch.inference_mode():
            weight = self._weight(name)
            bias = self.head.bias.to(weight.dtype) if getattr(self.head, "bias", None) is not None else None
            out = torch.nn.functional.linear(hidden.to(weight.dtype), weight, bias).float()
            return self._scaled(out)

    def _weight(self, name: str) -> Tensor:
        import torch

        if name not in self._weights:
            self._weights[name] = self.head.weight.detach().to(getattr(torch, name))
        return self._weights[name]

    def _scaled(self, logits: Tensor) -> Tensor:
        """Logit scaling and soft-capping of the architectures that have them."""
        config = self.config
        scale = getattr(config, "logit_scale", None) or (1 / getattr(config, "logits_scaling", 1.0))
        cap = getattr(config, "final_logit_softcapping", None)
        if scale != 1.0:
            logits = logits * scale
        return (logits / cap).tanh() * cap if cap else logits

    def check_split(self, ids: Sequence[int]) -> None:
        """Raises UsageError where trunk and head together are not the model's own logits (an unknown architecture)."""
        import torch

        if self._split is None:
            row = torch.tensor([list(ids)[:8]], device=self.device)
            with torch.inference_mode():
                whole = self.model(input_ids=row).logits[0, -1].float()
            ours = self.logits(self.hidden([list(ids)[:8]])[0, -1:], self.dtype_name)[0]
            spread = float((whole - whole.mean()).abs().max())
            self._split = bool((whole - ours).abs().max() <= 0.02 * max(spread, 1e-3))
        if not self._split:
            raise UsageError(
                f"{type(self.model).__name__} does something to its logits that is not known here",
                remedy="score with your own trainer and compare its dump",
            )


def _packages() -> tuple[Any, Any]:
    try:
        import torch
    except ImportError:
        raise missing_extra("torch") from None
    try:
        import transformers
    except ImportError:
        raise missing_extra("transformers") from None
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    return torch, transformers


def _config_dtype(config: Any) -> str:
    value = getattr(config, "dtype", None) or getattr(config, "torch_dtype", None) or "float32"
    return str(value).removeprefix("torch.")


def _device(name: str) -> str:
    import torch

    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


def other_head(head: str, dtype: str, header: Header) -> str | None:
    """The precision that the engine's head could have beside the trainer's `head`; None where everything is float32."""
    low = {dtype, head, header.dtype, str(header.effective.get("head_dtype"))} & {"bfloat16", "float16"}
    return (min(low) if head == "float32" else "float32") if low else None


class Scorer:
    """Scores rows under every contract of a recording. `updated` holds the weights after an update, if there was
    one.
    """

    def __init__(self, header: Header, model: Model, options: ScoreOptions, updated: Model | None = None) -> None:
        self.header, self.model, self.updated, self.options = header, model, updated, options
        engine_bf16 = header.dtype in ("bfloat16", "auto") and model.dtype_name == "bfloat16"
        bf16 = header.dtype == "bfloat16" or (header.dtype == "auto" and engine_bf16)
        inherited = _generation_config(model.path)
        self.plans = {
            name: plan(header.contract(name), header.order, bf16=bf16, inherited=inherited, given=sampling)
            for name, sampling in header.sampling.items()
        }
        self.stop_ids = _ids(getattr(model.config, "eos_token_id", None))

    @property
    def info(self) -> ScoreInfo:
        model = self.model
        return ScoreInfo(
            model=model.path,
            dtype=model.dtype_name,
            head_dtype=model.head_name,
            hidden_size=model.hidden_size,
            updated_model=self.updated.path if self.updated else None,
            experts=model.experts,
            claimed={name: chosen.claimed for name, chosen in self.plans.items()},
        )

    def rows(self, rows: Iterable[Row], total: int = 0, progress: Progress | None = None) -> Iterator[Row]:
        """The rows with scores; a row that is no evidence passes unscored."""
        done = 0
        for batch in _batches(rows, self.options.batch_tokens):
            good = [row for row in batch if defect(row) is None and self._fits(row)]
            if good:
                self.model.check_split(good[0].prompt + good[0].tokens)
            scored = iter(self._batch(good)) if good else iter(())
            ids = {id(row) for row in good}
            for row in batch:
                yield next(scored) if id(row) in ids else row
            done += len(batch)
            if progress:
                progress(done, max(total, done))

    def _fits(self, row: Row) -> bool:
        if row.prompt and max(max(row.prompt), max(row.tokens)) < (self.model.vocabulary or 1 << 62):
            return True
        raise UsageError(
            "the recording holds token ids that the model does not have, or no prompt",
            remedy="--model must be the checkpoint the rollout used",
        )

    def _batch(self, rows: Sequence[Row]) -> Iterator[Row]:
        hidden = self.model.hidden([row.prompt + row.tokens for row in rows])
        after = self.updated.hidden([row.prompt + row.tokens for row in rows]) if self.updated else None
        for i, row in enumerate(rows):
            span = slice(len(row.prompt) - 1, len(row.prompt) + len(row.tokens) - 1)
            chosen = self.plans.get(row.contract) or self.plans[USER]
            scores = self._columns(row, chosen, hidden[i, span], self.model)
            if self.updated is not None and after is not None:
                scores = self._across(row, chosen, scores, after[i, span])
            yield row.model_copy(update={"scores": scores})

    def _across(self, row: Row, chosen: ColumnPlan, old: dict[str, Scores], after: Tensor) -> dict[str, Scores]:
        """Scores on the new weights, beside them the old weights' and those of a cache that outlived the update."""
        assert self.updated is not None
        scores = self._columns(row, chosen, after, self.updated)
        scores |= {name + OLD: column for name, column in old.items()}
        split = len(row.prompt) + row.switch - 1 if row.switch else (row.cached or 0)
        if not 0 < split < len(row.prompt) + len(row.tokens):
            return scores
        states = self.updated.hidden_across(self.model, row.prompt + row.tokens, split)[0]
        first = max(0, split - (len(row.prompt) - 1))  # tokens predicted from states the old weights computed
        states = states[max(0, len(row.prompt) - 1 - split) : -1]
        for name, values in self._values(row, chosen.columns, states, self.updated, first).items():
            scores[name + STALE] = Scores(logp=[*old[name].logp[:first], *_floats(values.logp)])
            if first:  # what a request recomputed under the new weights would have
                scores[name + SWITCHED] = Scores(logp=[*old[name].logp[:first], *scores[name].logp[first:]])
        return scores

    def _columns(self, row: Row, chosen: ColumnPlan, hidden: Tensor, model: Model) -> dict[str, Scores]:
        values = self._values(row, chosen.columns, hidden, model, 0)
        scores = {name: _scores(column) for name, column in values.items()}
        claimed = next(c for c in chosen.columns if c.name == chosen.claimed)
        other = other_head(model.head_name, model.dtype_name, self.header)
        if other:
            found = self._values(row, [claimed], hidden, model, 0, other)[claimed.name]
            scores[claimed.name + OTHER_HEAD] = Scores(logp=_floats(found.logp))
        if row.support and any(row.support) and not claimed.contract.has_penalties:
            scores[claimed.name + REPLAY] = Scores(logp=self._replayed(row, claimed, hidden, model))
        return scores

    def _values(
        self,
        row: Row,
        columns: Sequence[Column],
        hidden: Tensor,
        model: Model,
        first: int,
        head_dtype: str | None = None,
    ) -> dict[str, Values]:
        """Values for tokens[first:], chunk by chunk."""
        import torch

        parts: dict[str, list[Values]] = {column.name: [] for column in columns}
        for start, stop in _chunks(hidden.shape[0], self._step(model)):
            at = first + start
            tokens = torch.tensor(row.tokens[at : first + stop], device=hidden.device)
            logits = model.logits(hidden[start:stop], head_dtype)
            history = History(row.prompt, row.tokens, at, self._stops(row))
            for name, value in evaluate(logits, tokens, columns, history).items():
                parts[name].append(value)
        return {name: Values(*(torch.cat(list(v)) for v in zip(*found, strict=True))) for name, found in parts.items()}

    def _replayed(self, row: Row, column: Column, hidden: Tensor, model: Model) -> list[float | None]:
        import torch

        assert row.support is not None
        found: list[float | None] = []
        for start, stop in _chunks(hidden.shape[0], self._step(model)):
            tokens = torch.tensor(row.tokens[start:stop], device=hidden.device)
            logits = model.logits(hidden[start:stop])
            found += _floats(replay(logits, tokens, column.contract, row.support[start:stop]))
        return found

    def _step(self, model: Model) -> int:
        return max(1, self.options.chunk_logits // max(1, model.vocabulary))

    def _stops(self, row: Row) -> list[int]:
        contract = self.header.contract(row.contract)
        return list(contract.stop_token_ids) + ([] if contract.ignore_eos else self.stop_ids)


def _batches(rows: Iterable[Row], budget: int) -> Iterator[list[Row]]:
    """Consecutive rows whose padded size stays within `budget` tokens (at least one row)."""
    batch: list[Row] = []
    longest = 0
    for row in rows:
        length = len(row.prompt) + len(row.tokens)
        if batch and max(longest, length) * (len(batch) + 1) > budget:
            yield batch
            batch, longest = [], 0
        batch.append(row)
        longest = max(longest, length)
    if batch:
        yield batch


def _chunks(n: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(n, start + step)) for start in range(0, n, step))


def _scores(values: Values) -> Scores:
    return Scores(logp=_floats(values.logp), entropy=values.entropy.tolist(), varentropy=values.varentropy.tolist())


def _floats(tensor: Tensor) -> list[float | None]:
    return [value if value > float("-inf") else None for value in tensor.tolist()]


def _ids(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]


def _generation_config(path: str) -> Mapping[str, Any]:
    """The sampling defaults a server reads beside the checkpoint; empty where there are none."""
    try:
        found = loads(read_bytes(str(Path(path) / "generation_config.json")))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def claimed_name(header: Header, contract: str, claims: str) -> str:
    """The column a trainer claims: `contract`, or a column by name (`raw`, `T`)."""
    if claims == "contract":
        if header.score is None:
            raise UsageError("this recording has no scores", remedy="vllm-migrate smoke score REC --model DIR")
        return header.score.claimed.get(contract, RAW)
    return claims
