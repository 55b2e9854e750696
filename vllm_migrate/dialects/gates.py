"""Statements of a module that a test of vLLM's release keeps from running: `if Version(vllm.__version__) < Version("0.9.0"):`."""

from __future__ import annotations

import ast
import re

from vllm_migrate.dialects.specifiers import fits
from vllm_migrate.documents.python.calls import PythonDocument
from vllm_migrate.documents.python.values import dotted_name

_MAY_TEST = re.compile(r"(?i)vllm\W{0,12}_*version|version\W{0,12}vllm")
_NAMED = re.compile(r"(?i)_*vllm_?version")
_LITERAL = re.compile(r"v?\d+(\.\d+)+([.+-]?[a-z]+\d*)?")
# What makes a comparable version of a text.
_PARSERS = frozenset(("parse", "Version", "LooseVersion", "StrictVersion", "parse_version", "str"))
# What looks a package's version up by its name.
_LOOKUPS = frozenset(("version", "get_version", "get_distribution"))
_OPERATORS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def skipped(code: PythonDocument, release: str) -> list[tuple[int, int]]:
    """Spans of the statements that do not run at a release."""
    if not _MAY_TEST.search(code.source.text):
        return []
    tests = _Tests(code, release)
    found = []
    for node in ast.walk(code.tree):
        if isinstance(node, ast.If):
            holds = tests.holds(node.test)
            dead = node.orelse if holds is True else node.body if holds is False else []
            if dead:
                found.append((code.span(dead[0])[0], code.span(dead[-1])[1]))
    return found


class _Tests:
    """What the tests of a module come to at a release of vLLM."""

    def __init__(self, code: PythonDocument, release: str) -> None:
        self._code = code
        self._release = release
        self._names: set[str] = set()
        assigned = (node for node in ast.walk(code.tree) if isinstance(node, ast.Assign) and len(node.targets) == 1)
        self._names = {
            dotted_name(node.targets[0])
            for node in assigned
            if isinstance(node.targets[0], ast.Name | ast.Attribute) and self._is_version(node.value)
        }

    def holds(self, test: ast.expr) -> bool | None:
        """Whether a test is true; None where more than the release decides it."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self.holds(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.BoolOp):
            parts = [self.holds(part) for part in test.values]
            settles = isinstance(test.op, ast.Or)
            if settles in parts:
                return settles
            return None if None in parts else not settles
        if isinstance(test, ast.Compare):
            return self._compared(test)
        return None

    def _compared(self, test: ast.Compare) -> bool | None:
        sides = [test.left, *test.comparators]
        results = [
            self._pair(left, operator, right) for left, operator, right in zip(sides, test.ops, sides[1:], strict=False)
        ]
        return False if False in results else None if None in results else True

    def _pair(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        sign = _OPERATORS.get(type(operator))
        if sign is None:
            return self._among(left, operator, right)
        if self._is_version(left):
            return self._fits(sign, right)
        return self._fits(_MIRRORED.get(sign, sign), left) if self._is_version(right) else None

    def _among(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        if not isinstance(operator, ast.In | ast.NotIn) or not self._is_version(left):
            return None
        if not isinstance(right, ast.Tuple | ast.List | ast.Set):
            return None
        results = [self._fits("==", item) for item in right.elts]
        if None in results:
            return None
        return any(results) is isinstance(operator, ast.In)

    def _fits(self, sign: str, other: ast.expr) -> bool | None:
        while isinstance(other, ast.Call) and _last(other.func) in _PARSERS and len(other.args) == 1:
            other = other.args[0]
        if (
            not isinstance(other, ast.Constant)
            or not isinstance(other.value, str)
            or not _LITERAL.fullmatch(other.value)
        ):
            return None
        try:
            return fits(self._release, f"{sign}{other.value.removeprefix('v')}")
        except ValueError:
            return None

    def _is_version(self, node: ast.expr) -> bool:
        """Whether an expression is the release of the vLLM that runs."""
        while True:
            if (
                isinstance(node, ast.Call)
                and _last(node.func) in _PARSERS
                and not _is_lookup(node)
                and len(node.args) == 1
            ):
                node = node.args[0]
            elif isinstance(node, ast.Attribute) and node.attr in ("base_version", "version", "public"):
                node = node.value
            else:
                break
        if isinstance(node, ast.Call):
            return _is_lookup(node)
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        dotted = dotted_name(node)
        resolved = self._code.resolve(dotted)
        if resolved in ("vllm.__version__", "vllm.version.__version__", "vllm.VLLM_VERSION"):
            return True
        return _NAMED.fullmatch(dotted.rpartition(".")[2]) is not None or dotted in self._names


def _last(node: ast.expr) -> str:
    return dotted_name(node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else ""


def _is_lookup(node: ast.Call) -> bool:
    """Whether a call asks for the release of the installed vLLM."""
    name = node.args[0] if len(node.args) == 1 else None
    return _last(node.func) in _LOOKUPS and isinstance(name, ast.Constant) and name.value == "vllm"
