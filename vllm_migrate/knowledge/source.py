"""A YAML file of rules/ with the line of everything in it, so that what is wrong is shown at its place. Build time only."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.opening import read_text

Loc = tuple[str | int, ...]
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RuleSource:
    """One file: `data` with keys as text (`true:`, `null:` and numbers as well), and where each part of it stands.

    base: the file of which this one is a variant; what is not written here stands there.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.label = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        self.path = path
        self.base: RuleSource | None = None
        try:
            text = read_text(str(path))
            self.node = yaml.compose(text, LOADER)
            self.data: Any = _texts(yaml.load(text, LOADER))
        except yaml.YAMLError as error:
            raise VllmMigrateError(f"{self.label}: {' '.join(str(error).split())}") from None

    def wrong(self, loc: Loc, message: str) -> VllmMigrateError:
        """The error that says what is wrong at a place."""
        return VllmMigrateError(self.line(loc, message))

    def line(self, loc: Loc, message: str) -> str:
        source, node, found = self._place(loc)
        if self.base is not None and found < len(loc):
            other = self.base._place(loc)
            if other[2] > found:
                source, node, found = other
        number = node.start_mark.line + 1 if node is not None else 1
        return f"{source.label}:{number}: {dotted(loc)}: {message}" if loc else f"{source.label}:{number}: {message}"

    def _place(self, loc: Loc) -> tuple[RuleSource, yaml.Node | None, int]:
        """The node at a path, or the nearest one around it: at its key, in the line where it is written."""
        node, shown, found = self.node, self.node, 0
        for step in loc:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if _text(_loaded(key)) == step]
                if not pairs:
                    break
                shown, node = pairs[-1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                shown = node = node.value[step]
            else:
                break
            found += 1
        return self, shown, found

    def check(self, model: type[BaseModel], data: object, at: Loc = ()) -> dict[str, object]:
        """The fields of a mapping that are written in it. Raises VllmMigrateError with every mistake, a line each."""
        try:
            return model.model_validate(data).model_dump(exclude_unset=True)
        except ValidationError as error:
            lines = dict.fromkeys(self.line(*_said(fault, model, at)) for fault in error.errors())
            raise VllmMigrateError("\n".join(lines)) from None


def _said(fault: Any, model: type[BaseModel], at: Loc) -> tuple[Loc, str]:
    """Where pydantic found a mistake, and what it is in our words."""
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    # A union's parts are no steps of the path.
    loc = tuple(step for step in fault["loc"] if isinstance(step, int) or step not in _OF_UNIONS)
    if kind == "extra_forbidden":
        fields = _fields_at(model, loc[:-1])
        return (*at, *loc), f"no such field{near(str(loc[-1]), fields)}"
    if kind == "literal_error":
        allowed = [part.strip().strip("'") for part in context["expected"].replace(" or ", ", ").split(",")]
        if loc and loc[-1] == "[key]":
            loc = loc[:-1]
            value = loc[-1]
        return (*at, *loc), f"{value!r} is not one of {', '.join(allowed)}{near(str(value), allowed)}"
    if kind == "missing":
        return (*at, *loc), "is missing"
    if kind == "value_error":
        return (*at, *loc), str(context["error"])
    message = fault["msg"].replace("Input should be", "should be")
    return (*at, *loc), f"{message}, and is {value!r}" if isinstance(value, (str, int, float)) else message


_OF_UNIONS = frozenset(("str", "bool", "int", "float"))


def _fields_at(model: Any, loc: Loc) -> list[str]:
    """The fields that a mapping at a path may have."""
    own_key = False  # the next step is a key of the author's own, as `keys` and `facts` have them
    for step in loc:
        if isinstance(step, int) or own_key:
            own_key = False
            continue
        hint = model.model_fields[step].annotation
        own_key = "dict[" in str(hint)
        model = _inner(hint)
    return list(model.model_fields)


def _inner(hint: Any) -> Any:
    """The model in an annotation such as `dict[str, Key] | None`."""
    if isinstance(hint, type) and not hasattr(hint, "__origin__") and issubclass(hint, BaseModel):
        return hint
    for part in getattr(hint, "__args__", ()):
        found = _inner(part)
        if found is not None:
            return found
    return None


def near(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no name is near."""
    found = difflib.get_close_matches(name, list(names), 1, 0.6 if len(name) > 3 else 0.5)
    return f" (did you mean {found[0]!r}?)" if found else ""


def dotted(loc: Loc) -> str:
    """`transport[0].kind`."""
    out = ""
    for step in loc:
        out += f"[{step}]" if isinstance(step, int) else f".{step}" if out else step
    return out


def _loaded(key: yaml.Node) -> object:
    """A key as YAML reads it, as far as that matters here."""
    kind = key.tag.rpartition(":")[2]
    return None if kind == "null" else key.value.lower() == "true" if kind == "bool" else key.value


def _texts(node: object) -> object:
    if isinstance(node, dict):
        return {_text(key): _texts(value) for key, value in node.items()}
    return [_texts(item) for item in node] if isinstance(node, list) else node


def _text(key: object) -> str:
    """A key as it is written, where YAML reads `true` or `null`."""
    return "none" if key is None else str(key).lower() if isinstance(key, bool) else str(key)
