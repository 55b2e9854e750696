"""What a Dockerfile holds, as the boxes that an edit's proof compares."""

from __future__ import annotations

from vllm_migrate.documents.dockerfile.document import Dockerfile, parse_dockerfile
from vllm_migrate.documents.interface import DataDocument, Source
from vllm_migrate.documents.oracle import Box, ScalarText, from_plain


def reparse(document: DataDocument, source: Source) -> Dockerfile:
    """The document of another text. Raises Unreadable."""
    return parse_dockerfile(source)


def boxes(document: DataDocument) -> list[Box]:
    """Fresh boxes of every stage that counts."""
    assert isinstance(document, Dockerfile)
    return [from_plain(root.plain()) for root in document.roots]


def read(document: DataDocument, written: ScalarText) -> object:
    """Never asked: boxes hold values."""
    return written.text
