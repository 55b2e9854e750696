"""Tells from the bytes alone that a file has no vLLM setting, so that it is never parsed."""

from __future__ import annotations

from typing import Any

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import telling_options
from vllm_migrate.dialects.workspace import kind_of

Profile = Any


class Prefilter:
    """Markers per kind of file, from the dialects: one of them must stand in the text."""

    __slots__ = ("_catalog", "_hydra", "_markers", "_top_level")

    def __init__(self, profiles: list[Profile], catalog: Catalog) -> None:
        self._markers: dict[str, list[bytes]] = {}
        self._hydra = False
        self._top_level = False
        self._catalog = catalog
        for profile in profiles:
            markers = profile.get("markers")
            carriers = profile["carriers"]
            for kind in carriers if isinstance(carriers, list) else []:
                if isinstance(markers, list):
                    self._markers.setdefault(str(kind), []).extend(str(marker).encode() for marker in markers)
            inside = profile.get("embed_markers")
            self._markers.setdefault("yaml", []).extend(
                str(marker).encode() for marker in (inside if isinstance(inside, list) else [])
            )
            self._hydra = self._hydra or profile.get("compose") in ("hydra", "parent_files")
            self._top_level = self._top_level or any("serve_flags" in sign for sign in profile["recognise"])

    def may_concern(self, path: str, data: bytes) -> bool:
        """False only when no dialect can recognise anything in these bytes."""
        kind = kind_of(path)
        if not kind:
            return False
        if any(marker in data for marker in self._markers.get(kind, ())):
            return True
        if kind != "yaml":
            return False
        return (self._hydra and b"\ndefaults:" in b"\n" + data) or (self._top_level and self._serve_keys(data))

    def _serve_keys(self, data: bytes) -> bool:
        """Whether any line begins with a telling `vllm serve` option."""
        telling = telling_options(self._catalog)
        for line in data.replace(b"\r", b"\n").split(b"\n"):
            head = line.partition(b":")[0].strip(b"\"' \xef\xbb\xbf{")
            plain = head[:1].isalpha() and len(head) < 64 and b" " not in head
            if plain and head.decode("utf-8", "replace").replace("_", "-") in telling:
                return True
        return False
