"""Kill the program with SIGKILL and SIGINT at random moments, and look at what is left.

    python benchmarks/kill.py [--kills 500] [--seed 1] [COMMAND...]

COMMAND is lint (with its cache), fix, migrate, catalog or smoke. Each round starts the command on a folder of files,
ends it after a random time, and checks: every file has its old bytes or its new ones, with its mode; what was said
holds no traceback; what the cache and the catalog folder have is whole. Then the command runs to its end, must come
to the same as a run that nobody killed, and leave nothing else behind. Prints the counts by command; exits 1 for
any file that is torn, any traceback (but out of Python's own start, before a line of ours runs) and any leftover that stays.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

FILES = 12
OLD = """# {n}: {filler}
llm:
  parameters:
    temperature: 0.7
vllm_config:
  use_v1: true
  vllm_kwargs:
    num-scheduler-steps: 1  # é
"""
Files = dict[str, bytes]


class Command(NamedTuple):
    """words: of the command line; kept: whether what it prints must be the same after a kill."""

    words: tuple[str, ...]
    kept: bool = False


COMMANDS = {
    "lint": Command(("lint", "."), kept=True),
    "fix": Command(("fix", "-q", "--write", "--isolated", ".")),
    "migrate": Command(("migrate", "--to", "0.18.1", "--write", ".")),
    "catalog": Command(("catalog", "add", "../tree", "--release", "9.2.0")),
    "smoke": Command(("smoke", "record", "../engine.json", "--backend", "torch", "-o", "new.jsonl")),
}


def recording_input(root: Path) -> None:
    """A model that the torch backend runs, and the configuration of its engine."""
    from tests.smoke.conftest import make_model

    make_model(root / "model")
    engine = {"engine_args": {"model": str(root / "model")}, "sampling": {"temperature": 0.7}}
    (root / "engine.json").write_text(json.dumps(engine))


def prepare(root: Path, name: str) -> None:
    """The files of a command, as they are before it."""
    for folder in ("work", "cache", "tmp"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(mode=0o700)
    work = root / "work"
    if name in ("lint", "fix", "migrate"):
        for n in range(FILES):
            (work / f"c{n}.yaml").write_text(OLD.format(n=n, filler="x" * 100_000 if n % 3 == 0 else "x"))
            (work / f"c{n}.yaml").chmod(0o640)
    if name == "migrate":
        (work / "requirements.txt").write_text("vllm==0.8.5\n")
        (work / "requirements.txt").chmod(0o640)


def start(root: Path, name: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "VLLM_MIGRATE_CACHE": str(root / "cache"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "TMPDIR": str(root / "tmp"),
    }
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "vllm_migrate", *COMMANDS[name].words]
    return subprocess.Popen(
        command, cwd=root / "work", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    )


def contents(root: Path) -> Files:
    """Every file of the work and cache folders; of records of answers, only that they are there."""
    found = {}
    for folder in ("work", "cache", "tmp"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file():
                found[f"{folder}/{path.relative_to(root / folder)}"] = path.read_bytes()
    return found


def same(name: str, files: Files, whole: Files) -> bool:
    """Whether a run left what one that nobody killed leaves; a recording has its times, and is compared by its length."""
    if name == "smoke":
        return files.keys() == whole.keys() and all(_rows(files[path]) == _rows(whole[path]) for path in files)
    if name == "lint":  # the record of an answer has the times of files
        return [path for path in files if path.startswith("work/")] == [p for p in whole if p.startswith("work/")]
    return files == whole


def _rows(data: bytes) -> int:
    return len(data.splitlines())


def round_of(root: Path, name: str, wait: float, how: signal.Signals, whole: tuple[Files, bytes]) -> Counter[str]:
    """One start, its end, and what was found."""
    prepare(root, name)
    old, (new, said) = contents(root), whole
    run = start(root, name)
    try:
        out, err = run.communicate(timeout=wait)
    except subprocess.TimeoutExpired:
        run.send_signal(how)
        out, err = run.communicate()
    else:
        return Counter()
    found = Counter({"ended": 1, how.name: 1})
    found["tracebacks"] += b"Traceback" in err and b"vllm_migrate" in err
    if found["tracebacks"]:
        print(err.decode("utf-8", "replace")[-2000:], file=sys.stderr)
    found["tracebacks of Python's own start"] += b"Traceback" in err and b"vllm_migrate" not in err
    now = contents(root)
    found["torn"] += sum(path.startswith("work/c") and now.get(path) not in (old[path], new[path]) for path in old)
    if name in ("fix", "migrate"):
        found["torn"] += {p.stat().st_mode & 0o777 for p in (root / "work").glob("[cr]*")} != {0o640}
        found["between two files"] += 0 < sum(now.get(path) == new[path] for path in old) < len(old)
    strange = [path for path in now if path not in old and path not in new and not path.endswith(".result")]
    found["leftovers"] += bool(strange)
    again = start(root, name)
    out, err = again.communicate()
    found["tracebacks"] += b"Traceback" in err
    found["other after a kill"] += not same(name, {p: d for p, d in contents(root).items() if p not in strange}, new)
    found["other answer"] += COMMANDS[name].kept and out != said
    found["leftovers that stay"] += any(path in strange for path in contents(root))
    return found


def measure(root: Path, name: str, kills: int, chance: random.Random) -> Counter[str]:
    prepare(root, name)
    began = time.monotonic()
    run = start(root, name)
    said, err = run.communicate()
    length = time.monotonic() - began
    assert run.returncode in (0, 1), err.decode()
    whole = contents(root), said
    found: Counter[str] = Counter()
    while found["ended"] < kills:
        # Most of a run is start and proofs; the writes are at its end, and are aimed at.
        wait = length * chance.choice([chance.random() * 1.1, 0.6 + 0.5 * chance.random()])
        found += round_of(root, name, wait, chance.choice([signal.SIGKILL, signal.SIGINT]), whole)
        if found["ended"] % 10 == 0:
            print(f"  {name} {found['ended']} of {kills}: {_counts(found)}", file=sys.stderr, flush=True)
    return found


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(found.items()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), metavar="COMMAND")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    call = parser.parse_args()
    chance = random.Random(call.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        root = Path(folder)
        if "catalog" in call.commands:
            from tests.catalog.conftest import SMALL, write

            write(root / "tree", SMALL)
        if "smoke" in call.commands:
            recording_input(root)
        for name in call.commands:
            found = measure(root, name, call.kills // len(call.commands), chance)
            print(name, _counts(found), flush=True)
            bad += sum(
                found[what]
                for what in ("torn", "tracebacks", "leftovers that stay", "other after a kill", "other answer")
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
