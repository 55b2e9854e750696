"""What a fix run prints: the diff, what it needs, and what no fix can settle."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.report.findings import region_of
from vllm_migrate.report.layout import fill
from vllm_migrate.report.mask import HIDDEN, mask

if TYPE_CHECKING:
    from vllm_migrate.fixes.plan import Plan
    from vllm_migrate.rules.finding import Firing
    from vllm_migrate.run.fix import FixPlan, WriteResult


NOT_TO_APPLY = "secrets are hidden, so this diff cannot be applied as shown; --write keeps them in the files"
NO_ENGINE = (
    "no vLLM engine was recognised, so there is nothing to fix; `vllm-migrate dialects` lists what is recognised"
)
NO_NEWLINE = "\\ No newline at end of file"


def diff(
    file: File, edits: list[Edit], masked: bool = True, sides: tuple[str, str] = ("", ""), start: str = os.curdir
) -> list[str]:
    """Unified diff of one file as `patch` and `git apply` read it; masked: without secrets; sides: before each name,
    which is then relative to `start`.

    A line ends at \\n alone, as it does for them; a \\r before it is a part of the line.
    """
    mark = "\ufeff" if file.source.bom else ""
    before, after = mark + file.source.text, mark + apply_edits(file.source.text, edits)
    old, new = (
        _name(side + os.path.relpath(os.path.realpath(file.path), os.path.realpath(start)) if side else file.path)
        for side in sides
    )
    out: list[str] = []
    for line in difflib.unified_diff(_lines(before), _lines(after), old, new, n=3):
        bare = line.removesuffix("\n")
        out.append(mask(bare) if masked else bare)
        if not line.endswith("\n"):
            out.append(NO_NEWLINE)
    return out


def _lines(text: str) -> list[str]:
    """The lines with their ends; the last one may have none."""
    lines = [line + "\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _name(path: str) -> str:
    """A path as it stands in the head of a diff: quoted as git does where a character would end it."""
    if not any(c in '"\\' or c < " " or c == "\x7f" for c in path):
        return path + "\t" if " " in path else path
    return '"' + "".join(_quoted(c) for c in path) + '"'


def _quoted(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return f"\\{ord(c):03o}" if c < " " or c == "\x7f" else c


def render(
    result: FixPlan,
    written: WriteResult,
    color: bool = False,
    check: bool = False,
    quiet: bool = False,
    width: int = 0,
) -> str:
    """The whole output, ending in a newline unless it is empty. width: in which what follows the diff is filled; 0: as it is."""
    plan = result.plan
    out: list[str] = []
    if check:
        out.extend(f"would change {file.path}" for file in plan.edits)
        out.extend([] if quiet else _outside(plan))
        return "\n".join(out) + "\n" if out else ""
    hidden = False
    for file, edits in (*plan.edits.items(), *plan.outside.items()):
        lines = diff(file, edits)
        hidden = hidden or (HIDDEN not in file.source.text and any(HIDDEN in line for line in lines))
        out.extend(_paint(line) if color else line for line in lines)
    if hidden and not quiet:
        out.append(NOT_TO_APPLY)
    if not quiet:
        out.extend(_remarks(result, written, width))
    return "\n".join(out) + "\n" if out else ""


def _paint(line: str) -> str:
    if line.startswith(("+++", "---")):
        return f"\x1b[1m{line}\x1b[0m"
    if line.startswith("+"):
        return f"\x1b[32m{line}\x1b[0m"
    if line.startswith("-"):
        return f"\x1b[31m{line}\x1b[0m"
    return f"\x1b[36m{line}\x1b[0m" if line.startswith("@@") else line


def _remarks(result: FixPlan, written: WriteResult, width: int = 0) -> list[str]:
    """After the diff: the release the files now need, the framework's own code, what is left."""
    plan = result.plan
    out: list[str] = []
    needs = max((f.fix.needs for f in plan.shown if f.fix and f.fix.needs), key=_version, default="")
    if needs:
        out.append(f"needs vLLM >= {needs}: older releases reject what is written here")
    for pin in dict.fromkeys(pin for f in plan.shown if f.fix for pin in f.fix.conflicts):
        where = f"{pin.path}:{pin.line} installs a release that rejects it ({pin.pin})"
        out.append(mask(f"{where}: `vllm-migrate migrate` moves both together, or says what must move first"))
    out.extend(result.notes)
    out.extend(dict.fromkeys(_upgrades(result.findings)))
    out.extend(_outside(plan))
    unseen = not result.engines and not result.plan.edits
    out.append(NO_ENGINE if unseen else _summary(result, written))
    more, names = result.waiting
    if more:
        out.append(f"{more} more with --unsafe, after review: {_names(names)}")
    advice = [f for f in result.findings if f.fix is None and (f.severity != "info" or f.name == "outside-project")]
    for finding, why in result.refused:
        out.append(f"not fixed: {_place(finding)}: {finding.code} {finding.name}: {why}")
    for finding in advice:
        said = f"{finding.message}; {finding.advice}" if finding.engine is None else finding.advice or finding.message
        out.append(f"no fix: {_place(finding)}: {finding.code} {finding.name}: {said}")
    out = ["", *out] if plan.edits or plan.outside else out
    return [part for line in out for part in (fill(line, width, rest="  ") if width and line else [line])]


def _summary(result: FixPlan, written: WriteResult) -> str:
    """How much was written, or would be."""
    plan = result.plan
    if written.paths:
        fixed = "" if written.failed else f" and settled {_count(result.settled, 'finding')}"
        return f"wrote {_count(len(written.paths), 'file')}{fixed}"
    if written.failed:
        return "nothing was written"
    if plan.edits:
        settled = _count(result.settled, "finding")
        how = "name a file instead of -, and --write writes it" if result.stdin else "--write writes them"
        return f"would change {_count(len(plan.edits), 'file')} and settle {settled}; {how}"
    return "nothing to write" if plan.outside else "nothing to fix"


def _outside(plan: Plan) -> list[str]:
    """Parents outside the PATHs that a fix reaches into."""
    paths = ", ".join(file.path for file in plan.outside)
    return [f"outside the given paths, written only with --follow-parents: {paths}"] if paths else []


def _place(finding: Firing) -> str:
    region = region_of(finding)
    return f"{region.path}:{region.line}"


def _upgrades(findings: Sequence[Firing]) -> list[str]:
    return [
        finding.engine.dialect.upgrade.strip()
        for finding in findings
        if finding.name == "engine-v0-removed" and finding.engine is not None and finding.engine.dialect.upgrade
    ]


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
