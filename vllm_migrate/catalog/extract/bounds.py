"""Values that a release refuses by themselves: what a field of a configuration class is declared to lie between."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from vllm_migrate.catalog.extract.conditions import identity
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import config_classes
from vllm_migrate.catalog.extract.settings import Settings

Facts = dict[str, Any]
# A constraint of pydantic's, the operator that a value has to pass, and what pydantic says of one that does not.
_CONSTRAINTS = {
    "ge": (">=", "greater than or equal to"),
    "gt": (">", "greater than"),
    "le": ("<=", "less than or equal to"),
    "lt": ("<", "less than"),
}
ERROR = "ValidationError"


def declared(it: Interpreter, settings: Settings) -> dict[str, Facts]:
    """The bounds that fields declare (`Field(default=1, ge=1)`), each as a refusal over one setting."""
    section: dict[str, Facts] = {}
    for cls in config_classes(it):
        for name, node in cls.annotations.items():
            setting = settings.named(["self", name], cls.name)
            if not setting or name.startswith("_"):
                continue
            for operator, words, limit in _limits(node):
                text = f"{name}: Input should be {words} {limit}"
                site = {
                    "at": f"{cls.module.name}:{cls.name}.{name}",
                    "when": f"not self.{name} {operator} {limit}",
                    "raises": ERROR,
                    "settings": [setting],
                }
                section[identity(f"{cls.name}.{text}")] = {"text": text, "sites": [site]}
    return section


def _limits(node: ast.AnnAssign) -> Iterator[tuple[str, str, str]]:
    """(operator, words, number) of each constraint in a field's declaration, also inside `Annotated[...]`."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or ast.unparse(call.func).rpartition(".")[2] != "Field":
            continue
        for keyword in call.keywords:
            found = _CONSTRAINTS.get(keyword.arg or "")
            number = _number(keyword.value)
            if found is not None and number is not None:
                yield (*found, number)


def _number(node: ast.expr) -> str | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None
    return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def compares(tests: list[ast.expr]) -> bool:
    """Whether conditions bound a number: an ordering comparison, or a remainder."""
    return any(
        (isinstance(node, ast.Compare) and any(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops))
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod))
        for test in tests
        for node in ast.walk(test)
    )
