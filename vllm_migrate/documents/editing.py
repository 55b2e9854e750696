"""Planning and proving, the same for every data format.

The package of a format has two modules for it: `edit` offers `candidates` (splices that might make one operation, best
first), `proof` reads the edited text again (`reparse`, `boxes`, `read`). Several operations are planned one after the
other, each on the text the one before left, and come out as one list of edits of the original text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from vllm_migrate.documents.claims import Claims
from vllm_migrate.documents.interface import DELETE, SET, DataDocument, Op
from vllm_migrate.documents.oracle import Box, Literal, ScalarText, apply, same
from vllm_migrate.documents.text.pieces import Pieces
from vllm_migrate.documents.text.source import (
    CannotEdit,
    Edit,
    ProofFailed,
    Source,
    Unreadable,
    check_untouched,
    edited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Planning(Protocol):
    """The module `edit` of a format."""

    def candidates(self, document: DataDocument, op: Op, index: int) -> Iterator[list[Edit]]:
        """Splices that might make `op`, the best first; one empty list where it is made already. Raises CannotEdit."""


class Proving(Protocol):
    """The module `proof` of a format."""

    def reparse(self, document: DataDocument, source: Source) -> DataDocument:
        """The same kind of document of another text. Raises Unreadable."""

    def boxes(self, document: DataDocument) -> list[Box]:
        """Fresh boxes of every document of the file."""

    def read(self, document: DataDocument, written: ScalarText) -> object:
        """The value of a scalar as the format's own parser sees it."""


def _planning(document: DataDocument) -> Planning:
    """A run without findings plans nothing, so that no planner is loaded before it is asked."""
    if document.carrier == "yaml":
        from vllm_migrate.documents.yaml import edit as yaml_edit

        return yaml_edit
    if document.carrier == "toml":
        from vllm_migrate.documents.toml import edit as toml_edit

        return toml_edit
    if document.carrier == "dockerfile":
        from vllm_migrate.documents.dockerfile import edit as dockerfile_edit

        return dockerfile_edit
    from vllm_migrate.documents.json import edit as json_edit

    return json_edit


def _proving(document: DataDocument) -> Proving:
    if document.carrier == "yaml":
        from vllm_migrate.documents.yaml import proof as yaml_proof

        return yaml_proof
    if document.carrier == "toml":
        from vllm_migrate.documents.toml import proof as toml_proof

        return toml_proof
    if document.carrier == "dockerfile":
        from vllm_migrate.documents.dockerfile import proof as dockerfile_proof

        return dockerfile_proof
    from vllm_migrate.documents.json import proof as json_proof

    return json_proof


def plan(document: DataDocument, ops: list[Op], index: int = 0) -> list[Edit]:
    """Edits that make `ops` on document `index` of the file, in the file's own style; not proved. Raises CannotEdit."""
    if document.carrier == "python":
        from vllm_migrate.documents.python.edit import plan_mappings

        return plan_mappings(document, ops, index)
    return _settle(document, ops, index, False)[0]


def plan_proved(document: DataDocument, ops: list[Op], index: int = 0) -> tuple[list[Edit], DataDocument]:
    """Edits that make `ops`, proved, and the document they lead to; where one splice fails its proof the next is
    tried. Raises CannotEdit when none is left."""
    if document.carrier == "python":
        edits = plan(document, ops, index)
        return edits, prove(document, edits, ops, index)
    return _settle(document, ops, index, True)


def prove(document: DataDocument, edits: list[Edit], ops: list[Op], index: int = 0) -> DataDocument:
    """The document after `edits`. Raises ProofFailed unless it holds `ops` made on this one's data by other code,
    everything outside the splices is as it was, and making them again changes nothing."""
    if document.carrier == "python":
        from vllm_migrate.documents.python.proof import prove_mappings

        return prove_mappings(document, edits, ops, index)
    return prove_several(document, edits, {index: ops})


def prove_several(document: DataDocument, edits: list[Edit], ops: Mapping[int, list[Op]]) -> DataDocument:
    """`prove`, of operations on several documents of a file by their number; not of a program."""
    try:
        source = edited(document.source, edits)
        after = _proving(document).reparse(document, source)
    except (ValueError, Unreadable) as error:
        raise ProofFailed(f"the edited text does not parse: {error}") from None
    check_untouched(document.source.text, source.text, edits)
    _compare(document, ops, after)
    for index, those in ops.items():
        _check_repeated(after, those, index)
    return after


