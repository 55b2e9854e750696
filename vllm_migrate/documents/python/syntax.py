"""Python source to its tree, and from a place in the tree to one in the text."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator

from vllm_migrate.documents.interface import Unreadable

Spanned = ast.expr | ast.keyword | ast.alias | ast.stmt


def parse_tree(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the author's business
            return ast.parse(text)
    except SyntaxError as error:
        raise Unreadable("syntax", _refusal(error.msg), error.lineno or 0, error.offset or 0) from None
    except (RecursionError, MemoryError):
        raise Unreadable("too-deep", "nested too deeply") from None
    except ValueError as error:
        raise Unreadable("syntax", f"not Python: {error}") from None


def _refusal(message: str) -> str:
    """Why a text does not parse; an f-string may be one of a newer Python than the one that reads it (PEP 701)."""
    if sys.version_info < (3, 12) and message.startswith("f-string"):
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"not Python {here}, which this program runs on ({message}); 3.12 reads more f-strings"
    return f"not Python: {message}"


def iter_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls in the same order as index.py, for the proof."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call):
            yield node
        stack += reversed(list(ast.iter_child_nodes(node)))


class Offsets:
    """Code point offsets of ast's positions: lines from 1, columns in UTF-8 bytes."""

    __slots__ = ("_ascii", "_columns", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = line_starts(text)
        self._ascii = text.isascii()
        self._columns: dict[int, list[int]] = {}

    def at(self, line: int, column: int) -> int:
        line = min(line, len(self._starts))
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        columns = self._columns.get(line)
        if columns is None:
            end = self._starts[line] if line < len(self._starts) else len(self.text)
            columns = self._columns[line] = _columns(self.text[start:end])
        return start + (columns[column] if columns else column)

    def span(self, node: Spanned) -> tuple[int, int]:
        last = node.end_lineno or node.lineno
        return self.at(node.lineno, node.col_offset), self.at(last, node.end_col_offset or 0)


def _columns(line: str) -> list[int]:
    """The code point at each byte of a line, and at its end; none for a line of ASCII."""
    if line.isascii():
        return []
    found = [number for number, char in enumerate(line) for _ in range(len(char.encode()))]
    return [*found, len(line)]


def line_starts(text: str) -> list[int]:
    """Offsets of lines as Python counts them: \\n, \\r\\n and \\r end a line, nothing else."""
    starts, at = [0], 0
    if "\r" not in text:
        while True:
            at = text.find("\n", at) + 1
            if not at:
                return starts
            starts.append(at)
    for i, char in enumerate(text):
        if char == "\n" or (char == "\r" and not text.startswith("\n", i + 1)):
            starts.append(i + 1)
    return starts
