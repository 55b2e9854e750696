"""One engine in one small file, changed by the writer that the factory chooses, and read back."""

from __future__ import annotations

from pathlib import Path

from tests.dialects.reading import Reading
from vllm_migrate.catalog.store import load
from vllm_migrate.dialects.deliver import deliver
from vllm_migrate.dialects.model import Engine, Written
from vllm_migrate.documents.interface import apply_edits
from vllm_migrate.fixes.carriers import writer_of
from vllm_migrate.fixes.ops import FileOp
from vllm_migrate.fixes.plan import edits_of
from vllm_migrate.fixes.writers.interface import Writer

TARGET = "0.18.1"


class Changing:
    """name, text: the file that is read. more: other files that it is read with."""

    def __init__(self, folder: Path, name: str, text: str, **more: str) -> None:
        self.folder, self.name = folder, name
        self.files = {name: text, **{key.replace("_", "."): value for key, value in more.items()}}
        self.reading = Reading(folder, self.files, engine="v1")

    @property
    def engine(self) -> Engine:
        return next(engine for engine in self.reading.engines if engine.file.path.endswith(self.name))

    def written(self, key: str) -> Written:
        engine = self.engine
        facts = [fact.written for fact in engine.facts.values() if fact.written is not None]
        return next(setting for setting in (*engine.options, *facts) if setting.key == key)

    def writer(self, key: str = "") -> Writer:
        """For the setting that is written under a key, or for a new one."""
        return writer_of(self.engine, self.written(key) if key else None)

    def set(self, option: str, value: object) -> str:
        return self._after(self.writer().set(option, value))

    def drop(self, key: str, option: str = "") -> str:
        return self._after(self.writer(key).drop(self.written(key), option))

    def respell(self, key: str, option: str, value: object) -> str:
        return self._after(self.writer(key).respell(self.written(key), option, value))

    def _after(self, ops: list[FileOp]) -> str:
        """The text of the one file that the operations change, proved; it is written, to be read back."""
        ((file, edits),) = edits_of(ops).items()
        text = apply_edits(file.source.text, edits)
        self.files[Path(file.path).name] = text
        return text

    def read_back(self) -> dict[str, object]:
        """What reaches the engine from the files as they were changed."""
        for name, text in self.files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        self.reading = Reading(self.folder, self.files, engine="v1")
        return {option: value.value for option, value in deliver(self.engine, load(), TARGET).values.items()}
