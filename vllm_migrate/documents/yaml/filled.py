"""YAML in which a template fills in values and nothing else: `key: {{ env "TOKEN" | default "" }}`.

With a variable of the same length in the place of each hole it can be read, and never be written. Where the template decides
what is there at all (`{{- if }}`), it cannot.
"""

from __future__ import annotations

import re

from vllm_migrate.documents.interface import DataDocument, Source, Unreadable
from vllm_migrate.documents.yaml.document import parse_yaml

_HOLE = re.compile(r"\{\{-?(?![-\s]*(?:if|else|end|range|with|define|block|include|template)\b)[^{}\r\n]*\}\}")


def parse_filled_yaml(source: Source) -> DataDocument | None:
    """The document as it can be read with its holes filled in; None where it has none, or cannot be read with them."""
    text = _HOLE.sub(lambda found: "${" + "_" * (len(found[0]) - 3) + "}", source.text)
    if text == source.text or "{{" in text:
        return None
    try:
        return parse_yaml(Source(source.path, source.data, text, source.bom, source.newline))
    except Unreadable:
        return None
