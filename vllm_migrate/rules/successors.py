"""What takes the place of a setting that the target refuses, where the files determine it: the catalog's renames, with their values.

Several settings may go into one mapping (`structured_outputs_config`): each of their findings proposes the whole of it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from vllm_migrate.catalog import nested, requires
from vllm_migrate.dialects.model import Engine
from vllm_migrate.documents.interface import Unknown
from vllm_migrate.rules.finding import Action
from vllm_migrate.rules.inner import InnerSetting, inner_settings
from vllm_migrate.rules.setting import Setting

if TYPE_CHECKING:
    from vllm_migrate.catalog.store import OptionFacts, Rename
    from vllm_migrate.dialects.model import Written
    from vllm_migrate.resolve.view import View
    from vllm_migrate.rules.using import Using

TRUE, FALSE = ("1", "true", "True"), ("0", "false", "False", "")
# `profiler_config.torch_profiler_dir` in the note of a rename: the mapping and its field.
FIELD = re.compile(r"(?P<option>[a-z]\w+_config)\.(?P<field>\w+)")
ROPE, OVERRIDES = ("rope_scaling", "rope_theta"), "hf_overrides"
# What has to be written of a kind of scaling; of others everything, for a default of the model's class fills in.
WHOLE = {"rope_type", "factor", "original_max_position_embeddings"}
PARTS = {"linear": {"rope_type", "factor"}, "dynamic": {"rope_type", "factor"}}
# What vLLM 0.8.5 took behind the colon of a guided decoding backend -> the field of structured_outputs_config.
BACKEND_OPTIONS = {
    "disable-any-whitespace": "disable_any_whitespace",
    "no-additional-properties": "disable_additional_properties",
    "no-fallback": "",
}
# Fields whose value changes with the name: old value -> new value; None: the key goes, for the default says the same.
VALUES: dict[str, dict[object, object]] = {
    "CompilationConfig.use_cudagraph": {True: "PIECEWISE", False: "NONE"},
    "CompilationConfig.full_cuda_graph": {True: "FULL", False: None},
    "CompilationConfig.use_inductor": {True: "inductor", False: "eager"},
}


class Successor(NamedTuple):
    """option = value at the target; field: of its mapping, "" where the option itself has the value."""

    option: str
    field: str
    value: object


class Field(NamedTuple):
    """A field of a configuration class and its value at the target; None: it goes, for the default says the same."""

    name: str
    value: object


def actions(source: View, target: View, setting: Setting) -> Iterator[Action]:
    """The changes that put what takes its place where a setting stands; none where that is not determined."""
    if isinstance(setting, InnerSetting):
        yield from _inside(source, target, setting)
        return
    if setting.option in ROPE:
        yield from _rope(source, target, setting)
        return
    if setting.nameless():
        yield Action(
            "respell",
            setting.option,
            renamed_keys(source, target, setting.option, setting.written.value),
            setting.written,
        )
        return
    mine = successors(setting)
    if mine is None:
        return
    if not mine:
        yield _drop(setting)
        return
    option = mine[0].option
    group = [
        (one, found)
        for one in _alike(source, target, setting)
        if (found := successors(one)) and found[0].option == option
    ]
    if any(one.option == option for one in _written(source, target)):
        return
    value = _joined([each for _, found in group for each in found])
    if setting.is_env:
        yield Action("set", option, value)
        yield from (_drop(one) for one, _ in group)
        return
    yield Action("respell", option, value, group[0][0].written)
    yield from (_drop(one) for one, _ in group[1:])


def renamed_keys(source: View, target: View, option: str, value: object) -> object:
    """A mapping with the names that its keys have at the target, where a renamed option takes it along."""
    whole = value
    with suppress(ValueError):
        whole = json.loads(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    known, catalog = nested.load(target.catalog), target.catalog
    cls = known.class_of(option, target.release)
    if not isinstance(whole, dict) or cls is None:
        return value
    low, high = catalog.ordinal(source.release), catalog.ordinal(target.release)
    renames = {
        rename.old.removeprefix(f"{cls}."): rename
        for rename in catalog.renames
        if rename.section == "config" and low < catalog.ordinal(rename.since) <= high
    }
    out: dict[str, object] = {}
    for key, inner in whole.items():
        field = _field(renames[key], inner) if key in renames else None
        if field is None:
            out.setdefault(key, inner)
        elif field.value is not None or inner is None:
            out[field.name] = field.value
    if out.keys() == whole.keys():
        return value
    return json.dumps(out) if isinstance(value, str) else out


def successors(setting: Setting) -> list[Successor] | None:
    """What a removed setting becomes: nothing where its value has no meaning any more, None where it is not determined."""
    rename, value = setting.rename(), setting.written.value
    if isinstance(value, Unknown) or setting._in(setting.target):
        return None
    if rename is None or rename.new is None:
        return None
    if setting.option == "disable_mm_preprocessor_cache":
        return [Successor("mm_processor_cache_gb", "", 0)] if value in (True, *TRUE) else []
    found = FIELD.search(rename.note) if rename.polarity == "nested" else None
    option, field = (found["option"], found["field"]) if found else (rename.new.lstrip("-").replace("-", "_"), "")
    if rename.polarity not in ("same", "nested") or (rename.polarity == "nested" and not field) or option.isupper():
        return None
    if setting.option == "guided_decoding_backend":
        return _backend(setting, option, str(value))
    out = _converted(setting, option, field, value)
    if out and field == "torch_profiler_dir":
        out.insert(0, Successor(option, "profiler", "torch"))
    return out


def _rope(source: View, target: View, setting: Setting) -> Iterator[Action]:
    """The fields of the model's configuration, put over it. What is read is one mapping that replaces the model's own, so both of
    its parts have to be written; up to transformers 4 a base alone is patched into the model's own."""
    parts = {one.option: one for one in _written(source, target) if one.option in ROPE}
    package = requires.load().package("transformers", target.release)
    scaling, theta = (parts[name].written.value if name in parts else None for name in ROPE)
    with suppress(ValueError):
        scaling = json.loads(scaling) if isinstance(scaling, str) else scaling
        theta = float(theta) if isinstance(theta, str) else theta
    known = all(one.option != OVERRIDES for one in _written(source, target)) and package is not None
    if not known or setting._in(target) or (theta is not None and not isinstance(theta, (int, float))):
        return
    value: dict[str, object] = {"rope_theta": theta}
    if scaling is not None:
        if not isinstance(scaling, dict) or theta is None:
            return
        scaling = {
            "rope_type" if key == "type" and "rope_type" not in scaling else key: scaling[key] for key in scaling
        }
        if not scaling.keys() >= PARTS.get(str(scaling.get("rope_type")), WHOLE):
            return
        value = {**_yarn_length(scaling, target), "rope_parameters": {**scaling, "rope_theta": theta}}
    elif package is None or not all("<5" in spec.split(",") for spec in package.specs()):
        return
    first, *rest = parts.values()
    yield Action("respell", OVERRIDES, value, first.written)
    yield from map(_drop, rest)


