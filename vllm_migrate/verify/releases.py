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
    public = release.partition("+")[0]
    try:
        return store.load().canonical(public)
    except store.UnknownRelease as error:
        built = re.search(r"dev|rc|a\d|b\d", public) is not None
        remedy = "it is between releases: --to RELEASE judges it as that one" if built else "`vllm-migrate catalog add`"
        raise UsageError(str(error), remedy) from None
