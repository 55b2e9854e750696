"""What a TOML file holds, read by tomllib, as the boxes that an edit's proof compares."""

from __future__ import annotations

import tomllib

from vllm_migrate.documents.interface import DataDocument, Source
from vllm_migrate.documents.oracle import Box, ScalarText, from_plain
from vllm_migrate.documents.toml.document import TomlDocument, parse_toml


def reparse(document: DataDocument, source: Source) -> TomlDocument:
    """The document of another text. Raises Unreadable."""
    return parse_toml(source)


def boxes(document: DataDocument) -> list[Box]:
    """Fresh boxes of the file."""
    return [from_plain(tomllib.loads(document.source.text))]


def read(document: DataDocument, written: ScalarText) -> object:
    """Never asked: boxes hold values."""
    return written.text
