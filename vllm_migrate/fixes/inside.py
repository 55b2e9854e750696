"""Changes of a key that has a place of its own inside an option's mapping: a key of a file, or the end of a dotted name, as in
`--compilation-config.level 3` and `+engine_kwargs.vllm.compilation_config.level=3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.documents.interface import DELETE, RENAME, SET, CannotEdit, Op
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.ops import FileOp, place_of, text_of
from vllm_migrate.fixes.own_words import own_words

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Subject, Written
    from vllm_migrate.dialects.tree import File, Place


def ops_inside(engine: Subject, key: str, value: object, written: Written, drops: bool) -> list[FileOp]:
    """The operations that put `key` with a value where a key stands, or drop it. Raises CannotEdit."""
    if written.words is not None and engine.argv is not None:
        command, numbers = engine.argv[0], own_words(written, engine)
        return _in_words(engine.file, command, numbers, key, value, drops)
    place = place_of(written)
    if place.file.shell is not None:
        numbers = [at for at in place.path if isinstance(at, int)]
        if len(numbers) < len(place.path):
            raise CannotEdit("the key stands inside the text of a word")
        return _in_words(place.file, place.index, numbers, key, value, drops)
    if written.words is not None:  # items of a list of arguments
        items = [(*place.path[:-1], number) for number in own_words(written, engine)]
        values = [] if written.attached or len(items) < 2 else [text_of(written.value)]
        head = "=".join((written.key, text_of(written.value))) if written.attached else written.key
        ops = [Op(DELETE, item) for item in reversed(items)]
        if not drops:
            ops = [Op(SET, *each) for each in zip(items, _texts([head, *values], key, value), strict=True)]
        return [FileOp(place.file, place.index, op) for op in ops]
    return _in_data(place, key, value, value is not written.value, drops)


def _in_data(place: Place, key: str, value: object, changed: bool, drops: bool) -> list[FileOp]:
    if drops:
        return [FileOp(place.file, place.index, Op(DELETE, place.path))]
    name = _renamed(str(place.path[-1]), key)
    ops = [Op(RENAME, place.path, new_key=name)]
    if changed:
        ops.append(Op(SET, (*place.path[:-1], name), value))
    return [FileOp(place.file, place.index, op) for op in ops]


def _in_words(file: File, command: int, numbers: list[int], key: str, value: object, drops: bool) -> list[FileOp]:
    if drops:
        return [FileOp(file, 0, WordOp("delete", command, number)) for number in numbers]
    assert file.shell is not None
    words = [file.shell.commands[command].words[number].value for number in numbers]
    known = [word for word in words if word is not None]
    if len(known) < len(words):
        raise CannotEdit("a part of its value comes from outside the file")
    pairs = zip(numbers, known, _texts(known, key, value), strict=True)
    return [FileOp(file, 0, WordOp("replace", command, at, (new,))) for at, old, new in pairs if new != old]


def _texts(words: list[str], key: str, value: object) -> list[str]:
    """The words of a dotted key with another end and another value. Raises CannotEdit."""
    head, eq, text = words[0].partition("=")
    old = text if eq else words[-1]
    if len(words) > 2 or bool(eq) is (len(words) == 2):
        raise CannotEdit(f"it is not known how many of the words after {head} belong to it")
    new = text_of(value)
    new = old if new.lower() == old.lower() else new  # `true` stays as it is written
    return [f"{_renamed(head, key)}={new}"] if eq else [_renamed(head, key), new]


def _renamed(name: str, key: str) -> str:
    """A dotted name with another end."""
    return "".join((*name.rpartition(".")[:2], key))
