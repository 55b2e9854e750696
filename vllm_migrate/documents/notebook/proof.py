"""Proof of edits in a notebook: the file is the old one but for the code that was meant to change."""

from __future__ import annotations

import json

from vllm_migrate.documents.interface import Edit, ProofFailed, apply_edits
from vllm_migrate.documents.notebook.document import CellSource


def prove_cells(source: CellSource, edits: list[Edit]) -> None:
    """Raise ProofFailed unless `edits` of a document inside make the cells read as that document does after them, and
    leave everything else of the notebook as it was."""
    try:
        after = json.loads(apply_edits(source.host.text, source.on_disk(edits)))
    except ValueError as error:
        raise ProofFailed(f"the edited notebook does not parse: {error}") from None
    expected = json.loads(source.host.text)
    for number, changes in _by_cell(source, edits).items():
        cell = expected["cells"][number - 1]
        text = apply_edits(source.cells[number].text, changes)
        if _text(after["cells"][number - 1]) != text:
            raise ProofFailed(f"cell {number} of the notebook reads back as something else")
        cell["source"] = after["cells"][number - 1]["source"]
    if after != expected:
        raise ProofFailed("something else of the notebook would change")


def _by_cell(source: CellSource, edits: list[Edit]) -> dict[int, list[Edit]]:
    """The edits by cell, at offsets in its text."""
    out: dict[int, list[Edit]] = {}
    for edit in edits:
        number, line, column = source.cell(edit.start)
        lines = source.cells[number].text.split("\n")
        start = sum(len(one) + 1 for one in lines[: line - 1]) + column - 1
        out.setdefault(number, []).append(Edit(start, start + edit.end - edit.start, edit.text))
    return out


def _text(cell: dict[str, object]) -> str:
    source = cell["source"]
    return "".join(source) if isinstance(source, list) else str(source)