def reparse(document: DataDocument, edits: list[Edit]) -> DataDocument:
    """The document after `edits`. Raises ProofFailed where they overlap or it does not parse."""
    try:
        return _proving(document).reparse(document, edited(document.source, edits))
    except (ValueError, Unreadable) as error:
        raise ProofFailed(f"the edited text does not parse: {error}") from None


def _settle(document: DataDocument, ops: list[Op], index: int, proved: bool) -> tuple[list[Edit], DataDocument]:
    if not all(op.path for op in ops):
        raise CannotEdit("the whole document cannot be replaced")
    if len(ops) == 1:
        return _step(document, ops[0], index, proved, True)
    pieces = Pieces(document.source.text)
    while ops:
        batch, ops = _apart(document, ops, index)
        for edits, document in _steps(document, batch, index, proved, not ops):
            pieces.splice(edits)
    return pieces.edits(), document


def _apart(document: DataDocument, ops: list[Op], index: int) -> tuple[list[Op], list[Op]]:
    """The operations that can be planned on the same text, since none changes what another names, and those after them."""
    root = document.roots[index] if 0 <= index < len(document.roots) else None
    claims = Claims()
    batch: list[Op] = []
    rest: list[Op] = []
    for op in ops:
        free = root is not None and claims.take(op, root)
        (batch if free else rest).append(op)
    return (batch, rest) if batch else (ops[:1], ops[1:])


def _steps(
    document: DataDocument, ops: list[Op], index: int, proved: bool, last: bool
) -> Iterator[tuple[list[Edit], DataDocument]]:
    """The edits of operations that are apart, at once where their best splices are apart too and read back; each with
    the document that it leads to."""
    if len(ops) > 1:
        all_edits = [next(_planning(document).candidates(document, op, index), []) for op in ops]
        edits = sorted(edit for each in all_edits for edit in each)
        if all(one.end < other.start for one, other in pairwise(edits)):
            try:
                after = reparse(document, edits) if proved or not last else document
                if proved:
                    _compare(document, {index: ops}, after)
                    for op in ops:
                        _check_repeated(after, [op], index)
                yield edits, after
                return
            except (ProofFailed, CannotEdit):
                pass
    for number, op in enumerate(ops):
        step = _step(document, op, index, proved, last and number == len(ops) - 1)
        document = step[1]
        yield step


def _step(document: DataDocument, op: Op, index: int, proved: bool, last: bool) -> tuple[list[Edit], DataDocument]:
    for edits in _planning(document).candidates(document, op, index):
        if not edits or (last and not proved):
            return edits, document
        try:
            after = reparse(document, edits)
            if proved:
                _compare(document, {index: [op]}, after)
                _check_repeated(after, [op], index)
        except (ProofFailed, CannotEdit):
            continue
        return edits, after
    raise CannotEdit(f"no place in the file takes {op.kind} {'.'.join(map(str, op.path))} and reads back as it should")


def _compare(document: DataDocument, ops: Mapping[int, list[Op]], after: DataDocument) -> None:
    proof = _proving(document)

    def read(written: ScalarText) -> object:
        return proof.read(document, written)

    expected, actual = proof.boxes(document), proof.boxes(after)
    if not expected and 0 in ops:
        expected = [Box(Literal(None))]
    for index, those in ops.items():
        if not 0 <= index < len(expected):
            raise ProofFailed(f"there is no document {index}")
        apply(expected[index], those, read)
    if not actual and len(expected) == 1:
        actual = [Box(Literal(None))]
    if len(expected) != len(actual):
        raise ProofFailed(f"{len(expected)} documents became {len(actual)}")
    seen: set[tuple[int, int]] = set()
    for one, other in zip(expected, actual, strict=True):
        if not same(one, other, read, seen):
            raise ProofFailed("the edited text reads back as something else")


def _check_repeated(document: DataDocument, ops: list[Op], index: int) -> None:
    """Made again, operations change nothing, unless one moves what the next names."""
    if len(ops) > 1 and any(op.kind not in (SET, DELETE) for op in ops):
        return
    if any(op.kind == DELETE and isinstance(op.path[-1], int) for op in ops):
        return
    try:
        again = plan(document, ops, index)
    except CannotEdit as error:
        raise ProofFailed(f"made again it fails: {error}") from None
    if again:
        raise ProofFailed("made again it changes the file again")
