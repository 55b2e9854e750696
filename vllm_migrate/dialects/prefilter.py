"""Tells from the bytes alone that a file has no vLLM setting, so that it is never parsed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import telling_options
from vllm_migrate.documents.kinds import kind_of
from vllm_migrate.knowledge.records import Dialect

if TYPE_CHECKING:
    from vllm_migrate.dialects.programs import Programs

# What stands before the colon of a line, or alone in it, where it may be an option: words joined by `-` or `_`.
_HEADS = re.compile(rb"^[\"' \xef\xbb\xbf{]*([A-Za-z][^\W_]*[-_][\w-]*)[\"' \xef\xbb\xbf{]*(?::|$)", re.MULTILINE)


_JSON_COMMANDS = "commands in json"


class Prefilter:
    """Markers per kind of file, from the dialects: one of them must stand in the text."""

    __slots__ = ("_catalog", "_composed", "_dialects", "_markers", "_programs", "_top_level")

    def __init__(self, dialects: Sequence[Dialect], catalog: Catalog) -> None:
        self._markers: dict[str, list[bytes]] = {}
        self._catalog = catalog
        self._dialects = dialects
        self._programs: Programs | None = None
        self._composed = any(dialect.compose in ("hydra", "parent_files") for dialect in dialects)
        self._top_level = any(sign.serve_flags for dialect in dialects for sign in dialect.recognise)
        for dialect in dialects:
            for kind in dialect.carriers:
                markers = [marker.encode() for marker in dialect.markers]
                self._markers.setdefault(kind, []).extend(markers)
                if kind in ("python", "shell"):
                    self._markers.setdefault("notebook", []).extend(markers)
                if kind == "shell":
                    self._markers.setdefault("dockerfile", []).extend(markers)
            for embedding in ("yaml", "dockerfile", _JSON_COMMANDS):
                self._markers.setdefault(embedding, []).extend(marker.encode() for marker in dialect.embed_markers)

    def may_concern(self, path: str, data: bytes) -> bool:
        """False only when no dialect can recognise anything in these bytes."""
        kind = kind_of(path)
        if kind and any(marker in data for marker in self._markers.get(kind, ())):
            return kind != "python" or self._may_use(path, data)
        if kind == "json" and b'ommand"' in data:
            return any(marker in data for marker in self._markers[_JSON_COMMANDS])
        if kind != "yaml":
            return False
        return (self._composed and b"\ndefaults:" in b"\n" + data) or (self._top_level and self._serve_keys(data))

    def _may_use(self, path: str, data: bytes) -> bool:
        if self._programs is None:
            from vllm_migrate.dialects.programs import Programs

            self._programs = Programs(self._dialects, self._catalog)
        return self._programs.may_use(data)

    def _serve_keys(self, data: bytes) -> bool:
        """Whether any line begins with a telling `vllm serve` option."""
        telling = telling_options(self._catalog)
        heads = set(_HEADS.findall(data.replace(b"\r", b"\n")))
        return any(head.decode("utf-8", "replace").replace("_", "-") in telling for head in heads)
