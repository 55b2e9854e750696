"""Lint real projects, write every fix in a copy, lint again, and hold what came of it against what was promised.

    python -m benchmarks.fleet FOLDER... [--mutants N] [--seed N] [--negative FOLDER...] [--pinned] [--details FILE]

Every FOLDER is one project, of which the configuration files are copied to a temporary folder. Nothing of the projects is
changed or kept. There `lint`, `fix --unsafe --write`, `lint` and `fix --unsafe` follow each other, and it must hold:

- promised: the findings to which `lint` offers edits are those that `fix` settles, with the same safety;
- gained: no finding is new after the fixes; again: a second fix has nothing to write;
- parses: a written file that its own reader (PyYAML, tomllib, json, ast, bash -n) took before is taken after;
- composes: what hydra-core composed before (each Hydra configuration, each script's overrides) it composes after;
- outside: every written file holds, outside of the edits, the bytes it held before;
- no file makes the program crash; projects given with --negative (other engines, other tools) give no finding.

--mutants draws N files in which engines stand, changes each at random (with --seed) and treats it as a project by itself.
The exit code is 1 when one of these is broken. --details writes what is broken as JSON.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.composition import Compositions
from vllm_migrate.catalog import store
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.rules.finding import Firing
from vllm_migrate.run.fix import FixPlan, fix
from vllm_migrate.run.lint import lint
from vllm_migrate.run.settings import Options

SUFFIXES = frozenset((".yaml", ".yml", ".toml", ".json", ".sh", ".bash", ".slurm", ".sbatch", ".py", ".ipynb"))
PINS = re.compile(
    r"requirements.*\.(txt|in)|setup\.(py|cfg)|Dockerfile.*|.*\.lock|environment\.yml|\.env.*", re.IGNORECASE
)
LARGEST = 2 << 20  # bytes of a file that is copied
WORDS = (
    "false",
    "true",
    "null",
    "0",
    "-1",
    "auto",
    '"x"',
    "[1]",
    "'{\"level\": 3}'",
    "${X}",
    "FLASHINFER",
    "1e3",
    "image=2",
)
OPTIONS = (
    *(
        "enable-prefix-caching",
        "no-enable-prefix-caching",
        "task",
        "runner",
        "swap-space",
        "rope-scaling",
        "rope_theta",
    ),
    *(
        "guided-decoding-backend",
        "disable-log-requests",
        "compilation-config",
        "limit_mm_per_prompt",
        "use_v2_block_manager",
    ),
    *(
        "enable_chunked_prefill",
        "num-scheduler-steps",
        "override-pooler-config",
        "disable_mm_preprocessor_cache",
        "seed",
    ),
    *(
        "logprobs-mode",
        "async-scheduling",
        "kv-cache-dtype",
        "max-num-seqs",
        "enforce-eager",
        "dtype",
        "generation-config",
    ),
)
RELEASE = re.compile(r"(?<=[=v:])0\.\d+\.\d+(?:\.post\d+)?")
NAME = re.compile(r"(?<![\w.-])(--|\+{1,2})?([a-z][a-z_-]{3,}[a-z])(?=\s*[:= ])")


class Key(NamedTuple):
    """A finding by what both reports show of it."""

    path: str
    line: int
    code: str
    option: str
    safety: str

    @property
    def item(self) -> Key:
        """That of an item of the checklist, which stands once for all its places."""
        return self._replace(path="", line=0)


class Fleet:
    """All projects of one call."""

    def __init__(self, releases: tuple[str, str] | None, record: Path | None = None) -> None:
        self.releases = releases
        self.record = record
        self.broken: collections.Counter[str] = collections.Counter()
        self.details: list[dict[str, str]] = []
        self.counts: collections.Counter[str] = collections.Counter()
        self.engines: list[tuple[Path, str]] = []

    def project(self, folder: Path, negative: bool = False) -> None:
        """One project, in a copy."""
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, folder.name)
            copy_project(folder, copy)
            with contextlib.chdir(copy):
                try:
                    self._project(folder, negative)
                except Exception:
                    self._break("crash", folder, traceback.format_exc())

    def mutant(self, folder: Path, name: str, chance: random.Random) -> bool:
        """One file of a project, changed at random; whether it is another text then."""
        text = (folder / name).read_bytes().decode("utf-8", "replace")
        changed = mutated(text, chance)
        if changed == text:
            return False
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary, Path(name).name)
            copy.write_bytes(changed.encode())
            with contextlib.chdir(temporary):
                before = len(self.details)
                try:
                    self._project(folder / name, False)
                except Exception:
                    self._break("crash", folder / name, traceback.format_exc())
                for detail in self.details[before:]:
                    detail["text"] = changed
                    self._save()
        return True

    def _project(self, folder: Path, negative: bool) -> None:
        options = Options((".",), isolated=True, unsafe=True)
        if self.releases is not None:
            options = options._replace(source=self.releases[0], target=self.releases[1])
        report, _ = lint(options)
        planned = fix(options)
        self.counts["projects"] += 1
        self.counts["files"] += report.files
        self.counts["engines"] += report.engines or 0
        self.counts["findings"] += len(report.findings)
        self.engines += [(folder, path) for path in {f.path for f in report.findings if f.engine is not None}]
        if negative:
            for finding in report.findings:
                if finding.engine is not None:
                    self._break("negative", folder, _text(finding))
        self._promises(folder, report.findings, planned)
        if not planned.plan.edits:
            return
        paths = sorted(planned.texts)
        bytes_before = {file: Path(file.path).read_bytes() for file in planned.plan.edits}
        parsed = {path for path in paths if parses(Path(path))}
        compositions = Compositions(Path())
        written = planned.write()
        self.counts["written files"] += len(written.paths)
        for failed in written.failed:
            self._break("not written", folder, failed.message)
        for path in sorted(parsed):
            if not parses(Path(path)):
                self._break("parses", folder, path)
        self.counts["parsed"] += len(parsed)
        for file, edits in planned.plan.edits.items():
            if not same_outside(bytes_before[file], Path(file.path).read_bytes(), file, edits):
                self._break("outside", folder, file.path)
        self.counts["compositions"] += len(compositions.whole)
        for name, why in compositions.broken():
            self._break("composes", folder, f"{name}: {why}")
        after, _ = lint(options)
        for what in sorted((_kinds(after.findings) - _kinds(report.findings)).elements()):
            self._break("gained", folder, " ".join(what))
        second = fix(options)
        for path in second.texts:
            names = sorted({finding.name for finding in second.plan.applied})
            self._break("again", folder, f"{path}: {', '.join(names)}\n{second.diff[:2000]}")

    def _promises(self, folder: Path, findings: tuple[Finding, ...], planned: FixPlan) -> None:
        offered = list(filter(_is_offered, findings))
        applied = planned.plan.applied
        self.counts["promised"] += len(offered)
        self.counts["settled"] += planned.settled
        if len(offered) != planned.settled:
            self._break("counted", folder, f"{len(offered)} promised, {planned.settled} written")
        items = {_promise(finding).item for finding in offered if finding.kind == CHECKLIST}
        promised = collections.Counter([*items, *(_promise(each) for each in offered if each.kind != CHECKLIST)])
        items = {_settled(finding).item for finding in applied if finding.kind == CHECKLIST}
        settled = collections.Counter([*items, *(_settled(each) for each in applied if each.kind != CHECKLIST)])
        why = {_settled(finding)[:4]: reason for finding, reason in planned.plan.refused}
        for key in sorted((promised - settled).elements()):
            self._break("promised, not written", folder, f"{':'.join(map(str, key))}: {why.get(key[:4], '')}")
        for key in sorted((settled - promised).elements()):
            self._break("written, not promised", folder, ":".join(map(str, key)))

    def _break(self, kind: str, folder: Path, text: str) -> None:
        self.broken[kind] += 1
        self.details.append({"kind": kind, "project": str(folder), "what": text})
        self._save()

    def _save(self) -> None:
        if self.record is not None:
            self.record.write_text(json.dumps(self.details, indent=1), encoding="utf-8")

    def show(self) -> None:
        """What was counted, and what is broken."""
        print(", ".join(f"{name} {count}" for name, count in self.counts.items()))
        print("Broken:", ", ".join(f"{kind} {count}" for kind, count in self.broken.most_common()) or "nothing")


def mutated(text: str, chance: random.Random) -> str:
    """A text with one to three changes: an option's or a dialect's name, a value, a release, a line's place, indent or quotes."""
    lines = text.split("\n")
    telling = [number for number, line in enumerate(lines) if NAME.search(line)] or list(range(len(lines)))
    for _ in range(chance.randint(1, 3)):
        number = min(chance.choice(telling), len(lines) - 1)
        line = lines[number]
        kind = chance.randrange(10)
        if kind == 0:
            lines[number] = NAME.sub(lambda found: (found[1] or "") + chance.choice(OPTIONS), line, count=1)
        elif kind == 1:
            lines[number] = re.sub(
                r"([:=] ?|--[\w-]+ )[^\s\\,#)]+", lambda found: found[1] + chance.choice(WORDS), line, count=1
            )
        elif kind == 2:
            lines.insert(number, line)
        elif kind == 3:
            del lines[number]
            if not lines:
                return text
        elif kind == 4:
            lines[number] = "  " + line
        elif kind == 5:
            added = NAME.sub(lambda found: (found[1] or "") + chance.choice(OPTIONS), line, count=1)
            lines.insert(
                number + 1,
                re.sub(r"([:=] ?)[^\s\\,#)]+", lambda found: found[1] + chance.choice(WORDS), added, count=1),
            )
        elif kind == 6:
            lines[number] = line.replace('"', "'") if '"' in line else line.replace("'", '"')
        elif kind == 7:
            other = chance.choice((number, number + 1, chance.randrange(len(lines)))) % len(lines)
            lines[number], lines[other] = lines[other], line
        elif kind == 8:
            lines[number] = NAME.sub(lambda found: (found[1] or "") + chance.choice(_keys()), line, count=1)
        else:
            at = chance.choice([place for place, each in enumerate(lines) if RELEASE.search(each)] or [number])
            lines[at] = RELEASE.sub(chance.choice(store.load().releases), lines[at])
    return "\n".join(lines)


