"""Operations on a command that a Python program builds are edits of the literals its words stand in."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.dialects.containers import ListItem
from vllm_migrate.dialects.embedded import check_editable
from vllm_migrate.dialects.lists import ListCommand, items_of
from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, Unreadable, apply_edits
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.documents.python.elements import Change, Elements
from vllm_migrate.documents.python.literals import render
from vllm_migrate.documents.python.proof import same_tree
from vllm_migrate.documents.python.syntax import parse_tree
from vllm_migrate.documents.shell.document import WordOp
from vllm_migrate.documents.steps import CHARACTERS_A_STEP, spend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vllm_migrate.dialects.tree import File
    from vllm_migrate.fixes.ops import DocumentOp

_Part = ast.List | ast.Tuple | ast.Call


class Wish(NamedTuple):
    """What becomes of one element: None while it stays, the texts in its place, and those behind it."""

    instead: tuple[str, ...] | None = None
    behind: tuple[str, ...] = ()


Changes = dict[int, Wish]


class ListPlan(NamedTuple):
    """Edits of the program `host`, and what they make of its lists, by the line and column these begin at."""

    host: File
    edits: list[Edit]
    wanted: dict[tuple[int, int], Changes]


def plan_list(file: File, ops: Sequence[DocumentOp]) -> ListPlan:
    """How `ops` on one of a program's lists of arguments are made; not proved. Raises CannotEdit."""
    check_editable(file)
    assert file.shell is not None and file.inside is not None
    command, host = file.shell.commands[0], file.inside.host
    assert isinstance(command, ListCommand) and isinstance(host.data, PythonData)
    wanted: dict[int, Changes] = {}
    for op in ops:
        if not isinstance(op, WordOp):
            raise CannotEdit("the program sets it: remove the assignment")
        part, at = _place(command, op)
        changes = wanted.setdefault(part, {})
        changes[at] = _changed(changes.get(at, Wish()), op)
    edits: list[Edit] = []
    for part, changes in wanted.items():
        edits += _layout(host.data, command.parts[part], changes)
    places = {(command.parts[part].lineno, command.parts[part].col_offset): made for part, made in wanted.items()}
    return ListPlan(host, sorted(edits), places)


def _place(command: ListCommand, op: WordOp) -> tuple[int, int]:
    """The literal and the element that an operation is about: a new option never goes to where a branch adds one."""
    origin = command.origins[op.word]
    assert isinstance(origin, ListItem)
    part, at = origin.path[0], origin.number
    assert isinstance(part, int)
    movable = op.kind == "insert_after" and (command.words[op.word].maybe or isinstance(command.parts[part], ast.Call))
    return (0, len(items_of(command.parts[0])) - 1) if movable else (part, at)


def _changed(known: Wish, op: WordOp) -> Wish:
    if op.kind == "insert_after":
        return known._replace(behind=(*known.behind, *op.texts))
    if op.kind not in ("replace", "delete") or known.instead not in (None, op.texts):
        raise CannotEdit("these changes affect the same argument")
    return known._replace(instead=op.texts if op.kind == "replace" else ())


def _layout(data: PythonData, part: _Part, changes: Changes) -> list[Edit]:
    if isinstance(part, ast.Call):
        raise CannotEdit("the program adds it in a separate call")
    text = data.source.text
    quote = "'" if text.count("'") > text.count('"') else '"'
    elements = Elements(text, *data.code.span(part), [data.code.span(item) for item in part.elts])

    def spelled(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(render(one, quote) for one in texts)

    return elements.edits(
        {
            at: Change(None if change.instead is None else ", ".join(spelled(change.instead)), spelled(change.behind))
            for at, change in changes.items()
        }
    )


def prove_lists(plans: Sequence[ListPlan]) -> None:
    """Raise ProofFailed unless each edited program is the old one with the wanted elements. Each is read back once."""
    hosts: dict[File, list[ListPlan]] = {}
    for made in plans:
        hosts.setdefault(made.host, []).append(made)
    for host, those in hosts.items():
        assert isinstance(host.data, PythonData)
        edits = sorted({edit for made in those for edit in made.edits})
        _prove(host.data, [made.wanted for made in those], edits)


def _prove(data: PythonData, wanted: Sequence[dict[tuple[int, int], Changes]], edits: list[Edit]) -> None:
    spend(len(data.source.text) // CHARACTERS_A_STEP)
    places: dict[tuple[int, int], Changes] = {}
    for changes in wanted:
        for place, those in changes.items():
            if places.setdefault(place, those) != those:
                raise ProofFailed("these changes affect the same argument")
    expected = parse_tree(data.source.text)
    for node in ast.walk(expected):
        if isinstance(node, ast.List | ast.Tuple):
            here = places.get((node.lineno, node.col_offset))
            if here is not None:
                node.elts = _expected(node.elts, here)
    try:
        after = parse_tree(apply_edits(data.source.text, edits))
    except (ValueError, Unreadable) as error:
        raise ProofFailed(f"the edited text does not parse: {error}") from None
    if not same_tree(expected, after):
        raise ProofFailed("the edited program changed in other ways")


def _expected(items: list[ast.expr], changes: Changes) -> list[ast.expr]:
    out: list[ast.expr] = []
    for at, item in enumerate(items):
        change = changes.get(at, Wish())
        out += [item] if change.instead is None else [ast.Constant(text) for text in change.instead]
        out += [ast.Constant(text) for text in change.behind]
    return out
