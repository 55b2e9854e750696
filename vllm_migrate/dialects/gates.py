"""Statements of a module that a test of vLLM's release keeps from running: `if Version(vllm.__version__) < Version("0.9.0"):`,
what follows a test that ends the function, and what stands behind an import or a field that this release has, or has not:
`try: from vllm.config import X` with its `except ImportError`, `if hasattr(SamplingParams, "structured_outputs"):`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence

from vllm_migrate.catalog import store
from vllm_migrate.dialects.programs import COMPARED, TESTED
from vllm_migrate.dialects.specifiers import fits
from vllm_migrate.documents.python.calls import PythonDocument
from vllm_migrate.documents.python.values import dotted_name

_MAY_TEST = re.compile(
    r"(?i)vllm\W{0,12}_*version|version\W{0,12}vllm|package_version|try:\s+(?:from|import)\s+vllm|\Wvllm_v?_?\d|hasattr\(\w+,"
)
_COMPARED = re.compile(COMPARED)
_AT_TOP = re.compile(TESTED)
# A class or package that is for one release alone, by its name.
_FOR_ONE = re.compile(r"vllm_v?_?(\d+)_(\d+)(?:_(\d+))?")
_IMPORT_ERRORS = frozenset(("ImportError", "ModuleNotFoundError", "Exception", "BaseException"))
_NAMED = re.compile(r"(?i)_*vllm_?version")
_LITERAL = re.compile(r"v?\d+(\.\d+)+([.+-]?[a-z]+\d*)?")
# Classes whose fields the catalog has, and its section of them.
_FIELDS = {"SamplingParams": "sampling", "EngineArgs": "engine", "AsyncEngineArgs": "engine"}
# What makes a comparable version of a text.
_PARSERS = frozenset(("parse", "Version", "LooseVersion", "StrictVersion", "parse_version", "str"))
# What looks a package's version up by its name.
_LOOKUPS = frozenset(("version", "get_version", "get_distribution"))
_OPERATORS: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


# What holds statements.
_BLOCKS = (
    *(ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.With, ast.AsyncWith, ast.match_case),
    *(ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.ExceptHandler),
)


def skipped(code: PythonDocument, release: str) -> list[tuple[int, int]]:
    """Spans of the statements that do not run at a release."""
    if not _MAY_TEST.search(code.source.text):
        return []
    tests = Tests(code, release)
    found = []
    for node in code.nodes_of(_BLOCKS):
        parts: list[Sequence[ast.stmt]] = []
        if isinstance(node, ast.If):
            holds = tests.holds(node.test)
            parts = [node.orelse if holds is True else node.body if holds is False else []]
            if tests.chosen(node.test):
                parts = [node.body, node.orelse]
        elif isinstance(node, ast.Try):
            parts = _unreached(node, tests.imports(node))
        body = getattr(node, "body", None)
        parts += [
            _behind_exit(block, tests) for block in (body, getattr(node, "orelse", None)) if isinstance(block, list)
        ]
        found += [(code.span(dead[0])[0], code.span(dead[-1])[1]) for dead in parts if dead]
    return found


def stops(code: PythonDocument, release: str | None = None) -> list[ast.stmt]:
    """The statements that end the program when the module is imported, behind tests of vLLM's release: a `raise`, an `assert`,
    a `sys.exit()`. release: only those that a release surely gets to."""
    text = code.source.text
    if not _AT_TOP.search(text) or not _MAY_TEST.search(text):
        return []
    tests = Tests(code, release or store.load().releases[-1])
    return list(_stops(code.tree.body, tests, release is None, False))


def compared_texts(code: PythonDocument) -> list[tuple[ast.Compare, bool]]:
    """The comparisons of the release's text with a literal, each with whether it is what an `assert` asserts."""
    text = code.source.text
    if not _COMPARED.search(text) or not _MAY_TEST.search(text):
        return []
    tests = Tests(code, store.load().releases[-1])
    asserted = {id(node.test) for node in code.nodes(ast.Assert)}
    found = []
    for node in code.nodes(ast.Compare):
        sign = _OPERATORS.get(type(node.ops[0]), "")
        if len(node.ops) == 1 and tests.as_texts(node.left, sign, node.comparators[0]) is not None:
            found.append((node, id(node) in asserted))
    return found


