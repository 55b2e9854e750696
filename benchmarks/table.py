"""The budget table: what a lint costs, as ratios to a bare Python and to other linters on the same files.

    python benchmarks/table.py [--files 2000] [--rounds 3]

Everything is CPU time of the whole process (so that a busy machine disturbs little), the median of the rounds; what is
compared is measured in turn in each round. yamllint and check-jsonschema are looked for beside the interpreter, and
left out where they are not installed. Files are generated in a temporary folder. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mixed

SMALL = "model: Qwen/Qwen2.5-7B\nmax-model-len: 8192\nenable-prefix-caching: false\n"
COLD_CALLS = 9


class Row(NamedTuple):
    """One line of the table. values: of each round; budget, aim: at most, or at least where `least`; unit: what values count."""

    what: str
    values: list[float]
    budget: float | None
    aim: float | None
    unit: str
    least: bool = False


def config(number: int) -> str:
    """A configuration of about 90 lines with the settings of one rollout engine: some repeat, some are its own."""
    actor = "\n".join(f"  actor_option_{i}: {(number * 31 + i * 17) % 1000}" for i in range(14))
    data = "\n".join(f"  - {{name: set_{i}, weight: 0.{(number + i) % 9 + 1}}}" for i in range(10))
    trainer = "\n".join(f"  trainer_option_{i}: value-{(number + i) % 50}" for i in range(16))
    return f"""# Experiment {number}
seed: {number}
hydra:
  run:
    dir: outputs/{number}

finetune:
  # how a step is made
  learning_rate: 0.000{number % 9 + 1}
  gradient_accumulation_passes: {64 + number % 4}
  attempts: 8
{trainer}

actor:
  llm_max_rollouts: {32 + number % 4 * 32}
  rollout_workers: 1
{actor}

preprocess:
  input: actor
  output: training_data
  n_workers: 8
  chunk_n_groups: 2

llm:
  parameters:
    max_tokens: {4096 + number % 5 * 1024}
    temperature: 1.0
test_llm:
  parameters:
    max_tokens: 8192
    temperature: 1.0
    top_p: 0.95

vllm_config:
  use_v1: false
  vllm_kwargs:
    dtype: bfloat16
    gpu-memory-utilization: 0.9
    max-num-seqs: ${{actor.llm_max_rollouts}}
    max-num-batched-tokens: {1024 * (number % 6 + 1)}
    enable-chunked-prefill: ""
    tensor-parallel-size: {number % 2 + 1}
    generation-config: vllm
    max_model_len: {8000 + number % 20 * 500}
    num-scheduler-steps: 1
    disable-log-requests: ""

datasets:
{data}

world:
  replicas: 1
  actor_fraction: 4
  finetune_fraction: 4
  actor_group_port: 9000
"""


def generate(folder: Path, count: int, text: Callable[[int], str] = config) -> None:
    for number in range(count):
        path = folder / f"group{number % 20}" / f"config{number}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(number), encoding="utf-8")


class Bench:
    """Runs programs in a clean environment with byte code and caches in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        home = str(folder / "home")
        self.env = {**kept, "PYTHONPYCACHEPREFIX": str(folder / "pyc"), "XDG_CACHE_HOME": home, "HOME": home}
        self.folder = folder

    def run(self, *words: str) -> tuple[float, float]:
        """CPU seconds and peak megabytes of one process. Its exit code says what it found, and is not looked at."""
        process = subprocess.Popen(
            words, cwd=self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, _, used = os.wait4(process.pid, 0)
        return used.ru_utime + used.ru_stime, used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)

    def cpu(self, *words: str) -> float:
        return self.run(*words)[0]

    def cold(self, *words: str) -> float:
        """Of several calls, the one in the middle."""
        return statistics.median(self.cpu(*words) for _ in range(COLD_CALLS))

    def lint(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "vllm_migrate", "lint", *words)


