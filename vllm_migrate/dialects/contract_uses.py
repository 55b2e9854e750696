"""What a program does with vLLM's Python contract: names that its classes define, calls that must fit, outputs that it streams."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from vllm_migrate.dialects.model import Spot, Use, Written
from vllm_migrate.dialects.tree import File
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.values import dotted_name, without_brackets
from vllm_migrate.knowledge.records import UseSpec

SETTING = "worker_extension_cls"
ENDING = "workerextension"  # of classes that are mixed into the worker, by custom
MAKERS = ("from_engine_args", "from_vllm_config")
# Attributes of engines that hold an object of one class, whatever the engine is called.
HELD = {"output_processor": "vllm.v1.engine.output_processor.OutputProcessor"}


def members(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """Each name that a worker extension, or a class that inherits from one of vLLM's, defines in its body.

    key: the name; method: the class of vLLM's that it is mixed into or inherits from, "" for the worker.
    """
    named = {node.name for node in code.index.classes if _extends(code, node.name)}
    yield from members_of(file, code, entry, named)


def members_of(file: File, code: PythonDocument, entry: UseSpec, extensions: set[str]) -> Iterator[Use]:
    """The same, where it is known which classes of the module are worker extensions."""
    nothing, mixed = _nothing(code), _mixed_in(code, extensions)
    for node in code.index.classes:
        named = [dotted_name(b) for b in node.bases]
        bases = [base for base in map(code.resolve, named) if base.startswith("vllm.")]
        for_types = bool(bases) and any(name in nothing for name in named)
        if for_types:
            bases = []
        if entry.members == "extension":
            owners = [""] if for_types or (not bases and node.name in mixed) else []
        else:
            owners = bases
        for owner in owners:
            for name, at in _defined(node):
                start, end = code.span(at)
                start = code.source.text.find(name, start, end)
                spot = Spot(file, start, start + len(name))
                written = Written(name, f"use.{entry.name}", None, spot, spot)
                use = Use(entry.name, written, node.name, method=owner)
                yield _with_parameters(use, at) if owner else use


def _with_parameters(use: Use, node: ast.stmt) -> Use:
    """What a class defines with the parameters of a method: `arguments` says of each whether it has to be passed, `positional`
    has those that are filled by position, `more` is true where it takes others besides."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.decorator_list:
        return use._replace(more=True)
    spec = node.args
    plain = [one.arg for one in (*spec.posonlyargs, *spec.args)][1:]
    required = plain[: max(0, len(plain) - len(spec.defaults))]
    keywords = {one.arg: value is None for one, value in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)}
    return use._replace(
        arguments={**{name: name in required for name in plain}, **keywords},
        positional=list(plain),
        more=bool(spec.vararg or spec.kwarg),
    )


_OBJECT = re.compile(r"= object[ \t]*(?:#.*)?$", re.MULTILINE)


def _nothing(code: PythonDocument) -> frozenset[str]:
    """Names that the module assigns `object`: a base that is vLLM's worker to a type checker only, as vLLM asks of what
    it mixes into the worker."""
    if not _OBJECT.search(code.source.text):
        return frozenset()
    assigned = code.nodes(ast.Assign)
    return frozenset(
        dotted_name(n.targets[0]) for n in assigned if isinstance(n.value, ast.Name) and n.value.id == "object"
    )


def _mixed_in(code: PythonDocument, extensions: set[str]) -> frozenset[str]:
    """Classes that are mixed into the worker, and those of the module that they inherit from."""
    bases = {node.name: [dotted_name(base) for base in node.bases] for node in code.index.classes}
    found: set[str] = set()
    asked = sorted(extensions)
    while asked:
        name = asked.pop()
        if name not in found and name in bases:
            found.add(name)
            asked += bases[name]
    return frozenset(found)


def _extends(code: PythonDocument, name: str) -> bool:
    """Whether a class is mixed into the worker: by its name, or because the module names it as that."""
    if name.lower().endswith(ENDING):
        return True
    return SETTING in code.source.text and any(text.value.endswith(f".{name}") for text in code.texts)


def _defined(node: ast.ClassDef) -> Iterator[tuple[str, ast.stmt]]:
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name, statement
        elif isinstance(statement, ast.Assign):
            yield from ((t.id, statement) for t in statement.targets if isinstance(t, ast.Name))


