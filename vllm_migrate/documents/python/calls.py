"""Python files: calls with their keywords, imports, attribute chains and environment variables, each with offsets.

Read with `ast`, never imported or run. Values that are literals (also `8 * 1024`, `dict(a=1)`, nested containers, and
names that the module binds once, to a literal) are Python values, everything else is Unknown with its text. A file that
this interpreter cannot parse is Unreadable.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple, TypeVar, cast

from vllm_migrate.documents.interface import DELETE, LARGEST_NUMBER, RENAME, SET, Source, Unknown, Unreadable
from vllm_migrate.documents.python.index import FoundCall, Index, ModuleScope, Text
from vllm_migrate.documents.python.syntax import Offsets, Spanned, parse_tree
from vllm_migrate.documents.python.unpacked import NOTHING, Entry, Unpacked, unpacked
from vllm_migrate.documents.python.values import MAX_DEPTH, dotted_name, number, without_brackets

__all__ = ["DELETE", "RENAME", "SET", "Call", "CallOp", "PythonDocument", "parse_python"]

Node = TypeVar("Node", bound=ast.AST)

MAX_CHARS = 4_000_000
MAX_WORDS = 300_000  # names, numbers and words of strings: each may cost a kilobyte in the tree


class Argument(NamedTuple):
    """A positional argument, or a keyword with its `name`; start and end are of all of it, value_* of the value.

    entry: the entry of a dict, where `**name` brings it.
    """

    name: str
    value: object
    start: int
    end: int
    value_start: int
    value_end: int
    entry: Entry | None = None


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
    """A whole chain such as `llm.llm_engine.model_executor`; calls and subscripts in it show as `()` and `[]`.

    guarded: as in Import.
    """

    dotted: str
    start: int
    end: int
    function: str
    guarded: bool = False


class Chain(NamedTuple):
    """A chain of attributes before its place is asked for."""

    dotted: str
    node: ast.expr
    function: str
    guarded: bool


class Environment(NamedTuple):
    """A variable the program sets: `os.environ["X"] = v`, `.setdefault("X", v)` (`default`), `.update(X=v)`, putenv."""

    name: str
    value: object
    start: int
    end: int
    function: str
    default: bool


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


class Call:
    """One call. `dotted` is the callee as written (`vllm.LLM`, `self.llm.generate`, `?` for what is no name).

    `resolved` has the import behind its first name (`LLM` from `from vllm import LLM` is `vllm.LLM`). `function` is the
    dotted name of the enclosing functions and classes ("" at module level), `statement` counts statements in the order
    of the text, `conditional` says that an if, loop, try or function decides whether the call is made. `in_string`:
    it stands inside an f-string, where older interpreters do not know its place; it is never edited. `awaited`: it is the
    operand of an await. `in_loop`: a loop of the same function makes it again and again.
    """

    __slots__ = ("_document", "_dotted", "_scope", "awaited", "index", "node", "statement")

    def __init__(self, document: PythonDocument, found: FoundCall, index: int) -> None:
        self._document = document
        self._scope: ModuleScope = found.scope
        self.node = found.node
        self.index = index
        self.statement = found.statement
        self.awaited = found.awaited
        self._dotted = ""

    def __repr__(self) -> str:
        return f"Call({self.dotted!r} at {self.start})"

    @property
    def dotted(self) -> str:
        self._dotted = self._dotted or dotted_name(self.node.func)
        return self._dotted

    @property
    def start(self) -> int:
        return self._document.span(self.node)[0]

    @property
    def end(self) -> int:
        return self._document.span(self.node)[1]

    @property
    def function(self) -> str:
        return self._scope.function

    @property
    def conditional(self) -> bool:
        return self._scope.conditional

    @property
    def in_loop(self) -> bool:
        return self._scope.loop is not None

    @property
    def rebound(self) -> frozenset[str]:
        """The names that the loops around it assign."""
        loop = self._scope.loop
        stores = (node for node in ast.walk(loop) if isinstance(node, ast.Name)) if loop is not None else ()
        return frozenset(node.id for node in stores if isinstance(node.ctx, ast.Store))

    @property
    def guarded(self) -> bool:
        """It stands in a try or under a condition."""
        return self._scope.guarded

    @property
    def in_string(self) -> bool:
        return self._scope.in_string

    @property
    def resolved(self) -> str:
        return self._document.resolve(self.dotted)

    @property
    def has_kwargs(self) -> bool:
        """The call passes `**something` that the module does not show whole, so what it does not name is not decided."""
        return any(not self._document.unpacked(item).complete for item in self._stars())

    def _stars(self) -> list[ast.expr]:
        return [keyword.value for keyword in self.node.keywords if keyword.arg is None]

    @property
    def entries(self) -> dict[str, Entry]:
        """What `**name` brings by name, where the module shows it: a keyword of the call itself goes before."""
        out: dict[str, Entry] = {}
        for item in self._stars():
            out.update(self._document.unpacked(item).entries)
        named = {keyword.arg for keyword in self.node.keywords}
        return {name: entry for name, entry in out.items() if name not in named}

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
        """The named arguments in order, then those that `**name` brings from a dict of the module."""
        out = []
        for keyword in self.node.keywords:
            if keyword.arg is not None:
                start, end = self._document.span(keyword)
                inner = self._document.span(keyword.value)
                out.append(Argument(keyword.arg, self._document.value(keyword.value), start, end, *inner))
        for entry in self.entries.values():
            inner = self._document.span(entry.value)
            value = self._document.entry_value(entry)
            out.append(Argument(entry.key, value, self._document.span(entry.name)[0], inner[1], *inner, entry))
        return out

    def get(self, name: str) -> Argument | None:
        """The keyword of that name."""
        for keyword in self.keywords:
            if keyword.name == name:
                return keyword
        return None


class PythonDocument:
    """A module. What is asked for is found in one pass over the tree, on first use."""

    __slots__ = (
        "_aliases",
        "_by_name",
        "_calls",
        "_chains",
        "_constants",
        "_dicts",
        "_environment",
        "_imports",
        "_index",
        "_nodes",
        "_unpacked",
        "offsets",
        "source",
        "tree",
    )

    def __init__(self, source: Source, tree: ast.Module) -> None:
        self.source = source
        self.tree = tree
        self.offsets = Offsets(source.text)
        self._index: Index | None = None
        self._calls: list[Call] | None = None
        self._by_name: dict[str, list[int]] | None = None
        self._imports: list[Import] | None = None
        self._chains: list[Chain] | None = None
        self._environment: list[Environment] | None = None
        self._constants: dict[str, ast.expr] | None = None
        self._aliases: dict[str, str] | None = None
        self._unpacked: dict[int, Unpacked] | None = None
        self._nodes: dict[type[ast.AST], list[tuple[int, ast.AST]]] | None = None

    def nodes(self, kind: type[Node]) -> list[Node]:
        """The nodes of the module that are of a class, in the order of `ast.walk`."""
        return [cast("Node", node) for _, node in self._of(kind)]

    def nodes_of(self, kinds: Iterable[type[ast.AST]]) -> list[ast.AST]:
        """The same of several classes."""
        return [node for _, node in sorted((pair for kind in kinds for pair in self._of(kind)), key=itemgetter(0))]

    def _of(self, kind: type[ast.AST]) -> list[tuple[int, ast.AST]]:
        if self._nodes is None:
            self._nodes = {}
            for number, node in enumerate(ast.walk(self.tree)):
                self._nodes.setdefault(type(node), []).append((number, node))
        return self._nodes.get(kind, [])

    def span(self, node: Spanned) -> tuple[int, int]:
        return self.offsets.span(node)

    def value(self, node: ast.expr) -> object:
        """The literal value of an expression; Unknown with its text when it is none."""
        return self._literal(node, 0)

    @property
    def dicts(self) -> list[ast.Dict]:
        """The dict literals of the module that are in no other one, in the order of the text."""
        return self.index.dicts

    def unpacked(self, expression: ast.expr) -> Unpacked:
        """What stands behind a `**` of a call."""
        if self._unpacked is None:
            self._unpacked = unpacked(self.tree)
        return self._unpacked.get(id(expression), NOTHING)

    def entry_value(self, entry: Entry) -> object:
        """The value of a dict's entry; Unknown where a branch decides it."""
        if entry.sure:
            return self.value(entry.value)
        start, end = self.span(entry.value)
        return Unknown(self.source.text[start:end])

    @property
    def index(self) -> Index:
        if self._index is None:
            self._index = Index(self.tree)
        return self._index

    @property
    def calls(self) -> list[Call]:
        """All calls, each at its index."""
        if self._calls is None:
            self._calls = [Call(self, found, number) for number, found in enumerate(self.index.calls)]
        return self._calls

    def calls_named(self, last: str) -> list[Call]:
        """Calls whose name ends in this one, or may where an import gives it another, in the order of `calls`."""
        if self._by_name is None:
            self._by_name = {}
            for written, numbers in self.index.by_name.items():
                for name in {written, self.aliases.get(written, written).rpartition(".")[2]}:
                    self._by_name.setdefault(name, []).extend(numbers)
        return [self.calls[number] for number in sorted(self._by_name.get(last, ()))]

    def find(self, names: set[str]) -> list[Call]:
        """Calls whose dotted name, as written or with its import resolved, is one of `names` or ends in `.name`.

        In the order of the text, an outer call before those in its arguments.
        """
        found: dict[int, Call] = {}
        for name in names:
            for call in self.calls_named(name.rpartition(".")[2]):
                if any(one == name or one.endswith("." + name) for one in (call.dotted, call.resolved)):
                    found[call.index] = call
        return sorted(found.values(), key=lambda call: (call.start, -call.end))

    @property
    def imports(self) -> list[Import]:
        if self._imports is None:
            self._imports = [made for node, scope in self.index.imports for made in self._imported(node, scope)]
        return self._imports

    def _imported(self, node: ast.Import | ast.ImportFrom, scope: ModuleScope) -> list[Import]:
        found = []
        for alias in node.names:
            start, end = self.span(alias)
            if isinstance(node, ast.Import):
                module, name = alias.name, ""
            else:
                module, name = "." * node.level + (node.module or ""), alias.name
            found.append(Import(module, name, alias.asname or "", start, end, scope.guarded, scope.function))
        return found

    @property
    def aliases(self) -> dict[str, str]:
        """What imports bind a name to that is not the name of the module itself."""
        if self._aliases is None:
            self._aliases = {}
            for made in self.imports:
                if made.name:
                    self._aliases[made.alias or made.name] = f"{made.module}.{made.name}"
                elif made.alias:
                    self._aliases[made.alias] = made.module
        return self._aliases

    def resolve(self, dotted: str) -> str:
        """A dotted name with the import behind its first part."""
        first, dot, rest = dotted.partition(".")
        return self.aliases.get(first, first) + dot + rest

    @property
    def functions(self) -> set[str]:
        """Names of the functions and classes that the module defines, without what they stand in."""
        return self.index.functions

    def attributes(self, names: set[str]) -> list[Attribute]:
        """Attribute chains that hold one of `names` as consecutive parts (`model_executor.driver_worker`)."""
        text = self.source.text
        wanted = [f".{name}." for name in names if all(part in text for part in name.split("."))]
        if not wanted:
            return []
        return [
            self.attribute(chain)
            for chain in self.chains
            if any(name in f".{without_brackets(chain.dotted)}." for name in wanted)
        ]

    def attribute(self, chain: Chain) -> Attribute:
        return Attribute(chain.dotted, *self.span(chain.node), chain.function, chain.guarded)

    @property
    def chains(self) -> list[Chain]:
        """Every chain of attributes; `getattr(a.b, "c", None)` is one too."""
        if self._chains is None:
            named = [(dotted_name(node), node, scope) for node, scope in self.index.chains]
            self._chains = [Chain(dotted, node, scope.function, scope.guarded) for dotted, node, scope in named]
            for call in self.calls_named("getattr"):
                name = call.node.args[1] if len(call.node.args) > 1 else None
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    dotted = f"{dotted_name(call.node.args[0])}.{name.value}"
                    self._chains.append(Chain(dotted, name, call.function, len(call.node.args) > 2 or call.guarded))
        return self._chains

    @property
    def texts(self) -> list[Text]:
        """The strings of the module but for docstrings, in the order of the walk."""
        return self.index.texts

    @property
    def environment(self) -> list[Environment]:
        """The variables that the module sets."""
        if self._environment is None:
            self._environment = []
            for found in self.index.setters:
                if isinstance(found, int):
                    self._environment_call(self.calls[found])
                else:
                    self._environment_assign(*found)
        return self._environment

    def forget(self) -> None:
        """Let the calls go, which refer back to the document."""
        self._calls, self._by_name = [], {}

    @property
    def constants(self) -> dict[str, ast.expr]:
        """Names that are bound once in the whole module, by an assignment of a number, a text, a boolean or None."""
        if self._constants is None:
            self._constants = self.index.constants
        return self._constants

    def _literal(self, node: ast.expr, depth: int) -> object:
        if isinstance(node, ast.Constant) and not (isinstance(node.value, int) and node.value > LARGEST_NUMBER):
            return node.value
        if isinstance(node, ast.Name) and depth < MAX_DEPTH and node.id in self.constants:
            return self._literal(self.constants[node.id], MAX_DEPTH - 1)
        if depth < MAX_DEPTH:
            if isinstance(node, ast.List | ast.Tuple) and not any(isinstance(x, ast.Starred) for x in node.elts):
                items = [self._literal(item, depth + 1) for item in node.elts]
                return items if isinstance(node, ast.List) else tuple(items)
            if isinstance(node, ast.Dict):
                keys = [self._literal(key, depth + 1) if key is not None else None for key in node.keys]
                if all(isinstance(key, str | int) for key in keys):
                    return {k: self._literal(v, depth + 1) for k, v in zip(keys, node.values, strict=True)}
            if isinstance(node, ast.UnaryOp | ast.BinOp):
                found = number(node, depth)
                if found is not None:
                    return found
            if isinstance(node, ast.Call) and dotted_name(node.func) == "dict" and not node.args:
                named = {keyword.arg: self._literal(keyword.value, depth + 1) for keyword in node.keywords}
                if None not in named:
                    return named
        start, end = self.span(node)
        return Unknown(self.source.text[start:end])

    def _environment_assign(self, node: ast.Assign, function: str) -> None:
        environment = self.environment
        for target in node.targets:
            if isinstance(target, ast.Subscript) and self._is_environ(target.value):
                name = self.value(target.slice)
                if isinstance(name, str):
                    start, end = self.span(node)
                    found = Environment(name, self.value(node.value), start, end, function, False)
                    environment.append(found)

    def _environment_call(self, call: Call) -> None:
        environment = self.environment
        last = call.dotted.rpartition(".")[2]
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
                environment.append(found)

    def _is_environ(self, node: ast.expr) -> bool:
        dotted = dotted_name(node)
        return dotted in ("os.environ", "environ") or self.aliases.get(dotted) == "os.environ"


def parse_python(source: Source) -> PythonDocument:
    """Raises Unreadable: "syntax" with the place, "too-deep", "too-large", "binary"."""
    text = source.text
    if len(text) > MAX_CHARS:
        raise Unreadable("too-large", f"{len(text)} characters, more than {MAX_CHARS}")
    if len(text) > MAX_WORDS and sum(1 for _ in re.finditer(r"\w+", text)) > MAX_WORDS:
        raise Unreadable("too-large", f"more than {MAX_WORDS:,} words")
    if "\0" in text:
        at = source.position(text.index("\0"))
        raise Unreadable("binary", "contains a NUL byte", at.line, at.column)
    return PythonDocument(source, parse_tree(text))
