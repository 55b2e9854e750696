"""Settings as options of the command that starts an engine: `vllm serve m --max-model-len 8192`."""

from __future__ import annotations

import json

from vllm_migrate.dialects.model import Engine, Subject, Written
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.ops import FileOp, texts_of
from vllm_migrate.fixes.own_words import is_one_sided, own_words
from vllm_migrate.fixes.spelling import spell

REST = ("$@", "$*", "${@}")  # all arguments of the script: new options go in front of them


class WordWriter:
    """Words of the engine's command, in a script or in the lists of a container."""

    def __init__(self, engine: Subject) -> None:
        self.engine = engine

    def set(self, option: str, value: object) -> list[FileOp]:
        texts = self._texts(option, value)
        return [self._op("insert_after", self._last(), texts)]

    def drop(self, written: Written, option: str) -> list[FileOp]:
        return [self._op("delete", at) for at in own_words(written, self.engine)]

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        if value is False and is_one_sided(option, self.engine.target):
            return self.drop(written, option)
        texts = self._texts(option, value)
        assert written.words is not None
        if len(written.words) > 1 and value is written.value:  # only its name changes
            return [self._op("replace", written.words[0], texts[:1])]
        first, *values = own_words(written, self.engine)
        if not values or len(texts) < 2:
            return [self._op("replace", first, texts), *(self._op("delete", at) for at in values)]
        kept, *rest = values
        return [
            self._op("replace", first, texts[:1]),
            self._op("replace", kept, texts[1:]),
            *(self._op("delete", at) for at in rest),
        ]

    def _texts(self, option: str, value: object) -> tuple[str, ...]:
        spelling = spell(self.engine, option, value)
        texts = texts_of(spelling.key, spelling.value)
        if self.engine.file.inside is not None and isinstance(spelling.value, dict):
            return (texts[0], json.dumps(spelling.value, separators=(",", ":")))  # a plain YAML scalar holds no `: `
        return texts

    def _op(self, kind: str, word: int, texts: tuple[str, ...] = ()) -> FileOp:
        assert self.engine.argv is not None
        return FileOp(self.engine.file, 0, WordOp(kind, self.engine.argv[0], word, texts))

    def _last(self) -> int:
        """The last word of the last option that stands in the command itself."""
        engine = self.engine
        assert isinstance(engine, Engine) and engine.argv is not None and engine.file.shell is not None
        command, start = engine.argv
        words = engine.file.shell.commands[command].words
        last = start - 1
        for written in engine.options:
            for at in written.words or ():
                if words[at].value is not None or at > start:
                    last = max(last, at)
        while last > start and words[last].raw.strip('"') in REST:
            last -= 1
        return last