@functools.cache
def _keys() -> tuple[str, ...]:
    """The last part of every key that a dialect of the product has of its own."""
    dialects = load_knowledge().dialects
    return tuple(sorted({key.rpartition(".")[2] for dialect in dialects for key in dialect.keys if "*" not in key}))


def parses(path: Path) -> bool:
    """Whether a reader of other hands takes the file."""
    data = path.read_bytes()
    try:
        if path.suffix in (".yaml", ".yml"):
            collections.deque(yaml.compose_all(data, Loader=yaml.CSafeLoader), 0)
        elif path.suffix == ".toml":
            tomllib.loads(data.decode())
        elif path.suffix in (".json", ".ipynb"):
            json.loads(data)
        elif path.suffix == ".py":
            ast.parse(data)
        else:
            return subprocess.run(["bash", "-n"], input=data, capture_output=True, check=False).returncode == 0
    except (yaml.YAMLError, ValueError, SyntaxError):
        return False
    return True


def same_outside(before: bytes, after: bytes, file: File, edits: list[Edit]) -> bool:
    """Whether a file's bytes are, edit for edit, what they were between the edits."""
    text = before.removeprefix(b"\xef\xbb\xbf").decode()
    left, at, seen = after, 0, len(before) - len(before.removeprefix(b"\xef\xbb\xbf"))
    if not left.startswith(before[:seen]):
        return False
    left = left[seen:]
    for edit in sorted(edits):
        between, new = text[at : edit.start].encode(), edit.text.encode()
        if not left.startswith(between + new):
            return False
        left, at = left[len(between) + len(new) :], edit.end
    return left == text[at:].encode()


