"""Real files, mutated, through `fix --unsafe --write`: what other readers make of them, and what bash starts before and after.

    python -m benchmarks.argv FOLDER... [--files 2000] [--seed 1]

Files that speak of vLLM are drawn from the FOLDERs, each is changed at random, and fixed in an empty folder. Held against
others: what PyYAML, ruamel.yaml, tomllib, json, ast or bash -n read before they read after. A script that was written runs before and
after in real bash, in which nothing exists: its root is an empty folder with bash alone, without network, with a user and
processes of its own, so that every command is "not found", and what would have been started is recorded with its VLLM_
variables. Then every difference must be one that the edits spell:

- right: all are; same: bash never came to what was edited; unstable: two runs of the old script differ, or one did not end;
- wrong: a word, or a whole command, that no edit holds. Exit 1 for any, and for any file that is broken.

Scripts run only where `unshare` can make such a place (as root, or where users may make namespaces of their own).
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import functools
import io
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from benchmarks.fleet import SUFFIXES, mutated, parses
from vllm_migrate.cli.main import main as command_line

SCRIPTS = (".sh", ".bash", ".slurm", ".sbatch")
LARGEST = 200_000
NOBODY = 61234
CPU_SECONDS = 4
# Builtins that end a script early or reach beyond it are functions; what bash does not find is recorded as it would start.
PRELUDE = r"""
command_not_found_handle() {
    local line name
    printf -v line '%q\t' "$@"
    for name in "${!VLLM_@}"; do
        local -n _r=$name
        [[ ${_r@a} == *x* ]] && printf -v line '%s%q\t' "$line" "$name=$_r"
    done
    echo "$line" >&9
}
source() { :; }
.() { :; }
cd() { :; }
pushd() { :; }
popd() { :; }
exit() { :; }
kill() { :; }
enable() { :; }
exec() { "$@"; }
trap '' PIPE  # of what reads nothing
"""
Record = Counter[str]


def files_of(folders: list[Path]) -> list[Path]:
    """Files that speak of vLLM."""
    found = []
    for folder in folders:
        for root, inner, names in os.walk(folder):
            inner[:] = [name for name in inner if name not in (".git", "node_modules")]
            for path in (Path(root, name) for name in names):
                if path.suffix in SUFFIXES and not path.is_symlink() and path.stat().st_size < LARGEST:
                    data = path.read_bytes().lower()
                    if b"vllm" in data or b"rollout" in data:
                        found.append(path)
    return sorted(found)


def reads(path: Path) -> tuple[bool, bool]:
    """Whether the readers of other hands take a file: its own one, and for YAML a second one."""
    if path.suffix not in (".yaml", ".yml"):
        return parses(path), True
    reader = YAML(typ="safe", pure=True)
    try:
        for _ in reader.compose_all(path.read_text("utf-8")):
            pass
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError, AssertionError, KeyError):
        return parses(path), False
    return parses(path), True


class Place:
    """A root folder with bash and the libraries it needs, and nothing else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        bash, unshare = shutil.which("bash"), shutil.which("unshare")
        self.works = False
        if bash is None or unshare is None:
            return
        listed = subprocess.run(["ldd", bash], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+)", listed):
            to = root / library.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, to)
        shutil.copy(bash, root / "bash")
        (root / "bash").chmod(0o755)
        (root / "prelude").write_text(PRELUDE)
        own = ["-S", str(NOBODY), "-G", str(NOBODY)] if os.geteuid() == 0 else ["-r"]
        self.words = [unshare, *own, "-n", "-p", "-i", "-f", "--kill-child", "-R", str(root), "-w", "/home"]
        root.chmod(0o755)
        self.works = self.started("true_command a 'b c'\n") == Counter({"true_command\ta\tb\\ c\t": 1})

    def started(self, script: str) -> Record | None:
        """The commands that a script starts, with their words; None if it does not end."""
        home = self.root / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        home.chmod(0o777)
        (self.root / "script").write_bytes(script.encode("utf-8", "surrogateescape"))
        environment = {"PATH": "/nothing", "HOME": "/home", "LC_ALL": "C", "BASH_ENV": "/prelude"}
        with tempfile.TemporaryFile() as record:
            run = [*self.words, "/bash", "--noprofile", "--norc", "/script"]
            descriptor = record.fileno()

            def limits() -> None:
                os.dup2(descriptor, 9)
                os.set_inheritable(9, True)
                resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
                resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
                resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))

            began = time.monotonic()
            try:
                subprocess.run(
                    run,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    timeout=10,
                    check=False,
                    close_fds=False,
                    preexec_fn=limits,
                )
            except subprocess.TimeoutExpired:
                return None
            if time.monotonic() - began > CPU_SECONDS:  # what the limit ends, `unshare` does not tell
                return None
            record.seek(0)
            return Counter(record.read().decode("utf-8", "replace").splitlines())


def spelled(before: str, after: str) -> tuple[str, str]:
    """What an edit took out of a text and what it put in, line by line."""
    out: list[str] = []
    new: list[str] = []
    old_lines, new_lines = before.splitlines(), after.splitlines()
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False).get_opcodes():
        if tag != "equal":
            out += old_lines[i:j]
            new += new_lines[k:m]
    return "\n".join(out), "\n".join(new)