def tool(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def fix_with_proof(folder: Path, count: int = 200) -> float:
    """Milliseconds of CPU for one fix, planned, proved in its document and read back; the files are read before."""
    from vllm_migrate.catalog.store import load as load_catalog
    from vllm_migrate.dialects.workspace import Workspace
    from vllm_migrate.fixes.apply import Fixer
    from vllm_migrate.knowledge.load import load as load_knowledge
    from vllm_migrate.resolve.view import Question
    from vllm_migrate.run.judging import Run

    paths = [str(path) for path in sorted(folder.rglob("*.yaml"))[:count]]
    question = Question("0.8.5", "0.18.1")
    run = Run(question, load_catalog(), load_knowledge(), Workspace(paths))
    for path in paths:
        run.judge_file(path)
    findings = [finding for finding in run.finish().findings if finding.fix is not None][:count]
    fixer = Fixer(question, load_catalog(), load_knowledge())
    gc.collect()
    gc.disable()  # as in a call of the program
    start = time.process_time()
    for finding in findings:
        fixer.offer(finding, True)
    spent = time.process_time() - start
    gc.enable()
    return spent * 1000 / len(findings)


def measure(folder: Path, files: int, rounds: int) -> list[Row]:
    bench = Bench(folder)
    small, many, several = folder / "small.yaml", folder / "many", folder / "mixed"
    small.write_text(SMALL, encoding="utf-8")
    generate(many, files)
    generate(several, files, mixed.config)
    schema = folder / "schema.json"
    schema.write_text('{"type": "object"}', encoding="utf-8")
    every = [str(path) for path in sorted(many.rglob("*.yaml"))]
    yamllint, check = tool("yamllint"), tool("check-jsonschema")
    got: dict[str, list[float]] = {}

    def note(name: str, value: float) -> float:
        got.setdefault(name, []).append(value)
        return value

    bench.cpu(*bench.lint("--no-cache", str(small)))  # byte code
    for number in range(rounds):
        bare = note("bare", bench.cold(sys.executable, "-c", "pass"))
        note("cold", bench.cold(*bench.lint("--no-cache", str(small))) / bare)
        seconds, peak = bench.run(*bench.lint("--no-cache", str(many)))
        note("seconds", seconds / files * 1000)
        note("peak", peak)
        if yamllint:
            note("yamllint", bench.cpu(yamllint, str(many)) / seconds)
            note("mixed", bench.cpu(yamllint, str(several)) / bench.cpu(*bench.lint("--no-cache", str(several))))
        if check:
            note("check", bench.cpu(check, "--schemafile", str(schema), *every) / seconds)
        if number == 0:
            bench.cpu(*bench.lint(str(many)))  # fills the cache
        note("again", bench.cold(*bench.lint(str(many))) / bare)
        note("fix", fix_with_proof(many))
    return [
        Row("bare `python -c pass`", [value * 1000 for value in got["bare"]], None, None, "ms"),
        Row("cold `lint` of one small file / bare", got["cold"], 6, 4.5, "x"),
        Row(f"{files:,} files, no cache, one core: a file", got["seconds"], None, None, "ms"),
        Row("yamllint on the same files / lint", got.get("yamllint", []), 12, 24, "x", True),
        Row("the same of files of six frameworks, hardly two engines alike", got.get("mixed", []), None, None, "x"),
        Row("check-jsonschema on the same files / lint", got.get("check", []), None, None, "x"),
        Row("the same again, nothing changed / bare", got["again"], 12, 5, "x"),
        Row("one fix with its read-back proof", got["fix"], 2, 0.7, "ms"),
        Row(f"peak memory of {files:,} files", got["peak"], 120, 60, "MB"),
    ]


def verdict(row: Row, value: float) -> str:
    if row.budget is None or row.aim is None:
        return ""
    better = [value >= limit if row.least else value <= limit for limit in (row.aim, row.budget)]
    return "aim" if better[0] else "met" if better[1] else "missed"


def table(rows: list[Row]) -> str:
    lines = ["| what | median | rounds | budget | aim | |", "|---|---|---|---|---|---|"]
    for row in rows:
        if not row.values:
            lines.append(f"| {row.what} | not installed | | | | |")
            continue
        value = statistics.median(row.values)
        spread = " ".join(f"{one:.3g}" for one in row.values)
        limits = " | ".join("" if limit is None else f"{'>=' if row.least else '<='} {limit}" for limit in row[2:4])
        lines.append(f"| {row.what} | {value:.3g} {row.unit} | {spread} | {limits} | {verdict(row, value)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="how many files are generated")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table(measure(Path(folder), options.files, options.rounds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
