"""Every finding by itself: what happens, the source line, why it matters to the loss, what to write and do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.knowledge.site import rule_url
from vllm_migrate.knowledge.vocabulary import FRAMEWORK
from vllm_migrate.report.finding import CHECKLIST, Finding, OfferedFix
from vllm_migrate.report.headline import MANY_FILES, fixable, found, headlines, legend, mark, next_steps, plural, settle
from vllm_migrate.report.layout import cells, clean, excerpt, fill
from vllm_migrate.report.paint import Paint
from vllm_migrate.report.preview import places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vllm_migrate.report.model import Report

NARROWEST = 40
WIDEST = 120  # prose wider than this is hard to read; source lines use the whole width
SHOWN_LINES = 12
SHOWN_CHILDREN = 5
HEADING = "Checklist: for people, once per project; record what is done under [[acknowledged]] in the configuration"


def render(report: Report, *, color: bool = False, links: bool = False, width: int = 100) -> Iterator[str]:
    paint = Paint(color, links)
    page = Page(paint, max(width, NARROWEST), report.proved)
    for line in headlines(report):
        page.prose("", line, style="bold")
    for note in report.notes:
        page.prose("note: ", note)
    last: Finding | None = None
    for finding in sorted(report.findings, key=lambda finding: finding.kind == CHECKLIST):
        page.blank()
        if finding.kind == CHECKLIST and (last is None or last.kind != CHECKLIST):
            page.prose("", HEADING, style="bold")
            page.blank()
        yield page.taken()
        page.finding(finding, again=last is not None and last.region == finding.region)
        last = finding
    if not report.quiet and report.files:  # without files the command line says what to name
        page.blank()
        summary(page, report)
    yield page.taken()


def summary(page: Page, report: Report) -> None:
    """How many findings there are, what their marks mean, and what to run next."""
    counts = report.counts()
    page.prose("", found(report, counts), style="bold")
    if ways := fixable(counts):
        page.prose("", ways)
    if marks := legend(report):
        page.prose("", marks)
    if report.role:
        said, *lines = report.role.split("\n")
        page.prose("", said)
        page.lines += [f"  {clean(line)}" for line in lines]
    steps = next_steps(report, counts)
    if steps:
        page.blank()
    margin = max((cells(command) for command, _ in steps), default=0) + 2
    beside = all(2 + margin + cells(what) <= page.width for _, what in steps)
    for command, what in steps:
        if beside:
            page.lines.append("  " + page.paint("code", command) + " " * (margin - cells(command)) + what)
        else:
            page.lines += ["  " + page.paint("code", command), "      " + what]


class Page:
    """Lines of output in the making. width: columns of the terminal; prose is filled to at most WIDEST. proved: see Report."""

    def __init__(self, paint: Paint, width: int, proved: bool = False) -> None:
        self.paint = paint
        self.width = width
        self.proved = proved
        self.lines: list[str] = []
        self.engines: dict[tuple[str, tuple[str, ...]], str] = {}
        # One rule has the same texts in many places.
        self._filled_before: dict[tuple[str, str, str], list[str]] = {}

    def engine(self, finding: Finding) -> str:
        """What to put behind the place of a finding: its engine, if the file has several."""
        word = self.engines.get((finding.path, finding.holders), "")
        return f" ({word})" if word else ""

    def blank(self) -> None:
        """An empty line, unless there is one."""
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def taken(self) -> str:
        """The text so far, which goes from the page."""
        text = "".join(f"{line}\n" for line in self.lines)
        self.lines = []
        return text

    def prose(self, label: str, text: str, indent: str = "", style: str = "") -> None:
        """A filled paragraph after a label; its other lines hang under the text."""
        filled = self._filled_before.get((indent, label, text))
        if filled is None:
            filled = self._filled_before[indent, label, text] = self._filled(label, text, indent, style)
        self.lines += filled

    def _filled(self, label: str, text: str, indent: str, style: str) -> list[str]:
        hang = indent + " " * cells(label)
        filled = fill(text, min(self.width, WIDEST), indent + label, hang)
        if style:
            return [self.paint(style, line) for line in filled]
        return [indent + self.paint("bold", label) + filled[0][len(indent + label) :], *filled[1:]]

    def finding(self, finding: Finding, again: bool) -> None:
        """One finding; `again`: its place is the one just shown."""
        paint = self.paint
        severity = paint(finding.severity, finding.severity)
        code = paint.link(finding.code, rule_url(finding.name))
        self.lines.append(f"{paint('bold', clean(finding.place))}: {severity} {code} {finding.name}")
        self.prose("", finding.message, "  ")
        if not again:
            self.source(finding)
        if finding.why:
            self.prose("why: ", finding.why, "  ")
        self.remedy(finding)
        self.depends(finding.depends_on)
        self.children(finding, "  ")

    def children(self, finding: Finding, indent: str) -> None:
        """The files that inherit the place."""
        if finding.children:
            whose = "applies to: " if finding.key == FRAMEWORK else "inherited by: "
            where = "also in: " if finding.kind == CHECKLIST else whose
            self.prose(where, listed(finding.children), indent)

    def source(self, finding: Finding) -> None:
        line, start, end = finding.source
        if not line.strip():
            return
        number = str(finding.region.line)
        gutter = " " * len(number)
        frame = self.paint("frame", "|")
        shown = excerpt(line, start, end, max(20, self.width - len(number) - 5))
        marks = " " * shown.start + self.paint(finding.severity, "^" * (shown.end - shown.start))
        self.lines.append(f"  {self.paint('frame', number)} {frame} {shown.text.rstrip()}")
        self.lines.append(f"  {gutter} {frame} {marks}")

    def remedy(self, finding: Finding, findings: int = 1) -> None:
        """The lines to write, or the advice where none can be written. findings: how many the edit settles."""
        fix = finding.fix
        if fix is None or fix.safety == "none":
            if finding.advice:
                self.prose("advice: ", finding.advice, "  ")
            if fix is not None and fix.reason:
                self.prose("not fixed: ", fix.reason, "  ")
            return
        kind = "safe" if fix.safety == "safe" else "review: needs --unsafe"
        needs = f"; needs vLLM >= {fix.needs}" if fix.needs else ""
        label = "fix: " if findings == 1 else f"fix for {'both' if findings == 2 else f'these {findings}'}: "
        shown = mark(fix.safety, self.proved)
        self.prose(label, f"{shown} {fix.title}{self._where(finding.path, fix)} ({kind}{needs})", "  ")
        lines = list(fix.preview)
        room = max(20, self.width - 7)
        long = any(len(line) > room // 2 for _, line in lines)  # a character may take two columns, a tab more
        spans = places(lines) if long else [(0, 0)] * len(lines)
        for (sign, line), (start, end) in zip(lines[:SHOWN_LINES], spans, strict=False):
            text = f"{sign} {excerpt(line, start, end, room).text}"
            self.lines.append("     " + self.paint("drop" if sign == "-" else "write", text))
        if len(lines) > SHOWN_LINES:
            self.lines.append(f"     ... and {len(lines) - SHOWN_LINES} more lines")

    @staticmethod
    def _where(path: str, fix: OfferedFix) -> str:
        """Names the file that is written when it is another than the one shown."""
        paths = sorted(file for file, _ in fix.files)
        if not paths or paths == [path]:
            return ""
        parents = any(not requested for _, requested in fix.files)
        where = plural(len(paths), "file") if len(paths) > MANY_FILES else " and ".join(paths)
        return f", in {where}" + (", with --follow-parents" if parents else "")

    def depends(self, reasons: Sequence[str]) -> None:
        ways: list[str] = []
        for i, reason in enumerate(reasons):
            self.prose("depends on: " if not i else " " * 12, reason, "  ")
            way = settle(reason)
            if way and way not in ways:
                ways.append(way)
        if ways:
            self.prose("settle it: ", "; or ".join(ways), "  ")


def listed(paths: tuple[str, ...]) -> str:
    """The first few paths, and how many more there are."""
    shown = ", ".join(paths[:SHOWN_CHILDREN])
    more = len(paths) - SHOWN_CHILDREN
    return f"{shown} and {more} more" if more > 0 else shown
