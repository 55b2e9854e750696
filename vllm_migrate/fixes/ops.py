"""Operations on files, and the words that values are written in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.documents.interface import CannotEdit, Unknown

if TYPE_CHECKING:
    from vllm_migrate.dialects.model import Written
    from vllm_migrate.dialects.tree import File, Place
    from vllm_migrate.documents.interface import Op
    from vllm_migrate.documents.shell.document import WordOp


class DropVariable(NamedTuple):
    """Take `NAME=value` away, with its `export`, or with the flag in front of it. start, end: its span in the text."""

    name: str
    start: int
    end: int


if TYPE_CHECKING:
    # One change of a document; of a script, one of the last two.
    DocumentOp = Op | WordOp | DropVariable


class FileOp(NamedTuple):
    """One operation on document number `document` of a file: an Op of a data document, else of a script (number 0)."""

    file: File
    document: int
    op: DocumentOp


def place_of(written: Written) -> Place:
    """Where a setting stands in a tree. Raises CannotEdit where it stands in none, or under an anchor that others share."""
    if written.tree is None:
        raise CannotEdit("it is not in a file that can be edited")
    if written.tree.place.node.shared:
        raise CannotEdit("it is under a YAML anchor that other settings share")
    return written.tree.place


def text_of(value: object) -> str:
    """A value as a word of a command line; mappings and lists as JSON. Raises CannotEdit where a part of it is unknown."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=_refuse)
    return _refuse(value) if isinstance(value, Unknown) else str(value)


def _refuse(value: object) -> str:
    raise CannotEdit(f"this file does not decide its value ({getattr(value, 'text', value)})")


def texts_of(key: str, value: object) -> tuple[str, ...]:
    """The words that set `key` on a command line. Raises CannotEdit for a value that the file does not decide."""
    if is_undecided(value):
        raise CannotEdit("a part of its value comes from outside the file")
    return (key,) if value is True else (key, text_of(value))


def is_undecided(value: object) -> bool:
    """Whether a value, or a part of it, is unknown."""
    if isinstance(value, dict):
        return any(map(is_undecided, value.values()))
    return any(map(is_undecided, value)) if isinstance(value, list) else isinstance(value, Unknown)
