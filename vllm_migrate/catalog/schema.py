"""JSON Schema 2020-12 of the file `vllm serve --config` reads, for editors and for checking a file.

It accepts what the release's own parser accepts and hands on, and rejects the rest: unknown keys, values the
option refuses, and values that are dropped on the way (a plain `false`, an empty list).
"""

from __future__ import annotations

import json
import re
from typing import Any

from vllm_migrate.catalog import details
from vllm_migrate.catalog.store import Catalog, Flag

Schema = dict[str, Any]
_INTEGER = r"^\s*[+-]?\d+(_\d+)*\s*$"
_FLOAT = (
    r"^\s*[+-]?((\d+(_\d+)*)?\.?\d+([eE][+-]?\d+)?|\d+(_\d+)*\.([eE][+-]?\d+)?"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])\s*$"
)
_HUMAN = r"^\s*([+-]?\d+(_\d+)*|\d+(\.\d+)?[kmgt]|\d+[KMGT])\s*$"
_JSON_TEXT = r'^\s*(\{[\s\S]*\}|\[[\s\S]*\]|"[\s\S]*"|-?\d[\d.eE+-]*|true|false|null|NaN|-?Infinity)\s*$'
# argparse takes a word for an option when it starts with a dash, unless it is a number or holds a space
_WORD = r"^(?!-)|^-$|^-\d+$|^-\d*\.\d+$|^-[^\s]*\s"
_NONE = {"type": "null"}
_DOTTED: Schema = {"type": ["string", "number"]}
_TRUE = {"const": True, "description": "false never arrives: leave the key out, or write the opposite flag"}


def schema(cat: Catalog, release: str) -> Schema:
    """The schema of one release. Raises UnknownRelease."""
    release = cat.canonical(release)
    builder = _Builder(cat, release)
    properties: dict[str, Schema] = {}
    for option, flag in cat.flags(release).items():
        if option.startswith("--") and flag.action != "help":
            properties[option[2:]] = builder.option(option, flag)
    found: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"vllm serve --config, vLLM {release}",
        "type": "object",
        "properties": dict(sorted({**properties, **builder.spellings(properties)}.items())),
        "additionalProperties": False,
    }
    pattern = builder.dotted_pattern(properties)
    if pattern:
        found["patternProperties"] = {pattern: _DOTTED}
    return found