def misread(code: PythonDocument, start: int, release: str) -> bool:
    """Whether the comparison of texts at a place comes out wrong at a release."""
    tests = Tests(code, release)
    return any(code.span(node)[0] == start and tests.misread(node) for node, _ in compared_texts(code))


def _stops(block: Sequence[ast.stmt], tests: Tests, every: bool, gated: bool) -> Iterator[ast.stmt]:
    """gated: the block stands behind a test of the release; every: the way to a statement does not matter."""
    for statement in block:
        if isinstance(statement, ast.If):
            holds = tests.holds(statement.test)
            tested = holds is not None
            if holds is not False and (holds or every):
                yield from _stops(statement.body, tests, every, gated or tested)
            if holds is not True and (holds is False or every):
                yield from _stops(statement.orelse, tests, every, gated or tested)
        elif isinstance(statement, ast.Assert):
            holds = tests.holds(statement.test)
            if holds is False or (holds is not None and every):
                yield statement
        elif gated and (isinstance(statement, ast.Raise) or _exits(statement)):
            yield statement
            return


def _exits(statement: ast.stmt) -> bool:
    call = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(call, ast.Call) and dotted_name(call.func) in ("sys.exit", "exit", "quit", "os._exit")


def left_out(package: PythonDocument, module: str, release: str) -> bool:
    """Whether a package's `__init__` imports one of its modules, and does so nowhere that it gets to at a release."""
    imports = [item for item in package.imports if item.module.rpartition(".")[2] == module and item.module[:1] == "."]
    spans = skipped(package, release) if imports else []
    return bool(imports) and all(any(start <= item.start < end for start, end in spans) for item in imports)


