"""The budget table: what a lint of real repositories costs, beside other linters on the same files.

    python benchmarks/table.py --tree verl=FOLDER --tree nemo-rl=FOLDER --tree prime-rl=FOLDER [--rounds 3] [--growth]

Each FOLDER is a checkout. Costs are CPU time of the whole process, user and system, unless a row says otherwise; what is
compared is measured in turn in each round, and the median of the rounds counts. yamllint, shellcheck and ruff (all in the
`dev` extra) read the same YAML, shell and Python files that vllm-migrate reads. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

SMALL = "model: Qwen/Qwen2.5-7B\nmax-model-len: 8192\nenable-prefix-caching: false\n"
COLD_CALLS = 9
SUFFIXES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".sh": "shell",
    ".bash": "shell",
    ".slurm": "shell",
    ".py": "python",
    ".toml": "toml",
}
# A tree's name to (at most, aim): CPU of lint over that of its peers.
TREES = {"verl": (0.20, 0.12), "nemo-rl": (0.18, 0.10), "prime-rl": (0.40, 0.25)}
MEGABYTE = 1 << 20


class Row(NamedTuple):
    """One line of the table: the values of each round, what they may be at most, what we aim at, and their unit."""

    what: str
    values: list[float]
    budget: float | None = None
    aim: float | None = None
    unit: str = "x"


class Cost(NamedTuple):
    """What one process took: CPU seconds, seconds on the clock, peak megabytes (of the largest process)."""

    cpu: float
    wall: float
    peak: float


class Bench:
    """Runs programs in a clean environment, with byte code and caches in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        home = str(folder / "home")
        source = str(Path(__file__).parents[1])
        self.env = {
            **kept,
            "PYTHONPYCACHEPREFIX": str(folder / "pyc"),
            "XDG_CACHE_HOME": home,
            "HOME": home,
            "PYTHONPATH": source,
        }
        self.folder = folder

    def run(self, *words: str, cwd: Path | None = None) -> Cost:
        """The cost of one process. Its exit code says what it found, and is not looked at."""
        began = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=cwd or self.folder, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, _, used = os.wait4(process.pid, 0)
        peak = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began, peak)

    def cold(self, *words: str, cwd: Path | None = None) -> float:
        """CPU seconds of a short call: of several, the one in the middle."""
        return statistics.median(self.run(*words, cwd=cwd).cpu for _ in range(COLD_CALLS))

    def lint(self, folder: Path, *words: str, jobs: int = 1, form: str = "concise") -> Cost:
        call = (sys.executable, "-m", "vllm_migrate", "lint", "--output-format", form, "--jobs", str(jobs), *words, ".")
        return self.run(*call, cwd=folder)