class _Builder:
    def __init__(self, cat: Catalog, release: str) -> None:
        self.cat = cat
        self.release = release
        self.details = details.load(cat)
        self.carries = self.details.carries(release)

    def option(self, option: str, flag: Flag) -> Schema:
        """Schema of one key, with description, default and deprecation."""
        found = dict(self.value(flag))
        doc = self.details.doc(flag.section, flag.name, self.release)
        if doc and not flag.negative:
            note = found.pop("description", None)
            found["description"] = f"{doc}\n\n{note}" if note else doc
        elif flag.negative:
            found["description"] = f"Sets {flag.dest} to false."
        if flag.default is not None and not flag.negative and not _is_expression(flag.default):
            found["default"] = flag.default
        if flag.deprecated:
            found["deprecated"] = True
            note = f"Deprecated: {flag.deprecated}"
            found["description"] = f"{found['description']}\n\n{note}" if "description" in found else note
        return found

    def value(self, flag: Flag) -> Schema:
        if not flag.takes_value:
            return dict(_TRUE)
        one = self.word(flag)
        if flag.nargs is None:
            return self.single(one, flag)
        if flag.nargs == "?":
            return {"anyOf": [{"const": True}, self.single(one, flag)]}
        return self.several(one, flag)

    def single(self, one: Schema, flag: Flag) -> Schema:
        """One argument; a list of one is the same when lists are carried."""
        ways = [one, *self.mapping(flag)]
        if self.carries["lists"]:
            ways.append(_list_of(_inside_list(one), 1, 1))
        else:
            ways += _python_text(flag)
        return ways[0] if len(ways) == 1 else {"anyOf": ways}

    def several(self, one: Schema, flag: Flag) -> Schema:
        least, most = (flag.nargs, flag.nargs) if isinstance(flag.nargs, int) else (1, None)
        ways = [one, *self.mapping(flag)] if least == 1 else []
        if self.carries["lists"]:
            ways.append(_list_of(_inside_list(one), least, most))
        elif least == 1:
            ways += _python_text(flag)
        if flag.nargs == "*":
            ways.insert(0, {"const": True})
        return ways[0] if len(ways) == 1 else {"anyOf": ways}

    # -- one argument ----------------------------------------------------------------------------

    def word(self, flag: Flag) -> Schema:
        """Scalars whose text the option converts."""
        kind = flag.type
        optional = kind.startswith("optional_")
        base = kind.removeprefix("optional_")
        if flag.choices is not None:
            return _choices(flag.choices, base, optional)
        ways: list[Schema] = []
        if base == "int":
            ways = [{"type": "integer"}, _text(_INTEGER)]
        elif base == "float":
            ways = [{"type": "number"}, _text(_FLOAT)]
        elif base in ("human_readable_int", "human_readable_int_or_auto"):
            ways = [{"type": "integer"}, _text(_HUMAN)]
            if base.endswith("auto"):
                ways.append(_text(r"^\s*[aA][uU][tT][oO]\s*$"))
        elif base == "json":
            ways = [{"type": "number"}, _text(_JSON_TEXT)]
        elif base == "json_or_kvs":
            ways = [_text(r"^\{[^\n]*\}$"), _text(r"^[^=,]+=\s*[+-]?\d+\s*(,[^=,]+=\s*[+-]?\d+\s*)*$")]
        elif base.startswith("dataclass:") or base.endswith((".from_cli", ".from_json")):
            ways = self.config_text(base)
        elif base == "union_dict_and_str":
            ways = [{"type": "number"}, _text(_WORD), *([] if optional else [_NONE])]
        else:  # str, and whatever takes any text
            ways = [{"type": "number"}, _text(_WORD), *([] if optional else [_NONE])]
            if flag.action == "LoRAParserAction":
                ways = [_text(r"^[^=,]+=[^=,]*$|^\s*\{[\s\S]*\}\s*$|^$|^None$"), _NONE]
            elif flag.action == "PromptAdapterParserAction":
                return {"anyOf": [_text(r"^[^-=][^=]*=[^=]*$")]}
        if optional:
            ways = [*ways, {"enum": ["", "None", None]}]
        return {"anyOf": ways}

    def config_text(self, base: str) -> list[Schema]:
        if base == "CompilationConfig.from_cli":
            return [{"enum": [0, 1, 2, 3]}, _text(r"^([0-3]|\s*\{[\s\S]*\}\s*)$")]
        return [_text(r"^\s*\{[\s\S]*\}\s*$")]

    def mapping(self, flag: Flag) -> list[Schema]:
        """A YAML mapping: JSON where the release carries mappings, else its Python text."""
        base = flag.type.removeprefix("optional_")
        if base == "CompilationConfig.from_cli":
            return [self.known_keys("CompilationConfig")]
        if flag.action.endswith("ParserAction"):
            takes_it = self.carries["mappings"] and flag.action == "LoRAParserAction"
            return [{"type": "object", "required": ["name", "path"]}] if takes_it else []
        if not self.carries["mappings"]:
            if _takes_mapping(flag) or base.endswith((".from_cli", ".from_json")):  # `{}` is JSON as well
                return [{"type": "object", "maxProperties": 0}]
            return [{"type": "object"}] if base == "str" and flag.choices is None else []
        if base.startswith("dataclass:"):
            return [self.known_keys(base.partition(":")[2])]
        any_text = base in ("json", "union_dict_and_str", "str") or base.startswith("lambda")
        if any_text and flag.choices is None:
            return [{"type": "object"}]
        return []

    def known_keys(self, config_class: str) -> Schema:
        """An object with the fields of a config class, closed where the class refuses others."""
        prefix = config_class + "."
        fields: dict[str, Schema] = {}
        required = []
        for name in sorted(self.cat.names("config", self.release)):
            if not name.startswith(prefix):
                continue
            facts = self.cat.get("config", name, self.release)
            if facts is None or facts.extra("init") is False:
                continue
            field = name[len(prefix) :]
            fields[field] = {}
            if doc := self.details.doc("config", name, self.release):
                fields[field]["description"] = doc
            if facts.required:
                required.append(field)
        if not fields:
            return {"type": "object"}
        found: Schema = {"type": "object", "properties": fields}
        if required:
            found["required"] = required
        if self.details.forbids_extra(config_class, self.release):
            found["additionalProperties"] = False
        return found

    # -- keys ------------------------------------------------------------------------------------

    def spellings(self, properties: dict[str, Schema]) -> dict[str, Schema]:
        """Other spellings of keys: with underscores, and one field of a mapping. Abbreviations are left out, though argparse
        takes them: another release may take the same one for something else, or for nothing."""
        found = {key.replace("-", "_"): {"$ref": f"#/properties/{key}"} for key in properties if "-" in key}
        for key in self._mappings(properties):
            for field, known in self._closed(key).items():
                for name in {key, key.replace("-", "_")}:
                    found[f"{name}.{field}"] = {**_DOTTED, **known}
        return found

    def dotted_pattern(self, properties: dict[str, Schema]) -> str:
        """Pattern of `option.key` where any key may follow, and of `option.field.key`; "" where dots mean nothing."""
        ways = []
        for key in self._mappings(properties):
            closed = self._closed(key)
            deeper = [field for field in closed if not self._is_scalar(key, field)]
            if not closed:
                ways.append(f"{_either(key)}\\..+")
            elif deeper:
                ways.append(f"{_either(key)}\\.({'|'.join(deeper)})\\..+")
        return f"^({'|'.join(ways)})$" if ways else ""

    def _mappings(self, properties: dict[str, Schema]) -> list[str]:
        flags = self.cat.flags(self.release)
        return (
            [key for key in sorted(properties) if _takes_mapping(flags["--" + key])] if self.carries["dotted"] else []
        )

    def _closed(self, key: str) -> dict[str, Schema]:
        """The fields of the class behind an option that refuses others; empty where any key may stand."""
        config_class = self._class(key)
        known = self.known_keys(config_class) if config_class else {}
        fields: dict[str, Schema] = known.get("properties", {})
        return fields if known.get("additionalProperties") is False else {}

    def _class(self, key: str) -> str:
        return self.cat.flags(self.release)["--" + key].type.partition("dataclass:")[2]

    def _is_scalar(self, key: str, field: str) -> bool:
        facts = self.cat.get("config", f"{self._class(key)}.{field}", self.release)
        words = set(re.findall(r"\w+", facts.type)) if facts is not None else set()
        return bool(words) and words <= {"bool", "int", "float", "str", "None", "Optional"}


