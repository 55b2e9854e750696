"""Keywords of a call of vLLM's interfaces in a program: `sampling.SamplingParams(best_of=4)`."""

from __future__ import annotations

from vllm_migrate.dialects.model import Written
from vllm_migrate.documents.interface import DELETE, SET, CannotEdit, Op
from vllm_migrate.fixes.ops import FileOp, place_of


class KeywordWriter:
    """The keywords of one call."""

    def __init__(self, call: Written) -> None:
        self.call = call

    def set(self, option: str, value: object) -> list[FileOp]:
        return self._op(Op(SET, (option,), value))

    def drop(self, written: Written, option: str) -> list[FileOp]:
        return self._op(Op(DELETE, (option,)))

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        raise CannotEdit("a keyword of a call is not renamed")

    def _op(self, op: Op) -> list[FileOp]:
        place = place_of(self.call)
        return [FileOp(place.file, place.index, op)]
