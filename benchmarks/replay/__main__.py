"""python -m benchmarks.replay --old PY085 --new PY181 --seeds 3 --out DIR"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks.replay import report
from benchmarks.replay.arms import DIALECTS, PREFIX, Interpreter, Renderer
from benchmarks.replay.gates import AGAIN, FAILED, REPEATED, STALE_STEP, failed, judge
from benchmarks.replay.loop import WorkerError
from benchmarks.replay.runner import Task, cores, run_all
from vllm_migrate.errors import UsageError
from vllm_migrate.smoke.backends.vllm_worker import release_of

STEPS, QUICK_STEPS = 56, 12


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--old", required=True, metavar="PY", help="a python with vLLM 0.8.5")
    parser.add_argument("--new", required=True, metavar="PY", help="a python with vLLM 0.18.1, torch and transformers")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="training runs of each arm")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where everything is written")
    parser.add_argument("--loss", choices=("gspo", "ppo", "grpo"), default="gspo")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps of one seed; no interval gate")
    parser.add_argument("--ablate", action="store_true", help="every pin of the fix away in turn, with all seeds")
    parser.add_argument("--jobs", type=int, default=len(cores()), metavar="N", help="arms that run at the same time")
    return parser.parse_args(words)


def plan(renderer: Renderer, seeds: int, steps: int, ablate: bool) -> list[Task]:
    """Every arm of a replay; the longest first."""
    every, one = list(range(seeds)), [0]
    old, as_it_comes, fixed = renderer.old(), renderer.as_it_comes(), renderer.fixed()
    tasks = [Task(arm, every, steps) for arm in (old, as_it_comes, fixed)]
    for option in fixed.pins if ablate else (PREFIX,):
        try:
            arm = renderer.ablated(option)
        except LookupError:
            continue  # its gate fails
        tasks.append(Task(arm, every, steps) if ablate else Task(arm, one, STALE_STEP + 1))
    for source in DIALECTS:
        tasks.append(Task(renderer.as_it_comes(source), one, STALE_STEP + 1))
        tasks.append(Task(renderer.fixed(source), one, REPEATED))
    again = [arm._replace(name=arm.name + AGAIN) for arm in (old, as_it_comes, fixed)]
    return [*tasks, *(Task(arm, one, REPEATED) for arm in again)]


def interpreter(python: str) -> Interpreter:
    """Raises UsageError where it has no vLLM."""
    release = release_of(python)
    if not release:
        raise UsageError(f"{python} has no vLLM", "a python that imports vllm; see benchmarks/replay/README.md")
    return Interpreter(python, release)


def main(words: list[str]) -> int:
    options = parse(words)
    seeds, steps = (1, QUICK_STEPS) if options.quick else (options.seeds, STEPS)
    old, new = interpreter(options.old), interpreter(options.new)
    began = time.monotonic()
    renderer = Renderer(options.out / "configs", old, new, options.loss)
    tasks = plan(renderer, seeds, steps, options.ablate)
    results = run_all(tasks, options.new, options.out / "work", options.jobs, lambda text: print(text, flush=True))
    gates = judge(results, options.quick)
    minutes = (time.monotonic() - began) / 60
    report.write(options.out, results, gates, f"{minutes:.1f} minutes, {options.jobs} arms at a time")
    for gate in gates:
        print(f"{gate.status:8} {gate.arm}: {gate.name}: {gate.text}")
    print(
        f"{sum(g.status == FAILED for g in gates)} of {len(gates)} gates failed; {minutes:.1f} min; {options.out}/table.md"
    )
    return 1 if failed(gates) else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (UsageError, WorkerError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
