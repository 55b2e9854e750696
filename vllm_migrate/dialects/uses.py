"""What a Python program does with vLLM's interfaces, found as a dialect's `uses` describe it.

An entry has a `name` that rules ask for, and one of
  calls       method or class names. `of`: the package that the name is imported from; `receiver`: words of which one stands in
              what the method is called on; `own`: false where a method of the module's own class (`self.x()`) is another one;
              `awaited`: true for a coroutine; `not`: resolved names that mean something else; `first`: words of which one stands
              in the first argument, a text, and none of `not_first`; `wrappers`: words in what the method is called on that tell of
              a wrapper of the program's own, where nothing is imported from vllm
  arguments   true, beside `calls`: each keyword of such a call is a use of its own; `section`: where the catalog has it
  imports     a package: each import from it; `except`: a pattern of paths that are for one release only
  attributes  chains of attributes
  texts       whole strings
  routes      true: paths of the server in the arguments of calls named by `calls`, but those called on a name of `not_on`
  fields      keys of dict literals, those in the arguments of `in_calls` where it is given, and keywords of `of_calls` ("*": any)
All take `program`, a word that the module must have (`vllm`), and `unless`, packages whose import tells that it is about another
engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.model import Profile, Spot, Use, Written
from vllm_migrate.dialects.tree import File, Tree, tree_of
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.calls import Call, PythonDocument, Text

Entry = dict[str, object]


def uses_of(file: File, code: PythonDocument, profile: Profile, catalog: Catalog) -> list[Use]:
    """Every use in a module, in the order of the text."""
    entries = profile.get("uses")
    out: list[Use] = []
    text = file.source.text.lower()
    for entry in entries if isinstance(entries, list) else []:
        if str(entry.get("program", "")) in text and not _elsewhere(code, _listed(entry, "unless")):
            out.extend(_found(file, code, entry, catalog))
    out.sort(key=lambda use: (use.spot.start, use.name))
    return out


def _use(entry: Entry, file: File, key: str, start: int, end: int, function: str = "") -> Use:
    return _use_at(entry, key, Spot(file, start, end), function)


def _use_at(entry: Entry, key: str, spot: Spot, function: str, value: object = None, tree: Tree | None = None) -> Use:
    name = str(entry["name"])
    return Use(name, Written(key, f"use.{name}", value, spot, spot, tree=tree), function)


def _elsewhere(code: PythonDocument, packages: list[str]) -> bool:
    """Whether the module imports one of these packages."""
    return bool(packages) and any(item.module.partition(".")[0] in packages for item in code.imports)


def comes_from(resolved: str, package: object) -> bool:
    """Whether a name is imported from a package; any name is where none is asked for."""
    return package is None or resolved.startswith(f"{package}.")


def _found(file: File, code: PythonDocument, entry: Entry, catalog: Catalog) -> Iterator[Use]:
    if "imports" in entry:
        yield from _imports(file, code, entry)
    elif "attributes" in entry:
        yield from _attributes(file, code, entry)
    elif "texts" in entry:
        for text in code.texts:
            if text.value in _listed(entry, "texts"):
                yield _use(entry, file, text.value, text.start, text.end)
    elif "routes" in entry:
        yield from _routes(file, code, entry, catalog)
    elif "fields" in entry:
        yield from _fields(file, code, entry)
    else:
        for call in _calls(code, entry):
            use = _call(file, code, entry, call)
            if entry.get("arguments"):
                yield from _each_argument(file, entry, call, use)
            else:
                yield use


def _listed(entry: Entry, key: str) -> list[str]:
    value = entry.get(key)
    return [str(item) for item in value] if isinstance(value, list) else []


def _calls(code: PythonDocument, entry: Entry) -> Iterator[Call]:
    names, receivers, others, first = (_listed(entry, key) for key in ("calls", "receiver", "not", "first"))
    for call in code.find(set(names)):
        if call.in_string or call.resolved in others or not comes_from(call.resolved, entry.get("of")):
            continue
        if entry.get("awaited") and not call.awaited:
            continue
        on = call.dotted.rpartition(".")[0].lower()
        if entry.get("own") is False and on == "self" and call.dotted.rpartition(".")[2] in code.functions:
            continue
        if receivers and not any(word in on for word in receivers):
            continue
        if first and not any(word in _first(call) for word in first):
            continue
        if any(word in _first(call) for word in _listed(entry, "not_first")):
            continue
        if any(word in on for word in _listed(entry, "wrappers")) and not _elsewhere(code, ["vllm"]):
            continue
        yield call


def _first(call: Call) -> str:
    """The first argument of a call, or its `method`, in lower case; "" when it is no text."""
    named = call.get("method")
    value = call.args[0].value if call.args else named.value if named is not None else None
    return value.lower() if isinstance(value, str) else ""


def _call(file: File, code: PythonDocument, entry: Entry, call: Call) -> Use:
    start, end = code.span(call.node.func)
    use = _use_at(entry, call.dotted, Spot(file, start, end), call.function, tree=tree_of(file, call.index))
    return use._replace(
        arguments={argument.name: argument.value for argument in call.keywords},
        positional=[argument.value for argument in call.args],
        more=call.has_kwargs or call.has_star,
        awaited=call.awaited,
        section=str(entry.get("section", "")),
        in_loop=call.in_loop,
        calls_back=_calls_back(code, call),
    )


def _calls_back(code: PythonDocument, call: Call) -> bool:
    """Whether the call passes a function of this module, or a lambda, as its first argument."""
    argument = call.node.args[0] if call.node.args else None
    text = call.args[0].value.text if argument is not None and isinstance(call.args[0].value, Unknown) else ""
    return text.startswith("lambda") or text in code.functions


def _each_argument(file: File, entry: Entry, call: Call, whole: Use) -> Iterator[Use]:
    for argument in call.keywords:
        spot = Spot(file, argument.start, argument.start + len(argument.name))
        use = _use_at(entry, argument.name, spot, whole.function, argument.value, whole.written.tree)
        yield use._replace(
            method=call.dotted.rpartition(".")[2],
            section=whole.section,
            arguments=whole.arguments,
            positional=whole.positional,
            more=whole.more,
        )


def _imports(file: File, code: PythonDocument, entry: Entry) -> Iterator[Use]:
    package, left_out = str(entry["imports"]), entry.get("except")
    if left_out is not None and re.search(str(left_out), file.path):
        return
    for item in code.imports:
        dotted = f"{item.module}.{item.name}".rstrip(".")
        if dotted == package or dotted.startswith(f"{package}."):
            yield _use(entry, file, dotted, item.start, item.end, item.function)._replace(guarded=item.guarded)


def _attributes(file: File, code: PythonDocument, entry: Entry) -> Iterator[Use]:
    for chain in code.attributes(set(_listed(entry, "attributes"))):
        yield _use(entry, file, chain.dotted, chain.start, chain.end, chain.function)


def _routes(file: File, code: PythonDocument, entry: Entry, catalog: Catalog) -> Iterator[Use]:
    """Paths of the server's routes, with what a request's query says as the arguments."""
    from urllib.parse import parse_qsl

    paths = {name.partition(" ")[2] for name in catalog.all_names("route")}
    methods = set(_listed(entry, "calls"))
    for text in code.texts:
        path, _, query = text.value.rpartition("://")[2].partition("?")
        path = path[path.find("/") :]  # what stands before is the host, or nothing
        call = code.calls[text.call] if text.call >= 0 else None
        if path not in paths or call is None or text.key or call.dotted.rpartition(".")[2] not in methods:
            continue
        if set(call.dotted.split(".")) & set(_listed(entry, "not_on")):
            continue
        arguments: dict[str, object] = {k: _literal(v) for k, v in parse_qsl(query, keep_blank_values=True)}
        more = call.has_kwargs
        for name in ("params", "json"):
            found = call.get(name)
            if found is not None and isinstance(found.value, dict):
                arguments.update({str(key): _literal(value) for key, value in found.value.items()})
            elif found is not None:
                more = True
        use = _use(entry, file, path, text.start, text.end, call.function)
        yield use._replace(arguments=arguments, more=more)


def _literal(value: object) -> object:
    """A value of a request's query as the server reads it."""
    return (
        {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
        if isinstance(value, str)
        else value
    )


def _fields(file: File, code: PythonDocument, entry: Entry) -> Iterator[Use]:
    fields, calls, inside = (set(_listed(entry, key)) for key in ("fields", "of_calls", "in_calls"))
    for text in code.texts:
        if text.key and text.value in fields and (not inside or _last(code, text.call) in inside):
            yield _field(file, entry, text, code)
    for call in code.calls if calls else ():
        if "*" not in calls and call.dotted.rpartition(".")[2] not in calls:
            continue
        for argument in call.keywords if not call.in_string else ():
            if argument.name in fields:
                spot = Spot(file, argument.start, argument.start + len(argument.name))
                yield _use_at(entry, argument.name, spot, call.function, argument.value)


def _last(code: PythonDocument, call: int) -> str:
    """The last part of the name of a call, by its number; "" for none."""
    return code.calls[call].dotted.rpartition(".")[2] if call >= 0 else ""


def _field(file: File, entry: Entry, text: Text, code: PythonDocument) -> Use:
    function = code.calls[text.call].function if text.call >= 0 else ""
    return _use(entry, file, text.value, text.start, text.end, function)
