"""Lint projects all at once, in the opposite order and file by file, and hold what is found against each other.

    python -m benchmarks.orders FOLDER...

A finding is compared by its rule, place, option, severity and words, in a folder in two orders also by the safety of its fix. Items of the
checklist are left out, which stand once a project, and so is VM901, which is about files that are named by themselves. File by file
a parent is without its children: which of them inherit a finding, and whether a pin is safe for all, is not compared there.
Exit code 1 where two of the three differ.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.fleet import copy_project
from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.dialects.prefilter import Prefilter
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.report.finding import CHECKLIST, Finding
from vllm_migrate.run.lint import lint
from vllm_migrate.run.settings import Options

Findings = collections.Counter[tuple[str, ...]]
CHILDREN = "; this holds for "


def compared(folder: Path) -> tuple[int, list[str]]:
    """How many findings a project has, and what differs between the three ways, in words."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary, folder.name)
        copy_project(folder, copy)
        with contextlib.chdir(copy):
            whole, _ = lint(Options((".",), isolated=True))
            names = sorted(str(path) for path in Path().rglob("*") if path.is_file())
            concerned = Prefilter(load_knowledge().dialects, load_catalog())
            names = [name for name in names if concerned.may_concern(name, Path(name).read_bytes())]
            forward, backward = (
                lint(Options(tuple(order), isolated=True))[0].findings for order in (names, reversed(names))
            )
            single: Findings = collections.Counter()
            for name in names:
                single |= _keys(lint(Options((name,), isolated=True))[0].findings, alone=True)
    return len(whole.findings), [
        *_differences("a folder, its files", _keys(whole.findings), _keys(forward)),
        *_differences("the other order", _keys(forward), _keys(backward)),
        *_differences("file by file", _keys(forward, alone=True), single),
    ]


def _keys(findings: Iterable[Finding], alone: bool = False) -> Findings:
    """alone: without what is known of a parent's children."""
    return collections.Counter(
        (
            *(f.code, f.path, str(f.line), f.option, f.severity),
            f.message.partition(CHILDREN)[0] if alone else f"{f.message} {f.safety}",
        )
        for f in findings
        if f.kind != CHECKLIST and f.code != "VM901"
    )


def _differences(way: str, one: Findings, other: Findings) -> list[str]:
    lost = [f"{way}: lost {' '.join(key)}" for key in sorted((one - other).elements())]
    return lost + [f"{way}: gained {' '.join(key)}" for key in sorted((other - one).elements())]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="one project each")
    failed = False
    for folder in parser.parse_args().folders:
        count, different = compared(folder.absolute())
        print(f"{folder}: {count} findings, {len(different)} differ", flush=True)
        for line in different:
            print(f"  {line[:300]}")
        failed = failed or bool(different)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
