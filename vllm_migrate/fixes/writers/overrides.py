"""Settings as overrides on the command line of a program that uses Hydra: `rollout.dtype=bfloat16`, `+rollout.x=1`."""

from __future__ import annotations

from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.dialects.tree import Place
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.ops import FileOp, place_of, text_of
from vllm_migrate.fixes.spelling import Spelling, spell


class OverrideWriter:
    """One word a setting, below the engine's dotted path."""

    def __init__(self, engine: Subject) -> None:
        self.engine = engine

    def set(self, option: str, value: object) -> list[FileOp]:
        """After the last override below the engine's path."""
        spelling = spell(self.engine, option, value)
        engine = self.engine
        assert engine.argv is not None and engine.file.shell is not None
        command = engine.argv[0]
        last, prefix = -1, engine.site_path + "."
        for at, word in enumerate(engine.file.shell.commands[command].words):
            text = (word.value or word.prefix).lstrip("+~")
            if text.startswith(prefix) and not word.maybe:
                last = at
        if last < 0:
            raise CannotEdit("the command has no override of this engine")
        return [FileOp(engine.file, 0, WordOp("insert_after", command, last, (self._text(spelling),)))]

    def drop(self, written: Written, option: str) -> list[FileOp]:
        place = place_of(written)
        return [FileOp(place.file, 0, WordOp("delete", place.index, _word(place)))]

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        spelling = spell(self.engine, option, value)
        place = place_of(written)
        return [FileOp(place.file, 0, WordOp("replace", place.index, _word(place), (self._text(spelling),)))]

    def _text(self, spelling: Spelling) -> str:
        """`prefix path=value` as Hydra reads it back. Raises CannotEdit."""
        value = spelling.value
        if value is None:
            text = "null"
        else:
            text = text_of(value).replace('"', "") if isinstance(value, (dict, list)) else text_of(value)
        path = f"{self.engine.site_path}.{spelling.key}" if self.engine.site_path else spelling.key
        return f"{spelling.prefix}{path}={text}"


def _word(place: Place) -> int:
    at = place.path[0]
    assert isinstance(at, int)
    return at
