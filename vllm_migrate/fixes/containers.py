"""Operations on a container's command are operations on the YAML around it, and on strings that hold several words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.dialects.containers import ContainerCommand, ListItem, word_ops_of
from vllm_migrate.dialects.embedded import check_editable
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import DELETE, INSERT, SET, CannotEdit, Op, Path
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.ops import DropVariable, FileOp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.fixes.ops import DocumentOp


def lowered(file: File, ops: Sequence[DocumentOp]) -> list[FileOp]:
    """`ops` on a container's command as operations on the documents it stands in. Raises CannotEdit."""
    check_editable(file)
    assert file.shell is not None and file.inside is not None
    command = file.shell.commands[0]
    assert isinstance(command, ContainerCommand)
    items, texts, implied = word_ops_of(command, [op for op in ops if isinstance(op, WordOp)])
    items += [(_variable(command, op), WordOp("delete", 0, -1)) for op in ops if isinstance(op, DropVariable)]
    around = _item_ops(items)
    if implied:
        around.append(_first_arguments(command, implied))
    out = [FileOp(file.inside.host, file.inside.document, op) for op in around]
    return out + [FileOp(origin.file, 0, op) for origin, op in texts]


def _variable(command: ContainerCommand, drop: DropVariable) -> ListItem:
    origin = command.variables.get(drop.name)
    if origin is None:
        raise CannotEdit(f"{drop.name} is set elsewhere")
    return origin


def _first_arguments(command: ContainerCommand, ops: list[WordOp]) -> Op:
    """Arguments for a container that had none. Raises CannotEdit."""
    if not command.arguments or any(op.kind != "insert_after" for op in ops):
        raise CannotEdit("the words are in the image, not in this file")
    return Op(SET, command.arguments, [text for op in ops for text in op.texts])


def _item_ops(items: list[tuple[ListItem, WordOp]]) -> list[Op]:
    """Operations on sequences, from their ends to their beginnings, so that numbers stay right. Raises CannotEdit."""
    wishes: dict[ListItem, list[WordOp]] = {}
    for origin, op in items:
        known = wishes.setdefault(origin, [])
        if op not in known:
            known.append(op)
    out: list[Op] = []
    for origin in sorted(wishes, key=_last_first):
        out.extend(_one_item(origin, wishes[origin]))
    return out


def _last_first(origin: ListItem) -> tuple[list[str], int]:
    return [str(key) for key in origin.path], -origin.number


def _one_item(origin: ListItem, ops: list[WordOp]) -> list[Op]:
    path: Path = (*origin.path, origin.number) if origin.number >= 0 else origin.path
    behind = [text for op in ops if op.kind == "insert_after" for text in op.texts]
    instead = [op for op in ops if op.kind in ("replace", "delete")]
    if len(instead) > 1:
        raise CannotEdit("these changes affect the same argument")
    out: list[Op] = []
    if instead and instead[0].kind == "replace":
        first, *more = instead[0].texts
        out.append(Op(SET, path, first))
        behind = [*more, *behind]
    out.extend(Op(INSERT, (*origin.path, origin.number + 1), text) for text in reversed(behind))
    if instead and instead[0].kind == "delete":
        out.append(Op(DELETE, path))
    return out
