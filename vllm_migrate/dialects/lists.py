"""Commands that a Python program builds as lists of arguments: `["vllm", "serve", model, "--max-num-seqs", "8"]`.

A list is a command when it is handed to a program or to a parser's `parse_args`, or when its own words start an engine; which
it is, the dialects of scripts decide. Words that are no literals are undecided, and so is what `*others` brings. What the same
function adds to the list later (`command += [...]`, `.extend([...])`, `.append("--x")`) belongs to it.
A list that vLLM's own parser reads in the program itself (`make_arg_parser(...).parse_args([...])`) has no program: it is read
as the arguments of the server that this parser is of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.dialects.containers import ContainerCommand, ContainerDocument, ListItem
from vllm_migrate.dialects.tree import File, Inside
from vllm_migrate.documents.python.calls import PythonDocument
from vllm_migrate.documents.python.unpacked import bodies, statements
from vllm_migrate.documents.shell.expand import Piece, Script, Word

# One of these stands in a module in which a list may start an engine.
SIGNS = ('"serve"', "'serve'", '"-m"', "'-m'", '"--', "'--")

_Literal = ast.List | ast.Tuple
# What a module names that has vLLM's own parser of the server's arguments, and the program that the parser is of.
_PARSERS = ("make_arg_parser", "AsyncEngineArgs.add_cli_args")
_SERVER = ("python", "-m", "vllm.entrypoints.openai.api_server")


class Built(NamedTuple):
    """A list of arguments with what is added to it: each literal, and whether a branch decides that it is there; program: the
    words that are understood before them."""

    parts: list[tuple[_Literal | ast.Call, bool]]
    program: tuple[str, ...] = ()


def commands_in(file: File, code: PythonDocument) -> list[File]:
    """Every list of arguments in a module, as a document with one command."""
    if not any(sign in file.source.text for sign in SIGNS):
        return []
    parsed = _parsed(code) if any(name in file.source.text for name in _PARSERS) else frozenset()
    return [_document(file, code, built, number) for number, built in enumerate(tuple(_built(code.tree, parsed)))]


def _parsed(code: PythonDocument) -> frozenset[str]:
    """The lists, as they are written or by name, that a parser gets."""
    calls = [call.node for call in code.calls if isinstance(call.node.func, ast.Attribute)]
    given = [
        node.args[0] if node.args else next((each.value for each in node.keywords if each.arg == "args"), None)
        for node in calls
        if isinstance(node.func, ast.Attribute) and node.func.attr == "parse_args"
    ]
    return frozenset(ast.unparse(node) for node in given if node is not None)


def _built(tree: ast.Module, parsed: frozenset[str]) -> Iterator[Built]:
    """The lists in the order of the text. Of a list in a list the outer one counts, if it has the options."""
    for body in bodies(tree):
        yield from _in_body(body, parsed)


def _in_body(body: list[ast.stmt], parsed: frozenset[str]) -> Iterator[Built]:
    named: dict[str, tuple[Built, int]] = {}
    for node, depth in statements(body):
        grown = _growth(node)
        if grown is not None and grown[0] in named:
            built, level = named[grown[0]]
            built.parts.extend((part, depth > level) for part in grown[1])
            continue
        name = _target(node)
        for number, literal in enumerate(_literals(node)):
            if not _has_options(literal):
                continue
            program = _SERVER if parsed and not parsed.isdisjoint((name, ast.unparse(literal))) else ()
            built = Built([(literal, False)], program)
            if name and not number:
                named[name] = (built, depth)
            yield built


def _literals(node: ast.stmt) -> Iterator[_Literal]:
    """The list and tuple literals in a statement itself, none of those inside another."""
    stack: list[ast.AST] = list(reversed([child for child in ast.iter_child_nodes(node) if _inline(child)]))
    while stack:
        found = stack.pop()
        if isinstance(found, ast.List | ast.Tuple) and _has_options(found):
            yield found
            continue
        stack.extend(reversed([child for child in ast.iter_child_nodes(found) if _inline(child)]))


def _inline(node: ast.AST) -> bool:
    return not isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case)


def _target(node: ast.stmt) -> str:
    """The name that an assignment gives its value to."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return _spelled(node.targets[0])
    return _spelled(node.target) if isinstance(node, ast.AnnAssign) else ""


