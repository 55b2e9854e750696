"""Text on a terminal: what a character takes there, lines cut around a place, paragraphs filled. No colours here.

Control characters, line separators and the characters that reorder text are written as escapes, so that no file can
move the cursor or hide what stands in it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

TAB = 4
CUT = "..."


def cells(text: str) -> int:
    """Columns a text takes on a terminal."""
    return len(text) if text.isascii() else sum(_width(c) for c in text)


def clean(text: str) -> str:
    """The text with everything that does not print as an escape; white space as spaces."""
    if text.isprintable():
        return text
    return "".join(_shown(c) if c not in "\t\n\r" else " " for c in text)


def _shown(c: str) -> str:
    if c.isprintable() or _combines(c):
        return c
    code = ord(c)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _combines(c: str) -> bool:
    from unicodedata import category

    return category(c) in ("Mn", "Me")


def _width(c: str) -> int:
    if c < "\u0300":
        return 1
    from unicodedata import category, east_asian_width

    if category(c) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(c) in "WF" else 1


class Excerpt:
    """A source line as shown: its text, and the columns of the underline in it (from 0, end exclusive, never empty)."""

    __slots__ = ("end", "start", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.start = start
        self.end = end


def excerpt(line: str, start: int, end: int, room: int) -> Excerpt:
    """The line with the span start:end (code points from 0) in view, in at most `room` columns.

    Tabs are expanded; what does not fit is cut with `...` at either side, the span first of all kept visible.
    """
    if len(line) <= room and line.isascii() and line.isprintable():
        start, end = min(start, len(line)), min(end, len(line))
        return Excerpt(line, start, max(end, start + 1))
    shown, widths = _expand(line)
    start, end = min(start, len(shown)), min(end, len(shown))
    if sum(widths) > room:
        low, high = _window(widths, start, end, room - 2 * len(CUT))
        head, tail = (CUT if low else ""), (CUT if high < len(shown) else "")
        lead, end = len(head), min(end, high)
    else:
        low, high, head, tail, lead = 0, len(shown), "", "", 0
    left = lead + sum(widths[low:start])
    return Excerpt(head + "".join(shown[low:high]) + tail, left, left + max(1, sum(widths[start:end])))


def _expand(line: str) -> tuple[list[str], list[int]]:
    """What each code point is shown as, and how wide that is."""
    shown, widths, at = [], [], 0
    for c in line:
        text = " " * (TAB - at % TAB) if c == "\t" else _shown(c)
        shown.append(text)
        widths.append(cells(text))
        at += widths[-1]
    return shown, widths


def _window(widths: list[int], start: int, end: int, room: int) -> tuple[int, int]:
    """The slice of a line that is shown: the span with a third of what is left before it, the rest after it."""
    room = max(room, 8)
    spare = max(0, room - sum(widths[start:end]))
    low, before = start, 0
    while low > 0 and before + widths[low - 1] <= spare // 3:
        low -= 1
        before += widths[low]
    high, used = low, 0
    while high < len(widths) and used + widths[high] <= room:
        used += widths[high]
        high += 1
    while high == len(widths) and low > 0 and used + widths[low - 1] <= room:
        low -= 1
        used += widths[low]
    return low, high


def fill(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """The words of a text in lines of at most `width` columns, after `first` on the first and `rest` on the others.

    A word that is longer than a line stands alone and is not broken: paths and commands stay whole.
    """
    text = clean(text)
    measure = len if text.isascii() else cells
    out, line, used, empty = [], first, cells(first), True
    for word in text.split():
        size = measure(word)
        if not empty and used + 1 + size > width:
            out.append(line)
            line, used, empty = rest, cells(rest), True
        line += word if empty else " " + word
        used += size + (0 if empty else 1)
        empty = False
    out.append(line.rstrip() if empty else line)
    return out


LEAST = 6  # columns that a cell keeps, however narrow the terminal


def column_widths(rows: Sequence[Sequence[str]], room: int, flexible: Sequence[int]) -> list[int]:
    """The widths of a table's columns, of which all are to fit in `room`: each is as wide as its longest cell; where that is too
    much, the flexible ones are narrower, down to their longest word, and then to what is left.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(cells, column)) for column in columns]
    words = [max((cells(word) for cell in column for word in cell.split()), default=0) for column in columns]
    for least in (words, [LEAST] * len(columns)):
        while sum(widths) > room and (able := [i for i in flexible if widths[i] > least[i]]):
            widths[max(able, key=widths.__getitem__)] -= 1
    return widths
