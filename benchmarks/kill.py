"""Kill `fix --write` with SIGKILL at random moments, and look at what is left.

    python benchmarks/kill.py [--kills 300] [--seed 1]

Each round starts the program on a folder of files, kills it after a random time, and checks every file: the old bytes
or the new ones, nothing else, with its mode. Then `fix --write` runs to its end, must leave the new bytes, and no
temporary file. Prints the counts; exits 1 for a torn file or a leftover that stays.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def prepare(folder: Path) -> None:
    for n in range(FILES):
        (folder / f"c{n}.yaml").write_text(OLD.format(n=n, filler="x" * 100_000 if n % 3 == 0 else "x"))
        (folder / f"c{n}.yaml").chmod(0o640)


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "vllm_migrate", "fix", "-q", "--write", "--isolated", str(folder)]


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".yaml"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    call = parser.parse_args()
    chance = random.Random(call.seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-"))
    prepare(folder)
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    start = time.monotonic()
    subprocess.run(command(folder), check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - start
    new = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert all(old[name] != new[name] for name in old), "nothing to write"
    kills = torn = partly = left = stays = 0
    while kills < call.kills:
        prepare(folder)
        # Most of a run is start and proofs; the writes are at its end, and are aimed at.
        wait = whole * chance.choice([chance.random() * 1.1, 0.6 + 0.5 * chance.random()])
        with subprocess.Popen(command(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            time.sleep(wait)
            run.send_signal(signal.SIGKILL)
            killed = run.wait() == -signal.SIGKILL
        kills += killed
        now = {path.name: path.read_bytes() for path in folder.glob("*.yaml")}
        modes = {path.stat().st_mode & 0o777 for path in folder.glob("*.yaml")}
        torn += sum(now.get(name) not in (old[name], new[name]) for name in old) + (modes != {0o640})
        partly += 0 < sum(now[name] == new[name] for name in old) < FILES
        left += bool(leftovers(folder))
        if leftovers(folder):
            subprocess.run(command(folder), check=True, stdout=subprocess.DEVNULL)
            stays += len(leftovers(folder))
            torn += any((folder / name).read_bytes() != new[name] for name in new)
    shutil.rmtree(folder)
    print(
        f"{kills} kills; torn files {torn}; killed between two files {partly}; temporary file left {left}, after the next run {stays}"
    )
    return 1 if torn or stays else 0


if __name__ == "__main__":
    sys.exit(main())
