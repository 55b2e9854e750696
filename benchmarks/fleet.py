"""Run lint and fix over folders of real projects and say what came of it. Nothing of the projects is changed or kept.

    python benchmarks/fleet.py FOLDER... [--negative FOLDER...] [--details FILE]

Every FOLDER is one project, of which the configuration files are copied to a temporary folder. There they are linted (each
file against the clock), every fix is written (those to review too), and the result is held against what was promised:

- no file makes the program crash or think longer than --seconds;
- every written file holds, outside of the edits, the bytes it held before;
- what was fixed is not found again, and a second fix has nothing to write;
- projects given with --negative (other engines, other tools) give no finding.

The exit code is 1 when one of these is broken. --details writes every finding, refusal and file without an engine as JSON.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit
from vllm_migrate.fixes.apply import fix_all
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.fixes.write import write_all
from vllm_migrate.rules.finding import Finding
from vllm_migrate.run.judging import Result
from vllm_migrate.run.session import Session
from vllm_migrate.run.settings import Options

# A file with one of these speaks of an engine's settings; where no engine is found in it, somebody should look.
TELLING = re.compile(
    rb"vllm serve|vllm\.entrypoints|vllm-openai|gpu.memory.utilization|enable.prefix.caching|tensor.parallel.size|engine_kwargs|"
    rb"vllm_kwargs|vllm_cfg|max.num.batched.tokens|enforce.eager|max.num.seqs|vllm_mode|VLLM_USE_V1|use_vllm|rollout\.name=vllm"
)
# What a name in a message is, so that equal reasons are counted together.
PARTICULAR = re.compile(r"'[^']*'|\"[^\"]*\"|\b[\w./-]*\d[\w./-]*|\S+\.\S+")


class TooLong(Exception):
    """A file took longer than --seconds."""


class Counts:
    """What is counted of one framework."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.engines = 0
        self.findings: collections.Counter[str] = collections.Counter()
        self.applied = 0
        self.refused: collections.Counter[str] = collections.Counter()


