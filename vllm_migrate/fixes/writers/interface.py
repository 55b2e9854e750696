"""What every way of writing settings can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Written
    from vllm_migrate.fixes.ops import FileOp


class Writer(Protocol):
    """One way of writing an engine's settings: each change as operations on files.

    Every method raises CannotEdit, with the reason for people, where the dialect cannot express the change or the file
    cannot take it.
    """

    def set(self, option: str, value: object) -> list[FileOp]:
        """Write an option that is not written yet."""
        ...

    def drop(self, written: Written, option: str) -> list[FileOp]:
        """Take a setting away. option: the name it means; of a call, the keyword that goes."""
        ...

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        """Write option = value in the place of a setting."""
        ...
