"""A report in the making, and any format of it as one text."""

from __future__ import annotations

from collections.abc import Sequence

from vllm_migrate.dialects.workspace import Problem
from vllm_migrate.fixes.plan import Plan
from vllm_migrate.report import formats
from vllm_migrate.report.finding import Finding, order
from vllm_migrate.report.findings import finding_of
from vllm_migrate.report.model import Report
from vllm_migrate.rules.finding import Firing


class Draft:
    """The fields of a Report to be filled; findings are added as rules make them, with what they offer."""

    def __init__(self, source: str, target: str, source_why: str = "", target_why: str = "") -> None:
        self.source, self.target = source, target
        self.source_why, self.target_why = source_why, target_why
        self.files = 0
        self.engines: int | None = None
        self.entries: list[Finding] = []
        self.suppressed: list[tuple[Firing, str]] = []
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.fail_on = "warning"
        self.paths: list[str] = []
        self.arguments: list[str] = []
        self.root = ""
        self.quiet = False

    def add(self, fired: Firing, plan: Plan | None = None, children: Sequence[str] = ()) -> None:
        self.entries.append(finding_of(fired, plan)._replace(children=tuple(sorted(children))))

    def report(self) -> Report:
        return Report(
            *(self.source, self.target, self.source_why, self.target_why, self.files, self.engines),
            findings=tuple(sorted(self.entries, key=order)),
            suppressed=tuple((finding_of(fired, None), reason) for fired, reason in self.suppressed),
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            fail_on=self.fail_on,
            paths=tuple(self.paths),
            arguments=tuple(self.arguments),
            root=self.root,
            quiet=self.quiet,
        )


def render(
    name: str, draft: Draft, *, color: bool = False, links: bool = False, width: int = 100, proved: bool = False
) -> str:
    report = draft.report()._replace(proved=proved)
    return "".join(formats.render(name, report, color=color, links=links, width=width))
