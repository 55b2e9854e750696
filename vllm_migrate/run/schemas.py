"""JSON Schemas (2020-12) of our own files and output, by name, and of what releases and frameworks read."""

from __future__ import annotations

import json
import os
from typing import Any

from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load
from vllm_migrate.opening import opened_text
from vllm_migrate.run import config
from vllm_migrate.shipped import OWN_KNOWLEDGE

Schema = dict[str, Any]
NAMES = ("config", "rule", "dialect", "lock", "lint")
TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
SHAPES: dict[str, Schema] = {
    config.TEXT: TEXT,
    config.TEXTS: TEXTS,
    config.FLAG: {"type": "boolean"},
    config.TABLE_OF_TEXTS: {"type": "object", "additionalProperties": TEXTS},
    config.TABLE_OF_TEXT: {"type": "object", "additionalProperties": TEXT},
}
MEANING = {
    "from": "The vLLM release you use today; `0.18` is the newest of a series.",
    "to": "The vLLM release you move to; `latest` is the newest in the catalog.",
    "from-engine": "The engine that 0.8.5 to 0.10 ran, if no file shows it.",
    "gpu": "The GPU, for defaults that depend on it.",
    "model-config": "A folder with the model's config.json and generation_config.json.",
    "include": "Files and folders to check if a call names none.",
    "exclude": "Paths that are skipped, as in .gitignore.",
    "select": "Only these rules: codes, prefixes such as VM1, names.",
    "ignore": "Leave these rules out.",
    "extend-select": "Use these rules too.",
    "per-file-ignores": "Rules to leave out for some files, by pattern.",
    "per-file-settings": "Releases, engine, GPU and role for some files, by pattern.",
    "severity": "A different severity for some rules, or off.",
    "fail-on": "Exit with 1 on findings of this severity or higher.",
    "baseline": "A file of known findings.",
    "unsafe-fixes": "Also apply fixes that need review.",
    "fail-on-checklist": "Checklist items count for the exit code too.",
    "acknowledged": "Checklist items that are done.",
    "knowledge": "Folders or packages with your own rules and dialects.",
}


def named(name: str, dialect: str | None = None) -> Schema:
    """The schema of one of our files (`NAMES`), or of a release's: of `vllm serve --config`, or of a dialect's files.

    Raises UsageError for what there is none of.
    """
    from vllm_migrate.catalog import schema, store

    catalog = store.load()
    if name in NAMES and dialect is None:
        return _own(name)
    try:
        release = catalog.canonical(name)
    except store.UnknownRelease as error:
        if name[:1].isdigit():
            raise UsageError(str(error), "`vllm-migrate releases` lists the releases") from None
        if name in NAMES:
            raise UsageError(
                f"the schema {name} takes no --dialect", f"give a release: schema RELEASE --dialect {dialect}"
            ) from None
        raise UsageError(f"no schema {name!r}", config.nearest(name, NAMES) + "; a release has one too") from None
    if dialect is None or dialect == "vllm-serve-config":
        return schema.schema(catalog, release)
    from vllm_migrate.knowledge.schemas import dialect_schema

    known = {each.id: each for each in load().dialects}
    if dialect not in known:
        raise UsageError(f"no dialect {dialect!r}", config.nearest(dialect, known))
    return dialect_schema(known[dialect], catalog, release)


def _own(name: str) -> Schema:
    if name == "config":
        return config_schema()
    if name in ("rule", "dialect"):
        from vllm_migrate.knowledge.schemas import file_schema

        return file_schema(name)
    with opened_text(os.path.join(OWN_KNOWLEDGE, f"{name}.schema.json")) as stream:
        found: Schema = json.load(stream)
    return found


def config_schema() -> Schema:
    """The schema of vllm-migrate.toml, and of the table `[tool.vllm-migrate]`."""
    properties = {key: {"description": MEANING[key], **_shape(key, shape)} for key, shape in config.KEYS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vllm-migrate.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _shape(key: str, shape: str) -> Schema:
    if shape == config.TABLE_OF_TABLES:
        properties = {name: _choice(name) for name in config.PER_FILE}
        inner = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"type": "object", "additionalProperties": inner}
    if shape == config.ENTRIES:
        fields = {
            "rule": {**TEXT, "description": "A code or a name."},
            "path": {**TEXT, "description": "A pattern of paths; by default, all."},
            "reason": {**TEXT, "description": "Why the item is done.", "minLength": 1},
        }
        inner = {"type": "object", "properties": fields, "required": ["rule", "reason"], "additionalProperties": False}
        return {"type": "array", "items": inner}
    if key == "severity":
        return {"type": "object", "additionalProperties": {"enum": list(config.CHOICES["severity"])}}
    return _choice(key) if key in config.CHOICES else dict(SHAPES[shape])


def _choice(key: str) -> Schema:
    return {"enum": list(config.CHOICES[key])} if key in config.CHOICES else dict(TEXT)
