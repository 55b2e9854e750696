"""Calibration of the rollout proof by simulation: false fails, coverage, power, and a confusion matrix of the
attribution.

    python benchmarks/smoke_calibration.py [--quick]

Tokens are drawn with known noise between the two sides (healthy noise has E[r] = 1 exactly), summed as `stats.sums`
does, and judged by the program's own estimators, gates and attribution."""

from __future__ import annotations

import argparse
import math
import time
import zlib
from collections import Counter
from typing import NamedTuple

import torch

from vllm_migrate.smoke import margins
from vllm_migrate.smoke.columns import History, evaluate, plan, shape
from vllm_migrate.smoke.compare import Options, compare, measure
from vllm_migrate.smoke.contract import Contract
from vllm_migrate.smoke.recording import Header, Recording, Row, ScoreInfo, Scores
from vllm_migrate.smoke.score import OTHER_HEAD
from vllm_migrate.smoke.stats import Estimates, Sums, estimate
from vllm_migrate.smoke.verdict import worst


class Noise(NamedTuple):
    """Healthy noise of one kind: shares of tokens and the spread of log r of each share."""

    kind: str
    shares: tuple[float, ...]
    spreads: tuple[float, ...]

    @property
    def k3(self) -> float:
        """The true k3 in nats: E[r - 1 - x] = s^2 / 2 for a log-normal r with mean 1."""
        return sum(w * s * s / 2 for w, s in zip(self.shares, self.spreads, strict=True))


# Spreads from published noise: k3 6.4e-4 dense bf16, 1.5e-3 MoE with a heavy tail, 2.5e-3 block fp8, 3e-2 MXFP8.
NOISES = (
    Noise("fp32", (1.0,), (3e-6,)),
    Noise("bf16", (0.9, 0.1), (0.028, 0.078)),
    Noise("bf16-tiny", (1.0,), (0.096,)),
    Noise("moe", (0.94, 0.055, 0.005), (0.03, 0.11, 0.45)),
    Noise("fp8", (0.9, 0.1), (0.055, 0.14)),
    Noise("mxfp8", (0.9, 0.1), (0.2, 0.5)),
)
SIZES = ((64, 512), (16, 48))


class Pool(NamedTuple):
    """C and V of tokens drawn from synthetic laws: mean C is 0 under the law itself, and under another temperature
    not.
    """

    c: torch.Tensor
    v: torch.Tensor


def pool(generator: torch.Generator, temperature: float = 1.0, size: int = 200_000) -> Pool:
    logits = torch.randn(size, 48, generator=generator) * 2.0
    logp = logits.log_softmax(1)
    entropy = -(logp.exp() * logp).sum(1)
    v = (logp.exp() * logp * logp).sum(1) - entropy * entropy
    drawn = (logits / temperature).softmax(1).multinomial(1, generator=generator)
    return Pool(-logp.gather(1, drawn).squeeze(1) - entropy, v)


def simulate(noise: Noise, size: tuple[int, int], offset: float, tokens: Pool, generator: torch.Generator) -> Estimates:
    """One run's estimates: G sequences of n tokens, log r = offset + N(-s^2/2, s), the spread s drawn per token."""
    shape = size
    which = torch.multinomial(torch.tensor(noise.shares), shape[0] * shape[1], True, generator=generator).reshape(shape)
    s = torch.tensor(noise.spreads, dtype=torch.float64)[which]
    x = offset - s * s / 2 + s * torch.randn(shape, dtype=torch.float64, generator=generator)
    picked = torch.randint(len(tokens.c), shape, generator=generator)
    r = x.exp()
    columns = [r, r * r, r.clamp(max=10.0), torch.expm1(x) - x, x, x.abs(), tokens.c[picked], tokens.v[picked]]
    parts = torch.stack([c.double().sum(1) for c in columns], 1).tolist()
    return estimate([Sums(shape[1], 0, *part) for part in parts])


