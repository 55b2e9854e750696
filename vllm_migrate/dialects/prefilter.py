"""Tells from the bytes alone that a file has no vLLM setting, so that it is never parsed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.flags import telling_options
from vllm_migrate.dialects.model import Profile
from vllm_migrate.documents.kinds import kind_of

if TYPE_CHECKING:
    from vllm_migrate.dialects.programs import Programs

# What stands before the colon of a line, or alone in it, where it may be an option: words joined by `-` or `_`.
_HEADS = re.compile(rb"^[\"' \xef\xbb\xbf{]*([A-Za-z][^\W_]*[-_][\w-]*)[\"' \xef\xbb\xbf{]*(?::|$)", re.MULTILINE)


class Prefilter:
    """Markers per kind of file, from the dialects: one of them must stand in the text."""

    __slots__ = ("_catalog", "_composed", "_markers", "_profiles", "_programs", "_top_level")

    def __init__(self, profiles: list[Profile], catalog: Catalog) -> None:
        self._markers: dict[str, list[bytes]] = {}
        self._catalog = catalog
        self._profiles = profiles
        self._programs: Programs | None = None
        self._composed = any(profile.get("compose") in ("hydra", "parent_files") for profile in profiles)
        self._top_level = any("top_level" in profile for profile in profiles)
        for profile in profiles:
            carriers = profile["carriers"]
            for kind in carriers if isinstance(carriers, list) else []:
                self._add(str(kind), profile.get("markers"))
            self._add("yaml", profile.get("embed_markers"))

    def _add(self, kind: str, markers: object) -> None:
        known = self._markers.setdefault(kind, [])
        known.extend(str(marker).encode() for marker in (markers if isinstance(markers, list) else []))

    def may_concern(self, path: str, data: bytes) -> bool:
        """False only when no dialect can recognise anything in these bytes."""
        kind = kind_of(path)
        if kind and any(marker in data for marker in self._markers.get(kind, ())):
            return kind != "python" or self._may_use(path, data)
        if kind != "yaml":
            return False
        return (self._composed and b"\ndefaults:" in b"\n" + data) or (self._top_level and self._serve_keys(data))

    def _may_use(self, path: str, data: bytes) -> bool:
        if self._programs is None:
            from vllm_migrate.dialects.programs import Programs

            self._programs = Programs(self._profiles, self._catalog)
        return self._programs.may_use(data)

    def _serve_keys(self, data: bytes) -> bool:
        """Whether any line begins with a telling `vllm serve` option."""
        telling = telling_options(self._catalog)
        heads = set(_HEADS.findall(data.replace(b"\r", b"\n")))
        return any(head.decode("utf-8", "replace").replace("_", "-") in telling for head in heads)