def _spelled(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def _growth(node: ast.stmt) -> tuple[str, list[_Literal | ast.Call]] | None:
    """The list that a statement adds to, and what it adds."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return (_spelled(node.target), [node.value]) if isinstance(node.value, ast.List | ast.Tuple) else None
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or len(call.args) != 1:
        return None
    name, added = _spelled(call.func.value), call.args[0]
    if call.func.attr == "append" and not isinstance(added, ast.Starred):
        return name, [call]
    if call.func.attr == "extend" and isinstance(added, ast.List | ast.Tuple):
        return name, [added]
    return None


def _has_options(node: _Literal) -> bool:
    """Whether a list may be a command line: options, or the word that starts a server."""
    texts = [
        _text(item.values[0]) if isinstance(item, ast.JoinedStr) and item.values else _text(item) for item in node.elts
    ]
    return any(text.startswith("-") or text == "serve" for text in texts)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def items_of(part: _Literal | ast.Call) -> list[ast.expr]:
    """The elements of a literal, or what a call of `append` adds."""
    return part.args if isinstance(part, ast.Call) else part.elts


def _document(host: File, code: PythonDocument, built: Built, number: int) -> File:
    words: list[Word] = []
    origins: list[ListItem | None] = []
    script = Script()
    begin = code.span(built.parts[0][0])[0]
    for text in built.program:
        words.append(Word(script, begin, begin, text, 0))
        words[-1]._pieces = [Piece(text, True, text, begin, begin)]
        origins.append(None)
    for at, (part, maybe) in enumerate(built.parts):
        for place, item in enumerate(items_of(part)):
            word = _word(code, script, item)
            word.maybe = maybe
            words.append(word)
            origins.append(ListItem((at,), place))
    first = code.span(built.parts[0][0])
    command = ListCommand(words, list(origins), (first[0], first[0] + 1), [part for part, _ in built.parts])
    file = File(host.source, None, host.requested)
    file.shell = ContainerDocument(host, command)
    file.inside = Inside(host, number, (), "", "list")
    return file


class ListCommand(ContainerCommand):
    """A command whose words are elements of list literals. `parts`: those, the first the list itself."""

    __slots__ = ("parts",)

    def __init__(
        self, words: list[Word], origins: list[ListItem | None], span: tuple[int, int], parts: list[_Literal | ast.Call]
    ) -> None:
        super().__init__(words, list(origins), span)
        self.parts = parts


def _word(code: PythonDocument, script: Script, item: ast.expr) -> Word:
    start, end = code.span(item.value if isinstance(item, ast.Starred) else item)
    start -= isinstance(item, ast.Starred)
    raw = code.source.text[start:end]
    word = Word(script, start, end, raw, 0)
    word._pieces = [_piece(text, start, end) for text in _pieces(code, item)] or [Piece("", True, "", start, end)]
    if isinstance(item, ast.Starred):
        word._pieces = [Piece(raw, False, None, start, end, False, True, True)]
    return word


def _piece(text: str | None, start: int, end: int) -> Piece:
    return Piece("?", False, None, start, end) if text is None else Piece(text, True, text, start, end)


def _pieces(code: PythonDocument, item: ast.expr) -> list[str | None]:
    """The parts of a word; None for one that the file does not decide."""
    if isinstance(item, ast.JoinedStr):
        return [part for value in item.values for part in _pieces(code, value)]
    if isinstance(item, ast.FormattedValue) and (item.format_spec is not None or item.conversion != -1):
        return [None]
    if isinstance(item, ast.FormattedValue):
        return _pieces(code, item.value)
    if isinstance(item, ast.BinOp) and isinstance(item.op, ast.Add):
        return [*_pieces(code, item.left), *_pieces(code, item.right)]
    if isinstance(item, ast.Call) and isinstance(item.func, ast.Name) and item.func.id == "str" and len(item.args) == 1:
        return _pieces(code, item.args[0])
    value = code.value(item)
    return [str(value)] if isinstance(value, str | int | float) and not isinstance(value, bool) else [None]
