"""TOML files: `parse_toml`, and the document it returns. Errors: Unreadable, and those of its plan and prove.

Values are tomllib's, places our own; the proof reads the edited text with tomllib.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vllm_migrate.documents.editing import EditableDocument
from vllm_migrate.documents.interface import CannotEdit, Edit, Op, Source
from vllm_migrate.documents.oracle import Box, Written, from_plain
from vllm_migrate.documents.toml.scan import TomlNode, scan

if TYPE_CHECKING:
    from typing import Self

__all__ = ["TomlDocument", "parse_toml"]


class TomlDocument(EditableDocument):
    """A TOML file: one root."""

    __slots__ = ("tree",)

    def __init__(self, source: Source, tree: TomlNode) -> None:
        self.source = source
        self.tree = tree
        self.roots = [tree]

    def candidates(self, op: Op, index: int) -> Iterator[list[Edit]]:
        from vllm_migrate.documents.toml.edit import Planner

        if index != 0:
            raise CannotEdit(f"the file has no document {index}")
        return Planner(self.source, self.tree).candidates(op)

    def reparse(self, source: Source) -> Self:
        return type(self)(source, scan(source))

    def boxes(self) -> list[Box]:
        return [from_plain(tomllib.loads(self.source.text))]

    def read(self, written: Written) -> object:
        return written.text  # never asked: boxes hold values


def parse_toml(source: Source) -> TomlDocument:
    """A TOML file with spans. Raises Unreadable: too-large, too-deep, template, syntax."""
    return TomlDocument(source, scan(source))
