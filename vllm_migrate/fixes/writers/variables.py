"""Environment variables that a script or a program sets: `export NAME=value`, `NAME=value command`, `docker run -e NAME=value`,
`os.environ["NAME"] = "value"`."""

from __future__ import annotations

from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.fixes.ops import DropVariable, FileOp

ONLY_DROPPED = "an environment variable is only removed, never written"


class VariableWriter:
    """Variables that no mapping holds; those are a FileWriter's."""

    def __init__(self, engine: Subject) -> None:
        self.engine = engine

    def set(self, option: str, value: object) -> list[FileOp]:
        raise CannotEdit(ONLY_DROPPED)

    def drop(self, written: Written, option: str) -> list[FileOp]:
        spot = written.spot
        if self.engine.file.data is not None and (spot.file.inside is not None or spot.file.data is None):
            raise CannotEdit("the program sets it: remove the assignment")
        if self.engine.file.data is None and spot.file.shell is None:
            raise CannotEdit(f"{spot.file.path} sets it: remove the line")
        return [FileOp(spot.file, 0, DropVariable(written.key, spot.start, spot.end))]

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        raise CannotEdit(ONLY_DROPPED)