def _behind_exit(block: Sequence[ast.stmt], tests: Tests) -> Sequence[ast.stmt]:
    """The statements behind a test that always ends the block."""
    for at, statement in enumerate(block):
        if isinstance(statement, ast.If):
            holds = tests.holds(statement.test)
            taken = statement.body if holds is True else statement.orelse if holds is False else []
            if taken and isinstance(taken[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
                return block[at + 1 :]
    return []


def _unreached(node: ast.Try, works: bool | None) -> list[Sequence[ast.stmt]]:
    """The statements of a `try` that do not run where its imports work, or fail; where that is not known, what it falls back
    on is its own affair."""
    if works is None:
        return [handler.body for handler in node.handlers] if _asks_vllm(node) else []
    if works:
        return [handler.body for handler in node.handlers]
    last = max(at for at, statement in enumerate(node.body) if isinstance(statement, ast.Import | ast.ImportFrom))
    return [node.body[last + 1 :], node.orelse]


def _importable(dotted: str, release: str) -> bool | None:
    """Whether a release has what an import asks of vLLM; None where that is not known."""
    from vllm_migrate.catalog import contract, modules

    known = modules.load().has(dotted, release)
    return contract.load().has(dotted, release) if known is None else known


class Tests:
    """What the tests of a module come to at a release of vLLM."""

    def __init__(self, code: PythonDocument, release: str) -> None:
        self._code = code
        self._release = release
        self._names: set[str] = set()
        self._texts: set[str] = set()
        self._flags: dict[str, bool] = {}
        self._chosen: set[str] = set()
        for tried in code.nodes(ast.Try):
            self._flags |= self._set_by(tried)
            if self.imports(tried) is None and _asks_vllm(tried):
                self._chosen |= set(_assigned(tried.handlers))
        assigned = (node for node in code.nodes(ast.Assign) if len(node.targets) == 1)
        self._names = {
            dotted_name(node.targets[0])
            for node in assigned
            if isinstance(node.targets[0], ast.Name | ast.Attribute) and self._is_version(node.value)
        }
        texts = (node for node in code.nodes(ast.Assign) if len(node.targets) == 1 and self._is_text(node.value))
        self._texts = {dotted_name(node.targets[0]) for node in texts if isinstance(node.targets[0], ast.Name)}
        self._flags |= self._compared_names()

    def _compared_names(self) -> dict[str, bool]:
        """The names that stand for a test of the release (`new = vllm_version >= Version("0.9")`), and whether they are true; what
        they are where the release cannot be read is passed over."""
        handled = {id(each) for node in self._code.nodes(ast.ExceptHandler) for each in ast.walk(node)}
        found: dict[str, set[bool | None]] = {}
        for node in self._code.nodes(ast.Assign):
            if id(node) not in handled:
                tested = isinstance(node.value, ast.Compare | ast.BoolOp | ast.UnaryOp)
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, set()).add(self.holds(node.value) if tested else None)
        return {name: True in values for name, values in found.items() if len(values) == 1 and None not in values}

    def imports(self, node: ast.Try) -> bool | None:
        """Whether the imports from vLLM that a `try` is about work at the release; None where that is not known, or where
        more than they may fail."""
        if not _asks_vllm(node):
            return None
        there = [_importable(name, self._release) for each in node.body for name in _imported(each)]
        return False if False in there else None if None in there else True

    def _set_by(self, node: ast.Try) -> dict[str, bool]:
        """The names that a `try` of imports sets, and whether they are true then."""
        works = self.imports(node)
        if works is None:
            return {}
        branch = [*node.body, *node.orelse] if works else [each for handler in node.handlers for each in handler.body]
        found: dict[str, bool] = {}
        for statement in branch:
            if isinstance(statement, ast.Assign):
                value = statement.value
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
                if isinstance(value, ast.Constant):
                    found |= dict.fromkeys(names, bool(value.value))
                elif isinstance(value, ast.Name) and value.id in found:
                    found |= dict.fromkeys(names, found[value.id])
            elif isinstance(statement, ast.Import | ast.ImportFrom):
                found |= {alias.asname or alias.name.partition(".")[0]: True for alias in statement.names}
        return found

    def chosen(self, test: ast.expr) -> bool:
        """Whether a test asks what an import of vLLM's came to, which nobody knows: the program goes the way that fits."""
        while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test = test.operand
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Is | ast.IsNot):
            test = test.left
        return isinstance(test, ast.Name) and test.id in self._chosen

    def holds(self, test: ast.expr) -> bool | None:
        """Whether a test is true; None where more than the release decides it."""
        if isinstance(test, ast.Name):
            return self._flags.get(test.id)
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
        return self._has(test) if isinstance(test, ast.Call) else None

    def _has(self, test: ast.Call) -> bool | None:
        """Whether `hasattr(SamplingParams, "structured_outputs")` is true; None for anything but a module or class of vLLM's."""
        if (
            _last(test.func) != "hasattr"
            or len(test.args) != 2
            or not isinstance(test.args[0], ast.Name | ast.Attribute)
        ):
            return None
        name = test.args[1]
        owner = self._code.resolve(dotted_name(test.args[0]))
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str) or not owner.startswith("vllm"):
            return None
        section = _FIELDS.get(owner.rpartition(".")[2])
        if section is None:
            from vllm_migrate.catalog import modules

            is_module = modules.load().has(owner, self._release) is True
            return _importable(f"{owner}.{name.value}", self._release) if is_module else None
        known = store.load()
        if not known.life(section, name.value):
            return None
        return name.value in known.names(section, self._release)

    def _compared(self, test: ast.Compare) -> bool | None:
        sides = [test.left, *test.comparators]
        results = [
            self._pair(left, operator, right) for left, operator, right in zip(sides, test.ops, sides[1:], strict=False)
        ]
        return False if False in results else None if None in results else True

    def _pair(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool | None:
        if isinstance(operator, ast.Is | ast.IsNot) and isinstance(left, ast.Name) and isinstance(right, ast.Constant):
            flag = self._flags.get(left.id)
            if flag is None or (right.value is not None and not isinstance(right.value, bool)):
                return None
            return (flag is bool(right.value)) is isinstance(operator, ast.Is)
        if isinstance(operator, ast.In | ast.NotIn) and isinstance(left, ast.Constant) and self._is_version(right):
            text = str(left.value)  # `"0.8.4" in vllm.__version__`
            return (text in self._release) is isinstance(operator, ast.In) if _LITERAL.fullmatch(text) else None
        if isinstance(operator, ast.In | ast.NotIn) and isinstance(left, ast.Constant):
            named = _FOR_ONE.fullmatch(str(left.value))
            if named is None or not _is_text(right):
                return None
            wanted = [part for part in named.groups() if part is not None]
            return (self._release.split(".")[: len(wanted)] == wanted) is isinstance(operator, ast.In)
        sign = _OPERATORS.get(type(operator))
        if sign is None:
            return self._among(left, operator, right)
        as_texts = self.as_texts(left, sign, right)
        if as_texts is not None:
            return as_texts
        if self._is_version(left):
            return self._fits(sign, right)
        return self._fits(_MIRRORED.get(sign, sign), left) if self._is_version(right) else None

    def as_texts(self, left: ast.expr, sign: str, right: ast.expr) -> bool | None:
        """What a comparison of the release's text with a literal comes to; None where it is no such comparison."""
        if isinstance(left, ast.Constant):
            left, sign, right = right, _MIRRORED.get(sign, sign), left
        if sign not in _MIRRORED or not self._is_text(left) or not isinstance(right, ast.Constant):
            return None
        text = right.value
        if not isinstance(text, str) or not _LITERAL.fullmatch(text):
            return None
        return {"<": self._release < text, "<=": self._release <= text, ">": self._release > text}.get(
            sign, self._release >= text
        )

    def misread(self, test: ast.Compare) -> bool:
        """Whether a comparison of texts comes to something else than one of the releases would."""
        sign = _OPERATORS.get(type(test.ops[0]), "")
        right = test.comparators[0]
        as_texts = self.as_texts(test.left, sign, right)
        if len(test.ops) != 1 or as_texts is None:
            return False
        mirrored = isinstance(test.left, ast.Constant)
        meant = self._fits(_MIRRORED[sign], test.left) if mirrored else self._fits(sign, right)
        return meant is not None and meant is not as_texts

    def _is_text(self, node: ast.expr) -> bool:
        """Whether an expression is the release of the vLLM that runs, as a text."""
        if isinstance(node, ast.Call):
            return _is_lookup(node, self._code.constants) and _last(node.func) != "get_distribution"
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        dotted = dotted_name(node)
        return dotted in self._texts or self._code.resolve(dotted) in ("vllm.__version__", "vllm.version.__version__")

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
                and not _is_lookup(node, self._code.constants)
                and len(node.args) == 1
            ):
                node = node.args[0]
            elif isinstance(node, ast.Attribute) and node.attr in ("base_version", "version", "public"):
                node = node.value
            else:
                break
        if isinstance(node, ast.Call):
            return _is_lookup(node, self._code.constants)
        if not isinstance(node, ast.Name | ast.Attribute):
            return False
        dotted = dotted_name(node)
        resolved = self._code.resolve(dotted)
        if resolved in ("vllm.__version__", "vllm.version.__version__", "vllm.VLLM_VERSION"):
            return True
        return _NAMED.fullmatch(dotted.rpartition(".")[2]) is not None or dotted in self._names


