"""Planning and proving, the same for every data format.

The package of a format has two modules for it: `edit` offers `candidates` (splices that might make one operation, best
first), `proof` reads the edited text again (`reparse`, `boxes`, `read`). Several operations are planned one after the
other, each on the text the one before left, and come out as one list of edits of the original text.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vllm_migrate.documents.interface import DELETE, RENAME, SET, DataDocument, Op
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
    from collections.abc import Iterable, Iterator

    from vllm_migrate.documents.interface import Path

Wanted = Mapping[int, list[Op]]
"""Operations by the number of the document in the file."""


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
    return plan_file(document, {index: ops})


def plan_file(document: DataDocument, ops: Wanted) -> list[Edit]:
    """Edits that make operations on several documents of a file, by their number; not proved. Raises CannotEdit."""
    if document.carrier == "python":
        from vllm_migrate.documents.python.edit import plan_mappings

        return sorted(edit for index, those in ops.items() for edit in plan_mappings(document, those, index))
    return _settle(document, ops, False)[0]


def plan_proved(document: DataDocument, ops: list[Op], index: int = 0) -> tuple[list[Edit], DataDocument]:
    """Edits that make `ops`, proved, and the document they lead to; where one splice fails its proof the next is
    tried. Raises CannotEdit when none is left."""
    return plan_file_proved(document, {index: ops})


def plan_file_proved(document: DataDocument, ops: Wanted) -> tuple[list[Edit], DataDocument]:
    """`plan_proved`, of operations on several documents of a file by their number."""
    if document.carrier == "python":
        edits = plan_file(document, ops)
        return edits, prove_several(document, edits, ops)
    return _settle(document, ops, True)


def prove(document: DataDocument, edits: list[Edit], ops: list[Op], index: int = 0) -> DataDocument:
    """The document after `edits`. Raises ProofFailed unless it holds `ops` made on this one's data by other code,
    everything outside the splices is as it was, and making them again changes nothing."""
    return prove_several(document, edits, {index: ops})


def prove_several(document: DataDocument, edits: list[Edit], ops: Wanted) -> DataDocument:
    """`prove`, of operations on several documents of a file by their number."""
    if document.carrier == "python":
        from vllm_migrate.documents.python.proof import prove_mappings

        return prove_mappings(document, edits, ops)
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


def _settle(document: DataDocument, ops: Wanted, proved: bool) -> tuple[list[Edit], DataDocument]:
    """Several operations in rounds, each planned on the text that the round before left and read back once."""
    pending = [_Numbered(index, op) for index, those in ops.items() for op in those]
    if any(not op.path for _, op in pending):
        raise CannotEdit("the whole document cannot be replaced")
    if len(pending) == 1:
        return _step(document, *pending[0], proved, True)
    pieces = Pieces(document.source.text)
    while pending:
        chosen, pending = _independent(document, pending)
        document = _made(document, chosen, proved, not pending, pieces)
    return pieces.edits(), document


def _made(document: DataDocument, chosen: list[_Numbered], proved: bool, last: bool, pieces: Pieces) -> DataDocument:
    """The document after operations that do not depend on each other: made at once where that can be, else by halves."""
    if len(chosen) == 1:
        edits, document = _step(document, *chosen[0], proved, last)
        pieces.splice(edits)
        return document
    found = _round(document, chosen, proved)
    if found is not None:
        pieces.splice(found[0])
        return found[1]
    half = len(chosen) // 2
    document = _made(document, chosen[:half], proved, False, pieces)
    return _made(document, chosen[half:], proved, last, pieces)


class _Numbered(NamedTuple):
    """An operation on one of a file's documents, by its number."""

    document: int
    op: Op


def _independent(document: DataDocument, pending: list[_Numbered]) -> tuple[list[_Numbered], list[_Numbered]]:
    """Those that concern nothing that one before them does, and the others."""
    seen: set[Path] = set()  # what operations concern
    above: set[Path] = set()  # that, and all around it
    chosen: list[_Numbered] = []
    rest: list[_Numbered] = []
    for one in pending:
        whole = (one.document, *_concerned(document, one))
        around = [whole[:end] for end in range(1, len(whole) + 1)]
        free = whole not in above and seen.isdisjoint(around)
        seen.add(whole)
        above.update(around)
        (chosen if free else rest).append(one)
    return chosen, rest


def _concerned(document: DataDocument, one: _Numbered) -> Path:
    """The path of what an operation changes: the key, or the collection where the places in it change."""
    path = one.op.path
    if isinstance(path[-1], int) or one.document >= len(document.roots):
        return path[:-1]
    return path if document.roots[one.document].at(path) is not None and one.op.kind != RENAME else path[:-1]


def _round(document: DataDocument, chosen: list[_Numbered], proved: bool) -> tuple[list[Edit], DataDocument] | None:
    """The first splices of all of them at once; None where they do not go together."""
    edits: list[Edit] = []
    for index, op in chosen:
        try:
            first = next(_planning(document).candidates(document, op, index), None)
        except CannotEdit:  # one before it may make way
            first = None
        if first is None:
            return None
        edits += first
    edits.sort()
    if any(_touch(one, other) for one, other in pairwise(edits)):
        return None
    try:
        after = reparse(document, edits)
        if proved:
            _compare(document, _by_document(chosen), after)
            for index, op in chosen:
                _check_repeated(after, [op], index)
    except (ProofFailed, CannotEdit):
        return None
    return edits, after


def _touch(one: Edit, other: Edit) -> bool:
    """Whether neighbours overlap, or write at one place."""
    inserts = one.start == one.end or other.start == other.end
    return one.end > other.start or (inserts and one.end == other.start)


def _by_document(ops: Iterable[_Numbered]) -> dict[int, list[Op]]:
    out: dict[int, list[Op]] = {}
    for index, op in ops:
        out.setdefault(index, []).append(op)
    return out


def _step(document: DataDocument, index: int, op: Op, proved: bool, last: bool) -> tuple[list[Edit], DataDocument]:
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


def _compare(document: DataDocument, ops: Wanted, after: DataDocument) -> None:
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
        raise ProofFailed(f"applied a second time, it fails: {error}") from None
    if again:
        raise ProofFailed("applied a second time, it changes the file again")