def _either(text: str) -> str:
    return escaped(text).replace("-", "[-_]")


def escaped(text: str) -> str:
    """A text as a regular expression of Python's and of ECMAScript's, which knows no escape of other characters."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)


def _takes_mapping(flag: Flag) -> bool:
    base = flag.type.removeprefix("optional_")
    known = base in ("json", "json_or_kvs", "union_dict_and_str") or base.startswith("dataclass:")
    return known and flag.takes_value and not flag.negative


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _list_of(item: Schema, least: int, most: int | None) -> Schema:
    found: Schema = {"type": "array", "items": item, "minItems": least}
    if most is not None:
        found["maxItems"] = most
    return found


def _inside_list(one: Schema) -> Schema:
    """Inside a list every scalar becomes its text, booleans as `True` and `False`."""
    accepts_any_text = any(way.get("pattern") == _WORD for way in one.get("anyOf", ()))
    return {"anyOf": [*one["anyOf"], {"type": "boolean"}]} if accepts_any_text else one


def _python_text(flag: Flag) -> list[Schema]:
    """Before lists were carried, a list became its Python text, which reads as JSON when it holds numbers."""
    if flag.choices is not None or flag.action.endswith("ParserAction"):
        return []
    if flag.type in ("str", "optional_str"):
        return [{"type": "array"}]
    if flag.type == "json":
        return [{"type": "array", "items": {"type": "number"}}]
    return []


def _choices(choices: list[Any], base: str, optional: bool) -> Schema:
    """Values argparse finds among its choices, and the texts it converts to them."""
    values: list[Any] = []
    patterns: list[str] = []
    for choice in choices:
        if choice is None:
            values += ["", "None", None] if optional else []
        elif isinstance(choice, str):
            if optional and choice == "None":
                continue  # the text None becomes no value before the choices are asked
            values.append(choice)
            values += _as_yaml(choice)
            if base.startswith("lambda") and ".lower()" in base:
                loose = "".join(_letter(c, "replace" in base) for c in choice)
                patterns.append(f"^{loose}$")
        else:
            values += [choice, str(choice)]
    unique = [
        v
        for i, v in enumerate(values)
        if not any(v == w and isinstance(v, bool) == isinstance(w, bool) for w in values[:i])
    ]
    ways: list[Schema] = [{"enum": unique}]
    ways += [_text(pattern) for pattern in patterns]
    return {"anyOf": ways}


def _letter(letter: str, dashes: bool) -> str:
    if letter.isalpha():
        return f"[{letter.lower()}{letter.upper()}]"
    return "[-_]" if dashes and letter in "-_" else escaped(letter)


def _as_yaml(choice: str) -> list[Any]:
    """The YAML number whose text is this choice."""
    try:
        value = json.loads(choice)
    except ValueError:
        return []
    return [value] if isinstance(value, int | float) and str(value) == choice else []


def _is_expression(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"expr"}