def _asks_vllm(node: ast.Try) -> bool:
    """Whether a `try` is about imports from vLLM alone."""
    caught = {_last(each) for handler in node.handlers for each in _caught(handler)}
    plain = all(isinstance(each, ast.Import | ast.ImportFrom | ast.Assign | ast.Pass) for each in node.body)
    asked = [name for each in node.body for name in _imported(each)]
    return plain and bool(caught & _IMPORT_ERRORS) and bool(asked) and all(name.startswith("vllm.") for name in asked)


def _assigned(handlers: Sequence[ast.ExceptHandler]) -> list[str]:
    """The names that handlers set to a constant."""
    statements = [each for handler in handlers for each in handler.body if isinstance(each, ast.Assign)]
    constant = [each for each in statements if isinstance(each.value, ast.Constant)]
    return [target.id for each in constant for target in each.targets if isinstance(target, ast.Name)]


def _caught(handler: ast.ExceptHandler) -> list[ast.expr]:
    if handler.type is None:
        return [ast.Name("Exception")]
    return list(handler.type.elts) if isinstance(handler.type, ast.Tuple) else [handler.type]


def _imported(node: ast.stmt) -> list[str]:
    """What an import asks for, in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is the name of a class or module, as text: `str(type(x))`, `x.__class__.__name__`, `x.__module__`."""
    if isinstance(node, ast.Call):
        return _last(node.func) in ("str", "repr") and len(node.args) == 1
    return isinstance(node, ast.Attribute) and node.attr in ("__name__", "__qualname__", "__module__")


def _last(node: ast.expr) -> str:
    return dotted_name(node).rpartition(".")[2] if isinstance(node, ast.Name | ast.Attribute) else ""


def _is_lookup(node: ast.Call, constants: Mapping[str, ast.expr]) -> bool:
    """Whether a call asks for the release of the installed vLLM. constants: texts by the names that stand for them."""
    name = node.args[0] if len(node.args) == 1 else None
    name = constants.get(name.id) if isinstance(name, ast.Name) else name
    return _last(node.func) in _LOOKUPS and isinstance(name, ast.Constant) and name.value == "vllm"
