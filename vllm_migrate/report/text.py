"""The full output for people: what happens, the source line, why it matters to the loss, what to write and do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.report.headline import fixable, found, headline, next_steps, settle
from vllm_migrate.report.items import Item, items_of
from vllm_migrate.report.layout import cells, clean, excerpt, fill
from vllm_migrate.report.paint import Paint
from vllm_migrate.report.preview import places

if TYPE_CHECKING:
    from vllm_migrate.report.model import Report

NARROWEST = 40
WIDEST = 120  # prose wider than this is hard to read; source lines use the whole width
SHOWN_LINES = 12
SHOWN_CHILDREN = 5


def render(report: Report, *, color: bool = False, width: int = 100) -> str:
    paint = Paint(color)
    page = Page(paint, max(width, NARROWEST))
    page.prose("", headline(report), style="bold")
    for note in report.notes:
        page.prose("note: ", note)
    last: Item | None = None
    for item in items_of(report):
        page.blank()
        page.finding(item, item if last is None or last.region != item.region else None)
        last = item
    page.blank()
    if not report.quiet:
        _summary(page, report)
    return "\n".join(page.lines).rstrip("\n") + "\n"


def _summary(page: Page, report: Report) -> None:
    counts = report.counts()
    page.prose("", found(report, counts), style="bold")
    if counts.total:
        page.prose("", fixable(counts))
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
    """Lines of output in the making. width: columns of the terminal; prose is filled to at most WIDEST."""

    def __init__(self, paint: Paint, width: int) -> None:
        self.paint = paint
        self.width = width
        self.lines: list[str] = []
        # One rule says the same in many places.
        self._said: dict[tuple[str, str, str], list[str]] = {}

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def prose(self, label: str, text: str, indent: str = "", style: str = "") -> None:
        """A filled paragraph after a label; its other lines hang under the text."""
        said = self._said.get((indent, label, text))
        if said is None:
            said = self._said[indent, label, text] = self._filled(label, text, indent, style)
        self.lines += said

    def _filled(self, label: str, text: str, indent: str, style: str) -> list[str]:
        hang = indent + " " * cells(label)
        filled = fill(text, min(self.width, WIDEST), indent + label, hang)
        if style:
            return [self.paint(style, line) for line in filled]
        return [indent + self.paint("bold", label) + filled[0][len(indent + label) :], *filled[1:]]

    def finding(self, item: Item, at: Item | None) -> None:
        """One finding; `at` is None when its place is the one just shown."""
        paint = self.paint
        severity = paint(item.severity, item.severity)
        self.lines.append(f"{paint('bold', clean(item.place))}: {severity} {item.code} {item.name}")
        self.prose("", item.message, "  ")
        if at is not None:
            self.source(item)
        if item.why:
            self.prose("why: ", item.why, "  ")
        self.remedy(item)
        self.depends(item)
        if item.children:
            self.prose("inherited by: ", _listed(item.children), "  ")

    def source(self, item: Item) -> None:
        line, start, end = item.source_line()
        if not line.strip():
            return
        number = str(item.region.line)
        gutter = " " * len(number)
        frame = self.paint("frame", "|")
        shown = excerpt(line, start, end, max(20, self.width - len(number) - 5))
        marks = " " * shown.start + self.paint(item.severity, "^" * (shown.end - shown.start))
        self.lines.append(f"  {self.paint('frame', number)} {frame} {shown.text.rstrip()}")
        self.lines.append(f"  {gutter} {frame} {marks}")

    def remedy(self, item: Item) -> None:
        """The lines to write, or the advice where none can be written."""
        if item.fix == "none":
            if item.advice:
                self.prose("advice: ", item.advice, "  ")
            if item.reason:
                self.prose("not fixed: ", item.reason, "  ")
            return
        kind = "safe" if item.fix == "safe" else "review: needs --unsafe"
        needs = f"; needs vLLM >= {item.needs}" if item.needs else ""
        self.prose("fix: ", f"{item.title}{self._where(item)} ({kind}{needs})", "  ")
        lines = item.signed
        room = max(20, self.width - 7)
        long = any(len(line) > room // 2 for _, line in lines)  # a character may take two columns, a tab more
        spans = places(lines) if long else [(0, 0)] * len(lines)
        for (sign, line), (start, end) in zip(lines[:SHOWN_LINES], spans, strict=False):
            text = f"{sign} {excerpt(line, start, end, room).text}"
            self.lines.append("     " + self.paint("drop" if sign == "-" else "write", text))
        if len(lines) > SHOWN_LINES:
            self.lines.append(f"     ... and {len(lines) - SHOWN_LINES} lines more")

    @staticmethod
    def _where(item: Item) -> str:
        """Names the file that is written when it is another than the one shown."""
        files = item.plan.edits if item.plan else {}
        paths = sorted(file.path for file in files)
        if not paths or paths == [item.path]:
            return ""
        parents = any(not file.requested for file in files)
        return f", in {' and '.join(paths)}" + (", with --follow-parents" if parents else "")

    def depends(self, item: Item) -> None:
        ways: list[str] = []
        for i, reason in enumerate(item.depends_on):
            self.prose("depends on: " if not i else " " * 12, reason, "  ")
            way = settle(reason)
            if way and way not in ways:
                ways.append(way)
        if ways:
            self.prose("settle it: ", "; or ".join(ways), "  ")


def _listed(paths: list[str]) -> str:
    """The first few paths, and how many more there are."""
    shown = ", ".join(paths[:SHOWN_CHILDREN])
    more = len(paths) - SHOWN_CHILDREN
    return f"{shown} and {more} more" if more > 0 else shown
