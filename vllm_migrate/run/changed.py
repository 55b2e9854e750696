"""The lines that a unified diff adds or changes, as `git diff` and `diff -u` print it. Git is never run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

from vllm_migrate.documents.disk import DISK, similar
from vllm_migrate.errors import UsageError
from vllm_migrate.opening import read_bytes
from vllm_migrate.report.finding import Region
from vllm_migrate.run.pins import VLLM, Pin
from vllm_migrate.run.versions import SUBFOLDERS, pins_in

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_PREFIX = re.compile(r"[a-z0-9]/")  # a/ and b/; i/, w/, c/ and o/ with diff.mnemonicPrefix
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_LETTERS = {b"a": 7, b"b": 8, b"t": 9, b"n": 10, b"v": 11, b"f": 12, b"r": 13, b'"': 34, b"\\": 92}

WANTED = "pass the output of `git diff` or `diff -u`"

Lines = set[int]


class Changed:
    """Changed lines by file. Paths of the diff are relative to the working folder or, as Git's are, to the repository."""

    def __init__(self, lines: dict[str, Lines]) -> None:
        self._by_path = {os.path.realpath(_on_disk(name)): numbers for name, numbers in lines.items()}

    def holds(self, region: Region) -> bool:
        """Whether one of a region's lines is changed."""
        numbers = self._by_path.get(os.path.realpath(region.path))
        if numbers is None:
            return False
        return any(line in numbers for line in range(region.line, region.end_line + 1))

    def names(self, reason: str) -> bool:
        """Whether a reason, such as `requirements.txt:2 pins it`, names a changed line."""
        place = re.match(r"(.+?):(\d+)\b", reason)
        return place is not None and self.holds(Region(place[1], int(place[2]), 1, int(place[2]), 1))


