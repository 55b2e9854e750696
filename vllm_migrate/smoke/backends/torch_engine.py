"""A small engine in torch that speaks the worker's protocol: for tests, and for trying the proof without vLLM.

It samples as vLLM does (a literal sampler of its own, so that it checks `columns` rather than repeats it), reports
raw or processed logprobs, keeps a block prefix cache that survives a weight update unless it is told to clear it,
pauses and resumes in-flight requests, and computes its head in a dtype of choice. Options beside vLLM's names:
`order` ("v0", "v1"), `head_dtype`, `block_size`, `lose_update` (a weight update that never arrives).
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vllm_migrate.smoke.backends.interface import Job, Line, Watch
from vllm_migrate.smoke.contract import Contract
from vllm_migrate.smoke.score import Model, ScoreOptions

if TYPE_CHECKING:
    from torch import Tensor


class TorchEngine:
    """The backend."""

    name = "torch"

    def run(self, job: Job, watch: Watch) -> Iterator[Line]:
        engine = ModelEngine(job.engine_args)
        yield engine.header(job)
        rows = engine.update(job) if job.mode == "update" else itertools.chain(engine.record(job), engine.step(job))
        total = len(job.requests) + len(job.sequences)
        for done, row in enumerate(rows, 1):
            yield {"kind": "row", **row}
            watch({"kind": "progress", "done": done, "total": max(total, done)})


class ModelEngine:
    """One model with its caches. `args` are engine arguments."""

    def __init__(self, args: dict[str, Any]) -> None:
        import torch

        self.args = args
        head = str(args.get("head_dtype", "auto"))
        self.options = ScoreOptions(dtype=str(args.get("dtype", "auto")), head_dtype=head)
        self.model = Model(str(args["model"]), self.options)
        self.order = args.get("order", "v1")
        self.mode = args.get("logprobs_mode", "raw_logprobs") if self.order == "v1" else "processed_logprobs"
        self.block = int(args.get("block_size", 16))
        self.caching = bool(args.get("enable_prefix_caching", self.order == "v1"))
        self.blocks: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        self.random = torch.Generator().manual_seed(int(args.get("seed", 0) or 0))

    def header(self, job: Job) -> Line:
        import torch

        effective = {
            "dtype": self.model.dtype_name,
            "logprobs_mode": self.mode,
            "order": self.order,
            "enable_prefix_caching": self.caching,
            "head_dtype": self.model.head_name,
        }
        return {
            "kind": "header",
            "schema": 1,
            "protocol": "samples" if job.mode == "record" else job.mode,
            "vllm": None,
            "engine": "torch",
            "model": self.model.path,
            "engine_args": self.args,
            "effective": effective,
            "sampling": job.contracts,
            "hardware": {"device": self.model.device, "torch": torch.__version__},
            "update": job.update,
        }

    def record(self, job: Job) -> Iterator[Line]:
        groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for request in job.requests:
            groups.setdefault((len(request["prompt"]), request["contract"]), []).append(request)
        for (_, name), requests in groups.items():
            yield from self._generate(requests, job.contracts[name], name)

    def _generate(self, requests: Sequence[dict[str, Any]], sampling: dict[str, Any], name: str) -> list[Line]:
        """Rows of requests with prompts of one length, decoded as one batch."""
        import torch

        contract, length = Contract.of(sampling), int(sampling.get("max_tokens") or 16)
        started = [self._prefill(r["prompt"]) for r in requests]
        hidden = torch.cat([state for state, _, _ in started])
        past = _stack([layers for _, layers, _ in started])
        rows: list[Line] = [
            {
                "prompt": r["prompt"],
                "prompt_index": r.get("prompt_index"),
                "contract": name,
                "tokens": [],
                "logprobs": [],
                "support": [],
                "cached": cached,
                "finish": "length",
            }
            for r, (_, _, cached) in zip(requests, started, strict=True)
        ]
        for step in range(length):
            tokens = self._draw(self.model.logits(hidden), rows, contract)
            if step + 1 < length:
                hidden, past = self._forward(tokens[:, None], past)
        for row in rows:
            if not contract.has_top_k or self.mode != "processed_logprobs":
                row["support"] = None
        return rows

    def _draw(self, logits: Tensor, rows: Sequence[Line], contract: Contract) -> Tensor:
        """Draws a token for each row and writes it down with its logprob and support."""
        import torch

        if contract.has_penalties or contract.has_mask:
            law = torch.cat([self.law(logits[i : i + 1], contract, row) for i, row in enumerate(rows)])
        else:
            law = self.law(logits, contract, rows[0])
        greedy = contract.greedy
        tokens = law.argmax(1) if greedy else torch.multinomial(law.exp(), 1, generator=self.random).squeeze(1)
        shown = law if self.mode == "processed_logprobs" else logits.log_softmax(1)
        for i, row in enumerate(rows):
            row["tokens"].append(int(tokens[i]))
            row["logprobs"].append(float(shown[i, tokens[i]]))
            if contract.has_top_k:
                row["support"].append(torch.isfinite(law[i]).nonzero().squeeze(1).tolist())
        return tokens

    def law(self, logits: Tensor, contract: Contract, row: Line) -> Tensor:
        """log q [1, V]: the literal sampler, ascending sort and all."""
        import torch

        x = self._penalised(logits.clone(), contract, row)
        if contract.greedy:
            return x.log_softmax(1)
        used = contract.rounded() if self.order == "v0" and self.model.dtype_name == "bfloat16" else contract
        x = x / used.temperature
        if self.order == "v1":
            x = _cut_min_p(x, used.min_p)
        if used.has_top_k:
            x = x.masked_fill(x < x.sort(1).values[:, -min(used.top_k, x.shape[1]), None], -torch.inf)
        if used.has_top_p:
            values, index = x.sort(1)
            mask = values.softmax(1).cumsum(1) <= 1 - used.top_p
            mask[:, -1] = False
            x = x.scatter(1, index, values.masked_fill(mask, -torch.inf))
        if self.order == "v0":
            x = _cut_min_p(x, used.min_p)
        return x.log_softmax(1)

    def _penalised(self, x: Tensor, contract: Contract, row: Line) -> Tensor:
        import torch

        if not (contract.has_penalties or contract.has_mask):
            return x
        for token, bias in contract.logit_bias.items():
            x[0, token] += bias
        for token in set(row["prompt"]) | set(row["tokens"]):
            value = x[0, token]
            x[0, token] = value / contract.repetition_penalty if value > 0 else value * contract.repetition_penalty
        for token in row["tokens"]:
            x[0, token] -= contract.frequency_penalty
        for token in set(row["tokens"]):
            x[0, token] -= contract.presence_penalty
        return (
            x
            if not contract.allowed_token_ids
            else x
            + torch.where(
                torch.isin(torch.arange(x.shape[1]), torch.tensor(contract.allowed_token_ids)), 0.0, -torch.inf
            )
        )

    def _prefill(self, prompt: Sequence[int]) -> tuple[Tensor, list[tuple[Tensor, Tensor]], int]:
        """Last hidden state [1, width], keys and values, and how many tokens came from the prefix cache."""
        import torch

        cached, past = 0, None
        if self.caching:
            while cached + self.block < len(prompt) and tuple(prompt[: cached + self.block]) in self.blocks:
                cached += self.block
            past = self.blocks[tuple(prompt[:cached])] if cached else None
        hidden, layers = self._forward(torch.tensor([list(prompt[cached:])]), past)
        if self.caching:
            for end in range(cached + self.block, len(prompt) + 1, self.block):
                self.blocks[tuple(prompt[:end])] = [(k[:, :, :end], v[:, :, :end]) for k, v in layers]
        return hidden, layers, cached

    def _forward(
        self, ids: Tensor, past: list[tuple[Tensor, Tensor]] | None
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        from transformers import DynamicCache

        cache = DynamicCache()
        for index, (keys, values) in enumerate(past or ()):
            cache.update(keys, values, index)
        hidden, cache = self.model.onward(ids, cache)
        return hidden[:, -1], [(layer.keys, layer.values) for layer in cache.layers]

    def step(self, job: Job) -> Iterator[Line]:
        """Each recorded token again, its logprob through the sampling path."""
        for sequence in job.sequences:
            contract = Contract.of(job.contracts[sequence["contract"]])
            prompt, tokens = sequence["prompt"], sequence["tokens"]
            states = self.model.hidden([prompt + tokens])[0, len(prompt) - 1 : -1]
            row: Line = {**sequence, "tokens": [], "logprobs": [], "finish": "length", "phase": "step"}
            for logits, token in zip(self.model.logits(states).split(1), tokens, strict=True):
                shown = self.law(logits, contract, row) if self.mode == "processed_logprobs" else logits.log_softmax(1)
                row["tokens"].append(token)
                row["logprobs"].append(float(shown[0, token]))
            yield row

    def update(self, job: Job) -> Iterator[Line]:
        """The probe: a long prompt twice, an in-flight request across the update, the long prompt and another one
        after.
        """
        what, pause = job.update, job.update.get("pause", {})
        short = {**job.contracts["user"], "max_tokens": what["max_tokens"]}
        for phase in ("before", "cached"):
            yield from self._phase(phase, what["prompts"], short)
        row = self._running(what, Contract.of(short), pause)
        yield row
        if "switch" not in row:
            self._switch(what["weights"], bool(pause.get("clear_cache", True)))
        yield from self._phase("after", what["prompts"], short)
        yield from self._phase("other", what["others"], short)

    def _phase(self, phase: str, prompts: Sequence[list[int]], sampling: dict[str, Any]) -> Iterator[Line]:
        for prompt in prompts:
            yield {**self._generate([{"prompt": prompt}], sampling, "user")[0], "phase": phase}

    def _running(self, what: dict[str, Any], contract: Contract, pause: dict[str, Any]) -> Line:
        """The in-flight request; its row has `switch` where the weights changed under it."""
        mode, clear = pause.get("mode", "abort"), bool(pause.get("clear_cache", True))
        hidden, past, cached = self._prefill(what["inflight"])
        row: Line = {
            "prompt": what["inflight"],
            "contract": "user",
            "tokens": [],
            "logprobs": [],
            "support": [],
            "cached": cached,
            "phase": "inflight",
            "finish": "length",
        }
        for step in range(int(what["inflight_tokens"])):
            if step == int(what["switch_after"]) and mode == "abort":
                row["finish"] = "abort"
                break
            if step == int(what["switch_after"]) and mode == "keep":
                self._switch(what["weights"], clear)
                row["switch"] = step
                hidden, past = self._resume(row, past, clear)
            tokens = self._draw(self.model.logits(hidden), [row], contract)
            hidden, past = self._forward(tokens[:, None], past)
        row["support"] = None
        return row

    def _switch(self, weights: str, clear_cache: bool) -> None:
        if clear_cache:
            self.blocks.clear()
        if not self.args.get("lose_update"):
            self.model = Model(weights, self.options)

    def _resume(
        self, row: Line, past: list[tuple[Tensor, Tensor]], clear_cache: bool
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """The state before the next token: recomputed where the caches were cleared, else on the old keys and
        values.
        """
        import torch

        if clear_cache:
            row["preempted"] = 1
            return self._forward(torch.tensor([row["prompt"] + row["tokens"]]), None)
        last = row["tokens"][-1]
        return self._forward(torch.tensor([[last]]), [(k[:, :, :-1], v[:, :, :-1]) for k, v in past])


def _stack(caches: Sequence[list[tuple[Tensor, Tensor]]]) -> list[tuple[Tensor, Tensor]]:
    import torch

    return [(torch.cat([k for k, _ in layer]), torch.cat([v for _, v in layer])) for layer in zip(*caches, strict=True)]


def _cut_min_p(x: Tensor, min_p: float) -> Tensor:
    import torch

    if not min_p:
        return x
    p = x.softmax(1)
    return x.masked_fill(p < min_p * p.amax(1, keepdim=True), -torch.inf)


def main() -> None:
    """As a process: reads the job file named on the command line, prints the protocol, as the worker does."""
    from vllm_migrate.opening import opened_text
    from vllm_migrate.smoke.worker import emit

    with opened_text(sys.argv[1]) as file:
        fields = json.load(file)
    job = Job(**{name: fields[name] for name in Job._fields})
    count = 0
    for line in TorchEngine().run(job, emit):
        emit(line)
        count += line["kind"] == "row"
    emit({"kind": "end", "rows": count})


if __name__ == "__main__":
    main()
