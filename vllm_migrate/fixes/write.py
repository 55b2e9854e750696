"""Write proved fixes, each file atomically."""

from __future__ import annotations

from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.disk import DISK, Disk
from vllm_migrate.documents.interface import Edit, apply_edits
from vllm_migrate.documents.text.write import CannotWrite, write_atomic


def write_all(edits: dict[File, list[Edit]], disk: Disk = DISK) -> tuple[list[str], list[CannotWrite]]:
    """The paths that now hold their edits, and why the others do not: one that cannot be written keeps no other back.

    disk: where its fence lets a link lead.
    """
    written: list[str] = []
    failed: list[CannotWrite] = []
    for file, each in edits.items():
        try:
            write_atomic(file.path, file.source, apply_edits(file.source.text, each), disk.writable)
        except CannotWrite as error:
            failed.append(error)
        else:
            written.append(file.path)
    return written, failed
