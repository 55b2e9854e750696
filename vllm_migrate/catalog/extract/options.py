"""Engine arguments, config classes, sampling parameters: whatever is a class with annotated fields."""

from __future__ import annotations

import ast

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.facts import Facts, annotation_text, default_of, deprecation, field_facts
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.scope import Scope
from vllm_migrate.catalog.extract.values import Field

Section = dict[str, Facts]


def class_named(it: Interpreter, name: str, *modules: str) -> ClassValue:
    """The class of this name, from the first of these modules that has it, else anywhere in the tree.

    Raises LookupError when the tree has none.
    """
    for module in modules:
        try:
            value = it.lookup(f"{module}.{name}")
        except KeyError:
            continue
        if isinstance(value, ClassValue):
            return value
    found = it.tree.find_class(name)
    value = it.name_in(found, name) if found else None
    if not isinstance(value, ClassValue):
        raise LookupError(f"no class {name}")
    return value


def public_fields(cls: ClassValue) -> list[Field]:
    return [field for field in cls.fields() if not field.name.startswith("_")]


def engine(it: Interpreter) -> Section:
    """Fields of EngineArgs, those AsyncEngineArgs adds included (marked `async_only`)."""
    base = class_named(it, "EngineArgs", "vllm.engine.arg_utils")
    names = {field.name for field in base.fields()}
    section: Section = {}
    for field in public_fields(class_named(it, "AsyncEngineArgs", "vllm.engine.arg_utils")):
        facts = field_facts(field, it)
        if field.name not in names:
            facts["async_only"] = True
        section[field.name] = facts
    return section


def sampling(it: Interpreter) -> Section:
    cls = class_named(it, "SamplingParams", "vllm.sampling_params")
    section = {f.name: field_facts(f, it) for f in public_fields(cls)}
    docs = google_docs(ast.get_docstring(cls.node) or "")
    for name, facts in section.items():
        if "doc" not in facts and name in docs:
            facts["doc"] = docs[name]
            if text := deprecation(docs[name]):
                facts.setdefault("deprecated", text)
    return section


def google_docs(doc: str) -> dict[str, str]:
    """`name: text` entries of an Args section."""
    found: dict[str, str] = {}
    current = ""
    for line in doc.splitlines():
        stripped = line.strip()
        head, colon, rest = stripped.partition(":")
        indent = len(line) - len(line.lstrip())
        if colon and head.replace("_", "").isalnum() and head[:1].islower() and indent <= 4:
            current = head
            found[current] = rest.strip()
        elif current and stripped and indent > 4:
            found[current] += " " + stripped
        elif not stripped:
            current = ""
    return found


def config_classes(it: Interpreter) -> list[ClassValue]:
    """Every dataclass or pydantic model vllm/config defines, by name."""
    found: dict[str, ClassValue] = {}
    names = ["vllm.config"] + [it.tree.module_name(p) for p in it.tree.files("vllm.config")]
    for name in names:
        module = it.tree.module(name)
        if module is None:
            continue
        for class_name, bindings in module.bindings.items():
            if class_name.startswith("_") or not isinstance(bindings[-1].node, ast.ClassDef):
                continue
            value = it.name_in(module, class_name)
            if not isinstance(value, ClassValue) or value.is_enum() or value.is_typed_dict():
                continue
            if value.is_record() or class_name.endswith("Config"):
                found.setdefault(class_name, value)
    return [found[name] for name in sorted(found)]


def config(it: Interpreter) -> Section:
    """Fields of config classes as `Class.field`; plain classes give their `__init__` parameters."""
    section: Section = {}
    for cls in config_classes(it):
        fields = public_fields(cls)
        if cls.is_record():
            for field in fields:
                facts = field_facts(field, it)
                if not field.init:
                    facts["init"] = False
                section[f"{cls.name}.{field.name}"] = facts
        elif "__init__" in cls.body:
            for name, facts in parameters(it, cls.body["__init__"], Scope(cls.module, cls.scope)).items():
                section[f"{cls.name}.{name}"] = facts
        for nested in cls.body.values():
            if isinstance(nested, ast.ClassDef) and nested.name.endswith("Config"):
                inner = cls.member(nested.name)
                for field in public_fields(inner):
                    section[f"{nested.name}.{field.name}"] = field_facts(field, it)
    return section


def parameters(it: Interpreter, node: ast.AST, scope: Scope) -> Section:
    """Parameters of a function other than self, *args and **kwargs, with their defaults."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    spec = node.args
    positional = spec.posonlyargs + spec.args
    pairs: list[tuple[ast.arg, ast.expr | None]] = [(arg, None) for arg in positional]
    for index, value in enumerate(spec.defaults[::-1], 1):
        pairs[-index] = (positional[-index], value)
    pairs.extend(zip(spec.kwonlyargs, spec.kw_defaults, strict=True))
    section: Section = {}
    for arg, default in pairs:
        if arg.arg in ("self", "cls") or arg.arg.startswith("_"):
            continue
        facts: Facts = {"required": True}
        if default is not None:
            facts = {"default": default_of(it.value_of(default, scope), ast.unparse(default))}
        if arg.annotation is not None:
            facts["type"] = annotation_text(arg.annotation)
        section[arg.arg] = facts
    return section


def llm(it: Interpreter) -> Section:
    """Parameters of `LLM(...)` and the engine arguments its constructor forces."""
    cls = class_named(it, "LLM", "vllm.entrypoints.llm")
    node = cls.body["__init__"]
    section = parameters(it, node, Scope(cls.module, cls.scope))
    docs = google_docs(ast.get_docstring(cls.node) or "")
    for name, facts in section.items():
        if name in docs:
            facts["doc"] = docs[name]
    for name, facts in forced(it, cls, node).items():
        section.setdefault(name, facts)
    return section


def forced(it: Interpreter, cls: ClassValue, node: ast.AST) -> Section:
    """`if "x" not in kwargs: kwargs["x"] = VALUE` in a constructor."""
    section: Section = {}
    for part in ast.walk(node):
        if not isinstance(part, ast.If) or "not in kwargs" not in ast.unparse(part.test):
            continue
        for line in part.body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Subscript):
                target = line.targets[0]
                if ast.unparse(target.value) == "kwargs" and isinstance(target.slice, ast.Constant):
                    value = it.value_of(line.value, Scope(cls.module, cls.scope))
                    facts: Facts = {"default": default_of(value, ast.unparse(line.value)), "forced": True}
                    section[str(target.slice.value)] = facts
    return section