def copy_project(folder: Path, copy: Path) -> None:
    """What a run reads of a project: configurations, scripts, programs and pins."""
    for path in _files(folder):
        to = copy / path.relative_to(folder)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in (".git", "node_modules")]
        for name in names:
            path = Path(root, name)
            wanted = path.suffix in SUFFIXES or PINS.fullmatch(name) or name == ".gitignore"
            if wanted and not path.is_symlink() and path.stat().st_size < LARGEST:
                yield path


def _is_offered(finding: Finding) -> bool:
    return finding.fix is not None and finding.fix.safety != "none" and bool(finding.fix.edits)


def _promise(finding: Finding) -> Key:
    assert finding.fix is not None
    return Key(finding.path, finding.line, finding.code, finding.option, finding.fix.safety)


def _settled(finding: Firing) -> Key:
    spot = finding.spot
    safety = finding.fix.safety if finding.fix is not None else ""
    return Key(spot.file.path, spot.file.source.position(spot.start).line, finding.code, finding.option, safety)


def _kinds(findings: tuple[Finding, ...]) -> collections.Counter[tuple[str, ...]]:
    """The findings without what moves when lines are added: their places, and which of several engines is named."""
    return collections.Counter(
        (f.code, f.name, path, f.option)
        for f in findings
        for path in ((f.path, *f.children) if f.kind == CHECKLIST else (f.path,))
    )


def _text(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}: {finding.code} {finding.name}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="one project each")
    parser.add_argument("--negative", nargs="*", type=Path, default=[], help="projects in which nothing may be found")
    parser.add_argument("--mutants", type=int, default=0, help="files that are changed at random")
    parser.add_argument("--only-mutants", action="store_true", help="leave out the projects as they are")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", dest="source", default="0.8.5")
    parser.add_argument("--to", dest="target", default="0.18.1")
    parser.add_argument(
        "--pinned", action="store_true", help="the releases that each project pins, as a user gets them"
    )
    parser.add_argument("--details", type=Path)
    options = parser.parse_args()
    fleet = Fleet(None if options.pinned else (options.source, options.target), options.details)
    for folder in () if options.only_mutants else [*options.folders, *options.negative]:
        before = fleet.broken.copy()
        fleet.project(folder.absolute(), folder in options.negative)
        now = ", ".join(f"{kind} {count}" for kind, count in (fleet.broken - before).items())
        print(f"{folder}: {now or 'nothing broken'}", flush=True)
    if options.mutants:
        _mutants(fleet, options.folders, options.mutants, random.Random(options.seed))
    fleet.show()
    return 1 if fleet.broken else 0


def _mutants(fleet: Fleet, folders: list[Path], count: int, chance: random.Random) -> None:
    """Change `count` files in which the first lint found engines; without one, those that speak of vLLM."""
    found = fleet.engines or [
        (folder.absolute(), str(path.relative_to(folder)))
        for folder in folders
        for path in _files(folder)
        if path.suffix in SUFFIXES and b"vllm" in path.read_bytes()
    ]
    found = sorted(set(found))
    chance.shuffle(found)
    made = 0
    while made < count and found:
        for folder, name in found:
            made += fleet.mutant(folder, name, chance)
            if not made % 50:
                fleet.show()
            if made == count:
                break
    print(f"{made} mutants", flush=True)


if __name__ == "__main__":
    sys.exit(main())
