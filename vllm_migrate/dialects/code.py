"""Engines and uses of vLLM's interfaces in a Python module, as the dialects written in Python describe them.

An engine is a call that makes one (`LLM(...)`, `AsyncEngineArgs(...)`, a trainer's configuration class): its keywords are
a mapping like any other. What else a program does with vLLM are its uses (see dialects/uses); they belong to one engine
more, which stands for the program and has no settings.
"""

from __future__ import annotations

from vllm_migrate.catalog.store import Catalog
from vllm_migrate.dialects.discover import facts_of, fill, has
from vllm_migrate.dialects.environment import DialectEnv
from vllm_migrate.dialects.hydra import Missing
from vllm_migrate.dialects.model import Engine, Given, Profile, Spot, Use, Written
from vllm_migrate.dialects.tree import File, Place, Tree, tree_of
from vllm_migrate.dialects.uses import comes_from, uses_of
from vllm_migrate.dialects.workspace import Workspace
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.documents.python.calls import Call, PythonDocument
from vllm_migrate.documents.python.document import PythonData
from vllm_migrate.knowledge.expr import Undetermined, evaluate

# The use that stands for the parameters that requests are sampled with.
SAMPLING = "sampling-params"


def engines_of_code(file: File, profiles: list[Profile], catalog: Catalog, workspace: Workspace) -> list[Engine]:
    """The engines that a module makes, and the program itself when it uses vLLM in another way too."""
    assert isinstance(file.data, PythonData)
    out: list[Engine] = []
    for profile in profiles:
        carriers, specs = profile["carriers"], profile.get("engines")
        if not isinstance(carriers, list) or "python" not in carriers or not isinstance(specs, list):
            continue
        uses = uses_of(file, file.data.code, profile, catalog)
        for spec in specs:
            out.extend(_made(file, file.data.code, profile, spec, uses, workspace))
        if uses:
            out.append(_program(file, profile, uses, workspace))
    return out


def _program(file: File, profile: Profile, uses: list[Use], workspace: Workspace) -> Engine:
    engine = Engine(f"{profile['id']}:.", _role(profile, {}, uses), profile, {}, file)
    engine.target = workspace.target
    engine.uses = uses
    engine.container = uses[0].spot
    assert isinstance(file.data, PythonData)
    _environment(engine, file.data.code)
    facts_of(engine)
    return engine


def _role(profile: Profile, spec: dict[str, object], uses: list[Use]) -> str:
    """A program that updates weights trains; what else it is the dialect says."""
    updates = profile.get("rollout_uses")
    if isinstance(updates, list) and any(use.name in updates for use in uses):
        return "rl_rollout"
    return str(spec.get("role", "serving"))


def _made(
    file: File, code: PythonDocument, profile: Profile, spec: dict[str, object], uses: list[Use], workspace: Workspace
) -> list[Engine]:
    """An engine for each call of those that `spec` names."""
    names = spec.get("calls")
    if not isinstance(names, list):
        return []
    out: list[Engine] = []
    for call in code.find({str(name) for name in names}):
        tree = tree_of(file, call.index)
        if (
            call.in_string
            or tree is None
            or _says_nothing(call)
            or not comes_from(call.resolved, spec.get("of"))
            or not has(tree, spec)
        ):
            continue
        number = sum(1 for engine in out if engine.id.partition("#")[0] == f"{profile['id']}:{call.dotted}")
        ident = f"{profile['id']}:{call.dotted}" + (f"#{number + 1}" if number else "")
        engine = Engine(ident, _role(profile, spec, uses), profile, spec, file)
        engine.framework = workspace.frameworks.get(str(profile.get("framework", "")))
        engine.target = workspace.target
        engine.root = engine.site = tree
        engine.missing = _hidden(code, call, tree)
        if "when" in spec and evaluate(spec["when"], DialectEnv(engine, release=engine.target)) is False:
            continue
        _environment(engine, code)
        _requests(engine, uses)
        fill(engine)
        engine.container = Spot(file, tree.place.node.start, tree.place.node.end)
        out.append(engine)
    return out


def _says_nothing(call: Call) -> bool:
    """Whether all that a call sets is behind `**`: what could be said of it would be said of nothing that is seen."""
    named = {keyword.arg for keyword in call.node.keywords if keyword.arg is not None}
    return call.has_kwargs and named <= {"model", "tokenizer"}


def _hidden(code: PythonDocument, call: Call, tree: Tree) -> list[Missing]:
    """What a call passes as `**something`."""
    out: list[Missing] = []
    for keyword in call.node.keywords:
        if keyword.arg is None:
            start, end = code.span(keyword.value)
            place = Place(tree.place.file, call.index, (), tree.place.node, start, end)
            out.append(Missing(f"**{code.source.text[start:end]}", place, True))
    return out


def _environment(engine: Engine, code: PythonDocument) -> None:
    """Variables that the program sets; of several assignments that differ, what it is depends on which one runs."""
    for setting in code.environment:
        spot = Spot(engine.file, setting.start, setting.end)
        name = f"env.{setting.name}"
        written = Written(setting.name, name, setting.value, spot, spot, -1)
        value = setting.value
        if isinstance(value, Unknown):
            value = Undetermined((f"the value of {setting.name} ({value.text})",))
        known = engine.given.get(name)
        if known is not None and not isinstance(known.value, Undetermined) and known.value != value:
            both = () if isinstance(value, Undetermined) else (known.value, value)
            value = Undetermined((f"which assignment of {setting.name} runs",), both)
        engine.given[name] = Given(value, written, "")


def _requests(engine: Engine, uses: list[Use]) -> None:
    """The sampling parameters of the engine's requests: those that every call of SamplingParams in the module agrees on."""
    spec = engine.dialect.get("sampling")
    defaults = spec.get("unset") if isinstance(spec, dict) else None
    if not isinstance(defaults, dict):
        return
    calls = [use for use in uses if use.name == SAMPLING]
    for name, default in defaults.items():
        engine.given[f"sampling.{name}"] = _agreed(name, default, calls)


def _agreed(name: str, default: object, calls: list[Use]) -> Given:
    if not calls:
        return Given(Undetermined((f"the {name} of the requests, which this file does not show",)), None, "")
    values: list[object] = []
    for call in calls:
        value = call.arguments.get(name, Unknown(f"{name} of {call.key}") if call.more else default)
        if isinstance(value, Unknown):
            return Given(Undetermined((f"the value of {name} ({value.text})",)), _keyword(call, name), "")
        values += [] if value in values else [value]
    written = next((found for call in calls if (found := _keyword(call, name)) is not None), None)
    if len(values) == 1:
        return Given(values[0], written, "" if written else "SamplingParams' default")
    return Given(Undetermined((f"which SamplingParams a request uses ({name})",), tuple(values)), written, "")


def _keyword(call: Use, name: str) -> Written | None:
    """Where a call names a parameter."""
    child = call.tree.get(name) if call.tree is not None else None
    if child is None:
        return None
    place = child.place
    key, value = Spot(place.file, place.key_start, place.key_end), Spot(place.file, place.node.start, place.node.end)
    return Written(name, f"sampling.{name}", child.value, key, value, -1)