def rates(
    noise: Noise, size: tuple[int, int], runs: int, offset: float = 0.0, temperature: float = 1.0
) -> dict[str, float]:
    """How often each gate and the whole answers what; how often each interval covers the truth."""
    seed = zlib.crc32(repr((noise.kind, size, offset, temperature)).encode())
    generator = torch.Generator().manual_seed(seed)
    tokens, limits = pool(generator, temperature), margins.select(noise.kind, size[0] * size[1])
    found: Counter[str] = Counter()
    for _ in range(runs):
        numbers = simulate(noise, size, offset, tokens, generator)
        metrics = measure(numbers, limits)
        decision = worst([m.gate for m in metrics.values() if m.gate])
        found[decision] += 1
        for name in ("D", "b", "k3"):
            found[f"{name} {metrics[name].gate}"] += 1
        found["cover D"] += numbers.d.low <= offset <= numbers.d.high
        found["cover k3"] += numbers.k3.low <= noise.k3 <= numbers.k3.high
        assert numbers.b is not None
        found["cover b"] += numbers.b.low <= 0 <= numbers.b.high
    return {key: count / runs for key, count in found.items()}


def calibration(runs: dict[tuple[int, int], int]) -> None:
    print("\nHealthy noise: what the whole test answers, and how often each interval covers the truth")
    print("(nominal: D and k3 95 %, b 90 %)")
    print(f"{'noise':10} {'size':>9} {'runs':>5} {'pass':>6} {'fail':>6} {'incon.':>6} | {'D':>6} {'k3':>6} {'b':>6}")
    for noise in NOISES:
        for size in SIZES:
            r = rates(noise, size, runs[size])
            answers = " ".join(f"{r.get(name, 0):6.3f}" for name in ("pass", "fail", "inconclusive"))
            covers = " ".join(f"{r['cover ' + name]:6.3f}" for name in ("D", "k3", "b"))
            print(f"{noise.kind:10} {size[0]:>4} x{size[1]:>4} {runs[size]:>5} {answers} | {covers}")
    print(
        "\nFaults: how often D and b answer `fail` (power), at a true offset of log E[r] and a true temperature error"
    )
    print(f"{'noise':10} {'size':>9} {'fault':>14} {'D fail':>7} {'b fail':>7} {'pass':>7}")
    faults = ((0.01, 1.0), (0.02, 1.0), (0.05, 1.0), (0.0, 1.05), (0.0, 1.25))
    for noise in (n for n in NOISES if n.kind in ("bf16", "moe", "fp8")):
        for size in SIZES:
            for offset, temperature in faults:
                r = rates(noise, size, max(40, runs[size] // 4), offset, temperature)
                what = f"D = {offset}" if offset else f"T x {temperature}"
                print(
                    f"{noise.kind:10} {size[0]:>4} x{size[1]:>4} {what:>14} {r.get('D fail', 0):7.3f} "
                    f"{r.get('b fail', 0):7.3f} {r.get('pass', 0):7.3f}"
                )


VOCABULARY, SEQUENCES, TOKENS = 400, 32, 96


class World(NamedTuple):
    """One synthetic case: the contract asked for, what really happened, and the truth to be named."""

    name: str
    layer: str | None
    truth: tuple[str, ...]  # any of these suspects names it
    asked: dict[str, float] = {"temperature": 0.7, "top_p": 0.9, "top_k": 20}
    drawn: dict[str, float] | None = None  # the sampling parameters really applied; None: as asked
    report: str = "contract"
    claims: str = "contract"
    noise: float = 0.02  # spread of the trainer's logits around the engine's
    place: str = "flat"  # how the noise lies: flat, falling, growing, tail, cached, version
    head: bool = False  # the engine's logits are rounded to bfloat16
    shift: int = 0
    nan: bool = False
    order: str = "v1"
    sequences: int = SEQUENCES


NEUTRAL = {"temperature": 1.0}
WORLDS = (
    World("healthy", None, ()),
    World("healthy, T = 1", None, (), NEUTRAL),
    World("rollout raw, trainer tempers", "semantic", ("logprobs-semantics",), report="raw"),
    World("the same, T = .6 alone", "semantic", ("logprobs-semantics",), {"temperature": 0.6}, report="raw"),
    World("trainer forgets /T", "semantic", ("trainer-temperature",), {"temperature": 0.6}, claims="raw"),
    World("both raw at T = .6", "semantic", ("logprobs-semantics",), {"temperature": 0.6}, report="raw", claims="raw"),
    World(
        "processed, top_p .95, T only",
        "semantic",
        ("truncation-bias",),
        {"temperature": 0.8, "top_p": 0.95},
        claims="T",
    ),
    World(
        "processed, top_p .8, T only", "semantic", ("truncation-bias",), {"temperature": 0.8, "top_p": 0.8}, claims="T"
    ),
    World(
        "processed, top_k 20, T only", "semantic", ("truncation-bias",), {"temperature": 0.8, "top_k": 20}, claims="T"
    ),
    World(
        "unseen penalty, processed",
        "semantic",
        ("sampling-defaults-inherited",),
        {"temperature": 0.8},
        {"temperature": 0.8, "repetition_penalty": 1.5},
    ),
    World(
        "unseen penalty, raw, T = 1",
        "semantic",
        ("sampling-defaults-inherited",),
        NEUTRAL,
        {"repetition_penalty": 2.0, "frequency_penalty": 1.0},
        "raw",
        sequences=192,
    ),
    World(
        "unseen top_k, raw",
        "semantic",
        ("sampling-defaults-inherited", "logprobs-semantics"),
        {"temperature": 0.8},
        {"temperature": 0.8, "top_k": 5},
        "raw",
    ),
    World("min_p in V0's order", "semantic", ("min-p-order",), {"min_p": 0.05, "top_p": 0.8}, order="v0"),
    World("off by one", "semantic", ("token-alignment",), shift=1),
    World("BOS dropped", "semantic", ("chat-template",), noise=1.2, place="falling"),
    World("rope, long context", "numerics", ("rope-scaling",), noise=1.2, place="growing"),
    World("weights 2 % off", None, ("stale-weights",), {"temperature": 0.7}, noise=0.35),
    World("weights 20 % off", "weight-update", ("stale-weights",), {"temperature": 0.7}, noise=1.5),
    World("MoE routing", "numerics", ("moe-routing",), {"temperature": 0.7}, noise=2.5, place="tail"),
    World("head bf16 against fp32", "numerics", ("fp32-lm-head",), noise=0.002, head=True),
    World("stale prefix cache", "inference-path", ("prefix-caching-default",), noise=0.45, place="cached"),
    World("update lost for half, versions told", "weight-update", ("stale-weights",), noise=0.45, place="version"),
    World("spread by batch shape", None, ("numeric-noise",), noise=0.3),
    World("NaN rows", None, (), nan=True),
)


def noisy(logits: torch.Tensor, world: World, generator: torch.Generator) -> torch.Tensor:
    """The trainer's logits [S, T, V]."""
    n = world.sequences
    noise = torch.randn(logits.shape, generator=generator)
    at = torch.arange(TOKENS) / TOKENS
    scale = {
        "flat": torch.ones(n, TOKENS),
        "falling": (0.9 * (1 - at) ** 2 + 0.1).expand(n, -1),
        "growing": (0.9 * at**2 + 0.1).expand(n, -1),
        "tail": (torch.rand(n, TOKENS, generator=generator) < 0.015) * 1.0 + 0.005,
        "version": ((torch.arange(n) % 2) * 0.95 + 0.05)[:, None].expand(-1, TOKENS),
        "cached": ((torch.arange(n) % 2) * 0.95 + 0.05)[:, None].expand(-1, TOKENS),
    }[world.place]
    return logits + world.noise * scale[:, :, None] * noise


def case(world: World, seed: int) -> Recording:
    """A scored recording of one world."""
    generator = torch.Generator().manual_seed(seed)
    # A part that stays along the sequence, so that tokens come back as they do in text.
    lasting = torch.randn(world.sequences, 1, VOCABULARY, generator=generator) * 1.6
    logits = lasting + torch.randn(world.sequences, TOKENS, VOCABULARY, generator=generator) * 1.5
    engine = logits.bfloat16().float() if world.head else logits
    trainer = noisy(logits, world, generator)
    prompts = torch.randint(0, VOCABULARY, (world.sequences, 8), generator=generator).tolist()
    asked, drawn = Contract.of(world.asked), Contract.of(world.drawn if world.drawn is not None else world.asked)
    chosen = plan(asked, "v1")
    rows = []
    for i in range(world.sequences):
        tokens, sampled = sample(engine[i], drawn, prompts[i], world, generator)
        history = History(prompts[i], tokens, 0)
        ids = torch.tensor(tokens)
        values = evaluate(trainer[i], ids, chosen.columns, history)
        scores = {
            name: Scores(logp=floats(v.logp), entropy=v.entropy.tolist(), varentropy=v.varentropy.tolist())
            for name, v in values.items()
        }
        if world.head:
            other = evaluate(trainer[i].bfloat16().float(), ids, chosen.columns, history)[chosen.claimed]
            scores[chosen.claimed + OTHER_HEAD] = Scores(logp=floats(other.logp))
        told: list[float | None] = [*[sampled[0]] * world.shift, *sampled[: len(sampled) - world.shift]]
        if world.nan and i < 3:
            told[5] = math.nan
        cached = 64 * (i % 2) if world.place == "cached" else 0
        versions: list[int | str] | None = [1 - i % 2] * TOKENS if world.place == "version" else None
        row = Row(prompt=prompts[i], tokens=tokens, logprobs=told, scores=scores, cached=cached, prompt_index=i)
        rows.append(row.model_copy(update={"versions": versions}))
    info = ScoreInfo(
        model="m", dtype="bfloat16", head_dtype="float32", hidden_size=4096, claimed={"user": chosen.claimed}
    )
    header = Header(engine="v1", effective={"dtype": "bfloat16"}, sampling={"user": world.asked}, score=info)
    return Recording(header, rows)


def sample(
    logits: torch.Tensor, drawn: Contract, prompt: list[int], world: World, generator: torch.Generator
) -> tuple[list[int], list[float]]:
    """Tokens of one sequence [T, V] under `drawn`, and what the engine reports for them."""
    tokens: list[int] = []
    told: list[float] = []
    steps = range(len(logits)) if drawn.has_penalties else [slice(None)]
    for t in steps:
        here = logits[t : t + 1] if isinstance(t, int) else logits
        q = law(
            shape(here, drawn, History(prompt, tokens, len(tokens))) if drawn.has_penalties else here,
            drawn,
            world.order,
        )
        picked = q.exp().multinomial(1, generator=generator)
        shown = here.log_softmax(1) if world.report == "raw" else q
        tokens += picked.squeeze(1).tolist()
        told += shown.gather(1, picked).squeeze(1).tolist()
    return tokens, told


def law(logits: torch.Tensor, contract: Contract, order: str) -> torch.Tensor:
    """log q [n, V]: vLLM's cuts written out."""
    x = logits / contract.temperature
    for kind in ("m", "k", "p") if order == "v1" else ("k", "p", "m"):
        if kind == "m" and contract.has_min_p:
            p = x.softmax(1)
            x = x.masked_fill(p < contract.min_p * p.amax(1, keepdim=True), -torch.inf)
        elif kind == "k" and contract.has_top_k:
            x = x.masked_fill(x < x.topk(contract.top_k, 1).values[:, -1:], -torch.inf)
        elif kind == "p" and contract.has_top_p:
            values, index = x.sort(1)
            mask = values.softmax(1).cumsum(1) <= 1 - contract.top_p
            mask[:, -1] = False
            x = x.scatter(1, index, values.masked_fill(mask, -torch.inf))
    return x.log_softmax(1)


def floats(values: torch.Tensor) -> list[float | None]:
    return [v if v > -math.inf else None for v in values.tolist()]


def confusion(repeats: int) -> None:
    print(
        f"\nAttribution: {SEQUENCES} x {TOKENS} tokens, vocabulary {VOCABULARY}, {repeats} runs each; "
        "a set in braces is what cannot be told apart"
    )
    print(f"{'truth':30} {'verdict':26} {'layer':24} named")
    right = total = 0
    for world in WORLDS:
        verdicts: Counter[str] = Counter()
        layers: Counter[str] = Counter()
        named: Counter[str] = Counter()
        for seed in range(repeats):
            found = compare(case(world, seed), options=Options(claims=world.claims))
            verdicts[found.decision] += 1
            layers[str(found.blame.layer)] += 1
            suspects = found.blame.suspects
            named["{" + ", ".join(suspects) + "}" if len(suspects) > 1 else "".join(suspects) or "-"] += 1
            right += bool(set(world.truth) & set(suspects)) if world.truth else found.blame.layer is None
            total += 1
        print(f"{world.name:30} {tally(verdicts):26} {tally(layers):24} {tally(named)}")
    print(f"the truth is named, alone or in the set: {right} of {total}")


def tally(counts: Counter[str]) -> str:
    return ", ".join(f"{key} {count}" for key, count in counts.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--only", choices=("calibration", "attribution"))
    options = parser.parse_args()
    quick = options.quick
    torch.set_num_threads(1)
    started = time.time()
    if options.only != "attribution":
        calibration({(64, 512): 60 if quick else 400, (16, 48): 200 if quick else 2000})
    if options.only != "calibration":
        confusion(1 if quick else 8)
    print(f"\n{time.time() - started:.0f} s, torch {torch.__version__}")


if __name__ == "__main__":
    main()
