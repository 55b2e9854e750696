"""The Python interface of a release: classes with what they inherit inside vLLM, their attributes, and signatures.

`class` holds the classes of the modules that other programs import, subclass or mix into, `function` the functions at the
top of those modules, `export` names that stand for what another module defines (`vllm.LLM`), and a section named after a
class its own attributes. A signature is the text between the parentheses of a `def`, without annotations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.facts import NotJson, jsonable
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.source import TYPING, Binding, Module
from vllm_migrate.catalog.extract.values import MISSING, UNDEFINED, External, Undecidable

Facts = dict[str, Any]
Sections = dict[str, dict[str, Facts]]
Def = ast.FunctionDef | ast.AsyncFunctionDef
TEXT_LIMIT = 80  # characters of a default
_HOPS = 8  # modules a name is followed through

# What programs of others import, call, subclass and patch. Models, kernels and request schemas are not in it.
PUBLIC = re.compile(
    r"""vllm(?:\.(?:
    beam_search|sampling_params|pooling_params|outputs|sequence|logprobs|tasks|version|exceptions|logger|envs|config(?:\..*)?
    |lora\.(?:request|models|lora_model|peft_helper|utils|worker_manager|model_manager)|prompt_adapter\..*|inputs(?:\..*)?
    |plugins(?:\..*)?|tokenizers(?:\..*)?|transformers_utils\.(?:tokenizer\w*|detokenizer\w*|config|utils)
    |utils(?:\..*)?|reasoning(?:\.(?:abs|basic)\w*)?|tool_parsers(?:\.(?:abstract\w*|utils))?|parser(?:\..*)?
    |engine(?:\..*)?|executor(?:\..*)?|core(?:\..*)?|worker(?:\..*)?|ray(?:\..*)?|tracing(?:\..*)?|device_allocator\..*
    |entrypoints(?:\.(?:llm|launcher|utils|chat_utils|logger|api_server|ssl|offline(?:\..*)?|cli\.serve|launchers?\..*))?
    |entrypoints\.openai(?:\.(?:api_server|cli_args|serving_\w+|run_batch|\w+\.serving|tool_parsers(?:\.abstract\w*)?))?
    |entrypoints\.(?:serve|scale_out|generate)\.(?:.*\.)?(?:api_router|serving|rpc)
    |v1\.(?:executor|engine|core\.sched|sample|metrics|worker|structured_output)(?:\..*)?
    |v1\.(?:outputs|request|utils|serial_utils|kv_cache_interface|core\.kv_cache_\w+)
    |distributed(?:\.(?:parallel_state|utils|communication_op|stateless_coordinator|weight_transfer(?:\..*)?))?
    |distributed\.device_communicators\.(?:pynccl|base_device_communicator|cuda_communicator|shm_broadcast|custom_all_reduce)
    |distributed\.kv_transfer\.kv_connector\.(?:base|factory|v1\.base)
    |model_executor(?:\.(?:utils|parameter|sampling_metadata|model_loader(?:\..*)?))?
    |model_executor\.layers\.(?:batch_invariant|sampler|logits_processor|linear|vocab_parallel_embedding)
    |model_executor\.layers\.(?:quantization(?:\.(?:base_config|fp8|utils\.fp8_utils))?|fused_moe(?:\.(?:layer|config))?)
    |platforms(?:\.interface)?|usage\.usage_lib
    ))?\Z""",
    re.VERBOSE,
)
# Whatever is mixed into a worker must not have a name that it has, private ones included.
_MIXED_INTO = re.compile(r"vllm(?:\.v1)?\.worker\.\w*worker\w*\Z|vllm\.lora\..*mixin\Z|.*_mixin\Z")
_PROPERTIES = {"property", "cached_property", "setter", "getter", "deleter"}


def contract(it: Interpreter) -> Sections:
    """`class`, `function`, `export`, and a section for each class."""
    found: Sections = {"class": {}, "function": {}, "export": {}}
    todo = [it.tree.module_name(path) for path in it.tree.files()]
    classes: dict[str, ClassValue] = {}
    for name in todo:
        module = it.tree.module(name) if PUBLIC.match(name) else None
        if module is not None:
            _module(it, module, found, classes)
    while classes:
        name, cls = classes.popitem()
        if name not in found["class"]:
            found["class"][name] = _class(it, cls)
            found[name] = dict(_members(it, cls))
            classes.update({_dotted(one): one for one in cls.ancestors()})
    return found


def _module(it: Interpreter, module: Module, found: Sections, classes: dict[str, ClassValue]) -> None:
    for name, bindings in module.bindings.items():
        live = [b for b in bindings if b.context != TYPING]
        if name.startswith("_") or not live:
            continue
        node = _bound(it, module, live)
        dotted = f"{module.name}.{name}"
        if isinstance(node, ast.ClassDef):
            if module.name.startswith("vllm.config"):
                continue  # the catalog's section of config classes has them
            value = it.name_in(module, name)
            if isinstance(value, ClassValue) and value.node is node:
                classes[dotted] = value
        elif isinstance(node, Def):
            found["function"][dotted] = signature(it, node, Scope(module))
        else:
            target = _target(it, module, name)
            if target and target != dotted and (module.is_package or isinstance(node, ast.Assign)):
                found["export"][dotted] = {"to": target}
    for name, target in _lazy(module):
        found["export"].setdefault(f"{module.name}.{name}", {"to": target})


def _bound(it: Interpreter, module: Module, live: list[Binding]) -> ast.AST:
    """What a name is bound to after the module ran: the last binding whose conditions hold (or are not decided), overloads
    left out."""
    plain = [b for b in live if not (isinstance(b.node, Def) and "overload" in _decorators(b.node))] or live
    holding = [b for b in plain if it.may_hold(b, Scope(module))]
    return (holding or plain)[-1].node


def _dotted(cls: ClassValue) -> str:
    return f"{cls.module.name}.{cls.name}"


def _target(it: Interpreter, module: Module, name: str, hops: int = 0) -> str:
    """The module and name that define a name; "" where that is not a class or function of vLLM."""
    live = [b for b in module.bindings.get(name, ()) if b.context != TYPING]
    node = _bound(it, module, live) if live else None
    if hops > _HOPS or node is None:
        return ""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return f"{module.name}.{name}"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id != name:
        return _target(it, module, node.value.id, hops + 1)
    if not isinstance(node, ast.ImportFrom):
        return ""
    alias = next(a for a in node.names if (a.asname or a.name) == name)
    source = it.tree.module(module.absolute(node))
    return _target(it, source, alias.name, hops + 1) if source is not None else ""


def _lazy(module: Module) -> Iterator[tuple[str, str]]:
    """Names that `vllm/__init__.py` serves by a table (`{"LLM": ".entrypoints.llm:LLM"}`)."""
    for binding in module.bindings.get("MODULE_ATTRS", ()):
        value = getattr(binding.node, "value", None)
        for key, target in zip(value.keys, value.values, strict=True) if isinstance(value, ast.Dict) else ():
            if isinstance(key, ast.Constant) and isinstance(target, ast.Constant):
                yield str(key.value), module.name + str(target.value).replace(":", ".")


# -- classes -------------------------------------------------------------------------------------


def _class(it: Interpreter, cls: ClassValue) -> Facts:
    """Its bases in the order of look-up, those outside vLLM by their dotted name; how it is constructed."""
    facts: Facts = {}
    bases = [_base_name(one) for one in cls.mro()[1:]]
    if bases:
        facts["bases"] = bases
    kind = _kind(cls)
    if kind:
        facts["kind"] = kind
    parameters = _constructor(it, cls, kind)
    if parameters is not None:
        facts["p"] = parameters
    return facts


def _base_name(base: Any) -> str:
    if isinstance(base, ClassValue):
        return _dotted(base)
    if isinstance(base, External):
        return base.name
    return str(getattr(base, "__name__", None) or getattr(base, "expr", None) or base)


def _kind(cls: ClassValue) -> str:
    outside = {name.rpartition(".")[2] for name in cls.external_bases()}
    if cls.is_enum():
        return "enum"
    for base, kind in (
        ("BaseModel", "model"),
        ("Struct", "struct"),
        ("NamedTuple", "tuple"),
        ("TypedDict", "typed dict"),
    ):
        if base in outside:
            return kind
    return "dataclass" if cls.is_dataclass() else ""


def _constructor(it: Interpreter, cls: ClassValue, kind: str) -> str | None:
    """Parameters of `Class(...)`; None where source does not decide them (a base outside vLLM constructs it)."""
    owner = cls.owner_of("__init__")
    if kind in ("enum", "typed dict"):
        return None
    if owner is not None and (kind not in ("dataclass",) or owner is cls):
        node = owner.body["__init__"]
        return parameters(it, node, Scope(owner.module, owner.scope, cls=owner)) if isinstance(node, Def) else None
    if kind:
        return _record(cls, kind)
    unknown = [b for b in cls.mro()[1:] if not isinstance(b, ClassValue) and _base_name(b) not in _BARE]
    return None if unknown or cls.owner_of("__new__") is not None else ""


_BARE = {"abc.ABC", "ABC", "object", "typing.Generic", "Generic", "Protocol", "typing.Protocol"}


def _record(cls: ClassValue, kind: str) -> str | None:
    """Fields of a dataclass, model, struct or named tuple as parameters."""
    try:
        fields = [field for field in cls.fields(init_vars=True) if field.init and not field.name.startswith("_")]
    except Undecidable:
        return None
    plain: list[str] = []
    keywords: list[str] = []
    for field in fields:
        node = field.node.value
        required = node is None or (
            field.info is not None
            and field.default in (MISSING, UNDEFINED, field.info)
            and field.info.default in (MISSING, UNDEFINED)
            and field.info.default_factory in (MISSING, None)
        )
        text = field.name if required else f"{field.name}={_literal(node)}"
        extra = field.info.extra if field.info is not None else {}
        by_keyword = extra.get("kw_only", kind == "model" or _keywords_only(field.owner.node, field.name))
        after_default = required and any("=" in one for one in plain)
        (keywords if by_keyword is True or after_default else plain).append(text)
    return ", ".join([*plain, *(["*", *keywords] if keywords else [])])


def _keywords_only(node: ast.ClassDef, name: str) -> bool:
    """Whether a class takes a field of its own by keyword alone: all of them, or those after `_: KW_ONLY`."""
    if "kw_only=True" in " ".join(ast.unparse(d) for d in (*node.decorator_list, *node.keywords)):
        return True
    own = [(ast.unparse(n.target), ast.unparse(n.annotation)) for n in node.body if isinstance(n, ast.AnnAssign)]
    mark = next((at for at, (_, kind) in enumerate(own) if kind.endswith("KW_ONLY")), len(own))
    return any(field == name for field, _ in own[mark:])


def _literal(node: ast.expr | None) -> str:
    try:
        return _shortened(repr(ast.literal_eval(node))) if node is not None else "..."
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return "..."


def _members(it: Interpreter, cls: ClassValue) -> Iterator[tuple[str, Facts]]:
    """A class's own attributes: `k` is method, static, class, property, value (of the class), field or instance."""
    is_record = bool(_kind(cls)) and not cls.is_enum()
    with_private = bool(_MIXED_INTO.match(cls.module.name))
    scope = Scope(cls.module, cls.scope, cls=cls)
    own: dict[str, Facts] = {}
    for name, node in cls.body.items():
        if isinstance(node, Def):
            own[name] = _method(it, node, scope)
        else:
            own[name] = {"k": "field" if is_record and name in cls.annotations else "value"}
        if isinstance(node, Def) and own[name]["k"] == "property":
            own[name] |= _typed(it, cls, node.returns)
    for name, annotated in cls.annotations.items():
        own.setdefault(name, {"k": "field" if is_record else "declared", **_typed(it, cls, annotated.annotation)})
    for name, kind in _set_on_instances(it, cls).items():
        if name not in own or own[name]["k"] == "declared":
            own[name] = {**own.get(name, {}), "k": "instance", **kind}
    for name in sorted(own):
        if name.startswith("__") or (name.startswith("_") and not with_private):
            continue
        if name.startswith("_") and own[name]["k"] not in ("method", "static", "class", "property", "value"):
            continue
        yield name, {"k": own[name]["k"]} if name.startswith("_") else own[name]


