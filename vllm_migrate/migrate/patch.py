"""The change as one diff that `git apply` takes."""

from __future__ import annotations

from vllm_migrate.migrate.plan import Migration
from vllm_migrate.report.fix import diff

SIDES = "a/", "b/"


def patch(migration: Migration, masked: bool = True) -> str:
    """A unified diff of every file; "" for no change. masked: without secrets, so that lines with one do not apply."""
    lines = [line for file, edits in migration.edits.items() for line in diff(file, edits, masked, SIDES)]
    return "".join(f"{line}\n" for line in lines)
