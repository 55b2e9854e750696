"""Options whose value is a mapping: which configuration class takes it at each way in, and what becomes of unknown keys.

`option` names the class and how `LLM()`, `EngineArgs` and the parser build it; `kind` says of each class of vllm/config what
it is built on, whether it refuses unknown keys, and which other names its fields have.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from vllm_migrate.catalog.extract import carrier
from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.facts import annotation_text
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.options import class_named, config_classes, public_fields
from vllm_migrate.catalog.extract.settings import snake

Facts = dict[str, Any]
Sections = dict[str, dict[str, Facts]]

# How a mapping becomes a configuration.
CONSTRUCTOR = (
    "constructor"  # Class(**value): a keyword it does not have is an error, unless pydantic is told to pass over it
)
VALIDATED = "validated"  # pydantic reads the mapping: unknown keys are passed over, unless the class refuses them
CHECKED = "checked"  # each key is looked up among the fields first: one that is none is an error
FILTERED = "filtered"  # the same in a `filter`, whose look-up ends it: the key and all after it are lost without a word
UNCHANGED = "unchanged"  # handed on as it is
_DEF = ast.FunctionDef | ast.AsyncFunctionDef


def nested(it: Interpreter, flags: dict[str, Facts]) -> Sections:
    """`option` and `kind` of a release; `flags` is its section of flags."""
    classes = {cls.name: cls for cls in config_classes(it)}
    forbids = carrier.classes(it)
    kinds = {name: _kind(it, cls, forbids[name]["forbid"]) for name, cls in classes.items()}
    options: dict[str, Facts] = {}
    engine = class_named(it, "AsyncEngineArgs", "vllm.engine.arg_utils")
    llm = class_named(it, "LLM", "vllm.entrypoints.llm")
    builders = [n for cls in engine.ancestors() for n in cls.body.values() if isinstance(n, _DEF)]
    constructor = llm.body.get("__init__")
    for field in public_fields(engine):
        annotation = annotation_text(field.node.annotation) if isinstance(field.node, ast.AnnAssign) else ""
        words = re.findall(r"\w+", annotation)
        named = next((word for word in words if word in classes), None)
        if named is None and "dict" not in words and "HfOverrides" not in words:
            continue
        built, how = _built(builders, f"self.{field.name}", classes)
        cls = named or built or _by_name(field.name, classes)
        facts: Facts = {"engine": how or UNCHANGED}
        if cls:
            facts["class"] = cls
            facts["llm"] = _in_llm(constructor, field.name, classes) or facts["engine"]
            facts["parser"] = _parsed(flags, field.name, cls, classes)
        options[field.name] = facts
    return {"option": options, "kind": kinds}


def _by_name(option: str, classes: dict[str, ClassValue]) -> str | None:
    return next((name for name in classes if snake(name) == option), None)


def _kind(it: Interpreter, cls: ClassValue, forbid: bool) -> Facts:
    facts: Facts = {"built": _base(it, cls), "forbid": forbid}
    aliases: dict[str, Any] = {}
    for field in cls.fields() if cls.is_record() else ():
        extra = field.info.extra if field.info is not None else {}
        for key in ("alias", "validation_alias"):
            if isinstance(extra.get(key), str):
                aliases[field.name] = extra[key]
    if aliases:
        facts["aliases"] = aliases
    renamed = _validated_renames(cls)
    if renamed:
        facts["before"] = renamed
    return facts


def _base(it: Interpreter, cls: ClassValue) -> str:
    """`model`, `pydantic` (a dataclass of pydantic's), `dataclass` or `class`."""
    if any(name.rpartition(".")[2] == "BaseModel" for name in cls.external_bases()):
        return "model"
    for one in cls.ancestors():
        module = it.tree.module(one.module.name)
        for name, decorator in zip(one.decorator_names(), one.node.decorator_list, strict=True):
            spelled = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)
            if spelled.endswith("dataclasses.dataclass"):
                return "pydantic" if "pydantic" in spelled else "dataclass"
            node = module.bindings[name][-1].node if module is not None and name in module.bindings else None
            if name == "dataclass" and isinstance(node, ast.ImportFrom):
                return "pydantic" if (node.module or "").startswith("pydantic") else "dataclass"
            definition = getattr(it.name_in(one.module, name), "node", None) if name == "config" else None
            if definition is not None and re.search(r"(?<!\w)dataclass\(", ast.unparse(definition)):
                return "pydantic"
    return "class"


