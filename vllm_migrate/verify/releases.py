"""The release that a source tells, as the catalog spells it."""

from __future__ import annotations

import re

from vllm_migrate.catalog import store
from vllm_migrate.errors import UsageError


def known(release: str, missing: str) -> str:
    """The catalog's spelling of what a build calls itself (`0.18.1+cpu`, `v0.8.5`); `missing` says where none was reported.

    Raises UsageError for none, for a development version, and for a release that the catalog lacks.
    """
    if not release:
        raise UsageError(missing, "--to RELEASE names it")
    try:
        return store.load().canonical(_public(release))
    except store.UnknownRelease as error:
        built = re.search(r"dev|rc|a\d|b\d", _public(release)) is not None
        add = "it is between releases" if built else "`vllm-migrate catalog add`"
        raise UsageError(str(error), f"{add}; --to RELEASE judges it as that one") from None


def shown(release: str, target: str | None) -> str:
    """The release that a source shows; "" where the catalog lacks it and `target` stands for it."""
    if not target:
        return release
    try:
        return release and known(release, "")
    except UsageError:
        return ""


def _public(release: str) -> str:
    return release.partition("+")[0]
