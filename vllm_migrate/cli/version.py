"""`--version`: the tool's and the catalog's."""

from __future__ import annotations

from vllm_migrate import __version__
from vllm_migrate.catalog import store
from vllm_migrate.shipped import SHIPPED


def text() -> str:
    catalog = store.load()
    origin = f" from {SHIPPED.origin}" if SHIPPED.origin else ""
    unused = f"\n{SHIPPED.unused}" if SHIPPED.unused else ""
    return (
        f"vllm-migrate {__version__} (knowledge {SHIPPED.version}{origin}; catalog {catalog.version}: "
        f"{len(catalog.releases)} releases of vLLM, {catalog.releases[0]} to {catalog.releases[-1]}){unused}"
    )
