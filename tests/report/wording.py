"""What no reader may ever see: a placeholder that was not filled, a hole where a value belongs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from vllm_migrate.knowledge.meaning import SAID
from vllm_migrate.report.finding import Finding
from vllm_migrate.report.formats import FORMATS, render
from vllm_migrate.report.model import Project, Report

UNFILLED = re.compile(r"\{(?:" + "|".join(sorted(SAID)) + r")\}")
# A sentence around nothing: spaces before a comma, quotes around nothing, brackets around nothing, a value that is Python's.
HOLES = re.compile(
    r"  | [,;.](?: |$)|: *$|^ *[,;.:]|\(\)|\bchoices (?:\"\"|''|$)|(?<![:=\w] )(?:\"\"|'')|<[\w.]+ object at|Undetermined"
)
# Words that stand for a missing value, unless the rule's own text has them.
MISSING = ("None", "unset")


def texts_of(finding: Finding) -> Iterator[str]:
    yield from (finding.message, finding.why, finding.advice, *finding.depends_on)
    if finding.fix is not None:
        yield finding.fix.title


def faults(findings: Iterable[Finding], template: str) -> list[str]:
    """The texts of findings, and of their report in every format, that show a gap. template: the rule's own words."""
    found = tuple(findings)
    out = []
    for text in (text for finding in found for text in texts_of(finding) if text):
        calls = re.sub(r"\w\(\)", "", text)
        if UNFILLED.search(text) or HOLES.search(calls):
            out.append(text)
        out += [text for word in MISSING if re.search(rf"\b{word}\b", text) and word not in template]
    project = Project(".", "0.8.5", "0.18.1")
    report = Report("0.8.5", "0.18.1", files=1, engines=1, findings=found, paths=("conf",), projects=(project,))
    for name in FORMATS:
        out += [f"{name}: {hit[0]}" for hit in UNFILLED.finditer("".join(render(name, report)))]
    return out
