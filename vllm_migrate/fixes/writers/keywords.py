"""Keywords of a call of vLLM's interfaces in a program: `sampling.SamplingParams(best_of=4)`."""

from __future__ import annotations

from vllm_migrate.dialects.model import Use, Written
from vllm_migrate.documents.interface import DELETE, RENAME, SET, Op
from vllm_migrate.fixes.ops import FileOp, place_of


class KeywordWriter:
    """The keywords of one call; the one at hand, where the use is one."""

    def __init__(self, use: Use) -> None:
        self.use = use

    def set(self, option: str, value: object) -> list[FileOp]:
        return self._op(Op(SET, (option,), value))

    def drop(self, written: Written, option: str) -> list[FileOp]:
        return self._op(Op(DELETE, (option,)))

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        renamed = self._op(Op(RENAME, (self.use.key,), new_key=option))
        return renamed if value is written.value else [*renamed, *self.set(option, value)]

    def _op(self, op: Op) -> list[FileOp]:
        place = place_of(self.use.written)
        return [FileOp(place.file, place.index, op)]
