"""Taking away the statement by which a program sets an environment variable: `os.environ["NAME"] = "value"`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from vllm_migrate.documents.interface import CannotEdit, Edit, ProofFailed, apply_edits

Block = list[ast.stmt]


def removal(text: str, name: str) -> Edit:
    """The edit that takes the statement away with its lines. Raises CannotEdit where more than that would change."""
    found = list(_settings(ast.parse(text), name))
    if not found:
        raise CannotEdit("the program sets it in another way than os.environ[...] = ...: remove that")
    if len(found) != 1 or text.count(name) != 1:
        raise CannotEdit(f"the program names {name} in more than one place")
    block, statement = found[0]
    if len(block) == 1:
        raise CannotEdit(f"the assignment of {name} is all that stands in its block")
    if not isinstance(statement.value, ast.Constant):
        raise CannotEdit(f"the program works out the value of {name}")
    lines = text.splitlines(keepends=True)
    last = (statement.end_lineno or statement.lineno) - 1
    head = lines[statement.lineno - 1].encode()[: statement.col_offset]
    tail = lines[last].encode()[statement.end_col_offset or 0 :].strip()
    if head.strip() or (tail and not tail.startswith(b"#")):
        raise CannotEdit(f"the assignment of {name} shares its line")
    start = sum(map(len, lines[: statement.lineno - 1]))
    return Edit(start, start + sum(map(len, lines[statement.lineno - 1 : last + 1])), "")


def prove_removal(text: str, names: list[str], removals: list[Edit], others: list[Edit]) -> None:
    """Raise ProofFailed unless the removals take these assignments away and nothing else; others: edits proved by themselves."""
    tree = ast.parse(apply_edits(text, others))
    for name in names:
        for block, statement in list(_settings(tree, name)):
            block.remove(statement)
    try:
        after = ast.parse(apply_edits(text, [*others, *removals]))
    except (ValueError, SyntaxError) as error:
        raise ProofFailed(f"the edited text does not parse: {error}") from None
    if ast.dump(after) != ast.dump(tree):
        raise ProofFailed("more than the variable's assignment changed")


def _settings(tree: ast.Module, name: str) -> Iterator[tuple[Block, ast.Assign]]:
    """Every `os.environ[name] = value`, with the block that it stands in."""
    for node in ast.walk(tree):
        for part in ("body", "orelse", "finalbody"):
            found = getattr(node, part, None)
            block: Block = found if isinstance(found, list) else []
            for statement in block:
                if isinstance(statement, ast.Assign) and [_variable(each) for each in statement.targets] == [name]:
                    yield block, statement


def _variable(target: ast.expr) -> object:
    if not isinstance(target, ast.Subscript) or not isinstance(target.slice, ast.Constant):
        return None
    return target.slice.value if ast.unparse(target.value) in ("os.environ", "environ") else None
