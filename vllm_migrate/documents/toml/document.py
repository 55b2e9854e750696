"""TOML files: `parse_toml`, and the document it returns. Values are tomllib's, places our own."""

from __future__ import annotations

from vllm_migrate.documents.interface import DataDocument, Source
from vllm_migrate.documents.toml.scan import TomlNode, scan

__all__ = ["TomlDocument", "parse_toml"]


class TomlDocument(DataDocument):
    """A TOML file: one root."""

    __slots__ = ("tree",)
    carrier = "toml"

    def __init__(self, source: Source, tree: TomlNode) -> None:
        self.source = source
        self.tree = tree
        self.roots = [tree]


def parse_toml(source: Source) -> TomlDocument:
    """A TOML file with spans. Raises Unreadable: too-large, too-deep, template, syntax."""
    return TomlDocument(source, scan(source))
