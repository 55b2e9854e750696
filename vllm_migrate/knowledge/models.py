"""Pydantic models of the files in rules/, made of the classes in `records`: unknown fields, wrong types and values are refused.

Not imported by a lint.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from vllm_migrate.knowledge import records
from vllm_migrate.knowledge.expr import Condition
from vllm_migrate.knowledge.record import Record, is_record_class

Model = type[BaseModel]


def _code(code: str) -> str:
    if not re.fullmatch(r"VM[1-8]\d\d", code):
        raise ValueError(f"{code!r} is no code: VM, the digit of a family of docs/rules/README.md and two digits")
    return code


CODE = Annotated[str, AfterValidator(_code)]
SLUG = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
# A condition as it is written.
WRITTEN = str | bool | int | float | None
# What a further part of a rule may say itself; the rest it takes from the rule.
PART = (
    *("each", "options", "when", "severity", "severity_when", "message", "why", "advice", "variants", "fix", "option"),
    *("old", "old_of", "new", "new_of", "at"),
)


def _named(field: str) -> Callable[[object], object]:
    """Something written as a plain text stands for a mapping with that one field."""
    return lambda raw: {field: raw} if isinstance(raw, str) else raw


def _fact(raw: object) -> object:
    """A fact written as a plain value is that value."""
    return raw if isinstance(raw, dict) else {"value_of": repr(raw) if isinstance(raw, str) else raw}


def _styles(raw: object) -> object:
    """One style for a kind of value needs no list."""
    return raw if isinstance(raw, list) else [{"style": raw}]


SHORT: dict[type, Callable[[object], object]] = {
    records.Key: _named("to"),
    records.Passthrough: _named("path"),
    records.FactSpec: _fact,
}
_models: dict[type, Any] = {}


def model_of(title: str, /, *kinds: type[Record], **more: Any) -> Model:
    """The model of a mapping with the fields of all these record classes, and of `more` (name to type)."""
    fields: dict[str, Any] = {}
    for kind in kinds:
        for field, hint in typing.get_type_hints(kind).items():
            fields[field] = (more.pop(field, None) or _checked(hint), kind._defaults.get(field, ...))
    fields.update({field: (hint, None) for field, hint in more.items()})
    return create_model(
        title, __config__=ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True), **fields
    )


def _nested(kind: type[Record]) -> Any:
    """The model of a record inside another one; made once."""
    if kind not in _models:
        model = model_of(kind.__name__, kind)
        _models[kind] = Annotated[model, BeforeValidator(SHORT[kind])] if kind in SHORT else model
    return _models[kind]


def _checked(hint: Any) -> Any:
    """A field's annotation as that of its model: records as models, conditions as they are written, tuples as lists."""
    if hint is Condition:
        return WRITTEN
    if is_record_class(hint):
        return _nested(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        item: Any = _checked(arguments[0])
        items = list[item]
        return Annotated[items, BeforeValidator(_styles)] if arguments[0] is records.StyleCase else items
    if origin is dict:
        return dict[_checked(arguments[0]), _checked(arguments[1])]  # type: ignore[misc]
    if origin in (types.UnionType, typing.Union):
        parts = tuple(_checked(part) for part in arguments)
        return typing.Union[parts]  # noqa: UP007 - made at run time
    return hint


def _some(items: list[object]) -> list[object]:
    if not items:
        raise ValueError("at least one is needed")
    return items


def _two(items: list[object]) -> list[object]:
    if len(items) < 2:
        raise ValueError("at least two are needed")
    return items


EVIDENCE: Any = Annotated[_checked(tuple[records.Evidence, ...]), AfterValidator(_some)]
SILENT: Any = Annotated[_checked(tuple[records.Example, ...]), AfterValidator(_two)]
EXAMPLES = model_of("Examples", records.Examples, silent=SILENT)


def _part() -> Model:
    hints = typing.get_type_hints(records.Rule)
    needed = ("each", "when", "message")
    hints["each"] = Literal["use"]  # only programs are asked by parts
    fields: dict[str, Any] = {name: (_checked(hints[name]), ... if name in needed else None) for name in PART}
    return create_model("Part", __config__=ConfigDict(extra="forbid", strict=True), **fields)


RULE = model_of(
    "Rule",
    *(records.Rule, records.RulePage),
    code=CODE,
    name=SLUG,
    evidence=EVIDENCE,
    also=list[_part()],  # type: ignore[misc]
    examples=EXAMPLES | None,
)
DIALECT = model_of(
    "Dialect",
    *(records.Dialect, records.DialectPage),
    id=SLUG,
    evidence=EVIDENCE,
    examples=model_of("Examples", records.DialectExamples) | None,
)
EFFECTIVE = model_of("Entry", records.EffectiveEntry, records.EffectivePage, evidence=EVIDENCE)
GPU = model_of("Gpu", records.Gpu)
MODEL_NAME = model_of("ModelName", records.ModelName)
