"""What a Python program does with vLLM's interfaces, found as a dialect's `uses` describe it (see records.UseSpec)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects import contract_uses
from vllm_migrate.dialects.assigned import assigned, each_assigned, with_assigned
from vllm_migrate.dialects.model import Spot, Use, Written
from vllm_migrate.dialects.tree import File, Tree, tree_of
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.index import Text
from vllm_migrate.documents.python.values import without_brackets
from vllm_migrate.knowledge.records import Dialect, UseSpec

if TYPE_CHECKING:
    import ast


def uses_of(file: File, code: PythonDocument, dialect: Dialect, catalog: Catalog) -> list[Use]:
    """Every use in a module, in the order of the text."""
    if not dialect.uses:
        return []
    out: list[Use] = []
    text = file.source.text.lower()
    for entry in dialect.uses:
        if entry.program in text and not _elsewhere(code, entry.unless) and not left_out(file, entry):
            out.extend(_found(file, code, entry, catalog))
    out.sort(key=lambda use: (use.spot.start, use.name))
    return out


def _use(entry: UseSpec, file: File, key: str, start: int, end: int, function: str = "") -> Use:
    return _use_at(entry, key, Spot(file, start, end), function)


def _use_at(entry: UseSpec, key: str, spot: Spot, function: str, value: object = None, tree: Tree | None = None) -> Use:
    return Use(entry.name, Written(key, f"use.{entry.name}", value, spot, spot, tree=tree), function)


def _elsewhere(code: PythonDocument, packages: Sequence[str]) -> bool:
    """Whether the module imports one of these packages."""
    return bool(packages) and any(item.module.partition(".")[0] in packages for item in code.imports)


def left_out(file: File, entry: UseSpec) -> bool:
    """Whether a file is one of those that the entry is not asked of."""
    return bool(entry.not_in) and re.search(entry.not_in, file.path) is not None


def comes_from(resolved: str, package: str) -> bool:
    """Whether a name is imported from a package; any name is where none is asked for."""
    return not package or resolved.startswith(f"{package}.")


def _found(file: File, code: PythonDocument, entry: UseSpec, catalog: Catalog) -> Iterator[Use]:
    if entry.members:
        yield from contract_uses.members(file, code, entry)
    elif entry.stops:
        from vllm_migrate.dialects import gates

        for statement in gates.stops(code):
            yield _use(entry, file, "import", *code.span(statement))
    elif entry.compares:
        from vllm_migrate.dialects import gates

        for compared, asserted in gates.compared_texts(code):
            start, end = code.span(compared)
            spot, kind = Spot(file, start, end), "assert" if asserted else "test"
            yield _use_at(entry, code.source.text[start:end], spot, "", kind)
    elif entry.bound:
        yield from contract_uses.bound_calls(file, code, entry)
    elif entry.streams:
        yield from contract_uses.streams(file, code, entry)
    elif entry.patches:
        yield from _patched(file, code, entry)
    elif entry.imports:
        yield from (_module_names if entry.module_names else _imports)(file, code, entry)
    elif entry.variables:
        from vllm_migrate.dialects import runtime_env

        yield from runtime_env.in_program(file, code, entry)
    elif entry.of_class:
        yield from contract_uses.attributes_of(file, code, entry)
    elif entry.attributes:
        yield from _attributes(file, code, entry)
    elif entry.texts:
        for text in code.texts:
            if text.value in entry.texts:
                yield _use(entry, file, text.value, *code.span(text.node))
    elif entry.routes:
        yield from _routes(file, code, entry, catalog)
    elif entry.fields:
        yield from _fields(file, code, entry)
    else:
        for call in _calls(code, entry):
            yield from _of_call(file, code, entry, call)


def _of_call(file: File, code: PythonDocument, entry: UseSpec, call: Call) -> Iterator[Use]:
    """The uses of one call: the call itself, or each of its keywords, or what is assigned to its object later."""
    use = _call(file, code, entry, call)
    later = list(assigned(file, code, call, entry.section or "sampling")) if entry.later else []
    if entry.later == "keywords":
        use = with_assigned(use, later)
    if entry.arguments:
        yield from _each_argument(file, entry, call, use)
    elif entry.later != "alone":
        yield use
    if entry.arguments or entry.later == "alone":
        yield from each_assigned(use, later, call.dotted.rpartition(".")[2])


# What Ray puts behind the name of an actor's method.
REMOTE = ".remote"
# Classes of vLLM's whose objects are what the receivers of uses mean.
ENGINES = ("LLM", "LLMEngine", "AsyncLLM", "AsyncLLMEngine")


def _calls(code: PythonDocument, entry: UseSpec) -> Iterator[Call]:
    objects: contract_uses.Objects | None = None
    for call in code.find({f"{name}{REMOTE}" for name in entry.calls} if entry.remote else set(entry.calls)):
        if call.in_string or call.resolved in entry.excluding or not comes_from(call.resolved, entry.of):
            continue
        if entry.awaited and not call.awaited:
            continue
        on = call.dotted.rpartition(".")[0].lower()
        if not entry.own and on == "self" and call.dotted.rpartition(".")[2] in code.functions:
            continue
        if entry.receiver and not any(word in on for word in entry.receiver):
            if not {"llm", "engine"} & set(entry.receiver):
                continue
            objects = contract_uses.objects_of(code) if objects is None else objects
            if contract_uses.class_of(code, call, objects).rpartition(".")[2] not in ENGINES:
                continue
        if entry.first and not any(word in _first(call) for word in entry.first):
            continue
        if any(word in _first(call) for word in entry.not_first):
            continue
        if any(word in on for word in entry.wrappers) and not _elsewhere(code, ["vllm"]):
            continue
        yield call


def _first(call: Call) -> str:
    """The first argument of a call, or its `method`, in lower case; "" when it is no text."""
    named = call.get("method")
    value = call.args[0].value if call.args else named.value if named is not None else None
    return value.lower() if isinstance(value, str) else ""


def _call(file: File, code: PythonDocument, entry: UseSpec, call: Call) -> Use:
    start, end = code.span(call.node.func)
    use = _use_at(entry, call.dotted, Spot(file, start, end), call.function, tree=tree_of(file, call.index))
    return use._replace(
        arguments={argument.name: argument.value for argument in call.keywords},
        positional=[argument.value for argument in call.args],
        more=call.has_kwargs or call.has_star,
        awaited=call.awaited,
        guarded=call.guarded,
        section=entry.section or "",
        in_loop=call.in_loop,
        rebound=call.rebound,
        calls_back=_calls_back(code, call),
    )


def _calls_back(code: PythonDocument, call: Call) -> bool:
    """Whether the call passes a function of this module, or a lambda, as its first argument."""
    argument = call.node.args[0] if call.node.args else None
    text = call.args[0].value.text if argument is not None and isinstance(call.args[0].value, Unknown) else ""
    return text.startswith("lambda") or text in code.functions


def _each_argument(file: File, entry: UseSpec, call: Call, whole: Use) -> Iterator[Use]:
    for argument in call.keywords:
        spot = Spot(file, argument.start, argument.start + len(argument.name))
        use = _use_at(entry, argument.name, spot, whole.function, argument.value, whole.written.tree)
        yield use._replace(
            method=call.dotted.removesuffix(REMOTE).rpartition(".")[2],
            section=whole.section,
            arguments=whole.arguments,
            positional=whole.positional,
            more=whole.more,
            guarded=whole.guarded,
        )


def _imports(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    package = entry.imports
    for item in code.imports:
        dotted = f"{item.module}.{item.name}".rstrip(".")
        if dotted == package or dotted.startswith(f"{package}."):
            yield _use(entry, file, dotted, item.start, item.end, item.function)._replace(guarded=item.guarded)


def _module_names(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """Names of a package's modules that the program reads or sets as attributes: `import vllm.a as a`, then `a.name`."""
    package = entry.imports
    imported = {f"{item.module}.{item.name}".rstrip(".") for item in code.imports}
    aliases = code.aliases
    for chain in code.chains:
        first = chain.dotted.partition(".")[0]
        if aliases.get(first, first).partition(".")[0] != package or without_brackets(chain.dotted) != chain.dotted:
            continue
        dotted = code.resolve(chain.dotted)
        if first == package and not any(dotted.startswith(f"{module}.") for module in imported):
            continue
        at = code.attribute(chain)
        yield _use(entry, file, dotted, at.start, at.end, at.function)._replace(guarded=at.guarded)


