"""`--version`: the tool's and the catalog's."""

from __future__ import annotations

from vllm_migrate import __version__
from vllm_migrate.catalog import store


def text() -> str:
    catalog = store.load()
    return (
        f"vllm-migrate {__version__} (catalog {catalog.version}: {len(catalog.releases)} releases of vLLM, "
        f"{catalog.releases[0]} to {catalog.releases[-1]})"
    )
