"""Compile rules/ into the one file that a lint loads: `python -m vllm_migrate.knowledge.build`.

Checks every file against `models`, compiles conditions, and writes JSON with sorted keys, so that the same rules give
the same bytes. `--check` only tells whether the compiled file is stale (exit 1).
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge.load import COMPILED, PAGES
from vllm_migrate.knowledge.models import Dialect, EffectiveEntry, Model, Rule
from vllm_migrate.knowledge.parse import BadCondition, compile_expr

CONDITIONS = {"when", "review_when", "unless", "to_of", "value_of", "old_of", "new_of"}
LEFT_OUT = {"examples"}
# Told by `explain` and its like, and never read by a lint: they go to a file of their own.
TOLD = ("about", "changes", "evidence", "explain", "silent_when")


def rules_folder() -> Path:
    """The folder of rules: beside the package in a checkout, inside it in an installation."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent / "rules", package / "_rules"):
        if (folder / "dialects").is_dir():
            return folder
    raise VllmMigrateError("the folder rules/ was not found")


def read_yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise VllmMigrateError(f"{path.name}: {' '.join(str(error).split())}") from None


Kind = TypeVar("Kind", bound=Model)


def _validated(model: type[Kind], raw: object, path: Path) -> Kind:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise VllmMigrateError(f"{path.name}: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    """Each thing that is wrong in a file: field, what is wrong."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())


def read_rules(folder: Path) -> list[Rule]:
    """Rule files as checked, with their examples, in the order of their codes."""
    out: list[Rule] = []
    seen: dict[str, Path] = {}
    for path in sorted(folder.glob("*.yaml")):
        rule = _validated(Rule, read_yaml(path), path)
        if rule.name != path.stem:
            raise VllmMigrateError(f"{path.name}: name: the rule is called {rule.name}, and its file is not")
        for key in (rule.code, rule.name):
            if key in seen:
                raise VllmMigrateError(f"{path.name}: {key} is the rule of {seen[key].name}")
            seen[key] = path
        out.append(rule)
    return sorted(out, key=lambda rule: rule.code)


def read_dialects(folder: Path) -> list[Dialect]:
    """Dialect files in the order in which they are tried: those that any mapping could be of come last."""
    raw = {path: read_yaml(path) for path in sorted((folder / "dialects").glob("*.yaml"))}
    found = [_validated(Dialect, _extended(data, raw), path) for path, data in raw.items()]
    return sorted(found, key=lambda dialect: (dialect.top_level is not None, dialect.id))


def _extended(data: object, every: dict[Path, object]) -> object:
    """A dialect laid over the one it extends: its own fields replace, tables of keys and facts are joined."""
    if not isinstance(data, dict) or "extends" not in data:
        return data
    base = next((d for path, d in every.items() if path.stem == data["extends"]), None)
    if not isinstance(base, dict):
        raise VllmMigrateError(f"{data.get('id')}.yaml: extends: there is no dialect {data['extends']}")
    out = {**base, **data}
    for field in ("keys", "absolute", "facts", "given", "dead"):
        if field in base and field in data:
            out[field] = {**base[field], **data[field]}
    out["passes"] = [*data.get("passes", []), *base.get("passes", [])]
    return out


def read_effective(folder: Path) -> list[EffectiveEntry]:
    """What unset options resolve to, from every file of effective/."""
    out: list[EffectiveEntry] = []
    for path in sorted((folder / "effective").glob("*.yaml")):
        entries = read_yaml(path)
        out.extend(
            _validated(EffectiveEntry, entry, path) for entry in (entries if isinstance(entries, list) else [entries])
        )
    return out


def compile_all(folder: Path) -> dict[str, object]:
    """The compiled knowledge of a rules folder."""
    predicates: dict[str, object] = {}
    raw = read_yaml(folder / "predicates" / "predicates.yaml") if (folder / "predicates").is_dir() else {}
    assert isinstance(raw, dict)
    for name, text in raw.items():
        predicates[str(name)] = _condition(f"predicates.yaml: {name}", text, predicates)

    def convert(name: str, record: Model) -> object:
        return _compile(record.model_dump(exclude_defaults=True, exclude=LEFT_OUT), predicates, name)

    rules = [_with_parts(convert(f"{rule.name}.yaml", rule)) for rule in read_rules(folder)]
    effective = {e.option: convert(f"effective {e.option}", e) for e in read_effective(folder)}
    dialects = [convert(f"dialects/{dialect.id}.yaml", dialect) for dialect in read_dialects(folder)]
    gpus = read_yaml(folder / "predicates" / "gpus.yaml") if (folder / "predicates" / "gpus.yaml").exists() else {}
    out: dict[str, object] = {"rules": rules, "dialects": dialects, "effective": effective, "gpus": gpus}
    out["digest"] = hashlib.sha256(json.dumps(out, sort_keys=True).encode()).hexdigest()[:16]
    return out


def split(knowledge: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """What a lint reads, and what is told of rules by name, dialects by id and effective entries by option."""
    rules, dialects, effective = knowledge["rules"], knowledge["dialects"], knowledge["effective"]
    assert isinstance(rules, list) and isinstance(dialects, list) and isinstance(effective, dict)
    told: dict[str, object] = {
        "rules": {rule["name"]: _only(rule, True) for rule in rules},
        "dialects": {dialect["id"]: _only(dialect, True) for dialect in dialects},
        "effective": {option: _only(entry, True) for option, entry in effective.items()},
    }
    judged: dict[str, object] = {
        **knowledge,
        "rules": [_only(rule, False) for rule in rules],
        "dialects": [_only(dialect, False) for dialect in dialects],
        "effective": {option: _only(entry, False) for option, entry in effective.items()},
    }
    return judged, told


def _only(record: dict[str, object], told: bool) -> dict[str, object]:
    return {key: value for key, value in record.items() if (key in TOLD) is told}


# What a further part of a rule takes from the rule where it does not say it itself.
SHARED = ("code", "name", "layer", "severity", "derived", "why")


def _with_parts(rule: object) -> object:
    """The rule with each of its further parts made whole."""
    if not isinstance(rule, dict) or "also" not in rule:
        return rule
    base = {key: value for key, value in rule.items() if key in SHARED}
    return {**rule, "also": [{**base, **part} for part in rule["also"]]}


def _compile(node: object, predicates: dict[str, object], where: str, key: str = "") -> object:
    """The record with every condition compiled; YAML's true/false/null keys back to words."""
    if isinstance(node, dict):
        return {_word(k): _compile(v, predicates, f"{where}: {_word(k)}", _word(k)) for k, v in node.items()}
    if isinstance(node, list):
        return [_compile(item, predicates, f"{where}[{i}]") for i, item in enumerate(node)]
    return _condition(where, node, predicates) if key in CONDITIONS else node


def _condition(where: str, text: object, predicates: dict[str, object]) -> object:
    try:
        return compile_expr(text, predicates)
    except BadCondition as error:
        raise BadCondition(f"{where}: {error.message}") from None


def _word(key: object) -> str:
    if isinstance(key, str):
        return key
    return "none" if key is None else str(key).lower() if isinstance(key, bool) else str(key)


def render(folder: Path) -> dict[str, str]:
    """The compiled files by path."""
    return {
        path: json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n"
        for path, part in zip((COMPILED, PAGES), split(compile_all(folder)), strict=True)
    }


def stale(folder: Path) -> list[str]:
    """Names of the compiled files that are not what the rules folder compiles to."""
    return [
        Path(path).name
        for path, text in render(folder).items()
        if not Path(path).exists() or Path(path).read_text(encoding="utf-8") != text
    ]


def main(argv: list[str]) -> int:
    if "--check" in argv:
        old = stale(rules_folder())
        print(
            f"{', '.join(old)}: stale; run python -m vllm_migrate.knowledge.build"
            if old
            else "the compiled knowledge is fresh"
        )
        return 1 if old else 0
    for path, text in render(rules_folder()).items():
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")
        print(f"{Path(path).name}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except VllmMigrateError as error:
        sys.exit(f"error: {error.message}")