def text_of(path: str) -> str:
    """The text of a diff in a file, or of standard input (-). Raises UsageError where it cannot be read."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            data = read_bytes(path, wait=True)
    except OSError as error:
        raise UsageError(f"--diff: {path}: {error.strerror or error}", similar(path, DISK)) from None
    return data.decode("utf-8", "surrogateescape")


def read_diff(text: str) -> Changed:
    """The changed lines of a diff. Raises UsageError for what is no unified diff."""
    return Changed(changed_lines(text.split("\n")))


class Removed:
    """The releases of vLLM that a diff takes away, where it puts another in their place. Raises UsageError for what is no diff."""

    def __init__(self, text: str) -> None:
        lines = text.split("\n")
        changed_lines(lines)
        self._pins: dict[str, list[Pin]] = {}
        for path, before, after in _pins_of(lines):
            stay = {pin.version for pin in after}
            gone = [pin for pin in before if pin.exact and pin.version not in stay]
            self._pins.setdefault(path, []).extend(gone)

    def of_file(self, path: str) -> list[Pin]:
        """Those of one file."""
        return self._pins.get(os.path.realpath(path), [])

    def of_folder(self, folder: str) -> list[Pin]:
        """Those of the files of a folder, and of its folders for pins (`docker/`, `requirements/`)."""
        here = os.path.realpath(folder)
        folders = (here, *(os.path.join(here, name) for name in SUBFOLDERS))
        return [pin for path, pins in self._pins.items() if os.path.dirname(path) in folders for pin in pins]


def folders_of_pins(diff: str) -> frozenset[str]:
    """The real paths of the folders for which a diff (its text) changes the release of vLLM that is installed."""
    out = set()
    for path, *sides in _pins_of(diff.split("\n")):
        before, after = ({pin.version or pin.bounds for pin in side} for side in sides)
        if before != after:
            folder = os.path.dirname(path)
            out.add(os.path.dirname(folder) if os.path.basename(folder) in SUBFOLDERS else folder)
    return frozenset(out)


def _pins_of(lines: list[str]) -> Iterable[tuple[str, list[Pin], list[Pin]]]:
    """Of each file of a diff its real path, and the pins of vLLM in its hunks as they were and as they are."""
    for name, *sides in _sides(lines):
        path = _on_disk(name)
        before, after = (
            [pin for pin in pins_in(path, side.encode("utf-8", "surrogateescape")) if pin.package == VLLM]
            for side in sides
        )
        yield os.path.realpath(path), before, after


def _sides(lines: list[str]) -> Iterable[tuple[str, str, str]]:
    """Of each file of a diff its name, and the lines of its hunks as they were and as they are."""
    name, old, new = "", [""], [""]
    left = [0, 0]
    for line in lines:
        if max(left) > 0:
            sign, rest = line[:1], line[1:]
            for side, other, number in ((old, "+", 0), (new, "-", 1)):
                if sign not in (other, "\\"):
                    side.append(rest)
                    left[number] -= 1
        elif line.startswith("--- "):
            if name:
                yield name, "\n".join(old), "\n".join(new)
            before, name, old, new = _name(line), "", [], []
        elif line.startswith("+++ "):
            after = _name(line)
            name = _stripped(after, before) if after == os.devnull else _stripped(before, after)
        elif counts := _HUNK.match(line):
            left = [int(counts[1] or 1), int(counts[3] or 1)]
    if name:
        yield name, "\n".join(old), "\n".join(new)


def changed_lines(diff: Iterable[str]) -> dict[str, Lines]:
    """The added lines of a unified diff by path; where lines only go away, the two around the gap. Raises UsageError."""
    out: dict[str, Lines] = {}
    old = name = ""
    hunk = _Hunk(0, 0, 0)
    empty = True
    for number, line in enumerate(diff, 1):
        empty = empty and not line.strip()
        if hunk.is_open:
            if not hunk.take(line[:1]):
                raise _no_diff(number)
            out[name] |= hunk.lines
        elif line.startswith("--- "):
            old = _name(line)
        elif line.startswith("+++ "):
            name = _stripped(old, _name(line))
            out.setdefault(name, set())
        elif line.startswith("@@@"):
            raise UsageError(f"--diff: line {number} belongs to a combined diff", "give the diff against one parent")
        elif counts := _HUNK.match(line):
            if not name:
                raise _no_diff(number)
            # Of a side without lines, the number is that of the line before.
            hunk = _Hunk(int(counts[1] or 1), int(counts[3] or 1), int(counts[2]) + (counts[3] == "0"))
    if hunk.is_open or (not out and not empty):
        raise UsageError("--diff: this is not a complete unified diff", WANTED)
    out.pop(os.devnull, None)
    return out


class _Hunk:
    """One hunk as its lines come. old, new: how many lines each side still has; at: the next line of the new side."""

    def __init__(self, old: int, new: int, at: int) -> None:
        self.lines: Lines = set()
        self._old, self._new, self._at = old, new, at
        self._gap = False  # whether lines went away, and none has come for them so far

    @property
    def is_open(self) -> bool:
        return self._old > 0 or self._new > 0

    def take(self, sign: str) -> bool:
        """Count a line by its first character; whether it fits."""
        if sign == "+":
            self.lines.add(self._at)
            self._gap = False
            self._move(0, 1)
        elif sign == "-":
            self._gap = True
            self._move(1, 0)
        elif sign in (" ", "", "\r"):
            self._close()
            self._move(1, 1)
        elif sign != "\\":
            return False
        if not self.is_open:
            self._close()
        return min(self._old, self._new) >= 0

    def _move(self, old: int, new: int) -> None:
        self._old -= old
        self._new -= new
        self._at += new

    def _close(self) -> None:
        if self._gap:
            self.lines |= {self._at - 1, self._at}
        self._gap = False


def _no_diff(number: int) -> UsageError:
    return UsageError(f"--diff: line {number} does not fit a unified diff", WANTED)


def _name(line: str) -> str:
    """The path of a `---` or `+++` line: without the time that `diff -u` writes, unquoted where Git quotes it."""
    text = line[4:].rstrip("\r").partition("\t")[0]
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    data = text[1:-1].encode("utf-8", "surrogateescape")
    data = _ESCAPE.sub(
        lambda found: bytes([_LETTERS[found[1]] if found[1] in _LETTERS else int(found[1], 8) & 255]), data
    )
    return data.decode("utf-8", "surrogateescape")


def _stripped(old: str, new: str) -> str:
    """The new path without Git's prefix, where both sides have one."""
    prefixed = bool(_PREFIX.match(new)) and (old == os.devnull or (bool(_PREFIX.match(old)) and old[:2] != new[:2]))
    return new[2:] if prefixed else new


def _on_disk(name: str) -> str:
    """The file that a path of a diff means; of one that is gone, where it was."""
    here = os.getcwd()
    folders = list(dict.fromkeys((_repository(here) or here, here)))
    paths = [os.path.join(folder, name) for folder in folders]
    return next((path for path in paths if os.path.exists(path)), paths[0])


def _repository(folder: str) -> str | None:
    """The nearest folder upward that holds .git."""
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder
