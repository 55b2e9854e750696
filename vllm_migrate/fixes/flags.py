"""Fixes among a framework's own flags: `--vllm.enforce_eager`, `--vllm_mode colocate`, a JSON mapping in quotes."""

from __future__ import annotations

from vllm_migrate.dialects.model import Subject
from vllm_migrate.dialects.own_flags import flag_name
from vllm_migrate.dialects.tree import Place, Tree
from vllm_migrate.documents.interface import CannotEdit
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.plan import Change, Spelling, flags_of_engine, text_of


def flags_of(engine: Subject) -> dict[str, object] | None:
    """How the engine's framework reads flags of its own; None when its settings stand elsewhere."""
    flags = engine.dialect.get("flags")
    return flags if isinstance(flags, dict) and flags_of_engine(engine) else None


def delete_flag(place: Place) -> list[Change]:
    """Take a flag and its values away."""
    return [Change(place.file, 0, WordOp("delete", place.index, at)) for at in _words(place)]


def replace_flag(engine: Subject, place: Place, spelling: Spelling) -> list[Change]:
    """The flag becomes the spelling's; words that are no longer needed go."""
    mapping = _mapping(engine, spelling)
    if mapping is not None:
        old = engine.root.at(mapping[0]) if engine.root is not None else None
        if old is None or old.place.path != place.path:
            return [*delete_flag(place), *set_flag(engine, spelling)]
        return set_flag(engine, spelling)
    return _write(place, _texts(engine, spelling))


def set_flag(engine: Subject, spelling: Spelling) -> list[Change]:
    """A new flag after the last one of the command, or a key more in a mapping that stands there."""
    assert engine.argv is not None and engine.file.shell is not None
    mapping = _mapping(engine, spelling)
    if mapping is not None:
        old = engine.root.at(mapping[0]) if engine.root is not None else None
        values = _plain(old) if old is not None else {}
        values[mapping[1]] = spelling.value
        texts: tuple[str, ...] = (f"--{mapping[0]}", text_of(values))
        if old is not None:
            return _write(old.place, texts)
    else:
        texts = _texts(engine, spelling)
    if not texts:
        raise CannotEdit(f"{engine.dialect['title']} has no flag that switches {spelling.key} off")
    return [Change(engine.file, 0, WordOp("insert_after", engine.argv[0], _last(engine), texts))]


def _mapping(engine: Subject, spelling: Spelling) -> tuple[str, str] | None:
    """(flag, key) of a setting that stands inside a flag's JSON mapping."""
    flags = flags_of(engine) or {}
    known = flags.get("mappings")
    head, dot, key = spelling.key.partition(".")
    return (head, key) if dot and isinstance(known, list) and head in known else None


def _plain(tree: Tree) -> dict[str, object]:
    if not tree.is_map:
        raise CannotEdit("the value of the mapping's flag is not written in the script")
    return {key: child.plain() for key, child in tree.children.items()}


def _texts(engine: Subject, spelling: Spelling) -> tuple[str, ...]:
    """The words of a setting; none for a false where a flag's absence says so."""
    flags = flags_of(engine) or {}
    flag = f"--{spelling.key}"
    value = spelling.value
    if isinstance(value, bool):
        if flags.get("booleans") == "present":
            return (flag,) if value else ()
        return flag, "true" if value else "false"
    return flag, text_of(value)


def _write(place: Place, texts: tuple[str, ...]) -> list[Change]:
    words = _words(place)
    if not texts:
        return delete_flag(place)
    if len(words) == 1:
        return [Change(place.file, 0, WordOp("replace", place.index, words[0], texts))]
    out = [Change(place.file, 0, WordOp("replace", place.index, words[0], texts[:1]))]
    if len(texts) > 1:
        out.append(Change(place.file, 0, WordOp("replace", place.index, words[1], texts[1:])))
    out.extend(Change(place.file, 0, WordOp("delete", place.index, at)) for at in words[len(texts) :])
    return out


def _words(place: Place) -> list[int]:
    return [at for at in place.path if isinstance(at, int)]


def _last(engine: Subject) -> int:
    """The last word of the last flag that surely stands in the command."""
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
        raise CannotEdit("no flag of this engine stands in the command")
    return last