class Measured:
    """Values by row, of all rounds."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def note(self, name: str, value: float) -> float:
        self.values.setdefault(name, []).append(value)
        return value

    def row(self, name: str, budget: float | None = None, aim: float | None = None, unit: str = "x") -> Row:
        return Row(name, self.values.get(name, []), budget, aim, unit)


def tool(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed; `pip install vllm-migrate[dev]` has it")
    return found


def files_of(folder: Path, *kinds: str) -> list[str]:
    """The files of these kinds below a folder, as paths relative to it."""
    found = (path for path in sorted(folder.rglob("*")) if SUFFIXES.get(path.suffix) in kinds and path.is_file())
    return [str(path.relative_to(folder)) for path in found]


def peers(bench: Bench, folder: Path) -> float:
    """CPU seconds of yamllint, shellcheck and ruff on the YAML, shell and Python files of a tree, no caches."""
    calls = (
        ((tool("yamllint"), "-f", "parsable"), files_of(folder, "yaml")),
        ((tool("shellcheck"),), files_of(folder, "shell")),
        ((tool("ruff"), "check", "--no-cache", "--quiet"), files_of(folder, "python")),
    )
    return sum(bench.run(*words, *files, cwd=folder).cpu for words, files in calls if files)


def gathered(trees: Iterable[Path], into: Path, count: int) -> Path:
    """A folder with copies of `count` files of the trees, again and again from the start where they are fewer."""
    every = [(tree, name) for tree in trees for name in files_of(tree, "yaml", "shell", "python", "toml")]
    for number in range(count):
        tree, name = every[number % len(every)]
        target = into / f"copy{number // len(every)}" / tree.name / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / name, target)
    return into


def measure(bench: Bench, trees: dict[str, Path], rounds: int) -> list[Row]:
    got = Measured()
    small = bench.folder / "small.yaml"
    small.write_text(SMALL, encoding="utf-8")
    many = gathered(trees.values(), bench.folder / "many", 2000)
    for folder in trees.values():  # byte code and the files' pages
        bench.lint(folder, "--no-cache")
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        bare = got.note("bare", bench.cold(sys.executable, "-c", "pass"))
        cold = bench.cold(sys.executable, "-m", "vllm_migrate", "lint", "--no-cache", str(small))
        got.note("cold/bare", cold / bare)
        got.note("cold", cold / bench.cold(tool("yamllint"), str(small)))
        for name, folder in trees.items():
            seconds = got.note(f"{name} s", bench.lint(folder, "--no-cache").cpu)
            got.note(name, seconds / peers(bench, folder))
            got.note(
                f"{name} cores", bench.lint(folder, "--no-cache", jobs=2).wall / bench.lint(folder, "--no-cache").wall
            )
            if number == 0:
                bench.lint(folder)  # fills the cache
            again = (sys.executable, "-m", "vllm_migrate", "lint", "--output-format", "concise", "--jobs", "1", ".")
            got.note(f"{name} again", bench.cold(*again, cwd=folder) / bare)
            for form in ("json", "sarif"):
                got.note(f"{name} {form}", bench.lint(folder, "--no-cache", form=form).cpu / seconds)
        concise = bench.lint(many, "--no-cache")
        got.note("many peak", concise.peak)
        for form in ("json", "sarif"):
            cost = bench.lint(many, "--no-cache", form=form)
            got.note(f"many {form}", cost.cpu / concise.cpu)
            got.note(f"many {form} peak", cost.peak)
    return rows(got, trees)


def rows(got: Measured, trees: dict[str, Path]) -> list[Row]:
    def renamed(what: str, name: str, budget: float | None = None, aim: float | None = None, unit: str = "x") -> Row:
        return got.row(name, budget, aim, unit)._replace(what=what)

    bare = Row("bare `python -c pass`", [value * 1000 for value in got.values["bare"]], unit="ms")
    out = [bare]
    for name in trees:
        out.append(renamed(f"{name}: CPU", f"{name} s", unit="s"))
        out.append(renamed(f"{name}: CPU against yamllint + shellcheck + ruff", name, *TREES.get(name, (None, None))))
    for name in trees:
        out.append(
            renamed(
                f"{name}: wall on two cores against one", f"{name} cores", *((0.65, 0.55) if name == "verl" else ())
            )
        )
        out.append(renamed(f"{name}: JSON against concise, CPU", f"{name} json", 1.25, 1.1))
        out.append(renamed(f"{name}: SARIF against concise, CPU", f"{name} sarif", 1.25, 1.1))
        out.append(renamed(f"{name}: unchanged again, against bare", f"{name} again", 12, 5))
    out.append(renamed("2,000 files: JSON against concise, CPU", "many json", 1.25, 1.1))
    out.append(renamed("2,000 files: SARIF against concise, CPU", "many sarif", 1.25, 1.1))
    for what, name in (("concise", "many peak"), ("JSON", "many json peak"), ("SARIF", "many sarif peak")):
        out.append(renamed(f"2,000 files: peak memory, {what}", name, 120, 80, unit="MB"))
    out.append(renamed("one small file, cold, against bare", "cold/bare", None, 4))
    out.append(renamed("one small file, cold, against yamllint", "cold", 1.0, 0.6))
    return out


# Texts of about n bytes, of each carrier, with an engine in them and many more things that a reader must pass.
CARRIERS: dict[str, Callable[[int], str]] = {
    "serve.yaml": lambda n: SMALL + "".join(f"key_{i}: [{i}, 'value {i}']\n" for i in range(n // 32)),
    "serve.json": lambda n: (
        '{"model": "m", "max-model-len": 8192, "x": [' + ", ".join(f'"item {i}"' for i in range(n // 16)) + "]}"
    ),
    "run.toml": lambda n: '[inference.model]\nname = "m"\n' + "".join(f"[t{i}]\na = {i}\n" for i in range(n // 18)),
    "serve.sh": lambda n: (
        "#!/bin/bash\nvllm serve m --max-model-len 8192\n"
        + "".join(f'A{i}="$X/{i}"; echo "$A{i}" done\n' for i in range(n // 34))
    ),
    "run.py": lambda n: (
        "from vllm import LLM\nllm = LLM('m', max_model_len=8192)\n"
        + "".join(f"x{i} = call({i}, name='v{i}')\n" for i in range(n // 30))
    ),
}


def growth(bench: Bench, trees: dict[str, Path]) -> Iterator[str]:
    """CPU seconds of files of 1 to 8 MB of each carrier and of trees of 1,000 to 16,000 files, with the worst doubling."""
    yield "| what | CPU s at each doubling | worst doubling / 2 |"
    yield "|---|---|---|"
    for name, make in CARRIERS.items():
        seconds = []
        for size in (1, 2, 4, 8):
            folder = bench.folder / f"{name}-{size}"
            folder.mkdir()
            (folder / name).write_text(make(size * MEGABYTE), encoding="utf-8")
            seconds.append(bench.lint(folder, "--no-cache").cpu)
        yield line(f"{name}, 1 to 8 MB", seconds)
    seconds = []
    for count in (1000, 2000, 4000, 8000, 16000):
        folder = gathered(trees.values(), bench.folder / f"files{count}", count)
        seconds.append(bench.lint(folder, "--no-cache").cpu)
        shutil.rmtree(folder)
    yield line("trees of 1,000 to 16,000 files", seconds)


def line(what: str, seconds: list[float]) -> str:
    worst = max(after / before for before, after in itertools.pairwise(seconds)) / 2
    return f"| {what} | {' '.join(f'{value:.2f}' for value in seconds)} | {worst:.2f} (at most 1.3) |"


def verdict(row: Row, value: float) -> str:
    if row.aim is not None and value <= row.aim:
        return "aim"
    return "" if row.budget is None else "met" if value <= row.budget else "missed"


def table(found: list[Row]) -> Iterator[str]:
    yield "| what | median | rounds | at most | aim | |"
    yield "|---|---|---|---|---|---|"
    for row in found:
        value = statistics.median(row.values)
        spread = " ".join(f"{one:.3g}" for one in row.values)
        limits = " | ".join("" if limit is None else f"{limit:g}" for limit in (row.budget, row.aim))
        yield f"| {row.what} | {value:.3g} {row.unit} | {spread} | {limits} | {verdict(row, value)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", required=True, metavar="NAME=FOLDER", help="a checkout to lint")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured")
    parser.add_argument("--growth", action="store_true", help="measure how time grows with size, instead")
    options = parser.parse_args()
    trees = {name: Path(folder).resolve() for name, _, folder in (each.partition("=") for each in options.tree)}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for text in growth(bench, trees) if options.growth else table(measure(bench, trees, options.rounds)):
            print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