def _yarn_length(scaling: dict[str, object], target: View) -> dict[str, object]:
    """The context length that YaRN's factor gave by itself up to 0.29.0."""
    length, factor = scaling.get("original_max_position_embeddings"), scaling["factor"]
    plain = isinstance(length, int) and isinstance(factor, int | float)
    if scaling["rope_type"] != "yarn" or not plain or not target._since("0.30.0"):
        return {}
    assert isinstance(length, int) and isinstance(factor, int | float)
    return {"max_position_embeddings": int(length * factor)}


def _backend(setting: Setting, option: str, value: str) -> list[Successor] | None:
    name, _, more = value.partition(":")
    out = _converted(setting, option, "backend", name)
    for word in filter(None, more.split(",")):
        if word not in BACKEND_OPTIONS:
            return None
        if BACKEND_OPTIONS[word] and out is not None:
            out.append(Successor(option, BACKEND_OPTIONS[word], True))
    return out


def _converted(setting: Setting, option: str, field: str, value: object) -> list[Successor] | None:
    target = setting.target
    facts: OptionFacts | None
    if field:
        known = nested.load(target.catalog)
        cls = known.class_of(option, target.release)
        if cls is None:
            return None
        facts = known.field(cls, field, target.release)
        if facts is None:  # it went as well
            return []
    else:
        facts = target.catalog.get("engine", option, target.release)
        if facts is None:
            return None
    new = _typed(value, facts)
    return None if new is None else [Successor(option, field, new)]


