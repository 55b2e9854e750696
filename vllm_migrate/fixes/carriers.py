"""What changes with the carrier: the writer of a setting, and how operations on a document become edits.

The modules of a carrier are imported here and only when a run meets it: a fix of YAML files loads no shell parser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vllm_migrate.dialects.embedded import check_editable
from vllm_migrate.dialects.model import Use, Written
from vllm_migrate.documents.editing import plan_file, plan_file_proved
from vllm_migrate.documents.interface import DELETE, INSERT, CannotEdit, Op
from vllm_migrate.fixes.ops import DropVariable
from vllm_migrate.fixes.spelling import spells_arguments
from vllm_migrate.fixes.writers.files import ConfigWriter, FileWriter
from vllm_migrate.fixes.writers.keywords import KeywordWriter
from vllm_migrate.fixes.writers.variables import VariableWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vllm_migrate.dialects.model import Subject
    from vllm_migrate.dialects.tree import File
    from vllm_migrate.documents.interface import Edit
    from vllm_migrate.fixes.ops import DocumentOp, FileOp
    from vllm_migrate.fixes.writers.interface import Writer


def writer_of(engine: Subject, written: Written | Use | None) -> Writer:
    """How a setting of an engine is changed, or how a new one is written (`written` None)."""
    if isinstance(written, Written) and written.attribute:
        raise CannotEdit(f"{written.key} is assigned to an attribute")
    if isinstance(written, Use):
        return KeywordWriter(written)
    if written is not None and written.tree is None and written.option.startswith("env."):
        return VariableWriter(engine)
    if engine.argv is not None and engine.site is None:
        if written is not None and written.words is None:
            return ConfigWriter(engine)
        from vllm_migrate.fixes.writers.words import WordWriter

        return WordWriter(engine)
    if spells_arguments(engine) or (written is not None and written.words is not None):
        from vllm_migrate.fixes.writers.arguments import ArgumentsWriter

        return ArgumentsWriter(engine)
    place = engine.home() if written is None else written.tree.place if written.tree is not None else None
    if place is None or place.file.shell is None:
        return FileWriter(engine)
    if engine.dialect.flags is not None:
        from vllm_migrate.fixes.writers.flags import FlagWriter

        return FlagWriter(engine)
    from vllm_migrate.fixes.writers.overrides import OverrideWriter

    return OverrideWriter(engine)


def lowered(file: File, ops: list[DocumentOp]) -> list[FileOp] | None:
    """`ops` on a document that only stands for others as operations on those; None for any other document.

    Raises CannotEdit.
    """
    if file.inside is None or file.inside.kind != "container":
        return None
    from vllm_migrate.fixes import containers

    return containers.lowered(file, ops)


def file_edits(file: File, ops: Mapping[int, Sequence[DocumentOp]], proved: bool) -> list[Edit]:
    """Edits that make operations on documents of a file, by their number, at offsets in its own text.

    proved: they are proved to change nothing else in it. Raises CannotEdit, ProofFailed.
    """
    if file.inside is not None:
        check_editable(file)
    if file.data is not None:
        made = {index: in_order(those) for index, those in ops.items()}
        edits = plan_file_proved(file.data, made)[0] if proved else plan_file(file.data, made)
        names = [op.name for those in ops.values() for op in those if isinstance(op, DropVariable)]
        return _without_variables(file.data.source.text, names, edits, proved) if names else edits
    from vllm_migrate.fixes.script import plan_script, prove_script

    edits = plan_script(file, ops[0])
    if proved:
        prove_script(file, ops[0], edits)
    return edits


def _without_variables(text: str, names: list[str], others: list[Edit], proved: bool) -> list[Edit]:
    """The edits of a program, with those that take its assignments of variables away. Raises CannotEdit, ProofFailed."""
    from vllm_migrate.documents.python.environment import prove_removal, removal

    removals = [removal(text, name) for name in names]
    if proved:
        prove_removal(text, names, removals, others)
    return sorted([*others, *removals])


def in_order(ops: Sequence[DocumentOp]) -> list[Op]:
    """Operations on the items of a list last, from its end to its beginning, so that their numbers stay right."""
    data_ops = [op for op in ops if isinstance(op, Op)]
    items = [op for op in data_ops if op.kind in (DELETE, INSERT) and isinstance(op.path[-1], int)]
    return [op for op in data_ops if op not in items] + sorted(items, key=_number, reverse=True)


def _number(op: Op) -> int:
    return op.path[-1] if isinstance(op.path[-1], int) else 0