def _validated_renames(cls: ClassValue) -> list[str]:
    """Validators that work on the mapping before its fields are read: what is refused can depend on them."""
    found = []
    for name, node in cls.body.items():
        if isinstance(node, _DEF):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith("model_validator") and "before" in text:
                    found.append(name)
    return sorted(found)


def _built(
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef], value: str, classes: dict[str, ClassValue]
) -> tuple[str | None, str]:
    """(class, how) in which functions build a configuration from the value of an expression."""
    for function in functions:
        for call in (n for n in ast.walk(function) if isinstance(n, ast.Call)):
            found = _one_call(call, value, classes)
            if found is not None:
                return found
    return None, ""


def _one_call(call: ast.Call, value: str, classes: dict[str, ClassValue]) -> tuple[str, str] | None:
    func = call.func
    if isinstance(func, ast.Name) and func.id in classes:
        for keyword in call.keywords:
            if keyword.arg is None and ast.unparse(keyword.value) == value:
                return func.id, CONSTRUCTOR
    first = ast.unparse(call.args[0]) if call.args else ""
    if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id in classes:
        is_it = value in (first, first.removeprefix("str(").removesuffix(")"))
        return (func.value.id, _method(classes[func.value.id], func.attr)) if is_it else None
    text = ast.unparse(func)
    if text.startswith("TypeAdapter(") and first == value:
        name = text[len("TypeAdapter(") :].partition(")")[0]
        return (name, VALIDATED) if name in classes else None
    return None


def _method(cls: ClassValue, name: str) -> str:
    """How `Class.from_cli(...)` and its like build one."""
    node = cls.lookup(name)
    text = ast.unparse(node) if node is not None else ""
    return VALIDATED if re.search(r"model_validate|validate_(json|python)", text) else CONSTRUCTOR


def _in_llm(constructor: ast.AST | None, option: str, classes: dict[str, ClassValue]) -> str:
    """How `LLM.__init__` builds it, "" when it hands the value on."""
    if not isinstance(constructor, _DEF):
        return ""
    aliases = _aliases(constructor, option)
    whole = ast.unparse(constructor)
    functions = [n for n in ast.walk(constructor) if isinstance(n, ast.FunctionDef)]
    leaving_out = {n.name for n in functions if n is not constructor and "is_init_field" in ast.unparse(n)}
    for call in (n for n in ast.walk(constructor) if isinstance(n, ast.Call)):
        named = isinstance(call.func, ast.Name) and call.func.id in leaving_out
        if named and call.args and ast.unparse(call.args[0]) in aliases:
            return CHECKED
    if "is_init_field" in whole and any(re.search(rf"(?<![\w.]){re.escape(a)}\.items\(\)", whole) for a in aliases):
        return FILTERED if re.search(r"(?<!\w)filter\(", whole) and "StopIteration" not in whole else CHECKED
    for alias in sorted(aliases):
        _, how = _built([constructor], alias, classes)
        if how:
            return how
    return ""


def _aliases(constructor: ast.FunctionDef | ast.AsyncFunctionDef, option: str) -> set[str]:
    """The expressions that hold an option's value in a constructor."""
    found = {option, f"kwargs['{option}']"}
    for node in ast.walk(constructor):
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in found:
            found.update(t.id for t in node.targets if isinstance(t, ast.Name))
    return found


def _parsed(flags: dict[str, Facts], option: str, cls: str, classes: dict[str, ClassValue]) -> str:
    """How the flag builds it: the parser reads JSON into the class, or hands a mapping on."""
    flag = flags.get(f"--{option.replace('_', '-')}")
    if flag is None:
        return "no flag"
    kind = str(flag.get("type", ""))
    if f"dataclass:{cls}" in kind:
        from_cli = classes[cls].lookup("from_cli") if cls in classes else None
        return _method(classes[cls], "from_cli") if from_cli is not None else VALIDATED
    if kind.startswith(f"{cls}."):
        return _method(classes[cls], kind.partition(".")[2])
    return UNCHANGED
