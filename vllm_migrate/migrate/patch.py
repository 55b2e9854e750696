"""The change as one diff that `git apply` takes."""

from __future__ import annotations

import os

from vllm_migrate.migrate.plan import Migration
from vllm_migrate.report.fix import diff

SIDES = "a/", "b/"


def base_of(migration: Migration) -> str:
    """The folder in which the patch applies: the working folder, or where a file is not below it, the root of the repository (else
    the folder that holds all files), since git takes no name with `..`, nor one beyond a link."""
    paths = [os.path.realpath(file.path) for file in migration.edits]
    here = os.path.join(os.path.realpath(os.curdir), "")
    if all(path.startswith(here) for path in paths):
        return os.curdir
    common = folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    while not os.path.exists(os.path.join(folder, ".git")):
        if os.path.dirname(folder) == folder:
            return common
        folder = os.path.dirname(folder)
    return folder


def patch(migration: Migration, masked: bool = True) -> str:
    """A unified diff of every file; "" for no change. masked: without secrets, so that lines with one do not apply."""
    start = base_of(migration)
    lines = [line for file, edits in migration.edits.items() for line in diff(file, edits, masked, SIDES, start)]
    return "".join(f"{line}\n" for line in lines)