# What looks a dotted name up: of unittest.mock, of pytest's fixtures for it, of importlib.
_LOOKS_UP = frozenset(("patch", "patch.dict", "setattr", "delattr", "import_module"))


def _patched(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """Names of a package that a call looks up by a text: `patch("vllm.worker.worker.Worker.load_model")`."""
    source = code.source.text
    if f'"{entry.imports}.' not in source and f"'{entry.imports}." not in source:
        return
    tried = [code.span(statement) for node in code.nodes(ast.Try) for statement in node.body]
    for call in code.calls:
        dotted = call.dotted
        if not any(dotted == name or dotted.endswith(f".{name}") for name in _LOOKS_UP) or not call.node.args:
            continue
        first = call.node.args[0]
        text = first.value if isinstance(first, ast.Constant) else None
        if not isinstance(text, str) or not _DOTTED.fullmatch(text) or not text.startswith(f"{entry.imports}."):
            continue
        start, end = code.span(first)
        guarded = any(begin <= start < stop for begin, stop in tried)
        yield _use(entry, file, _up_to_class(text), start, end, call.function)._replace(guarded=guarded)


_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def _up_to_class(dotted: str) -> str:
    """A dotted name up to its first class: what a class has is not looked at."""
    parts = dotted.split(".")
    at = next((number for number, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return ".".join(parts[: at + 1])


def _attributes(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    if entry.of and not any(item.module.partition(".")[0] == entry.of for item in code.imports):
        return
    for chain in code.attributes(set(entry.attributes)):
        yield _use(entry, file, chain.dotted, chain.start, chain.end, chain.function)


def _routes(file: File, code: PythonDocument, entry: UseSpec, catalog: Catalog) -> Iterator[Use]:
    """Paths of the server's routes, with what a request's query says as the arguments."""
    from urllib.parse import parse_qsl

    paths = {name.partition(" ")[2] for name in catalog.all_names("route")}
    methods = set(entry.calls)
    for text in code.texts:
        if "/" not in text.value:
            continue
        path, _, query = text.value.rpartition("://")[2].partition("?")
        path = path[path.find("/") :]  # what stands before is the host, or nothing
        call = code.calls[text.call] if text.call >= 0 else None
        if (
            path not in paths
            or not _is_whole(code, text.node, path)
            or call is None
            or text.key
            or call.dotted.rpartition(".")[2] not in methods
        ):
            continue
        if set(call.dotted.split(".")) & set(entry.not_on):
            continue
        arguments: dict[str, object] = {k: _literal(v) for k, v in parse_qsl(query, keep_blank_values=True)}
        more = call.has_kwargs
        for name in ("params", "json"):
            found = call.get(name)
            if found is not None and isinstance(found.value, dict):
                arguments.update({str(key): _literal(value) for key, value in found.value.items()})
            elif found is not None:
                more = True
        use = _use(entry, file, path, *code.span(text.node), call.function)
        yield use._replace(arguments=arguments, more=more)


_HOLE = re.compile(r"\{[^{}]*\}")


def _is_whole(code: PythonDocument, node: ast.expr, path: str) -> bool:
    """Whether a path is all of a URL's: `f"{base}/pause"`, and not `f"/deployments/{name}/pause"`, which is another server's."""
    start, end = code.span(node)
    text = code.source.text
    if text[start : start + 3].lstrip("rbfRBF")[:1] not in ("'", '"'):  # a part of a string
        start = max(text.rfind(mark, 0, start) for mark in "\"'")
    whole = _HOLE.sub("", text[start:end]).strip("rbfRBF\"'")
    whole = whole.rpartition("://")[2].partition("?")[0]
    return whole[whole.find("/") :] == path


def _literal(value: object) -> object:
    """A value of a request's query as the server reads it."""
    return (
        {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
        if isinstance(value, str)
        else value
    )


def _fields(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    for text in code.texts:
        within = not entry.in_calls or _last(code, text.call) in entry.in_calls
        if text.key and text.value in entry.fields and within:
            yield _field(file, entry, text, code)
    for call in code.calls if entry.of_calls else ():
        name = call.dotted.rpartition(".")[2]
        if "*" not in entry.of_calls and name not in entry.of_calls:
            continue
        if name in entry.excluding or (not entry.own and name in code.functions):
            continue
        if call.in_string or not any(keyword.arg in entry.fields for keyword in call.node.keywords):
            continue
        for argument in call.keywords:
            if argument.name in entry.fields:
                spot = Spot(file, argument.start, argument.start + len(argument.name))
                yield _use_at(entry, argument.name, spot, call.function, argument.value)


def _last(code: PythonDocument, call: int) -> str:
    """The last part of the name of a call, by its number; "" for none."""
    return code.calls[call].dotted.rpartition(".")[2] if call >= 0 else ""


def _field(file: File, entry: UseSpec, text: Text, code: PythonDocument) -> Use:
    function = code.calls[text.call].function if text.call >= 0 else ""
    return _use(entry, file, text.value, *code.span(text.node), function)
