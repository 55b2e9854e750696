"""Settings as flags of a framework's command: `--vllm.enforce_eager`, `--vllm_mode colocate`, a JSON mapping in quotes."""

from __future__ import annotations

from vllm_migrate.dialects.model import Subject, Written
from vllm_migrate.dialects.own_flags import flag_name
from vllm_migrate.dialects.tree import Place, Tree
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.ops import FileOp, place_of, text_of
from vllm_migrate.fixes.spelling import Spelling, spell
from vllm_migrate.knowledge.records import Flags


class FlagWriter:
    """Flags as the dialect's `flags` has them read (see dialects/own_flags.py)."""

    def __init__(self, engine: Subject) -> None:
        self.engine = engine
        self._flags = engine.dialect.flags or Flags("literal")

    def set(self, option: str, value: object) -> list[FileOp]:
        return self._set(spell(self.engine, option, value))

    def drop(self, written: Written, option: str) -> list[FileOp]:
        place = place_of(written)
        for flag in (*self._flags.mappings, *self._flags.pairs):
            old = self._written_mapping(flag)
            if old is not None and old.is_map and old.place.path == place.path:
                values = _plain(old)
                values.pop(written.key, None)
                return _replace(old.place, (f"--{flag}", self._shown(flag, values))) if values else _delete(place)
        return _delete(place)

    def _shown(self, flag: str, values: dict[str, object]) -> str:
        return _as_pairs(values) if flag in self._flags.pairs else text_of(values)

    def respell(self, written: Written, option: str, value: object) -> list[FileOp]:
        spelling = spell(self.engine, option, value)
        place = place_of(written)
        mapping = self._mapping(spelling)
        if mapping is None:
            return _replace(place, self._texts(spelling))
        old = self._written_mapping(mapping[0])
        if old is None or old.place.path != place.path:
            return [*_delete(place), *self._set(spelling)]
        return self._set(spelling)

    def _set(self, spelling: Spelling) -> list[FileOp]:
        """A new flag after the last one of the command, or a key more in a mapping that stands there."""
        engine, mapping = self.engine, self._mapping(spelling)
        if mapping is None:
            texts = self._texts(spelling)
        else:
            old = self._written_mapping(mapping[0])
            values = _plain(old) if old is not None else {}
            values[mapping[1]] = spelling.value
            texts = (f"--{mapping[0]}", self._shown(mapping[0], values))
            if old is not None:
                return _replace(old.place, texts)
        if not texts:
            raise CannotEdit(f"{engine.dialect.title} has no flag that switches {spelling.key} off")
        assert engine.argv is not None
        return [FileOp(engine.file, 0, WordOp("insert_after", engine.argv[0], self._last(), texts))]

    def _mapping(self, spelling: Spelling) -> tuple[str, str] | None:
        """(flag, key) of a setting that stands inside a flag's JSON mapping."""
        head, dot, key = spelling.key.partition(".")
        return (head, key) if dot and head in (*self._flags.mappings, *self._flags.pairs) else None

    def _written_mapping(self, flag: str) -> Tree | None:
        return self.engine.root.at(flag) if self.engine.root is not None else None

    def _texts(self, spelling: Spelling) -> tuple[str, ...]:
        """The words of a setting; none for a false where a flag's absence means that."""
        flag, value = f"--{spelling.key}", spelling.value
        if not isinstance(value, bool):
            return flag, text_of(value)
        if self._flags.booleans == "present":
            return (flag,) if value else ()
        return flag, "true" if value else "false"

    def _last(self) -> int:
        """The last word of the last flag that surely stands in the command. Raises CannotEdit."""
        engine = self.engine
        assert engine.argv is not None and engine.file.shell is not None
        words = engine.file.shell.commands[engine.argv[0]].words
        last = -1
        for at in range(engine.argv[1], len(words)):
            if flag_name(words[at]) is None or words[at].maybe:
                continue
            last = at
            while last + 1 < len(words) and flag_name(words[last + 1]) is None and words[last + 1].value is not None:
                last += 1
        if last < 0:
            raise CannotEdit("the command has no flag of this engine")
        return last


def _as_pairs(values: dict[str, object]) -> str:
    """A mapping as `a=b,c=d`. Raises CannotEdit for what this has no room for."""
    texts = [text_of(value) for value in values.values()]
    if any("," in text for text in texts):
        raise CannotEdit("a list of pairs cannot hold a value with a comma")
    return ",".join(f"{key}={text}" for key, text in zip(values, texts, strict=True))


def _plain(tree: Tree) -> dict[str, object]:
    """The values of a flag's mapping. Raises CannotEdit where the script does not hold it."""
    if not tree.is_map:
        raise CannotEdit("the value of the mapping's flag is not written in the script")
    return {key: child.plain() for key, child in tree.children.items()}


def _delete(place: Place) -> list[FileOp]:
    """A flag and its values go."""
    return [FileOp(place.file, 0, WordOp("delete", place.index, at)) for at in _words(place)]


def _replace(place: Place, texts: tuple[str, ...]) -> list[FileOp]:
    """The words of a flag become `texts`; those that are no longer needed go."""
    words = _words(place)
    if not texts:
        return _delete(place)
    if len(words) == 1:
        return [FileOp(place.file, 0, WordOp("replace", place.index, words[0], texts))]
    out = [FileOp(place.file, 0, WordOp("replace", place.index, words[0], texts[:1]))]
    if len(texts) > 1:
        out.append(FileOp(place.file, 0, WordOp("replace", place.index, words[1], texts[1:])))
    out.extend(FileOp(place.file, 0, WordOp("delete", place.index, at)) for at in words[len(texts) :])
    return out


def _words(place: Place) -> list[int]:
    return [at for at in place.path if isinstance(at, int)]
