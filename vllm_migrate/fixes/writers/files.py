"""Settings in a mapping of a file: YAML, TOML, JSON, the keywords of a call that makes an engine."""

from __future__ import annotations

from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import DELETE, RENAME, SET, CannotEdit, Op, Path
from vllm_migrate.fixes.ops import FileOp, place_of, texts_of
from vllm_migrate.fixes.spelling import Spelling, spell


class FileWriter:
    """Keys of the engine's mapping."""

    def __init__(self, engine: Subject) -> None:
        self.engine = engine

    def set(self, option: str, value: object) -> list[FileOp]:
        spelling = self._spell(option, value)
        file, document, path = self._home()
        return [FileOp(file, document, Op(SET, (*path, *spelling.path), spelling.value))]

    def drop(self, written: Written, option: str) -> list[FileOp]:
        place = place_of(written)
        return [FileOp(place.file, place.index, Op(DELETE, place.path))]

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        spelling = self._spell(option, value)
        place = place_of(written)
        if "." in spelling.key and written.key != spelling.key:
            below = Op(SET, (*self._home()[2], *spelling.path), spelling.value)
            return [*self.drop(written, option), FileOp(place.file, place.index, below)]
        ops: list[Op] = []
        path = place.path
        if written.key != spelling.key:
            ops.append(Op(RENAME, path, new_key=spelling.key))
            path = (*path[:-1], spelling.key)
        if not (ops and spelling.value is written.value and spelling.value is written.raw):
            ops.append(Op(SET, path, spelling.value))
        return [FileOp(place.file, place.index, op) for op in ops]

    def _spell(self, option: str, value: object) -> Spelling:
        return spell(self.engine, option, value)

    def _home(self) -> tuple[File, int, Path]:
        """The file, document and mapping that a new setting goes to. Raises CannotEdit."""
        place = self.engine.home()
        if place is None:
            raise CannotEdit("the engine has no mapping to write in")
        if place.node.shared:
            raise CannotEdit("its settings are under a YAML anchor that others share")
        return place.file, place.index, place.path


class ConfigWriter(FileWriter):
    """The `--config` file of a command: keys are options without the dashes in front."""

    def _spell(self, option: str, value: object) -> Spelling:
        spelling = super()._spell(option, value)
        texts_of(spelling.key, spelling.value)  # such a file is read as words of the command
        return spelling._replace(key=spelling.key.lstrip("-"))
