"""What a replay writes: arms and steps as JSON Lines, a table in Markdown, the figures.

python -m benchmarks.replay.report DIR judges and draws again what a run left in DIR.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.replay.arms import AS_IT_COMES, FIXED, LEFT_OUT, OLD, Arm
from benchmarks.replay.gates import AGAIN, INERT, Gate, Ran, Results, judge, matches, show
from benchmarks.replay.loop import Run, Started
from benchmarks.replay.measures import AT_THE_END, OVER_STEPS, SETTLED, at_step, difference, permutation_p, summary
from benchmarks.replay.product import Reading

MAIN = (OLD, AS_IT_COMES, FIXED)
TITLES = {
    "clip_rate": "clip rate",
    "kl": "KL",
    "mean_ratio": "mean ratio",
    "entropy": "entropy",
    "reward": "reward",
    "k3_without_lag": "k3 without lag",
}
SHOWN_STEPS = (0, 10, 20, 35, 55)


def write(out: Path, results: Results, gates: Sequence[Gate], took: str) -> None:
    """arms.jsonl, steps.jsonl, table.md and, with matplotlib, replay-*.png, .svg and .gif."""
    write_lines(out, results, gates)
    draw(out, results, gates, took)


def draw(out: Path, results: Results, gates: Sequence[Gate], took: str) -> None:
    (out / "table.md").write_text(table(results, gates, took), encoding="utf-8")
    try:
        from benchmarks.replay import figure
    except ImportError:
        print("no figure: pip install 'vllm-migrate[replay]'")
        return
    figure.write(out, {name: results[name] for name in MAIN})


def write_lines(out: Path, results: Results, gates: Sequence[Gate]) -> None:
    """arms.jsonl and steps.jsonl."""
    _lines(out / "arms.jsonl", (arm_line(ran, gates, out) for ran in results.values()))
    _lines(out / "steps.jsonl", step_lines(results))


def _lines(path: Path, lines: Iterator[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def arm_line(ran: Ran, gates: Sequence[Gate], out: Path) -> dict[str, Any]:
    """All that is known of an arm: what was asked for, what the engine reports, step 0, the gates about it."""
    arm, reading = ran.arm, ran.arm.reading
    job = arm.job("model")
    first = ("largest_d", "clip_rate", "kl", "mean_ratio", "reward", "entropy")
    return {
        "arm": arm.name,
        "file": os.path.relpath(reading.path, out),
        "dialect": reading.dialect,
        "release": reading.release,
        "vllm": ran.started.vllm,
        "core": ran.started.core,
        "seeds": [run.seed for run in ran.runs],
        "steps": max(len(run.steps) for run in ran.runs),
        "engine_args": job["engine_args"],
        "parsed_by": "the release's own parser" if arm.serve_file else "vllm-migrate",
        "platform": job["platform"],
        "left_out": sorted(set(LEFT_OUT) & set(reading.engine_args)),
        "sampling": reading.sampling,
        "pause": reading.pause,
        "loss": arm.loss,
        "reported": ran.started.reported,
        "pins": arm.pins,
        "away": arm.away,
        "step_0": {name: at_step(ran.runs, 0, name) for name in first},
        "gates": [gate._asdict() for gate in gates if gate.arm == arm.name],
        "start_s": ran.started.start_s,
        "wall_s": [run.wall_s for run in ran.runs],
    }


def step_lines(results: Results) -> Iterator[dict[str, Any]]:
    for ran in results.values():
        for run in ran.runs:
            for line, digest in zip(run.steps, run.digests, strict=True):
                yield {"arm": run.arm, "seed": run.seed, **line, "digest": digest}


def load(out: Path) -> dict[str, Ran]:
    """What `write_lines` wrote. Engine arguments that were left out of an arm are not in it."""
    runs: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for line in _read(out / "steps.jsonl"):
        runs.setdefault(line.pop("arm"), {}).setdefault(line.pop("seed"), []).append(line)
    found = {}
    for line in _read(out / "arms.jsonl"):
        name = line["arm"]
        read = ("release", "dialect", "core", "engine_args", "sampling", "pause", "loss")
        reading = Reading(path=line["file"], **{key: line[key] for key in read}, refused=(), notes=())
        started = Started(line["vllm"], line["core"], line["reported"], line["start_s"])
        made = [
            Run(name, seed, steps, [step.pop("digest") for step in steps], wall)
            for (seed, steps), wall in zip(runs[name].items(), line["wall_s"], strict=True)
        ]
        found[name] = Ran(Arm(name, "", reading, line["pins"], line["away"]), started, made)
    return found


def _read(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def label(ran: Ran) -> str:
    """An arm in words."""
    arm, release = ran.arm, ran.arm.reading.release
    file = "" if arm.reading.dialect == "pipelinerl" else f"{arm.reading.dialect}, "
    if arm.away:
        return f"{file}{release}, fixed without {arm.away}"
    if arm.pins:
        return f"{file}{release}, the file after fix"
    return f"{file}{release}, the file as it was"


def table(results: Results, gates: Sequence[Gate], took: str) -> str:
    """The report in Markdown."""
    old, new = results[OLD].started.vllm, results[FIXED].started.vllm
    loss = results[FIXED].arm.loss
    parts = [
        "# The replay",
        "",
        f"Real vLLM {old} and {new} on a CPU, a random model of two layers, {loss['kind'].upper()} with a clip range of "
        f"{loss['epsilon_low']:g} and {loss['epsilon_high']:g}, n = {len(results[FIXED].runs)}; {took}.",
        "",
        "## By step",
        "",
        *by_step(results),
        "",
        "## Over the run",
        "",
        f"Means and deviations over seeds; reward and entropy over the last {SETTLED} steps, the rest over all steps but the first.",
        "",
        *over_the_run(results),
        "",
        "## Contrasts",
        "",
        *contrasts(results),
        "",
        "## Gates",
        "",
        "| gate | arm | | |",
        "|---|---|---|---|",
        *(f"| {gate.name} | {gate.arm} | {gate.status} | {gate.text} |" for gate in gates),
        "",
        *inert(results, gates),
    ]
    return "\n".join(parts) + "\n"


def by_step(results: Results) -> list[str]:
    rows = ["| step | arm | n | " + " | ".join(TITLES.values()) + " |", "|---|" + "---|" * (2 + len(TITLES))]
    longest = max(len(run.steps) for name in MAIN for run in results[name].runs)
    for step in sorted({min(step, longest - 1) for step in SHOWN_STEPS}):
        for name in MAIN:
            runs = results[name].runs
            cells = [spread(at_step(runs, step, metric)) for metric in TITLES]
            rows.append(f"| {step} | {label(results[name])} | {len(runs)} | " + " | ".join(cells) + " |")
    return rows


def over_the_run(results: Results) -> list[str]:
    longest = len(results[FIXED].runs[0].steps)
    rows = ["| arm | n | " + " | ".join(TITLES.values()) + " | equal to fixed |", "|---|" + "---|" * (2 + len(TITLES))]
    for name, ran in results.items():
        if name.endswith(AGAIN) or len(ran.runs[0].steps) < longest:
            continue
        cells = [spread([summary(run, metric) for run in ran.runs]) for metric in TITLES]
        same = identical_steps(ran, results[FIXED]) if name != FIXED else ""
        rows.append(f"| {label(ran)} | {len(ran.runs)} | " + " | ".join(cells) + f" | {same} |")
    return rows


def identical_steps(ran: Ran, fixed: Ran) -> str:
    """How many steps have the tokens and logprobs of the fixed file's run, bit by bit."""
    pairs = [(a, b) for a in ran.runs for b in fixed.runs if a.seed == b.seed]
    equal = sum(x == y for a, b in pairs for x, y in zip(a.digests, b.digests, strict=False))
    return f"{equal} of {sum(len(a.digests) for a, _ in pairs)} steps"


