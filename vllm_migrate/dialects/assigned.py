"""What a program assigns to attributes of an object after the call that makes it: `params = SamplingParams(); params.n = 4`."""

from __future__ import annotations

import ast
import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from vllm_migrate.dialects.model import Spot, Use, Written
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.values import dotted_name


def assigned(
    file: File, code: PythonDocument, call: Call, section: str = "", number: int = -1, last: bool = False
) -> Iterator[Written]:
    """The assignments to attributes of what a call makes, later in the same function and before its name is bound again.

    In a branch or a loop deeper than the call, and in other methods of a class whose object keeps it, the value is open.
    """
    made = code.index.made_by.get(id(call.node))
    if not isinstance(made, ast.Name | ast.Attribute):
        return
    for target, value, same in _later(code, made, call.function):
        end, value_span = code.span(target)[1], code.span(value)
        certain = same and target.col_offset <= made.col_offset
        found = code.value(value) if certain else Unknown(code.source.text[slice(*value_span)])
        spot, value_spot = Spot(file, end - len(target.attr), end), Spot(file, *value_span)
        option = f"{section}.{target.attr}" if section else ""
        yield Written(target.attr, option, found, spot, value_spot, number, found, last=last, attribute=True)
        number += 1 if number >= 0 else 0


def _later(
    code: PythonDocument, made: ast.Name | ast.Attribute, function: str
) -> Iterator[tuple[ast.Attribute, ast.expr, bool]]:
    """(target, value, whether it is in the same function) of each assignment to an attribute of what `made` holds."""
    name = dotted_name(made)
    places = code.index.attributes.get(name, {})
    lines = code.index.bindings.get((name, function), [])
    position = bisect_right(lines, made.lineno)
    end = lines[position] if position < len(lines) else sys.maxsize
    here = places.get(function, [])
    for target, value in here[bisect_right(here, made.lineno, key=_line) : bisect_right(here, end, key=_line)]:
        yield target, value, True
    owner = function.partition(".")[0]
    for where, found in places.items() if name.startswith("self.") else ():
        if where != function and where.partition(".")[0] == owner:
            yield from ((target, value, False) for target, value in found)


def _line(found: tuple[ast.Attribute, ast.expr]) -> int:
    return found[0].lineno


def with_assigned(use: Use, assignments: Sequence[Written]) -> Use:
    """A call's use whose arguments are those that its object has in the end."""
    later = {written.key: written for written in assignments}
    if not later:
        return use
    arguments = {**use.arguments, **{name: written.value for name, written in later.items()}}
    return use._replace(arguments=arguments, assigned=later)


def each_assigned(use: Use, assignments: Sequence[Written], method: str) -> Iterator[Use]:
    """A use for each assignment, as if it were a keyword of the call."""
    for written in assignments:
        option = f"use.{use.name}"
        yield use._replace(written=written._replace(option=option), method=method)