def _method(it: Interpreter, node: Def, scope: Scope) -> Facts:
    names = _decorators(node)
    if names & _PROPERTIES:
        return {"k": "property"}
    kind = "static" if "staticmethod" in names else "class" if "classmethod" in names else "method"
    facts = {"k": kind, **signature(it, node, scope, skip_first=kind != "static")}
    if "abstractmethod" in names:
        facts["abstract"] = True
    return facts


def _decorators(node: Def) -> set[str]:
    targets = [d.func if isinstance(d, ast.Call) else d for d in node.decorator_list]
    return {ast.unparse(target).rpartition(".")[2] for target in targets}


def _set_on_instances(it: Interpreter, cls: ClassValue) -> dict[str, Facts]:
    """Public names that a class's methods assign on their first argument; `t` is its class of vLLM's where an annotation
    says it, or all assignments agree."""
    kinds: dict[str, list[str]] = {}
    declared: dict[str, str] = {}
    for method in (n for n in cls.node.body if isinstance(n, Def)):
        arguments = [*method.args.posonlyargs, *method.args.args]
        if not arguments or _decorators(method) & {"staticmethod", "classmethod"}:
            continue
        annotations = {one.arg: one.annotation for one in (*arguments, *method.args.kwonlyargs)}
        assigned = [(part, each) for part in ast.walk(method) for each in _assigned(part, annotations)]
        values = {id(target): (part, value) for part, (target, value) in assigned}
        for target in ast.walk(method):
            if not isinstance(target, ast.Attribute) or not isinstance(target.ctx, ast.Store):
                continue
            if not isinstance(target.value, ast.Name) or target.value.id != arguments[0].arg:
                continue
            part, value = values.get(id(target), (None, None))
            of = kinds.setdefault(target.attr, [])
            if not isinstance(value, ast.Constant) or value.value is not None:
                of.append(_class_named(it, cls, value))
            if isinstance(part, ast.AnnAssign) and of[-1:] != [""]:
                declared[target.attr] = of[-1]
    found: dict[str, Facts] = {}
    for name, of in kinds.items():
        kind = declared.get(name) or (of[0] if len(set(of)) == 1 else "")
        if not name.startswith("_"):
            found[name] = {"t": kind} if kind else {}
    return found