class Fleet:
    """All projects of one call."""

    def __init__(self, seconds: int, releases: tuple[str, str] | None) -> None:
        self.seconds = seconds
        self.releases = releases
        self.by_framework: dict[str, Counts] = collections.defaultdict(Counts)
        self.files: collections.Counter[str] = collections.Counter()
        self.broken: list[str] = []
        self.slowest: list[tuple[float, str]] = []
        self.problems: collections.Counter[str] = collections.Counter()
        self.details: list[dict[str, object]] = []
        self.written = 0

    def project(self, folder: Path, negative: bool) -> None:
        """Lint, fix, write, fix again."""
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / folder.name
            shutil.copytree(folder, copy)
            session, result, claimed = self._lint(copy, folder)
            kept = [finding for finding in result.findings if finding.engine is not None]
            self._count(result, claimed, folder, copy)
            if negative:
                self.broken += [f"a finding in {_where(finding, copy, folder)}: {finding.name}" for finding in kept]
            outcome = fix_all(kept, session.fixer(), unsafe=True)
            self._fixes(outcome, folder, copy)
            self._write(outcome, copy, folder)
            if outcome.edits:
                self._again(copy, folder, outcome)

    def _lint(self, copy: Path, folder: Path) -> tuple[Session, Result, set[str]]:
        """The session, what its files gave, and the files that a command or a script names."""
        call = Options(paths=(str(copy),), isolated=True)
        if self.releases is not None:
            call = call._replace(source=self.releases[0], target=self.releases[1])
        session = Session(call)
        run = session.new_run(None, keep=True)
        for entry in session.in_order():
            began = time.perf_counter()
            signal.alarm(self.seconds)
            try:
                session.judge(run, entry)
            except TooLong:
                self.broken.append(f"{entry.path}: more than {self.seconds} s")
            except Exception:
                self.broken.append(f"{entry.path}: {traceback.format_exc()}")
            finally:
                signal.alarm(0)
            self.slowest.append((time.perf_counter() - began, entry.path.replace(str(copy), str(folder))))
        return session, run.finish(), run.workspace.claimed

    def _count(self, result: Result, claimed: set[str], folder: Path, copy: Path) -> None:
        for path in result.seen:
            self.files[Path(path).suffix] += 1
        found = set()
        for judged in result.judged:
            engine = judged.engine
            counts = self.by_framework[engine.name]
            counts.engines += 1
            for file in engine.files:
                counts.files.add(file.path.replace(str(copy), str(folder)))
                found.add(file.path)
        for finding in result.findings:
            if finding.engine is None:
                self.problems[finding.name] += 1
            else:
                self.by_framework[finding.engine.name].findings[finding.name] += 1
            self._detail("finding", finding, copy, folder, "")
        for path in result.seen:
            if path not in found and path not in claimed and TELLING.search(Path(path).read_bytes()):
                self.details.append({"kind": "missed", "place": path.replace(str(copy), str(folder))})

    def _fixes(self, outcome: Plan, folder: Path, copy: Path) -> None:
        for finding in outcome.applied:
            assert finding.engine is not None
            self.by_framework[finding.engine.name].applied += 1
            self._detail("applied", finding, copy, folder, "")
        for finding, reason in outcome.refused:
            assert finding.engine is not None
            self.by_framework[finding.engine.name].refused[PARTICULAR.sub("X", reason)] += 1
            self._detail("refused", finding, copy, folder, reason)

    def _write(self, outcome: Plan, copy: Path, folder: Path) -> None:
        before = {file: Path(file.path).read_bytes() for file in outcome.edits}
        written, failed = write_all(outcome.edits)
        self.written += len(written)
        self.broken.extend(f"not written: {error}" for error in failed)
        for file, edits in outcome.edits.items():
            if not same_outside(before[file], Path(file.path).read_bytes(), file, edits):
                self.broken.append(f"{file.path.replace(str(copy), str(folder))}: bytes outside of the edits changed")

    def _again(self, copy: Path, folder: Path, first: Plan) -> None:
        session, result, _ = self._lint(copy, folder)
        kept = [finding for finding in result.findings if finding.engine is not None]
        second = fix_all(kept, session.fixer(), unsafe=True)
        for file in second.edits:
            names = sorted({finding.name for finding in second.applied})
            self.broken.append(f"{file.path.replace(str(copy), str(folder))}: a second fix writes ({', '.join(names)})")
        fixed = {_same(finding) for finding in first.applied}
        for finding in kept:
            if finding.fix is not None and _same(finding) in fixed:
                self.broken.append(f"{_where(finding, copy, folder)}: {finding.name} is found again after its fix")

    def _detail(self, kind: str, finding: Finding, copy: Path, folder: Path, reason: str) -> None:
        self.details.append(
            {
                "kind": kind,
                "place": _where(finding, copy, folder),
                "framework": finding.engine.name if finding.engine else "",
                "rule": finding.name,
                "severity": finding.severity,
                "option": finding.option,
                "message": finding.message,
                "depends_on": list(finding.depends_on),
                "reason": reason,
            }
        )

    def show(self) -> None:
        """Markdown tables, and what is broken."""
        print("| framework | files | engines | findings | fixes applied | refused |")
        print("|---|---|---|---|---|---|")
        total = [0, 0, 0, 0, 0]
        for name, counts in sorted(self.by_framework.items()):
            row = [len(counts.files), counts.engines, counts.findings.total(), counts.applied, counts.refused.total()]
            total = [a + b for a, b in zip(total, row, strict=True)]
            print(f"| {name} | " + " | ".join(map(str, row)) + " |")
        print("| all | " + " | ".join(map(str, total)) + " |")
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in self.files.most_common())
        print(f"\n{self.files.total()} files were looked at ({kinds}); {self.written} files were written.")
        missed = sum(1 for detail in self.details if detail["kind"] == "missed")
        print(f"{missed} files speak of an engine's settings, and no engine was found in them.")
        print(
            "Findings about files:",
            ", ".join(f"{name} {count}" for name, count in self.problems.most_common()) or "none",
        )
        print("\nRefused, and why:")
        reasons: collections.Counter[str] = collections.Counter()
        for counts in self.by_framework.values():
            reasons.update(counts.refused)
        for reason, count in reasons.most_common(40):
            print(f"  {count:5}  {reason}")
        self.slowest.sort(reverse=True)
        print("\nSlowest: " + ", ".join(f"{seconds:.2f} s {path}" for seconds, path in self.slowest[:5]))
        print(f"\nBroken: {len(self.broken)}")
        for text in self.broken:
            print("  " + text)


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


def _same(finding: Finding) -> tuple[str, str, str, str]:
    assert finding.engine is not None
    return finding.name, finding.spot.file.path, finding.engine.id, finding.option


def _where(finding: Finding, copy: Path, folder: Path) -> str:
    file = finding.spot.file
    line = file.source.position(finding.spot.start).line if file.source.text else 0
    return f"{file.path.replace(str(copy), str(folder))}:{line}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="one project each")
    parser.add_argument("--negative", nargs="*", type=Path, default=[], help="projects in which nothing may be found")
    parser.add_argument("--seconds", type=int, default=20, help="what one file may take")
    parser.add_argument("--from", dest="source", default="0.8.5")
    parser.add_argument("--to", dest="target", default="0.18.1")
    parser.add_argument(
        "--pinned", action="store_true", help="the releases that each project pins, as a user gets them"
    )
    parser.add_argument("--details", type=Path)
    options = parser.parse_args()

    def alarm(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, alarm)
    fleet = Fleet(options.seconds, None if options.pinned else (options.source, options.target))
    for folder in [*options.folders, *options.negative]:
        try:
            fleet.project(folder, folder in options.negative)
        except Exception:
            fleet.broken.append(f"{folder}: {traceback.format_exc()}")
    fleet.show()
    if options.details:
        options.details.write_text(json.dumps(fleet.details, indent=1), encoding="utf-8")
    return 1 if fleet.broken else 0


if __name__ == "__main__":
    sys.exit(main())
