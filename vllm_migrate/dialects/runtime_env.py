"""Environment variables that a file sets for engines that start elsewhere: `env_vars` of Ray's runtime environments, the
`export` of a script, the `ENV` of an image."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.dialects.commands import variable
from vllm_migrate.dialects.model import Program, Spot, Use, Written
from vllm_migrate.dialects.recognition import origin_of, role_of
from vllm_migrate.dialects.tree import File, tree_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.shell.document import Command, Word
from vllm_migrate.knowledge.records import Dialect, UseSpec

if TYPE_CHECKING:
    from vllm_migrate.documents.python.calls import PythonDocument

OURS = "VLLM_"
IMAGE = ("env",)
# A program that gives an environment to others: as a keyword, or a copy of its own.
_GIVES = re.compile(r"\benv\s*=|\*\*\s*(?:os\s*\.\s*)?environ|environ\s*\.\s*copy|dict\(\s*(?:os\s*\.\s*)?environ")


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
    commands = file.shell.commands
    programs = [name for command in commands for name in _programs_of(command)]
    if programs and all(_SUPERVISED.search(name) for name in programs):
        return  # none of them starts an engine
    words = [*file.shell.exports, *(pair for command in commands for pair in command.assignments)]
    facts = [(name, variable(file, name, word)) for name, word in words]
    facts += [(name, variable(file, name, word, value)) for each in commands for name, word, value in _submitted(each)]
    found = [(name, fact.written) for name, fact in facts if name.startswith(OURS) and fact.written is not None]
    for name, written in sorted(found, key=lambda pair: pair[1].spot.start):
        yield _use(entry, name, written.value, written.spot)


# A trainer on data that is given, as its module or file is called.
_SUPERVISED = re.compile(r"(?:^|[._/-])(?:sft|pretrain)(?:[._/-]|$)")


def _programs_of(command: Command) -> Iterator[str]:
    """The modules and files of Python that a command runs."""
    for before, word in zip(command.words, command.words[1:], strict=False):
        text = word.value or word.raw.strip("\"'")
        if text.endswith(".py") or before.value == "-m":
            yield text


def _submitted(command: Command) -> Iterator[tuple[str, Word, str]]:
    """The variables that a job gets, each with its value: `sbatch --export=ALL,NAME=value`."""
    if not any(word.value in ("sbatch", "srun", "salloc") for word in command.words):
        return
    for word, following in zip(command.words, [*command.words[1:], None], strict=True):
        option, attached, listed = word.raw.strip("\"'").partition("=")
        holder = word if attached else following
        if option != "--export" or holder is None:
            continue
        for each in (listed if attached else holder.raw.strip("\"'")).split(","):
            name, equals, value = each.partition("=")
            if equals and name.isidentifier():
                yield name, holder, value


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
    """`{"env_vars": {"VLLM_X": "1"}}`, `env_vars["VLLM_X"] = "1"`, and the same of the environment that a program gives to
    others: `env = {**os.environ, "VLLM_X": "1"}`, `Popen(command, env=env)`."""
    if OURS not in file.source.text or not (
        _GIVES.search(file.source.text) or any(name in file.source.text for name in entry.variables)
    ):
        return
    names = {*entry.variables, *_environments(code)}
    for node in code.nodes_of((ast.Dict, ast.keyword, ast.Assign, ast.Call)):
        for name, value in _pairs(node, names, entry):
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value.startswith(OURS):
                yield _use(entry, name.value, code.value(value), Spot(file, *code.span(name)))


_Pairs = Iterator[tuple[ast.expr | None, ast.expr]]


def _environments(code: PythonDocument) -> Iterator[str]:
    """The names of the environments that a program gives to what it starts."""
    for node in code.nodes_of((ast.Assign, ast.AnnAssign, ast.keyword)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _copies(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.keyword) and node.arg == "env" and isinstance(node.value, ast.Name):
            yield node.value.id


def _copies(node: ast.expr) -> bool:
    """Whether an expression makes an environment out of the program's own."""
    if isinstance(node, ast.Dict):
        return any(key is None and _is_own(value) for key, value in zip(node.keys, node.values, strict=True))
    if not isinstance(node, ast.Call):
        return False
    copied = isinstance(node.func, ast.Attribute) and node.func.attr == "copy" and _is_own(node.func.value)
    made = isinstance(node.func, ast.Name) and node.func.id == "dict" and bool(node.args) and _is_own(node.args[0])
    return copied or made


def _is_own(node: ast.expr) -> bool:
    return ast.unparse(node) in ("os.environ", "environ", "os.environ.copy()")


def _pairs(node: ast.AST, names: set[str], entry: UseSpec) -> _Pairs:
    """The variables that one part of a program sets, each with its value."""
    if isinstance(node, ast.Dict):
        if _copies(node):
            yield from _of_dict(node)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value in entry.variables:
                yield from _of_dict(value)
    elif isinstance(node, ast.keyword) and node.arg == "env":
        yield from _of_dict(node.value) if not _copies(node.value) else ()
    elif isinstance(node, ast.Assign):
        target = node.targets[0]
        if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id in names:
            yield target.slice, node.value
        elif isinstance(target, ast.Name) and target.id in names:
            yield from _of_dict(node.value) if not _copies(node.value) else ()
    elif isinstance(node, ast.Call) and _copies(node):
        for each in node.keywords:
            yield ast.copy_location(ast.Constant(each.arg), each), each.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        if node.func.value.id not in names:
            return
        if node.func.attr == "setdefault" and len(node.args) == 2:
            yield node.args[0], node.args[1]
        elif node.func.attr == "update" and node.args:
            yield from _of_dict(node.args[0])


def _of_dict(node: ast.expr) -> _Pairs:
    if isinstance(node, ast.Dict):
        yield from zip(node.keys, node.values, strict=True)


def _use(entry: UseSpec, name: str, value: object, spot: Spot) -> Use:
    return Use(entry.name, Written(name, f"use.{entry.name}", value, spot, spot), section="env")
