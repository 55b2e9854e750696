"""JSON Schemas (2020-12) for editors: of a rule's file, of a dialect's file, and of the files that a framework reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vllm_migrate.catalog import details
from vllm_migrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vllm_migrate.catalog.store import Catalog, OptionFacts
    from vllm_migrate.knowledge.records import Dialect, EngineSpec, Key

Schema = dict[str, Any]
DIALECT_2020 = "https://json-schema.org/draft/2020-12/schema"
TREES = ("yaml", "toml", "json")
# What stands for a value that another file, or nobody yet, decides.
OPEN: Schema = {"type": "string", "pattern": r"^(.*\$\{.*|\?\?\?)$"}
WORDS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "None": "null"}
ANYWHERE = "#/$defs/anywhere"


def file_schema(kind: str) -> Schema:
    """The schema of a file in rules/ ("rule") or rules/dialects/ ("dialect"), made of the models that the build checks with."""
    from pydantic.json_schema import GenerateJsonSchema

    from vllm_migrate.knowledge.models import DIALECT, RULE

    class Quiet(GenerateJsonSchema):
        """Defaults that are no JSON are left out."""

        ignored_warning_kinds = {"non-serializable-default", "skipped-choice"}

    found = {"rule": RULE, "dialect": DIALECT}[kind].model_json_schema(schema_generator=Quiet)
    for name in ("Key", "Passthrough"):  # each may be written as its one field
        if name in found.get("$defs", {}):
            found["$defs"][name] = {"anyOf": [{"type": "string"}, found["$defs"][name]]}
    if "FactSpec" in found.get("$defs", {}):
        plain = {"type": ["string", "number", "boolean", "null"]}
        found["$defs"]["FactSpec"] = {"anyOf": [plain, found["$defs"]["FactSpec"]]}
    if kind == "dialect":  # one that extends another takes the rest from it
        needed = found.pop("required")
        found.update({"required": ["id"], "if": {"required": ["extends"]}, "else": {"required": needed}})
    for holder in found.get("$defs", {}).values():
        _one_style(holder)
    return {"$schema": DIALECT_2020, **found, "title": f"A {kind} of vllm-migrate"}


def _one_style(holder: Schema) -> None:
    """One style for a kind of value needs no list."""
    values = holder.get("properties", {}).get("values", {}).get("additionalProperties")
    if isinstance(values, dict) and values.get("items", {}).get("$ref", "").endswith("StyleCase"):
        holder["properties"]["values"]["additionalProperties"] = {"anyOf": [{"type": "string"}, values]}


def dialect_schema(dialect: Dialect, catalog: Catalog, release: str) -> Schema:
    """The schema of a file of a framework, for one release of vLLM. Raises UsageError where it has no such file.

    It knows the keys that set vLLM's options, and closes mappings that are passed through as they are; all else is free.
    """
    if dialect.own_format is not None:
        raise UsageError(
            f"{dialect.title} has no keys of its own, of which a schema could be made",
            f"`vllm-migrate schema {release}` is the one of a `vllm serve --config` file",
        )
    specs = [spec for spec in dialect.engines if not spec.calls]
    if not specs or not set(TREES).intersection(dialect.carriers):
        raise UsageError(
            f"{dialect.title} is written in {' and '.join(dialect.carriers)}, of which no schema can be made",
            "`vllm-migrate dialects` lists the carriers of each",
        )
    return _Builder(dialect, catalog, catalog.canonical(release)).schema(specs)


class _Builder:
    def __init__(self, dialect: Dialect, catalog: Catalog, release: str) -> None:
        self.dialect = dialect
        self.catalog = catalog
        self.release = release
        self.details = details.load(catalog)

    def schema(self, specs: Iterable[EngineSpec]) -> Schema:
        """The whole file."""
        root: Schema = {}
        anywhere: list[Schema] = []
        for spec in specs:
            engine = self._guarded(spec, self._engine(spec))
            if spec.root.startswith("**"):
                anywhere.append(_at(spec.root.removeprefix("**").lstrip("."), engine))
            else:
                _merge(root, _at(spec.root, engine))
        for key, meant in self.dialect.absolute.items():
            _merge(root, _at(key, self._key(meant)))
        found: Schema = {
            "$schema": DIALECT_2020,
            "title": f"{self.dialect.title}, vLLM {self.release}",
            "type": "object",
            **root,
        }
        if anywhere:
            reference = {"$ref": ANYWHERE}
            below = {"additionalProperties": reference, "items": reference}
            found["$defs"] = {"anywhere": {"allOf": [*anywhere, below]}}
            found.setdefault("allOf", []).append(reference)
        return found

    def _guarded(self, spec: EngineSpec, engine: Schema) -> Schema:
        """The engine's schema, asked only of a mapping that is one as far as its own keys show."""
        signs = [_at(key, {"const": value}, required=True) for key, value in spec.where.items()]
        signs += [_at(spec.has, {}, required=True)] if spec.has else []
        return {"if": {"type": "object", "allOf": signs}, "then": engine} if signs else engine

    def _engine(self, spec: EngineSpec) -> Schema:
        out: Schema = {}
        for key, meant in (self.dialect.keys if spec.keys is None else spec.keys).items():
            _merge(out, _at(key, self._key(meant)))
        for passed in self.dialect.passthrough:
            if passed.prefix:
                inner = self._variables(passed.prefix)
            else:
                inner = self._passed(passed.excluding, bool(spec.root or passed.path))
            _merge(out, _at(passed.path, inner))
        if spec.vllm_names:
            _merge(out, self._passed((), bool(spec.root)))
        return out

    def _key(self, meant: Key) -> Schema:
        """A key of the framework's own."""
        section, _, name = meant.to.rpartition(".")
        if section not in ("", "sampling", "env"):
            return {}
        facts = self.catalog.get(section or "engine", name, self.release)
        # On a command line a number may be written as a text.
        cli = any(each.kind == "cli" for each in self.dialect.transport)
        found = {} if cli or meant.values or meant.invert or section == "env" else self._value(facts)
        words = f"Sets {meant.to} of vLLM"
        doc = self.details.doc(section or "engine", name, self.release) if facts is not None else ""
        return {**found, "description": f"{words}: {doc}" if doc else f"{words}."}

    def _passed(self, excluding: tuple[str, ...], own: bool) -> Schema:
        """A mapping that is passed through: the options of vLLM, and nothing else where all that carries it refuses the rest.

        own: it is a mapping of its own, and not the whole file.
        """
        properties = self._options()
        transports = self.dialect.transport
        kept = (*excluding, *(name for each in transports for name in (*each.drops, *each.positional)))
        properties.update({name: {} for name in kept if "*" not in name and name not in properties})
        found: Schema = {"properties": properties}
        if own and transports and not any(each.lenient for each in transports):
            found["patternProperties"] = {r"\.": {}}
            found["additionalProperties"] = False
        return found

    def _variables(self, prefix: str) -> Schema:
        """Options as variables with a prefix, which stand among others."""
        options = {name: found for name, found in self._options().items() if "-" not in name}
        return {"properties": {f"{prefix}{name.upper()}": found for name, found in options.items()}}

    def _options(self) -> dict[str, Schema]:
        """vLLM's options under the names by which they travel."""
        cli = any(each.kind == "cli" for each in self.dialect.transport)
        found: dict[str, Schema] = {}
        if cli or any(each.frontend for each in self.dialect.transport):
            for option in self.catalog.flags(self.release):
                if option.startswith("--"):
                    found[option[2:]] = found[option[2:].replace("-", "_")] = {}
        for name in sorted(self.catalog.names("engine", self.release)):
            facts = self.catalog.get("engine", name, self.release)
            schema = {} if cli else self._value(facts)
            doc = self.details.doc("engine", name, self.release)
            if doc:
                schema["description"] = doc
            if facts is not None and facts.deprecated:
                schema["deprecated"] = True
            found[name] = schema
            if cli:
                found[name.replace("_", "-")] = schema
        return found

    def _value(self, facts: OptionFacts | None) -> Schema:
        """What a value may be: its type where that is plain, what leaves it open, and null."""
        if facts is None:
            return {}
        if facts.choices and not facts.open and "Enum" not in facts.type:
            return {"anyOf": [{"enum": _distinct([*facts.choices, None])}, OPEN]}
        words = set(re.findall(r"[A-Za-z_]\w*", facts.type)) - {"Optional", "Union"}
        if not words or not words <= set(WORDS) or "[" in facts.type.replace("Optional[", ""):
            return {}
        types = sorted({WORDS[word] for word in words} | {"null"})
        return {"type": types} if "string" in types else {"anyOf": [{"type": types}, OPEN]}


def _distinct(values: list[Any]) -> list[Any]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _at(path: str, inner: Schema, required: bool = False) -> Schema:
    """A schema of what holds `inner` at a dotted path; `*` is any key or item."""
    for part in reversed(path.split(".") if path else []):
        if part == "*":
            inner = {"additionalProperties": inner, "items": inner}
        else:
            inner = {"properties": {part: inner}, **({"required": [part]} if required else {})}
    return inner


def _merge(into: Schema, other: Mapping[str, Any]) -> None:
    """Take over what another schema says; mappings deeply, and what two say of one place is said by both."""
    for key, value in other.items():
        if key in ("if", "additionalProperties", "anyOf") and key in into and into[key] != value:
            into.setdefault("allOf", []).append({key: value, **({"then": other["then"]} if key == "if" else {})})
        elif key == "then" and "then" in into:
            continue
        elif isinstance(value, dict) and isinstance(into.get(key), dict):
            into[key] = dict(into[key])
            _merge(into[key], value)
        else:
            into[key] = value
