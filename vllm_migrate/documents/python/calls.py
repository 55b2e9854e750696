"""Python files: calls with their keywords, imports, attribute chains and environment variables, each with offsets.

Read with `ast`, never imported or run. Values that are literals (also `8 * 1024`, `dict(a=1)`, nested containers, and
names that the module binds once, to a literal) are Python values, everything else is Unknown with its text. A file that
this interpreter cannot parse is Unreadable.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from vllm_migrate.documents.interface import DELETE, RENAME, SET, Source, Unknown, Unreadable

__all__ = ["DELETE", "RENAME", "SET", "Call", "CallOp", "PythonDocument", "parse_python"]

MAX_CHARS = 4_000_000
_MAX_DEPTH = 50


class Argument(NamedTuple):
    """A positional argument, or a keyword with its `name`; start and end are of all of it, value_* of the value."""

    name: str
    value: object
    start: int
    end: int
    value_start: int
    value_end: int


class Import(NamedTuple):
    """`import module as alias` (name ""), or one name of `from module import name as alias`; dots stay in module.

    guarded: it stands in a try or under a condition, where another import may take its place. function: as in Call.
    """

    module: str
    name: str
    alias: str
    start: int
    end: int
    guarded: bool = False
    function: str = ""


class Attribute(NamedTuple):
    """A whole chain such as `llm.llm_engine.model_executor`; calls and subscripts in it show as `()` and `[]`."""

    dotted: str
    start: int
    end: int
    function: str


class Environment(NamedTuple):
    """A variable the program sets: `os.environ["X"] = v`, `.setdefault("X", v)` (`default`), `.update(X=v)`, putenv."""

    name: str
    value: object
    start: int
    end: int
    function: str
    default: bool


class Text(NamedTuple):
    """A string, or a constant part of an f-string, inside the arguments of call number `call` (the innermost; -1: of none).

    key: it is a key of a dict literal.
    """

    value: str
    start: int
    end: int
    call: int
    key: bool


class CallOp(NamedTuple):
    """One change to call number `call` (Call.index).

    SET: keyword `name` gets `value`, inserted after keyword `after` (else at the end) when it is not there. DELETE: the
    keyword goes. RENAME: it becomes `new_name`. A value of Unknown is written as its text.
    """

    kind: str
    call: int
    name: str
    value: object = None
    new_name: str = ""
    after: str = ""


class _Scope(NamedTuple):
    function: str
    conditional: bool
    in_string: bool
    call: int = -1
    guarded: bool = False
    dead: bool = False  # a statement that does nothing
    loop: bool = False


class Call:
    """One call. `dotted` is the callee as written (`vllm.LLM`, `self.llm.generate`, `?` for what is no name).

    `resolved` has the import behind its first name (`LLM` from `from vllm import LLM` is `vllm.LLM`). `function` is the
    dotted name of the enclosing functions and classes ("" at module level), `statement` counts statements in the order
    of the text, `conditional` says that an if, loop, try or function decides whether the call is made. `in_string`:
    it stands inside an f-string, where older interpreters do not know its place; it is never edited. `awaited`: it is the
    operand of an await. `in_loop`: a loop of the same function makes it again and again.
    """

    __slots__ = ("_document", "_scope", "awaited", "dotted", "end", "index", "node", "start", "statement")

    def __init__(self, document: PythonDocument, node: ast.Call, index: int, scope: _Scope, statement: int) -> None:
        self._document = document
        self._scope = scope
        self.node = node
        self.index = index
        self.statement = statement
        self.awaited = False
        self.dotted = _dotted(node.func)
        self.start, self.end = document.span(node)

    def __repr__(self) -> str:
        return f"Call({self.dotted!r} at {self.start})"

    @property
    def function(self) -> str:
        return self._scope.function

    @property
    def conditional(self) -> bool:
        return self._scope.conditional

    @property
    def in_loop(self) -> bool:
        return self._scope.loop

    @property
    def in_string(self) -> bool:
        return self._scope.in_string

    @property
    def resolved(self) -> str:
        return self._document.resolve(self.dotted)

    @property
    def has_kwargs(self) -> bool:
        """The call passes `**something`, so what it does not name is not decided."""
        return any(keyword.arg is None for keyword in self.node.keywords)

    @property
    def has_star(self) -> bool:
        return any(isinstance(arg, ast.Starred) for arg in self.node.args)

    @property
    def args(self) -> list[Argument]:
        out = []
        for node in self.node.args:
            start, end = self._document.span(node)
            out.append(Argument("", self._document.value(node), start, end, start, end))
        return out

    @property
    def keywords(self) -> list[Argument]:
        """The named arguments in order, without `**something`."""
        out = []
        for keyword in self.node.keywords:
            if keyword.arg is not None:
                start, end = self._document.span(keyword)
                inner = self._document.span(keyword.value)
                out.append(Argument(keyword.arg, self._document.value(keyword.value), start, end, *inner))
        return out

    def get(self, name: str) -> Argument | None:
        """The keyword of that name."""
        for keyword in self.keywords:
            if keyword.name == name:
                return keyword
        return None


class PythonDocument:
    """A module. What is asked for is collected in one walk over the tree, on first use."""

    __slots__ = (
        "_aliases",
        "_ascii",
        "_attributes",
        "_calls",
        "_columns",
        "_constants",
        "_environment",
        "_functions",
        "_imports",
        "_starts",
        "_texts",
        "source",
        "tree",
    )

    def __init__(self, source: Source, tree: ast.Module) -> None:
        self.source = source
        self.tree = tree
        self._starts = line_starts(source.text)
        self._ascii = source.text.isascii()
        self._columns: dict[int, list[int]] = {}
        self._calls: list[Call] | None = None
        self._imports: list[Import] = []
        self._attributes: list[Attribute] = []
        self._environment: list[Environment] = []
        self._texts: list[Text] = []
        self._functions: set[str] = set()
        self._constants: dict[str, ast.expr] | None = None
        self._aliases: dict[str, str] = {}

    def offset(self, line: int, column: int) -> int:
        """Code point offset of ast's position: lines from 1, columns in UTF-8 bytes."""
        line = min(line, len(self._starts))
        start = self._starts[line - 1]
        if self._ascii:
            return start + column
        columns = self._columns.get(line)
        if columns is None:
            end = self._starts[line] if line < len(self._starts) else len(self.source.text)
            columns = self._columns[line] = _columns(self.source.text[start:end])
        return start + (columns[column] if columns else column)

    def span(self, node: ast.expr | ast.keyword | ast.alias | ast.stmt) -> tuple[int, int]:
        last = node.end_lineno or node.lineno
        return self.offset(node.lineno, node.col_offset), self.offset(last, node.end_col_offset or 0)

    def value(self, node: ast.expr) -> object:
        """The literal value of an expression; Unknown with its text when it is none."""
        return self._literal(node, 0)

    @property
    def calls(self) -> list[Call]:
        """All calls, each at its index."""
        if self._calls is None:
            self._calls = []
            self._walk()
        return self._calls

    @property
    def imports(self) -> list[Import]:
        _ = self.calls
        return self._imports

    @property
    def environment(self) -> list[Environment]:
        _ = self.calls
        return self._environment

    @property
    def texts(self) -> list[Text]:
        """The strings of the module but for docstrings, in the order of the text."""
        _ = self.calls
        return self._texts

    @property
    def functions(self) -> set[str]:
        """Names of the functions and classes that the module defines, without what they stand in."""
        _ = self.calls
        return self._functions

    def find(self, names: set[str]) -> list[Call]:
        """Calls whose dotted name, as written or with its import resolved, is one of `names` or ends in `.name`.

        In the order of the text, an outer call before those in its arguments.
        """
        found = [call for call in self.calls if _ends_in(call.dotted, names) or _ends_in(call.resolved, names)]
        found.sort(key=lambda call: (call.start, -call.end))
        return found

    def attributes(self, names: set[str]) -> list[Attribute]:
        """Attribute chains that hold one of `names` as consecutive parts (`model_executor.driver_worker`)."""
        _ = self.calls
        wanted = [f".{name}." for name in names]
        return [chain for chain in self._attributes if any(name in f".{_bare(chain.dotted)}." for name in wanted)]

    def forget(self) -> None:
        """Let the calls go, which refer back to the document."""
        self._calls = []

    def resolve(self, dotted: str) -> str:
        _ = self.calls
        first, dot, rest = dotted.partition(".")
        return self._aliases.get(first, first) + dot + rest

    @property
    def constants(self) -> dict[str, ast.expr]:
        """Names that are bound once in the whole module, by an assignment of a number, a text, a boolean or None."""
        if self._constants is None:
            self._constants = _bound_once(self.tree)
        return self._constants

    def _literal(self, node: ast.expr, depth: int) -> object:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name) and depth < _MAX_DEPTH and node.id in self.constants:
            return self._literal(self.constants[node.id], _MAX_DEPTH - 1)
        if depth < _MAX_DEPTH:
            if isinstance(node, ast.List | ast.Tuple) and not any(isinstance(x, ast.Starred) for x in node.elts):
                items = [self._literal(item, depth + 1) for item in node.elts]
                return items if isinstance(node, ast.List) else tuple(items)
            if isinstance(node, ast.Dict):
                keys = [self._literal(key, depth + 1) if key is not None else None for key in node.keys]
                if all(isinstance(key, str | int) for key in keys):
                    return {k: self._literal(v, depth + 1) for k, v in zip(keys, node.values, strict=True)}
            if isinstance(node, ast.UnaryOp | ast.BinOp):
                number = _number(node, depth)
                if number is not None:
                    return number
            if isinstance(node, ast.Call) and _dotted(node.func) == "dict" and not node.args:
                named = {keyword.arg: self._literal(keyword.value, depth + 1) for keyword in node.keywords}
                if None not in named:
                    return named
        start, end = self.span(node)
        return Unknown(self.source.text[start:end])

    def _walk(self) -> None:
        """One walk in the order of the text, without recursion."""
        stack: list[tuple[ast.AST, _Scope]] = [(self.tree, _Scope("", False, False))]
        statement = 0
        calls = self._calls
        assert calls is not None
        awaited: set[int] = set()
        while stack:
            node, scope = stack.pop()
            if isinstance(node, ast.Call):
                call = Call(self, node, len(calls), scope, statement)
                call.awaited = id(node) in awaited
                calls.append(call)
                self._environment_call(call)
                scope = scope._replace(call=call.index)
            elif isinstance(node, ast.Attribute):
                self._chain(node, scope.function)
            elif isinstance(node, ast.Await):
                awaited.add(id(node.value))
            elif isinstance(node, ast.Constant):
                self._text(node, scope, False)
            elif isinstance(node, ast.JoinedStr):
                scope = scope._replace(in_string=True)
            elif isinstance(node, ast.stmt):
                statement += 1
                scope = self._statement(node, scope)
                if scope.dead:
                    continue
            keys = {id(key) for key in node.keys} if isinstance(node, ast.Dict) else ()
            for child in reversed(list(ast.iter_child_nodes(node))):
                if id(child) in keys and isinstance(child, ast.Constant):
                    self._text(child, scope, True)
                else:
                    stack.append((child, scope))

    def _statement(self, node: ast.stmt, scope: _Scope) -> _Scope:
        """The scope inside a statement; notes imports, definitions and assignments to the environment."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._functions.add(node.name)
            name = f"{scope.function}.{node.name}" if scope.function else node.name
            return _Scope(name, scope.conditional or not isinstance(node, ast.ClassDef), False, -1, scope.guarded)
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, scope)
        elif isinstance(node, ast.Assign):
            self._environment_assign(node, scope.function)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return scope._replace(dead=True)  # a docstring
        elif isinstance(node, _BRANCHES):
            guarded, loop = scope.guarded or isinstance(node, _GUARDS), scope.loop or isinstance(node, _LOOPS)
            return scope._replace(conditional=True, guarded=guarded, loop=loop)
        return scope

    def _text(self, node: ast.Constant, scope: _Scope, key: bool) -> None:
        if isinstance(node.value, str):
            start, end = self.span(node)
            self._texts.append(Text(node.value, start, end, scope.call, key))

    def _import(self, node: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
        for alias in node.names:
            start, end = self.span(alias)
            if isinstance(node, ast.Import):
                self._imports.append(
                    Import(alias.name, "", alias.asname or "", start, end, scope.guarded, scope.function)
                )
                if alias.asname:
                    self._aliases[alias.asname] = alias.name
            else:
                module = "." * node.level + (node.module or "")
                self._imports.append(
                    Import(module, alias.name, alias.asname or "", start, end, scope.guarded, scope.function)
                )
                self._aliases[alias.asname or alias.name] = f"{module}.{alias.name}"

    def _chain(self, node: ast.Attribute, function: str) -> None:
        start, end = self.span(node)
        for known in reversed(self._attributes[-_MAX_DEPTH:]):  # the longer chain comes first
            if known.start == start and known.end > end:
                return
        self._attributes.append(Attribute(_dotted(node), start, end, function))

    def _environment_assign(self, node: ast.Assign, function: str) -> None:
        for target in node.targets:
            if isinstance(target, ast.Subscript) and self._is_environ(target.value):
                name = self.value(target.slice)
                if isinstance(name, str):
                    start, end = self.span(node)
                    found = Environment(name, self.value(node.value), start, end, function, False)
                    self._environment.append(found)

    def _environment_call(self, call: Call) -> None:
        last = call.dotted.rpartition(".")[2]
        if last not in ("setdefault", "update", "putenv"):
            return
        callee = call.node.func
        on_environ = isinstance(callee, ast.Attribute) and self._is_environ(callee.value)
        args = [arg.value for arg in call.args]
        pairs: list[tuple[object, object]] = []
        if last == "update" and on_environ:
            pairs = [(keyword.name, keyword.value) for keyword in call.keywords]
            if args and isinstance(args[0], dict):
                pairs += list(args[0].items())
        elif len(args) == 2 and (on_environ or last == "putenv"):
            pairs = [(args[0], args[1])]
        for name, value in pairs:
            if isinstance(name, str):
                found = Environment(name, value, call.start, call.end, call.function, last == "setdefault")
                self._environment.append(found)

    def _is_environ(self, node: ast.expr) -> bool:
        dotted = _dotted(node)
        return dotted in ("os.environ", "environ") or self._aliases.get(dotted) == "os.environ"


_BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_GUARDS = (ast.If, ast.Try, ast.TryStar)


def parse_python(source: Source) -> PythonDocument:
    """Raises Unreadable: "syntax" with the place, "too-deep", "too-large", "binary"."""
    text = source.text
    if len(text) > MAX_CHARS:
        raise Unreadable("too-large", f"{len(text)} characters, more than {MAX_CHARS}")
    if "\0" in text:
        at = source.position(text.index("\0"))
        raise Unreadable("binary", "contains a NUL byte", at.line, at.column)
    return PythonDocument(source, parse_tree(text))


def parse_tree(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes are the author's business
            return ast.parse(text)
    except SyntaxError as error:
        raise Unreadable("syntax", f"not Python: {error.msg}", error.lineno or 0, error.offset or 0) from None
    except (RecursionError, MemoryError):
        raise Unreadable("too-deep", "nested too deeply") from None
    except ValueError as error:
        raise Unreadable("syntax", f"not Python: {error}") from None


def _columns(line: str) -> list[int]:
    """The code point at each byte of a line, and at its end; none for a line of ASCII."""
    if line.isascii():
        return []
    found = [number for number, char in enumerate(line) for _ in range(len(char.encode()))]
    return [*found, len(line)]


def line_starts(text: str) -> list[int]:
    """Offsets of lines as Python counts them: \\n, \\r\\n and \\r end a line, nothing else."""
    starts, at = [0], 0
    if "\r" not in text:
        while True:
            at = text.find("\n", at) + 1
            if not at:
                return starts
            starts.append(at)
    for i, char in enumerate(text):
        if char == "\n" or (char == "\r" and not text.startswith("\n", i + 1)):
            starts.append(i + 1)
    return starts


def _bound_once(tree: ast.Module) -> dict[str, ast.expr]:
    bound: dict[str, int] = {}
    values: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names = [node.id]
        elif isinstance(node, ast.arg):
            names = [node.arg]
        elif isinstance(node, ast.alias):
            names = [node.asname or node.name.partition(".")[0]]
        elif isinstance(
            node,
            ast.ExceptHandler | ast.MatchAs | ast.MatchStar | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
        ):
            names = [node.name] if node.name else []
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names = node.names * 2  # bound from elsewhere too
        for name in names:
            bound[name] = bound.get(name, 0) + 1
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(
            node.value, ast.Constant | ast.UnaryOp | ast.BinOp
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if len(targets) == 1 and isinstance(targets[0], ast.Name):
                values[targets[0].id] = node.value
    return {name: value for name, value in values.items() if bound.get(name) == 1}


def _dotted(node: ast.expr) -> str:
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and parts:
            parts.append("()")
            node = node.func
        elif isinstance(node, ast.Subscript) and parts:
            parts.append("[]")
            node = node.value
        else:
            parts.append(node.id if isinstance(node, ast.Name) else "?")
            break
    return ".".join(reversed(parts)).replace(".()", "()").replace(".[]", "[]")


def _bare(dotted: str) -> str:
    return dotted.replace("()", "").replace("[]", "")


def _ends_in(dotted: str, names: set[str]) -> bool:
    if dotted in names or dotted.rpartition(".")[2] in names:
        return True
    return any(dotted.endswith("." + name) for name in names if "." in name)


def _number(node: ast.expr, depth: int) -> int | float | None:
    """`-1`, `8 * 1024`, `2**20`: numbers joined by + - * / // **, while they stay small."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        number = _number(node.operand, depth + 1)
        return -number if number is not None and isinstance(node.op, ast.USub) else number
    if not isinstance(node, ast.BinOp):
        return None
    left, right = _number(node.left, depth + 1), _number(node.right, depth + 1)
    if left is None or right is None or max(abs(left), abs(right)) > 1e15:
        return None
    return _combined(node.op, left, right)


def _combined(op: ast.operator, left: int | float, right: int | float) -> int | float | None:
    if isinstance(op, ast.Add):
        return left + right
    if isinstance(op, ast.Sub):
        return left - right
    if isinstance(op, ast.Mult):
        return left * right
    if isinstance(op, ast.Div | ast.FloorDiv) and right:
        return left / right if isinstance(op, ast.Div) else left // right
    if isinstance(op, ast.Pow) and 0 <= right <= 64 and abs(left) <= 1000 and isinstance(right, int):
        power = left**right
        return power if isinstance(power, int | float) else None
    return None


def iter_calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls in the same order as PythonDocument.calls, for the proof."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Call):
            yield node
        stack += reversed(list(ast.iter_child_nodes(node)))