def bare(text: str) -> str:
    """A text without what quotes it."""
    return re.sub(r"[\\\"'$\s]", "", text)


def unexplained(old: Record, new: Record, taken: str, put: str) -> str:
    """The first difference of two records that no edit spells; "" if there is none."""
    gone, come = sorted((old - new).elements()), sorted((new - old).elements())
    if len(gone) != len(come):
        return f"{len(gone)} commands became {len(come)}: {gone[:2]} {come[:2]}"
    taken, put = bare(taken), bare(put)
    for before in gone:
        one = before.split("\t")
        after = max(come, key=functools.partial(_alike, one))
        come.remove(after)
        other = after.split("\t")
        for tag, i, j, k, m in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            lost = [word for word in one[i:j] if not _spells(taken, word)]
            found = [word for word in other[k:m] if not _spells(put, word)]
            if (lost or found) and not _inside(lost, found, taken, put):
                return f"{lost} became {found}"
    return ""


def _spells(text: str, word: str) -> bool:
    """Whether a text without quotes has a word, or its name with a value that bash makes of a variable."""
    name, equals, _ = bare(word).partition("=")
    return bare(word) in text or bool(equals and f"{name}={{" in text)


def _alike(words: list[str], line: str) -> float:
    return difflib.SequenceMatcher(None, words, line.split("\t"), autojunk=False).ratio()


def _inside(lost: list[str], found: list[str], taken: str, put: str) -> bool:
    """Whether words differ only by a part that the edits spell: a key of a mapping, an item of a list."""
    if len(lost) != len(found):
        return False
    for one, other in zip(map(bare, lost), map(bare, found), strict=True):
        for tag, i, j, k, m in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
            if tag != "equal" and (one[i:j] not in taken or other[k:m] not in put):
                return False
    return True


class Sweep:
    """All files of one call."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.counts: Counter[str] = Counter()
        self.bad = 0

    def mutant(self, path: Path, chance: random.Random) -> None:
        text = path.read_bytes().decode("utf-8", "replace")
        self.one(path, mutated(text, chance))

    def one(self, path: Path, text: str) -> None:
        """A text under the name of a file, fixed in a folder by itself."""
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            copy = Path(path.name)
            copy.write_bytes(text.encode())
            before = reads(copy)
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                command_line(["fix", "--unsafe", "--write", "--isolated", path.name])
            self.counts["files"] += 1
            if "VM900" in said.getvalue() or "Traceback" in said.getvalue():
                self.report("crash", path, said.getvalue()[-600:], text)
            after = copy.read_bytes().decode()
            if after == text:
                return
            self.counts["written"] += 1
            for reader, (was, now) in zip(("own", "ruamel"), zip(before, reads(copy), strict=True), strict=True):
                self.counts[f"read by {reader} reader"] += was
                if was and not now:
                    self.report("broken", path, reader, text)
            if path.suffix in SCRIPTS:
                if not before[0]:
                    self.report("written although bash does not read it", path, "", text)
                elif self.place.works:
                    self.compare(path, text, after)

    def compare(self, path: Path, before: str, after: str) -> None:
        old, again, new = (self.place.started(text) for text in (before, before, after))
        if old is None or new is None or old != again:
            self.counts["argv unstable"] += 1
        elif old == new:
            self.counts["argv same"] += 1
        elif why := unexplained(old, new, *spelled(before, after)):
            self.report("argv wrong", path, why, before)
        else:
            self.counts["argv right"] += 1

    def report(self, kind: str, path: Path, why: str, text: str) -> None:
        self.counts[kind] += 1
        self.bad += 1
        kept = Path(tempfile.gettempdir(), f"argv-{self.bad}{path.suffix}")
        kept.write_text(text, "utf-8", "surrogateescape")
        print(f"{kind}: {path} ({kept}): {why[:600]}", flush=True)

    def show(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in self.counts.items())


def drawn(files: list[Path], count: int, chance: random.Random) -> Iterator[Path]:
    """As many files, every one before any comes again; half of them scripts."""
    scripts = [path for path in files if path.suffix in SCRIPTS]
    others = [path for path in files if path.suffix not in SCRIPTS]
    for pool in (scripts, others):
        chance.shuffle(pool)
    for number in range(count):
        pool = (scripts if number % 2 and scripts else others) or files
        yield pool[(number // 2) % len(pool)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    call = parser.parse_args()
    chance = random.Random(call.seed)
    files = files_of([folder.absolute() for folder in call.folders])
    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root))
        if not place.works:
            print("no script runs: `unshare` cannot make a place of its own here", file=sys.stderr)
        sweep = Sweep(place)
        for number, path in enumerate(drawn(files, call.files, chance), 1):
            sweep.mutant(path, chance)
            if number % 50 == 0:
                print(f"  {number} of {call.files}: {sweep.show()}", file=sys.stderr, flush=True)
    print(sweep.show())
    return bool(sweep.bad)


if __name__ == "__main__":
    sys.exit(main())