def _assigned(node: ast.AST, annotations: dict[str, ast.expr | None]) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """The targets of an assignment, each with an expression that names its class: an annotation, what is called, None itself."""
    if isinstance(node, ast.AnnAssign):
        yield node.target, node.annotation
    elif isinstance(node, ast.Assign):
        value: ast.expr | None = node.value
        if isinstance(value, ast.Call):
            value = value.func
            if isinstance(value, ast.Attribute) and value.attr.startswith("from_"):
                value = value.value
        elif isinstance(value, ast.Name):
            value = annotations.get(value.id)
        elif not isinstance(value, ast.Constant) or value.value is not None:
            value = None
        yield from ((target, value) for target in node.targets)


def _typed(it: Interpreter, cls: ClassValue, node: ast.expr | None) -> Facts:
    name = _class_named(it, cls, node)
    return {"t": name} if name else {}


def _class_named(it: Interpreter, cls: ClassValue, node: ast.expr | None) -> str:
    """The class of vLLM's that an annotation or a call names; "" where it names none, one of several, or a configuration."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return ""
    if isinstance(node, ast.BinOp) and ast.unparse(node.right) == "None":
        node = node.left
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Optional":
        node = node.slice
    if not isinstance(node, ast.Name):
        return ""
    bindings = cls.module.bindings.get(node.id, ())
    bound = bindings[-1].node if bindings else None
    if isinstance(bound, ast.ClassDef):
        return f"{cls.module.name}.{node.id}"
    if not isinstance(bound, ast.ImportFrom):
        return ""
    source = it.tree.module(cls.module.absolute(bound))
    named = next((one.name for one in bound.names if (one.asname or one.name) == node.id), "")
    target = _target(it, source, named) if source is not None and named else ""
    is_class = target.rpartition(".")[2][:1].isupper() and not target.startswith("vllm.config.")
    return target if is_class else ""


# -- signatures ----------------------------------------------------------------------------------


def signature(it: Interpreter, node: Def, scope: Scope, skip_first: bool = False) -> Facts:
    """`p` the parameters; `a` async or generator where it is one; `x` its deprecation."""
    facts: Facts = {"p": parameters(it, node, scope, skip_first)}
    yields = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in _own_nodes(node))
    if isinstance(node, ast.AsyncFunctionDef):
        facts["a"] = "async generator" if yields else "async"
    elif yields:
        facts["a"] = "generator"
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).rpartition(".")[2] == "deprecated":
            message = _literal(decorator.args[0]) if decorator.args else "..."
            facts["x"] = "deprecated" if message == "..." else ast.literal_eval(message)
    return facts


def _own_nodes(node: Def) -> Iterator[ast.AST]:
    """The nodes of a function's body, those of functions inside it left out."""
    todo: list[ast.AST] = list(node.body)
    while todo:
        one = todo.pop()
        yield one
        if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(one))


