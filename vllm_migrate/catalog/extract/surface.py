"""The Python API a trainer drives: pause, sleep, caches, collective_rpc, weight transfer; and request fields."""

from __future__ import annotations

import ast
import re

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.facts import Facts, annotation_text, deprecation, field_facts
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import Section, class_named, parameters, public_fields
from vllm_migrate.catalog.extract.scope import Scope

_CLASSES = {
    "LLM": ("vllm.entrypoints.llm", "vllm.entrypoints.offline.llm"),
    "AsyncLLM": ("vllm.v1.engine.async_llm",),
    "AsyncLLMEngine": ("vllm.engine.async_llm_engine",),
    "LLMEngine": ("vllm.v1.engine.llm_engine",),
    "EngineClient": ("vllm.engine.protocol",),
    "Worker": ("vllm.v1.worker.gpu_worker",),
}
_METHODS = re.compile(
    r"pause|resume|sleep|wake_up|reset_.*cache|collective_rpc|weight|^abort|apply_model|release_kv|world_size|^generate$"
)
_REQUESTS = ("ChatCompletionRequest", "CompletionRequest", "ResponsesRequest", "GenerateRequest")


def api(it: Interpreter) -> Section:
    """`Class.method` with its signature, `Class.method.parameter` with its default."""
    section: Section = {}
    for name, modules in _CLASSES.items():
        cls = _found(it, name, modules)
        if cls is None:
            continue
        for method in sorted({one for owner in cls.ancestors() for one in owner.body if _is_public(one)}):
            owner = cls.owner_of(method)
            node = owner.body[method] if owner else None
            if owner and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                section.update(_method(it, owner, name, node))
    section.update(_transfer_records(it))
    return section


def _found(it: Interpreter, name: str, modules: tuple[str, ...]) -> ClassValue | None:
    for module in modules:
        try:
            value = it.lookup(f"{module}.{name}")
        except KeyError:
            continue
        if isinstance(value, ClassValue):
            return value
    return None


def _is_public(name: str) -> bool:
    return not name.startswith("_") and _METHODS.search(name) is not None


def _method(it: Interpreter, owner: ClassValue, name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Section:
    scope = Scope(owner.module, owner.scope, cls=owner)
    found = parameters(it, node, scope)
    facts: Facts = {"params": list(found)}
    if isinstance(node, ast.AsyncFunctionDef):
        facts["async"] = True
    if node.args.kwarg is not None:
        facts["open"] = True
    decorators = " ".join(ast.unparse(d) for d in node.decorator_list)
    doc = ast.get_docstring(node) or ""
    if text := deprecation(doc, True if "deprecated(" in decorators else None):
        facts["deprecated"] = text
    if doc:
        facts["doc"] = doc
    if node.returns is not None:
        facts["type"] = annotation_text(node.returns)
    section: Section = {f"{name}.{node.name}": facts}
    section.update({f"{name}.{node.name}.{one}": entry for one, entry in found.items()})
    return section


def _transfer_records(it: Interpreter) -> Section:
    """Fields of the records weight transfer takes (`NCCLWeightTransferInitInfo.master_address`)."""
    section: Section = {}
    for path in it.tree.files("vllm.distributed.weight_transfer"):
        module = it.tree.module(it.tree.module_name(path))
        for name, bindings in module.bindings.items() if module else ():
            if name.startswith("_") or not isinstance(bindings[-1].node, ast.ClassDef) or module is None:
                continue
            cls = it.name_in(module, name)
            if isinstance(cls, ClassValue) and cls.is_record():
                section.update({f"{name}.{f.name}": field_facts(f, it) for f in public_fields(cls)})
    return section


def requests(it: Interpreter) -> Section:
    """Fields of HTTP request bodies as `ChatCompletionRequest.temperature`."""
    section: Section = {}
    for name in _REQUESTS:
        try:
            cls = class_named(it, name, "vllm.entrypoints.openai.protocol")
        except LookupError:
            continue
        for field in public_fields(cls):
            section[f"{name}.{field.name}"] = field_facts(field, it)
    return section
