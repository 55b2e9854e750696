"""Jupyter notebooks: the code of their cells as documents, each character of which knows its place in the file.

All Python of a notebook is one module, cell after cell, because a name of one cell is used in the next; IPython's magics and
cells that are no Python are blanked out of it. A line that begins with `!`, and a cell under `%%bash` or `%%sh`, is a script.
An edit of such a document becomes an edit of the JSON strings that it stands in: nothing else of the file is touched.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from vllm_migrate.documents.interface import CannotEdit, DataDocument, Edit, Position, Source, Unreadable

MAX_CHARACTERS = 20_000_000

_SKIP = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"((?:[^"\\\x00-\x1f]|\\.)*+)"')
_PIECE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]+")
_FILLED = re.compile(r"(?<![\w$}]){(\w+)}")
SCRIPTS = ("bash", "sh")
# Magics below which the rest of the cell is Python.
TRANSPARENT = ("capture", "time", "timeit", "prun", "memit", "px")


class Cell(NamedTuple):
    """The source of a code cell. number: among all cells, from 1; places: of each character in the file, and of the end;
    joint: what stands between the strings of two lines, "" where the cell is one string."""

    number: int
    text: str
    places: list[int]
    joint: str

    def cut(self, start: int, end: int) -> Cell:
        """A part of it."""
        return Cell(self.number, self.text[start:end], self.places[start : end + 1], self.joint)


class CellSource(Source):
    """A document made of cells, or of parts of them. Positions are those of the file."""

    __slots__ = ("_begins", "cells", "host", "parts")

    def __init__(self, host: Source, parts: list[Cell], text: str, cells: dict[int, Cell]) -> None:
        super().__init__(host.path, b"", text, False, "\n")
        self.host = host
        self.parts = parts
        self.cells = cells
        self._begins = [0]
        for part in parts[:-1]:
            self._begins.append(self._begins[-1] + len(part.text) + 1)

    def _at(self, offset: int) -> tuple[Cell, int]:
        """The part that an offset of the text stands in, and the offset there."""
        number = max(bisect_right(self._begins, offset) - 1, 0)
        return self.parts[number], min(offset - self._begins[number], len(self.parts[number].text))

    def on_file(self, offset: int) -> int:
        part, at = self._at(offset)
        return part.places[at]

    def position(self, offset: int) -> Position:
        return self.host.position(self.on_file(offset))

    def line(self, number: int) -> str:
        return self.host.line(number)

    def cell(self, offset: int) -> tuple[int, int, int]:
        part, at = self._at(offset)
        whole = self.cells[part.number]
        start = bisect_right(whole.places, part.places[at]) - 1
        before = whole.text[:start]
        return part.number, before.count("\n") + 1, start - before.rfind("\n")

    def on_disk(self, edits: list[Edit]) -> list[Edit]:
        """Edits of the file that make `edits` of the text. Raises CannotEdit for one that reaches over several cells."""
        out: list[Edit] = []
        ascii_only = self.host.text.isascii()
        for edit in edits:
            part, start = self._at(edit.start)
            other, end = self._at(edit.end)
            if other is not part or edit.end - edit.start != end - start:
                raise CannotEdit("the change reaches over several cells of the notebook")
            lines = [json.dumps(line, ensure_ascii=ascii_only)[1:-1] for line in edit.text.split("\n")]
            joints = ["\\n" + part.joint] * (len(lines) - 1)
            if not lines[-1] and joints and part.places[end] == self.cells[part.number].places[-1]:
                joints[-1] = "\\n"  # the cell ends with its line
            text = "".join([line + joint for line, joint in zip(lines, [*joints, ""], strict=True)])
            out.append(Edit(part.places[start], part.places[end], text))
        return out


class Notebook(DataDocument):
    """A notebook. `modules`: its Python, if it has any; `scripts`: its shell commands."""

    __slots__ = ("module", "scripts")
    carrier = "notebook"

    def __init__(self, source: Source, module: CellSource | None, scripts: list[CellSource]) -> None:
        self.source = source
        self.roots = []
        self.module = module
        self.scripts = scripts


def parse_notebook(source: Source) -> Notebook:
    """Raises Unreadable: too-large, syntax."""
    if len(source.text) > MAX_CHARACTERS:
        raise Unreadable("too-large", f"more than {MAX_CHARACTERS:,} characters")
    try:
        cells = list(_Reader(source.text).cells())
    except (ValueError, IndexError, RecursionError):
        raise Unreadable("syntax", "not a notebook") from None
    by_number = {cell.number: cell for cell in cells}
    parts: list[Cell] = []
    scripts: list[CellSource] = []
    for cell in cells:
        magic = _magic(cell.text)
        if magic in SCRIPTS:
            part = cell.cut(cell.text.index("\n") + 1 if "\n" in cell.text else len(cell.text), len(cell.text))
            scripts.append(CellSource(source, [part], part.text, by_number))
            continue
        if magic and magic not in TRANSPARENT:
            continue
        plain, commands = _python(cell.text)
        parts.append(cell._replace(text=plain))
        for start, end in commands:
            part = cell.cut(start, end)
            scripts.append(CellSource(source, [part], _filled(part.text), by_number))
    module = CellSource(source, parts, "\n".join([part.text for part in parts]), by_number) if parts else None
    return Notebook(source, module, scripts)


def _magic(text: str) -> str:
    """NAME of a cell that begins with `%%NAME`."""
    first = text.lstrip("\n ")
    return first[2:].split(None, 1)[0] if first.startswith("%%") and len(first) > 2 and first[2].isalpha() else ""


def _filled(text: str) -> str:
    """A command in which IPython fills in `{name}`: to the shell a value that is decided elsewhere, as long."""
    return _FILLED.sub(lambda found: "$" + found[1] + "_", text)


def _python(text: str) -> tuple[str, list[tuple[int, int]]]:
    """A cell as Python with what is none blanked out, as long; and where its shell commands stand."""
    if _parses(text):
        return text, []
    commands: list[tuple[int, int]] = []
    out = list(text)
    at, continued = 0, ""
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        body = line[indent:]
        magic = body[:1] in ("!", "%", "?") or (body.endswith("?") and not continued)
        if magic or continued:
            shell = body.startswith("!") and not continued
            if shell:
                commands.append((at + indent + 1, at + len(line)))
            elif continued == "!":
                commands[-1] = (commands[-1][0], at + len(line))
            out[at : at + len(line)] = line[:indent] + ("#" if continued else "0")[: len(body)] + "#" * (len(body) - 1)
            continued = ("!" if shell or continued == "!" else "%") if line.endswith("\\") else ""
        at += len(line) + 1
    plain = "".join(out)
    return (plain, commands) if _parses(plain) else ("".join(c if c == "\n" else " " for c in text), commands)


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class _Reader:
    """The code cells of a file. What is no code is passed over by the standard library's scanner. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.decode = json.JSONDecoder(strict=False).raw_decode

    def skip(self, at: int) -> int:
        found = _SKIP.match(self.text, at)
        return found.end() if found else at

    def cells(self) -> Iterator[Cell]:
        for key, at in self.entries(self.skip(0)):
            if key == "cells":
                for number, start in enumerate(self.elements(at), 1):
                    cell = self.cell(start, number)
                    if cell is not None:
                        yield cell

    def cell(self, at: int, number: int) -> Cell | None:
        fields = dict(self.entries(at))
        if (
            "source" not in fields
            or "cell_type" not in fields
            or self.decode(self.text, fields["cell_type"])[0] != "code"
        ):
            return None
        start = fields["source"]
        if self.text[start] != "[":
            return self.joined(number, [start], "")
        strings = list(self.elements(start))
        between = [self.text[_end(self.text, one) - 1 : other + 1] for one, other in pairwise(strings)]
        before = self.text[start + 1 : strings[0]] if strings else ""
        return self.joined(number, strings, between[0] if between else f'",{before or " "}"')

    def joined(self, number: int, strings: list[int], joint: str) -> Cell:
        texts: list[str] = []
        places: list[int] = []
        end = 0
        for start in strings:
            found = _STRING.match(self.text, start)
            if found is None:
                raise ValueError("a line of a cell is no string")
            end = found.end() - 1
            for piece in _PIECE.finditer(self.text, start + 1, end):
                text = piece.group()
                if text[0] == "\\":
                    texts.append(json.loads(f'"{text}"'))
                    places.append(piece.start())
                else:
                    texts.append(text)
                    places.extend(range(piece.start(), piece.end()))
        return Cell(number, "".join(texts), [*places, end], joint)

    def entries(self, at: int) -> Iterator[tuple[str, int]]:
        """The keys of an object, each with where its value begins."""
        if self.text[at] != "{":
            raise ValueError("an object was expected")
        at = self.skip(at + 1)
        while self.text[at] != "}":
            key, at = self.decode(self.text, at)
            at = self.skip(self.skip(at) + 1)
            yield key, at
            at = self.skip(self.decode(self.text, at)[1])
            at = self.skip(at + 1) if self.text[at] == "," else at

    def elements(self, at: int) -> Iterator[int]:
        """Where the items of an array begin."""
        if self.text[at] != "[":
            raise ValueError("an array was expected")
        at = self.skip(at + 1)
        while self.text[at] != "]":
            yield at
            at = self.skip(self.decode(self.text, at)[1])
            at = self.skip(at + 1) if self.text[at] == "," else at


def _end(text: str, start: int) -> int:
    found = _STRING.match(text, start)
    if found is None:
        raise ValueError("a line of a cell is no string")
    return found.end()