def _typed(value: object, facts: OptionFacts) -> object:
    """The value as the target's type has it (a variable is always a text); None where it is none of that type."""
    kinds = set(re.findall(r"\w+", facts.type))
    choices = [choice for choice in facts.choices or () if isinstance(choice, str)]
    if "bool" in kinds:
        return True if value in (True, *TRUE) else False if value in (False, *FALSE) else None
    if choices:
        return value if value in choices else None
    numbers = [choice for choice in facts.choices or () if isinstance(choice, int)]
    if numbers:
        return next((number for number in numbers if str(number) == str(value)), None)
    for kind, make in (("int", int), ("float", float)):
        if kind in kinds and isinstance(value, str):
            try:
                number = make(value)
            except ValueError:
                continue
            return int(number) if number == int(number) else number
    return value if not isinstance(value, bool) else None


def _joined(found: list[Successor]) -> object:
    """The value of one option of all that goes into it."""
    if not found[0].field:
        return found[0].value
    return {each.field: each.value for each in found}


def _written(source: View, target: View) -> list[Setting]:
    engine = target.engine
    return [Setting(source, target, written) for written in (engine.options if isinstance(engine, Engine) else ())]


def _alike(source: View, target: View, setting: Setting) -> list[Setting]:
    """The settings of its kind, options or variables, that are written for the engine."""
    if not setting.is_env:
        return _written(source, target)
    facts = [fact for name, fact in target.engine.facts.items() if name.startswith("env.")]
    return [Setting(source, target, fact.written) for fact in facts if fact.written is not None]


def _drop(setting: Setting) -> Action:
    return Action("drop", setting.option, None, setting.written)


# -- keys inside mappings


def _inside(source: View, target: View, setting: InnerSetting) -> Iterator[Action]:
    outer = setting.inner.outer
    new = _renamed(setting)
    if new is None:
        return
    key, value = new
    if _has_place(setting.written):
        if value is None:
            yield Action("drop", setting.option, None, setting.written)
        else:
            yield Action("respell", ".".join((setting.outer, *setting.inner.path[:-1], key)), value, setting.written)
        return
    text = outer.value
    if outer.key.count("."):
        return
    whole = json.loads(text) if isinstance(text, str) else copy.deepcopy(text)
    if not isinstance(whole, dict):
        return
    for other in inner_settings(source, target):
        if other.inner.outer is outer and (replaced := _renamed(other)) is not None:
            _replace(whole, other.inner.path, *replaced)
    yield Action("respell", setting.outer, json.dumps(whole) if isinstance(text, str) else whole, outer)


def _has_place(written: Written) -> bool:
    """Whether a key inside a mapping has a place of its own: not in a text of JSON, nor in a program's or an override's value."""
    if written.words is not None:
        return True
    place = written.tree.place if written.tree is not None else None
    if place is None:
        return False
    if place.file.shell is None:
        return place.file.data is not None and place.file.data.carrier != "python"
    at = place.path[0]
    assert isinstance(at, int)
    word = place.file.shell.commands[place.index].words[at]
    return (word.value or word.prefix).partition("=")[0].endswith("." + written.key.rpartition(".")[2])


def _renamed(setting: InnerSetting) -> tuple[str, object] | None:
    """(name, value) of a refused key at the target, with None as value where it goes; None where that is not determined."""
    rename, value = setting.rename(), setting.written.value
    if rename is None or isinstance(value, Unknown) or setting._in(setting.target):
        return None
    if setting.written.words is not None and isinstance(
        value, str
    ):  # the parser reads the text of a dotted key as JSON
        with suppress(ValueError):
            value = json.loads(value)
    new = _field(rename, value)
    return None if new is None else (new.name, new.value)


def _field(rename: Rename, value: object) -> Field | None:
    """What a field becomes whose name, or whose values too, changed; None where that is not determined."""
    name = (rename.new or "").rpartition(".")[2]
    if not name or rename.polarity == "same":
        return Field(name, value) if name else None
    table = VALUES.get(rename.old)
    return Field(name, table[value]) if table is not None and isinstance(value, bool) else None


def keyword(using: Using) -> Field | None:
    """What takes the place of a keyword of a configuration class."""
    rename = using.renamed_field()
    return None if rename is None else _field(rename, using.use.written.value)


def _replace(whole: dict[str, object], path: tuple[str, ...], key: str, value: object) -> None:
    """Put `key: value` where the last key of a path stands; a value of None takes it away."""
    at: object = whole
    for step in path[:-1]:
        at = at[step] if isinstance(at, dict) else None
    if not isinstance(at, dict) or path[-1] not in at:
        return
    items = list(at.items())
    at.clear()
    for name, old in items:
        if name != path[-1]:
            at.setdefault(name, old)
        elif value is not None:
            at[key] = value
