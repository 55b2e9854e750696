"""Environment variables that a file sets for engines that start elsewhere: `env_vars` of Ray's runtime environments, the
`export` of a script, the `ENV` of an image."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.dialects.commands import variable
from vllm_migrate.dialects.model import Program, Spot, Use, Written
from vllm_migrate.dialects.recognition import origin_of, role_of
from vllm_migrate.dialects.tree import File, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.knowledge.records import Dialect, UseSpec

if TYPE_CHECKING:
    from vllm_migrate.documents.python.calls import PythonDocument

OURS = "VLLM_"
IMAGE = ("env",)


def programs_of(file: File, dialects: Sequence[Dialect], workspace: Workspace) -> list[Program]:
    """The variables in mappings of a document as a program, each a use, in the order of the text."""
    out = []
    for dialect in dialects:
        if "yaml" not in dialect.carriers:
            continue
        find = _in_script if file.shell is not None else _in_document
        uses = [use for entry in dialect.uses if entry.variables for use in find(file, entry)]
        if uses:
            origin = origin_of(file, dialect, workspace).of_role(role_of(dialect, "serving", uses, file))
            out.append(Program(f"{dialect.id}:.", origin, {}, uses))
    return out


def _in_script(file: File, entry: UseSpec) -> Iterator[Use]:
    assert file.shell is not None
    words = [*file.shell.exports, *(pair for command in file.shell.commands for pair in command.assignments)]
    for name, word in sorted(words, key=lambda pair: pair[1].start):
        written = variable(file, name, word).written
        if name.startswith(OURS) and written is not None:
            yield _use(entry, name, written.value, written.spot)


def _in_document(file: File, entry: UseSpec) -> Iterator[Use]:
    for index in range(len(file.data.roots) if file.data is not None else 0):
        tree = tree_of(file, index)
        paths = IMAGE if file.data is not None and file.data.carrier == "dockerfile" else entry.variables
        for path in paths if tree is not None and tree.is_map else ():
            assert tree is not None
            found = tree.at(path)
            for name, child in found.children.items() if found is not None and found.is_map else ():
                if name.startswith(OURS):
                    place = child.place
                    yield _use(entry, name, child.value, Spot(file, place.key_start, place.key_end))


def in_program(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """`{"env_vars": {"VLLM_X": "1"}}`, and `env_vars["VLLM_X"] = "1"`."""
    text = file.source.text
    if OURS not in text or not any(path.rpartition(".")[2] in text for path in entry.variables):
        return
    for node in ast.walk(code.tree):
        pairs: list[tuple[ast.expr | None, ast.expr]] = []
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in entry.variables and isinstance(value, ast.Dict):
                    pairs += zip(value.keys, value.values, strict=True)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if isinstance(target.value, ast.Name) and target.value.id in entry.variables:
                pairs.append((target.slice, node.value))
        for name, value in pairs:
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.startswith(OURS):
                yield _use(entry, name.value, code.value(value), Spot(file, *code.span(name)))


def _use(entry: UseSpec, name: str, value: object, spot: Spot) -> Use:
    return Use(entry.name, Written(name, f"use.{entry.name}", value, spot, spot), section="env")
