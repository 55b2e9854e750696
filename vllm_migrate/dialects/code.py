"""Engines and uses of vLLM's interfaces in a Python module, as the dialects written in Python describe them.

An engine is a call that makes one (`LLM(...)`, `AsyncEngineArgs(...)`, a trainer's configuration class): its keywords are
a mapping like any other. What else a program does with vLLM are the uses of a Program (see dialects/uses).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.assigned import assigned
from vllm_migrate.dialects.composition import UnreadInput
from vllm_migrate.dialects.model import Engine, Fact, Program, Spot, Use, Written, determined
from vllm_migrate.dialects.reading import Reader, engines_in, of_spec, runs
from vllm_migrate.dialects.recognition import has, origin_of, recognised, role_of
from vllm_migrate.dialects.tree import File, Place, Tree, tree_of
from vllm_migrate.dialects.uses import comes_from, uses_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.knowledge.expr import Undetermined
from vllm_migrate.knowledge.records import Dialect, EngineSpec

# The use that stands for the parameters that requests are sampled with.
SAMPLING = "sampling-params"


def discover_code(
    file: File, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace
) -> tuple[list[Engine], list[Program]]:
    """The engines that a module makes, and the program itself where it uses vLLM in another way too."""
    assert isinstance(file.data, PythonData)
    code = file.data.code
    engines: list[Engine] = []
    programs: list[Program] = []
    for dialect in dialects:
        if "python" not in dialect.carriers:
            continue
        uses = uses_of(file, code, dialect, catalog)
        for spec in dialect.engines:
            engines.extend(_made(file, code, dialect, spec, uses, workspace))
        if uses:
            origin = origin_of(file, dialect, workspace).of_role(role_of(dialect, "serving", uses, file))
            facts = Reader(origin, _environment(file, code)).all_facts()
            programs.append(Program(f"{dialect.id}:.", origin, facts, uses))
    engines.extend(_in_dicts(file, code, dialects, catalog, workspace))
    return engines, programs


def _in_dicts(
    file: File, code: PythonDocument, dialects: Sequence[Dialect], catalog: Catalog, workspace: Workspace
) -> Iterator[Engine]:
    """Engines of configurations that a program writes as dict literals, as a file of YAML would hold them."""
    text = file.source.text
    dialects = [
        dialect
        for dialect in dialects
        if "yaml" in dialect.carriers
        and "python" not in dialect.carriers
        and any(map(text.__contains__, dialect.markers))
    ]
    for number in range(len(code.dicts)) if dialects else ():
        tree = tree_of(file, len(code.calls) + number)
        for dialect in dialects:
            whole = recognised(dialect, tree, catalog) if tree is not None and tree.is_map else None
            engines = engines_in(origin_of(file, dialect, workspace), whole) if whole is not None else []
            yield from (engine.replace(ident=f"{engine.id}%{number}") for engine in engines)
            if engines:
                break


def _made(
    file: File, code: PythonDocument, dialect: Dialect, spec: EngineSpec, uses: list[Use], workspace: Workspace
) -> list[Engine]:
    """An engine for each call of those that `spec` names."""
    named = code.find(set(spec.calls)) if spec.calls else []
    calls = [call for call in named if not call.in_string and comes_from(call.resolved, spec.of)]
    calls = [call for call in calls if not _shows_nothing(call)]
    if not calls:
        return []
    shared = of_spec(origin_of(file, dialect, workspace), spec).of_role(role_of(dialect, spec.role, uses, file))
    out: list[Engine] = []
    for call in calls:
        tree = tree_of(file, call.index)
        if tree is None:
            continue
        origin = shared._replace(root=tree, site=tree, missing=_hidden(code, call, tree))
        if not has(tree, spec) or not runs(origin, {}):
            continue
        reader = Reader(origin, {**_environment(file, code), **_requests(dialect, uses)})
        reader.read_site()
        if call.dotted.endswith("EngineArgs"):
            reader.options.extend(assigned(file, code, call, number=len(reader.options), last=True))
        node = tree.place.node
        out.append(reader.engine(_named(dialect, call, out), Spot(file, node.start, node.end)))
    return out


def _named(dialect: Dialect, call: Call, before: list[Engine]) -> str:
    """The id of the engine that a call makes: calls of one name are numbered from the second on."""
    ident = f"{dialect.id}:{call.dotted}"
    number = sum(1 for engine in before if engine.id.partition("#")[0] == ident)
    return ident + (f"#{number + 1}" if number else "")


def _shows_nothing(call: Call) -> bool:
    """Whether all that a call sets is behind `**`: a finding on it would be about nothing that is seen."""
    named = {keyword.arg for keyword in call.node.keywords if keyword.arg is not None} | call.entries.keys()
    return call.has_kwargs and named <= {"model", "tokenizer"}


def _hidden(code: PythonDocument, call: Call, tree: Tree) -> list[UnreadInput]:
    """What a call passes as `**something`."""
    out: list[UnreadInput] = []
    for keyword in call.node.keywords:
        if keyword.arg is None and not code.unpacked(keyword.value).complete:
            start, end = code.span(keyword.value)
            place = Place(tree.place.file, call.index, (), tree.place.node, start, end)
            out.append(UnreadInput(f"**{code.source.text[start:end]}", place, True))
    return out


def _environment(file: File, code: PythonDocument) -> dict[str, Fact]:
    """Variables that the program sets; of several assignments that differ, what it is depends on which one runs."""
    facts: dict[str, Fact] = {}
    for setting in code.environment:
        spot = Spot(file, setting.start, setting.end)
        name = f"env.{setting.name}"
        value = determined(setting.name, setting.value)
        known = facts.get(name)
        if known is not None and not isinstance(known.value, Undetermined) and known.value != value:
            both = () if isinstance(value, Undetermined) else (known.value, value)
            value = Undetermined((f"which assignment of {setting.name} runs",), both)
        facts[name] = Fact(value, Written(setting.name, name, setting.value, spot, spot))
    return facts


def _requests(dialect: Dialect, uses: list[Use]) -> dict[str, Fact]:
    """The sampling parameters of the engine's requests: those that every call of SamplingParams in the module agrees on."""
    calls = [use for use in uses if use.name == SAMPLING]
    passed = dict.fromkeys(name for call in calls for name in call.arguments)
    asked = {**passed, **dialect.sampling.unset}
    return {f"sampling.{name}": _agreed(name, unset, calls) for name, unset in asked.items()}


def _agreed(name: str, default: object, calls: list[Use]) -> Fact:
    if not calls:
        return Fact(Undetermined((f"the {name} of the requests, which this file does not show",)))
    values: list[object] = []
    for call in calls:
        value = call.arguments.get(name, Unknown(f"{name} of {call.key}") if call.more else default)
        if isinstance(value, Unknown):
            return Fact(determined(name, value), _keyword(call, name))
        values += [] if value in values else [value]
    written = next((found for call in calls if (found := _keyword(call, name)) is not None), None)
    if len(values) == 1:
        return Fact(values[0], written, "" if written else "SamplingParams' default")
    return Fact(Undetermined((f"which SamplingParams a request uses ({name})",), tuple(values)), written)


def _keyword(call: Use, name: str) -> Written | None:
    """Where a call names a parameter, or a later assignment to an attribute of its object does."""
    if name in call.assigned:
        return call.assigned[name]
    tree = call.written.tree
    child = tree.get(name) if tree is not None else None
    if child is None:
        return None
    place = child.place
    key, value = Spot(place.file, place.key_start, place.key_end), Spot(place.file, place.node.start, place.node.end)
    return Written(name, f"sampling.{name}", child.value, key, value)
