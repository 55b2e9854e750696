"""Write suppression comments for findings: `--add-ignores`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.run.suppress import MARK, Suppressions, continues, line_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Added(NamedTuple):
    """edits: to make; refused: those of the wanted lines (from 1) for which no comment can be written."""

    edits: list[Edit]
    refused: list[int]


def add_ignores(
    path: str,
    text: str,
    wanted: Iterable[tuple[int, str]],
    reason: str = "",
    keeps_meaning: Callable[[str], bool] | None = None,
) -> Added:
    """Edits that suppress each (line, code).

    In this order: a code more in a comment that is there, a comment at the end of the line, one above it.
    keeps_meaning: whether an edited text still parses to the same data; what it refuses is not written. Plain JSON has
    no comments, and a notebook no lines of its own, so everything is refused there.
    """
    by_line: dict[int, set[str]] = {}
    for line, code in wanted:
        by_line.setdefault(line, set()).add(code)
    if path.lower().endswith((".json", ".ipynb")) or not kind_of(path):
        return Added([], sorted(by_line))
    writer = _Writer(text, "//" if kind_of(path) == "json" else "#", reason)
    accept = keeps_meaning or (lambda edited: True)
    starts = {line: writer.start_of(line) for line in by_line}
    codes: dict[int, set[str]] = {}
    for line, start in starts.items():
        codes.setdefault(start, set()).update(by_line[line])
    choices = [(line, writer.choices(line, sorted(codes[line]))) for line in sorted(codes)]
    first = [edits[0] for _, edits in choices if edits]
    if len(first) == len(choices) and accept(apply_edits(text, first)):
        return Added(first, [])
    out = Added([], [])
    for start, edits in choices:
        for edit in edits:
            if accept(apply_edits(text, [*out.edits, edit])):
                out.edits.append(edit)
                break
        else:
            out.refused.extend(line for line in sorted(starts) if starts[line] == start)
    return out


class _Writer:
    def __init__(self, text: str, leader: str, reason: str) -> None:
        self.text = text
        self.spans = line_spans(text)
        self.leader = leader
        self.reason = f" {reason}" if reason else ""
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.known = Suppressions.parse(text)

    def line(self, number: int) -> str:
        start, end = self.spans[number - 1]
        return self.text[start:end]

    def start_of(self, line: int) -> int:
        """The first line of the command that a line continues."""
        while 1 < line <= len(self.spans) and continues(self.line(line - 1)):
            line -= 1
        return line

    def choices(self, line: int, codes: list[str]) -> list[Edit]:
        """Ways to suppress the codes there, the most welcome first; none for a line that there is not."""
        if not 1 <= line <= len(self.spans):
            return []
        for suppression in self.known.all:
            if suppression.first <= line <= suppression.last and suppression.bracket >= 0:
                missing = [code for code in codes if suppression.names(code, "") is None]
                return [Edit(suppression.bracket, suppression.bracket, "".join(f", {code}" for code in missing))]
        comment = f"{self.leader} {MARK} ignore[{', '.join(codes)}]{self.reason}"
        start, end = self.spans[line - 1]
        written = self.line(line)
        if not written.strip():
            return []
        indent = written[: len(written) - len(written.lstrip())]
        above = Edit(start, start, f"{indent}{comment}{self.newline}")
        if continues(written):
            return [above]
        bare = start + len(written.rstrip())
        return [Edit(bare, end, f"  {comment}"), above]