def parameters(it: Interpreter, node: Def, scope: Scope, skip_first: bool = True) -> str:
    """The text between the parentheses, without annotations; values of defaults where source decides them."""
    spec = node.args
    positional = [*spec.posonlyargs, *spec.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(spec.defaults))
    pairs = list(zip(positional, [*defaults, *spec.defaults], strict=True))
    if skip_first:
        pairs = pairs[1:]
    parts = [_spelled(it, arg, value, scope) for arg, value in pairs]
    only = len(spec.posonlyargs) - (1 if skip_first and spec.posonlyargs else 0)
    if only > 0:
        parts.insert(only, "/")
    if spec.vararg:
        parts.append(f"*{spec.vararg.arg}")
    elif spec.kwonlyargs:
        parts.append("*")
    parts += [_spelled(it, a, v, scope) for a, v in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)]
    if spec.kwarg:
        parts.append(f"**{spec.kwarg.arg}")
    return ", ".join(parts)


def _spelled(it: Interpreter, arg: ast.arg, default: ast.expr | None, scope: Scope) -> str:
    if default is None:
        return arg.arg
    text = _literal(default)
    if text == "...":
        try:
            text = _shortened(repr(jsonable(it.value_of(default, scope))))
        except NotJson:
            text = "..."
    return f"{arg.arg}={text}"


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else "..."
