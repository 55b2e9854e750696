"""What a JSON file holds, read by the standard library without comments and trailing commas, as the boxes that an edit's
proof compares."""

from __future__ import annotations

import json
import re

from vllm_migrate.documents.interface import DataDocument, Source, Unknown
from vllm_migrate.documents.json.document import JsonDocument, parse_json
from vllm_migrate.documents.oracle import Box, ScalarText, from_plain

_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\r\n]*+|/\*[\s\S]*?\*/')
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*+")|,(?=\s*[\]}])')


def reparse(document: DataDocument, source: Source) -> JsonDocument:
    """The document of another text. Raises Unreadable."""
    return parse_json(source)


def boxes(document: DataDocument) -> list[Box]:
    """Fresh boxes of the file."""
    bare = _STRING_OR_COMMENT.sub(lambda m: m.group() if m.group()[0] == '"' else " ", document.source.text)
    bare = _TRAILING_COMMA.sub(lambda m: m.group(1) or "", bare)
    return [from_plain(json.loads(bare, object_pairs_hook=_unique, parse_int=_parse_int))]


def read(document: DataDocument, written: ScalarText) -> object:
    """Never asked: boxes hold values."""
    return written.text


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Duplicate keys, each under a name of its own."""
    out: dict[str, object] = {}
    for number, (key, value) in enumerate(pairs):
        out[key if key not in out else f"{key}\0{number}"] = value
    return out


def _parse_int(text: str) -> object:
    return int(text) if len(text) < 400 else Unknown(text)
