"""Write proved fixes, each file atomically."""

from __future__ import annotations

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.write import write_atomic


def write_all(edits: dict[File, list[Edit]]) -> list[str]:
    """The paths written. Raises VllmMigrateError for a file that changed since it was read or cannot be written."""
    written: list[str] = []
    for file, each in edits.items():
        write_atomic(file.path, file.source, apply_edits(file.source.text, each))
        written.append(file.path)
    return written
