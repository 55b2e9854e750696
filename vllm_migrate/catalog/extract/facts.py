"""From values of the evaluator to what the catalog stores: JSON values, types and choices as text."""

from __future__ import annotations

import ast
import math
import re
import typing
from typing import Any

from vllm_migrate.catalog.extract.classes import ClassValue
from vllm_migrate.catalog.extract.values import (
    MISSING,
    UNDEFINED,
    External,
    Field,
    FieldInfo,
    Function,
    Host,
    Instance,
    Member,
    ProgramError,
    Undecidable,
    Unknown,
)

Facts = dict[str, Any]


class NotJson(Exception):
    """The value has no JSON form; the catalog stores its expression."""


def jsonable(value: Any) -> Any:
    """JSON form of a decided value; raises NotJson for everything else."""
    if isinstance(value, Member):
        plain = value.cls.enum_mixin() is not None or isinstance(value.value, str | int)
        return jsonable(value.value) if plain else value.name
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise NotJson
        return value
    if isinstance(value, list | tuple):
        return [jsonable(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted((jsonable(v) for v in value), key=lambda v: (str(type(v)), str(v)))
    if isinstance(value, dict):
        return {key_text(k): jsonable(v) for k, v in value.items()}
    raise NotJson


def key_text(key: Any) -> str:
    plain = jsonable(key)
    if isinstance(plain, list):
        raise NotJson
    return str(plain)


def default_of(value: Any, text: str) -> Any:
    """What the catalog stores as a default: the JSON value, else {"expr": text}."""
    try:
        return jsonable(value)
    except NotJson:
        if isinstance(value, Instance) and not value.args and not value.kwargs:
            return {"expr": f"{value.cls.name}()"}
        if isinstance(value, External):
            return {"expr": value.name}
        return {"expr": normal(text)}


def normal(text: str) -> str:
    """An expression in one line and one spelling."""
    try:
        return ast.unparse(ast.parse(text.strip(), mode="eval"))
    except SyntaxError:
        return " ".join(text.split())


def field_default(field: Field, it: Any) -> tuple[bool, Any]:
    """(is it required, what the catalog stores as default) of a field."""
    node = field.node.value
    text = ast.unparse(node) if node is not None else ""
    default, factory = field.default, field.default_factory
    if isinstance(default, FieldInfo):
        default, factory = default.default, default.default_factory
    if factory not in (MISSING, None) if isinstance(factory, type(MISSING)) or factory is None else True:
        return False, default_of(it.call(factory), _factory_text(factory))
    if default in (MISSING, UNDEFINED) if isinstance(default, type(MISSING)) else False:
        return True, None
    return False, default_of(default, text)


def _factory_text(factory: Any) -> str:
    if isinstance(factory, Function):
        if isinstance(factory.node, ast.Lambda):
            return ast.unparse(factory.node.body)
        return f"{factory.owner.name}.{factory.name}()" if factory.owner else f"{factory.name}()"
    if isinstance(factory, ClassValue | External | Host):
        return f"{factory.name}()"
    return f"{getattr(factory, '__name__', factory)}()"


# -- types and choices ---------------------------------------------------------------------------


def annotation_text(node: ast.expr) -> str:
    """An annotation in one spelling: `Optional[X]` and `Union[X, None]` are written `X | None`."""
    return _spelled(_unquoted(node))


def _unquoted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return node
    return node


_LOWER = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "Type": "type", "FrozenSet": "frozenset"}


def _spelled(node: ast.expr) -> str:
    node = _unquoted(node)
    if isinstance(node, ast.Subscript):
        head = ast.unparse(node.value).rpartition(".")[2]
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if head == "Literal":
            return f"Literal[{', '.join(ast.unparse(p) for p in parts)}]"
        if head in ("InitVar", "SkipValidation"):
            return _spelled(parts[0])
        if head == "Annotated":
            return _spelled(parts[0])
        words = [_spelled(p) for p in parts]
        if head == "Optional":
            return _union([*words, "None"])
        if head == "Union":
            return _union(words)
        return f"{_LOWER.get(head, head)}[{', '.join(words)}]"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([_spelled(node.left), _spelled(node.right)])
    text = ast.unparse(node)
    return _LOWER.get(text, text)


def _union(words: list[str]) -> str:
    flat: list[str] = []
    for word in words:
        for part in re.split(r" \| (?![^\[]*\])", word):
            if part not in flat:
                flat.append(part)
    if "None" in flat:
        flat.remove("None")
        flat.append("None")
    return " | ".join(flat)


def hints(value: Any) -> list[Any]:
    """The members of a union, Annotated taken off."""
    origin = typing.get_origin(value)
    if origin is typing.Annotated:
        return hints(typing.get_args(value)[0])
    if origin is typing.Union or str(origin) == "<class 'types.UnionType'>":
        return [one for part in typing.get_args(value) for one in hints(part)]
    return [value]


def documented_choices(value: Any) -> tuple[list[Any] | None, bool]:
    """(values a Literal or Enum annotation names, whether a plain str is accepted as well)."""
    found: list[Any] = []
    is_open = False
    for hint in hints(value):
        origin = typing.get_origin(hint)
        if origin is typing.Literal:
            found.extend(typing.get_args(hint))
        elif origin in (list, tuple, set):
            inner, _ = documented_choices(typing.get_args(hint)[0]) if typing.get_args(hint) else (None, False)
            found.extend(inner or ())
        elif isinstance(hint, ClassValue) and hint.is_enum():
            found.extend(_enum_choices(hint))
        elif hint is str:
            is_open = True
    try:
        return ([jsonable(v) for v in found] or None), is_open
    except NotJson:
        return None, is_open


def _enum_choices(cls: ClassValue) -> list[Any]:
    members = cls.members()
    if any(isinstance(m.value, Unknown) for m in members):
        return [m.name for m in members]
    if all(isinstance(m.value, str) and "." in m.value for m in members):
        return [m.name for m in members]  # class paths: users write the name
    return [jsonable(m) for m in members]


_DEPRECATED = re.compile(
    r"\[DEPRECATED|^\W*deprecated\b|(?:this|the) (?:\w+ ){0,3}is (?:now )?deprecated|is deprecated and", re.IGNORECASE
)


def deprecation(doc: str, marker: Any = None) -> str | None:
    """The sentence that announces a deprecation, None when nothing does."""
    if isinstance(marker, str) and marker:
        return " ".join(marker.split())
    found = _DEPRECATED.search(doc)
    if found is None:
        return "deprecated" if marker is True else None
    paragraph = doc[doc.rfind("\n\n", 0, found.start()) + 1 :].split("\n\n")[0]
    return " ".join(paragraph.split())[:400]


def field_facts(field: Field, it: Any) -> Facts:
    """Facts of one field: default or required, type, choices, deprecation, documentation."""
    required, default = field_default(field, it)
    facts: Facts = {"required": True} if required else {"default": default}
    facts["type"] = annotation_text(field.node.annotation) if isinstance(field.node, ast.AnnAssign) else ""
    try:
        choices, is_open = documented_choices(field.type.value(True))
    except (Undecidable, ProgramError):
        choices, is_open = None, False
    if choices:
        facts["choices"] = choices
        if is_open:
            facts["open"] = True
    marker = field.info.deprecated if field.info else None
    if text := deprecation(field.doc, marker):
        facts["deprecated"] = text
    if field.doc:
        facts["doc"] = field.doc
    return facts
