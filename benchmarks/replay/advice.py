"""python -m benchmarks.replay.advice --old PY085 --new PY181 --seeds 5 --out DIR

What to do with requests in flight and with the caches when weights are replaced: every pause policy, with the prefix
cache on and off, with less and more lag. The engine is that of the fixed file; what is varied is written here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.replay.__main__ import STEPS, interpreter
from benchmarks.replay.arms import PREFIX, Arm, Renderer
from benchmarks.replay.gates import Results
from benchmarks.replay.loop import WorkerError
from benchmarks.replay.measures import difference, permutation_p, summary
from benchmarks.replay.report import TITLES, identical_steps, spread, write_lines
from benchmarks.replay.runner import Task, cores, run_all
from vllm_migrate.errors import UsageError

POLICIES: dict[str, dict[str, Any] | None] = {
    "bare update": None,
    "keep, keep the cache": {"mode": "keep", "clear_cache": False},
    "keep, clear the cache": {"mode": "keep", "clear_cache": True},
    "abort": {"mode": "abort", "clear_cache": True},
}
IN_FLIGHT = (64, 128, 256)  # requests; at 64 a step a mean lag of about a half, one and two versions
BATCHED_TOKENS = (
    2**17
)  # everything in flight in one step: a seeded request that is prefilled in parts ends 0.18.1 on CPU
BARE = "bare update"


def arm_name(policy: str, prefix: bool, in_flight: int) -> str:
    return f"{policy.replace(', ', '-').replace(' ', '-')}-prefix-{'on' if prefix else 'off'}-{in_flight}"


def arms(fixed: Arm, lags: Sequence[int]) -> Iterator[Arm]:
    """Every combination; a bare update at the least lag alone, for it is the same as keeping everything."""
    for in_flight in lags:
        for policy, pause in POLICIES.items():
            for prefix in (False, True):
                if policy == BARE and (in_flight != lags[0] or prefix):
                    continue
                varied = {PREFIX: prefix, "max_num_seqs": in_flight, "max_num_batched_tokens": BATCHED_TOKENS}
                reading = fixed.reading._replace(engine_args={**fixed.reading.engine_args, **varied}, pause=pause)
                yield fixed._replace(name=arm_name(policy, prefix, in_flight), reading=reading, pins={})


def table(results: Results, lags: Sequence[int], minutes: float) -> str:
    """Every arm, and what clearing the cache changes."""
    any_arm = next(iter(results.values()))
    head = f"vLLM {any_arm.started.vllm} on a CPU, n = {len(any_arm.runs)}, {minutes:.1f} minutes."
    columns = [*TITLES.values(), "lag", "tokens thrown away", "engine CPU, s"]
    rows = [
        "| in flight | at an update | prefix cache | n | " + " | ".join(columns) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for name, ran in results.items():
        policy, prefix, in_flight = _factors(name)
        cells = [spread([summary(run, metric) for run in ran.runs]) for metric in (*TITLES, "lag")]
        cells.append(spread([run.steps[-1]["thrown_away"] for run in ran.runs]))
        cells.append(spread([run.steps[-1]["engine_cpu_s"] - run.steps[0]["engine_cpu_s"] for run in ran.runs]))
        rows.append(f"| {in_flight} | {policy} | {prefix} | {len(ran.runs)} | " + " | ".join(cells) + " |")
    return (
        "\n".join(["# Pause policies and the prefix cache", "", head, "", *rows, "", *contrasts(results, lags)]) + "\n"
    )


def _factors(name: str) -> tuple[str, str, str]:
    """An arm's policy, its prefix cache and how many requests are in flight, from its name."""
    for policy in POLICIES:
        for prefix in (False, True):
            for in_flight in IN_FLIGHT:
                if name == arm_name(policy, prefix, in_flight):
                    return policy, "on" if prefix else "off", str(in_flight)
    raise KeyError(name)


def contrasts(results: Results, lags: Sequence[int]) -> list[str]:
    """Each arm against keeping requests and cache with the prefix cache off, which is what 0.8.5 did."""
    out = [
        "| in flight | against keep, keep the cache, prefix cache off | | difference, 90 % interval | p | identical |",
        "|---" * 6 + "|",
    ]
    for in_flight in lags:
        base = results[arm_name("keep, keep the cache", False, in_flight)]
        for name, ran in results.items():
            policy, prefix, places = _factors(name)
            if ran is base or places != str(in_flight):
                continue
            for metric in ("k3_without_lag", "clip_rate", "kl", "reward"):
                a, b = ([summary(run, metric) for run in one.runs] for one in (ran, base))
                found = difference(a, b)
                text = f"{found.value:+.3g} ({found.low:+.3g} to {found.high:+.3g})"
                p = f"{permutation_p(a, b):.3g}" if min(len(a), len(b)) > 1 else ""
                what = f"{policy}, prefix cache {prefix}"
                out.append(f"| {in_flight} | {what} | {TITLES[metric]} | {text} | {p} | {identical_steps(ran, base)} |")
    for in_flight in lags:
        on, off = (results[arm_name("keep, clear the cache", prefix, in_flight)] for prefix in (True, False))
        out += ["", f"{in_flight} in flight, cleared: prefix cache on and off, {identical_steps(on, off)} identical."]
    return out


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay.advice", description=__doc__.splitlines()[2])
    parser.add_argument("--old", required=True, metavar="PY", help="a python with vLLM 0.8.5")
    parser.add_argument("--new", required=True, metavar="PY", help="a python with vLLM 0.18.1, torch and transformers")
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    parser.add_argument("--in-flight", type=int, nargs="+", choices=IN_FLIGHT, default=list(IN_FLIGHT))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=len(cores()), metavar="N")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    options = parse(words)
    began = time.monotonic()
    renderer = Renderer(options.out / "configs", interpreter(options.old), interpreter(options.new), "gspo")
    tasks = [Task(arm, range(options.seeds), options.steps) for arm in arms(renderer.fixed(), options.in_flight)]
    results = run_all(tasks, options.new, options.out / "work", options.jobs, lambda text: print(text, flush=True))
    write_lines(options.out, results, [])
    text = table(results, options.in_flight, (time.monotonic() - began) / 60)
    (options.out / "advice.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, WorkerError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