def bound_calls(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """Calls whose callee is known to be vLLM's. method: its dotted name there."""
    objects = objects_of(code)
    for call in code.calls:
        dotted = _callee(code, call, objects)
        if not dotted.startswith("vllm.") or call.in_string or dotted.rpartition(".")[2] in entry.excluding:
            continue
        start, end = code.span(call.node.func)
        spot = Spot(file, start, end)
        yield Use(
            entry.name,
            Written(call.dotted, f"use.{entry.name}", None, spot, spot),
            call.function,
            {argument.name: argument.value for argument in call.keywords},
            [argument.value for argument in call.args],
            call.has_kwargs or call.has_star,
            guarded=call.guarded,
            method=dotted,
        )


Objects = dict[tuple[str, str], str]


def objects_of(code: PythonDocument) -> Objects:
    """The class of vLLM's that a name or attribute is an object of, by where it is assigned: the outermost class or function of an
    attribute, the function of a name. "" where it is assigned an object of another class too."""
    found: Objects = {}
    if not code.index.made:
        return found
    functions = {id(call.node): call.function for call in code.calls}
    for target, call in code.index.made:
        name = dotted_name(target)
        made = code.resolve(dotted_name(call.func))
        owner, _, last = made.rpartition(".")
        cls = owner if last in MAKERS else made
        cls = cls if cls.startswith("vllm.") and cls.rpartition(".")[2][:1].isupper() else ""
        place = _scope(name, functions.get(id(call), "")), name
        found[place] = cls if found.get(place, cls) == cls else ""
    return found


def attributes_of(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """Attributes of objects that the module makes of a class of vLLM's: `self.engine = AsyncLLMEngine(...)`, `self.engine.engine`."""
    names = {name for (_, name), cls in objects_of(code).items() if cls.rpartition(".")[2] in entry.of_class}
    wanted = [f"{name}.{attribute}." for name in names for attribute in entry.attributes]
    for chain in code.chains if wanted else ():
        if any(f"{without_brackets(chain.dotted)}.".startswith(each) for each in wanted):
            spot = Spot(file, *code.span(chain.node))
            yield Use(entry.name, Written(chain.dotted, f"use.{entry.name}", None, spot, spot), chain.function)


def class_of(code: PythonDocument, call: Call, objects: Objects) -> str:
    """The class of vLLM's that a call's receiver is an object of, by the assignments that it can see; "" for none."""
    name = call.dotted.rpartition(".")[0]
    held = HELD.get(name.rpartition(".")[2]) if "." in name else None
    if held is not None:
        return held
    own = objects.get((_scope(name, call.function), name))
    if own is None and code.index.bound.get(name) == 1:
        own = next((cls for (_, other), cls in objects.items() if other == name), "")
    return own or ""


def _scope(name: str, function: str) -> str:
    return function.partition(".")[0] if name.startswith("self.") else function


def _callee(code: PythonDocument, call: Call, objects: Objects) -> str:
    on, _, method = call.dotted.rpartition(".")
    cls = class_of(code, call, objects)
    if cls:
        return f"{cls}.{method}"
    return call.resolved if not on or code.aliases.get(on.partition(".")[0]) or on.startswith("vllm") else ""


def streams(file: File, code: PythonDocument, entry: UseSpec) -> Iterator[Use]:
    """`async for out in engine.generate(...)` of which only the last item is kept: the loop assigns it, and sorts by no index.

    Where the program takes the first output of it and no other, nothing can be lost.

    The place is that of the call; its arguments are the use's.
    """
    calls = {id(call.node): call for call in code.find({"generate"})}
    made = {dotted_name(target): call for target, call in code.index.made}
    for loop, function in code.index.loops:
        source = loop.iter if isinstance(loop.iter, ast.Call) else made.get(dotted_name(loop.iter))
        call = calls.get(id(source))
        kept = _kept(loop) or _left_over(code, loop)
        if call is None or not kept or f"{kept}.outputs[0]" in code.source.text:
            continue
        start, end = code.span(call.node)
        spot = Spot(file, start, end)
        yield Use(
            entry.name,
            Written(call.dotted, f"use.{entry.name}", None, spot, spot),
            function,
            {argument.name: argument.value for argument in call.keywords},
            [argument.value for argument in call.args],
            call.has_kwargs or call.has_star,
        )


def _left_over(code: PythonDocument, loop: ast.AsyncFor) -> str:
    """The name of a loop's item where the loop does nothing with it but return it, and the rest of its block uses it."""
    if not isinstance(loop.target, ast.Name):
        return ""
    item = loop.target.id
    used = [n for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Name) and n.id == item]
    returned = [n.value for part in loop.body for n in ast.walk(part) if isinstance(n, ast.Return)]
    if any(
        isinstance(value, ast.Name | ast.Attribute) and dotted_name(value).split(".")[0] == item for value in returned
    ):
        return item
    _, end = code.span(loop)
    rest = re.split(r"\n[ \t]*(?:async )?def |\nclass ", code.source.text[end:], maxsplit=1)[0]
    return item if not used and re.search(rf"\b{item}\b", rest) else ""


def _kept(loop: ast.AsyncFor) -> str:
    """The name to which a loop assigns its item; "" where it does not, and where it looks at the index of an output."""
    item, kept = loop.target.id if isinstance(loop.target, ast.Name) else "", ""
    for statement in loop.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute) and node.attr == "index":
                return ""
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == item:
                kept = dotted_name(node.targets[0])
    return kept if item else ""