def contrasts(results: Results) -> list[str]:
    if min(len(results[name].runs) for name in MAIN) < 2:
        return ["One seed has no interval."]
    rows = ["| | | difference, 90 % interval | of the gap | p |", "|---|---|---|---|---|"]
    for metric in (*OVER_STEPS, *AT_THE_END):
        old, loose, fixed = ([summary(run, metric) for run in results[name].runs] for name in MAIN)
        gap = statistics.fmean(loose) - statistics.fmean(old)
        for title, a in (("as it comes - old", loose), ("fixed - old", fixed)):
            found = difference(a, old)
            text = f"{found.value:+.3g} ({found.low:+.3g} to {found.high:+.3g})"
            share = f"{found.value / gap:+.1%}" if gap else ""
            rows.append(f"| {title} | {TITLES[metric]} | {text} | {share} | {permutation_p(a, old):.3g} |")
    count = len(results[FIXED].runs)
    smallest = 2 / math.comb(2 * count, count)
    return [
        *rows,
        "",
        f"p: exact permutation test; {count} seeds against {count} can give {smallest:.3g} at the least.",
    ]


def inert(results: Results, gates: Sequence[Gate]) -> list[str]:
    """What this platform cannot show."""
    fixed = results[FIXED]
    options = [gate.text.partition(":")[0] for gate in gates if gate.status == INERT and gate.arm == FIXED]
    for option in ("disable_cascade_attn", "cudagraph_mode", "enforce_eager"):
        got, loose = (results[name].started.reported.get(option) for name in (FIXED, AS_IT_COMES))
        if option not in options and matches(got, loose):
            options.append(option)
    listed = [f"{option} ({show(fixed.started.reported.get(option))} with and without the fix)" for option in options]
    return ["Inert here, so not shown: " + ", ".join(listed) + "."] if listed else []


def spread(values: Sequence[float]) -> str:
    """Mean and deviation; the value alone where there is one."""
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return ""
    mean = figure_of(statistics.fmean(values))
    return f"{mean} ± {figure_of(statistics.stdev(values))}" if len(values) > 1 else mean


def figure_of(value: float) -> str:
    """Three digits; what is below float32's noise as a bound."""
    return "< 1e-8" if abs(value) < 1e-8 and value != 0 else f"{value:.3g}"


if __name__ == "__main__":
    place = Path(sys.argv[1])
    again = load(place)
    spent = sum(ran.started.start_s + sum(run.wall_s for run in ran.runs) for ran in again.values())
    short = len(again[FIXED].runs) < 2
    draw(place, again, judge(again, quick=short), f"{spent / 60:.1f} minutes, were all runs one after the other")
