"""Settings in a list of arguments inside a mapping: `extraArgs: ["--max-num-seqs", "8"]`."""

from __future__ import annotations

from vllm_migrate.dialects.model import Written
from vllm_migrate.documents.interface import DELETE, INSERT, SET, CannotEdit, Op
from vllm_migrate.fixes.ops import FileOp, place_of, texts_of
from vllm_migrate.fixes.own_words import own_words
from vllm_migrate.fixes.spelling import Spelling
from vllm_migrate.fixes.writers.files import FileWriter


class ArgumentsWriter(FileWriter):
    """Items of a list where the dialect spells a setting so, else keys of the mapping."""

    def set(self, option: str, value: object) -> list[FileOp]:
        spelling = self._spell(option, value)
        return self._append(spelling) if spelling.argument else super().set(option, value)

    def drop(self, written: Written, option: str) -> list[FileOp]:
        if written.words is None:
            return super().drop(written, option)
        place = place_of(written)
        items = [(*place.path[:-1], number) for number in own_words(written, self.engine)]
        return [FileOp(place.file, place.index, Op(DELETE, item)) for item in reversed(items)]

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        if written.words is None:
            return super().respell(written, option, value)
        gone = self.drop(written, option)
        spelling = self._spell(option, value)
        place = place_of(written)
        if spelling.argument:
            op = Op(INSERT, (*place.path[:-1], written.words[0]), _text(spelling))
        else:
            op = Op(SET, (*self._home()[2], *spelling.path), spelling.value)
        return [*gone, FileOp(place.file, place.index, op)]

    def _append(self, spelling: Spelling) -> list[FileOp]:
        """A new argument at the end of the list, which is made when there is none."""
        file, document, path = self._home()
        text = _text(spelling)
        assert self.engine.site is not None
        items = self.engine.site.at(spelling.key)
        end = 0
        if items is not None and items.is_seq:
            if items.place.file is not file:
                raise CannotEdit("its list of arguments is in another file")
            end = len(items.items)
        return [FileOp(file, document, Op(INSERT, (*path, *spelling.path, end), text))]


def _text(spelling: Spelling) -> str:
    return "=".join(texts_of(spelling.argument, spelling.value))
