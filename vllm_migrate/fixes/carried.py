"""Fixes in documents that stand inside others: scripts and YAML in strings, commands in lists of a container."""

from __future__ import annotations

from vllm_migrate.dialects.containers import ContainerCommand, ContainerDocument, ListItem, word_ops_of
from vllm_migrate.dialects.embedded import check_editable, prove_outside
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import DELETE, INSERT, SET, CannotEdit, Edit, Op, Path
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.fixes.launcher import DropVariable
from vllm_migrate.fixes.words import word_edits


def carried_edits(file: File, index: int, ops: list[object]) -> list[Edit]:
    """Edits of the file on disk that make `ops` on a document in one of its scalars, proved there and around it.

    Raises CannotEdit, ProofFailed.
    """
    check_editable(file)
    if file.shell is not None:
        edits = word_edits(file, ops)
    else:
        assert file.data is not None
        from vllm_migrate.fixes.apply import in_order

        data_ops = in_order(ops)
        edits = file.data.plan(data_ops, index)
        file.data.prove(data_ops, edits, index)
    prove_outside(file, edits)
    return edits


def is_container(file: File) -> bool:
    """Whether the document is a container's command, whose changes are changes of the YAML around it."""
    return isinstance(file.shell, ContainerDocument)


def lowered(file: File, ops: list[object]) -> list[tuple[File, int, list[object]]]:
    """Operations on a container's command as operations on documents: the YAML around it, and strings of several words.

    Raises CannotEdit.
    """
    check_editable(file)
    assert file.shell is not None and file.inside is not None
    command = file.shell.commands[0]
    assert isinstance(command, ContainerCommand)
    items, texts, implied = word_ops_of(command, [op for op in ops if isinstance(op, WordOp)])
    items += [(_variable(command, op), WordOp("delete", 0, -1)) for op in ops if isinstance(op, DropVariable)]
    data_ops = _item_ops(items)
    if implied:
        data_ops.append(_first_arguments(command, implied))
    out: list[tuple[File, int, list[object]]] = []
    if data_ops:
        out.append((file.inside.host, file.inside.document, [*data_ops]))
    by_text: dict[int, tuple[File, int, list[object]]] = {}
    for origin, op in texts:
        by_text.setdefault(id(origin.file), (origin.file, 0, []))[2].append(op)
    return [*out, *by_text.values()]


def _variable(command: ContainerCommand, drop: DropVariable) -> ListItem:
    origin = command.variables.get(drop.name)
    if origin is None:
        raise CannotEdit(f"{drop.name} is set elsewhere")
    return origin


def _first_arguments(command: ContainerCommand, ops: list[WordOp]) -> Op:
    """Arguments for a container that had none."""
    if not command.arguments or any(op.kind != "insert_after" for op in ops):
        raise CannotEdit("the words stand in the image, not in this file")
    return Op(SET, command.arguments, [text for op in ops for text in op.texts])


def _item_ops(items: list[tuple[ListItem, WordOp]]) -> list[Op]:
    """Operations on sequences, from their ends to their beginnings, so that numbers stay right."""
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
        raise CannotEdit("these changes touch the same argument")
    out: list[Op] = []
    if instead and instead[0].kind == "replace":
        first, *more = instead[0].texts
        out.append(Op(SET, path, first))
        behind = [*more, *behind]
    out.extend(Op(INSERT, (*origin.path, origin.number + 1), text) for text in reversed(behind))
    if instead and instead[0].kind == "delete":
        out.append(Op(DELETE, path))
    return out
