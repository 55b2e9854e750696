"""Compile rules/ into the files that the program loads: `python -m vllm_migrate.knowledge.build`.

Checks every file against `models` and every condition against `vocabulary`, and writes JSON with sorted keys, one rule,
dialect or entry a line, so that the same rules give the same bytes and branches meet only where they change the same
rule. `--check` only tells whether the compiled files are stale (exit 1).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from vllm_migrate.errors import VllmMigrateError
from vllm_migrate.knowledge import models, records, vocabulary
from vllm_migrate.knowledge.check import Checker, Compiler
from vllm_migrate.knowledge.record import Record
from vllm_migrate.knowledge.source import Loc, RuleSource, near
from vllm_migrate.opening import read_text
from vllm_migrate.shipped import OWN_KNOWLEDGE

Fields = dict[str, Any]
Kind = TypeVar("Kind", bound=Record)

COMPILED, PAGES = (os.path.join(OWN_KNOWLEDGE, name) for name in ("knowledge.json", "pages.json"))
# What a further part of a rule takes from the rule where it does not say it itself.
SHARED = ("code", "name", "title", "layer", "severity", "derived", "why", "status", "since")
# Tables of a dialect that are joined with those of the dialect it extends.
JOINED = ("keys", "absolute", "define", "facts", "dead")


class Checked(NamedTuple):
    """The fields that are written in a mapping of a file, at path `at`."""

    fields: Fields
    source: RuleSource
    at: Loc = ()


class RuleFile(NamedTuple):
    """A rule with all that its file holds."""

    rule: records.Rule
    page: records.RulePage
    examples: records.Examples


class DialectFile(NamedTuple):
    """A dialect with all that its file holds; a variant has the examples of its own file only."""

    dialect: records.Dialect
    page: records.DialectPage
    examples: records.DialectExamples


class EntryFile(NamedTuple):
    """What one option resolves to, with what is told of it."""

    entry: records.EffectiveEntry
    page: records.EffectivePage


def rules_folder() -> Path:
    """The folder of rules: beside the package in a checkout, inside it in an installation."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent / "rules", package / "_rules"):
        if (folder / "dialects").is_dir():
            return folder
    raise VllmMigrateError("the folder rules/ was not found")


class RulesFolder:
    """The files of a rules folder, checked and compiled. Raises VllmMigrateError with the file, the line and the field.

    more: further folders of the same kind, for rules and dialects of one's own; files: single dialects beside them.
    """

    def __init__(self, folder: Path, more: Sequence[Path] = (), files: Sequence[Path] = ()) -> None:
        self.folders = [folder, *more]
        self.files = files
        self.dialects = self._dialects()
        self.checker = Checker([checked.fields for checked in self.dialects])
        self._name_conditions()
        self.rules = self._rules()
        self.checker.rules = {str(checked.fields["name"]) for checked in self.rules}
        self.effective = list(self._effective())
        self.gpus = self._tables("predicates/gpus.yaml", models.GPU)
        self.models = self._tables("predicates/models.yaml", models.MODEL_NAME)

    def _sources(self, pattern: str) -> list[RuleSource]:
        found = [RuleSource(path, folder) for folder in self.folders for path in sorted(folder.glob(pattern))]
        if pattern.startswith("dialects/"):
            found += [RuleSource(path, path.parent) for path in self.files]
        return found

    def _dialects(self) -> list[Checked]:
        """The fields of every dialect in the order in which they are tried: those that any mapping could be of come last."""
        sources: dict[str, RuleSource] = {}
        for source in self._sources("dialects/*.yaml"):
            known = sources.get(source.path.stem)
            if known is not None and known.path.resolve() != source.path.resolve():
                raise source.wrong((), f"{known.label} is a dialect of that name already")
            sources[source.path.stem] = source
        found = []
        for source in sources.values():
            data = source.data
            base = data.get("extends") if isinstance(data, dict) else None
            if base is not None:
                if base not in sources:
                    raise source.wrong(("extends",), f"there is no dialect {base}{near(str(base), sources)}")
                source.base = sources[base]
                data = _extended(data, sources[base].data)
            fields = source.check(models.DIALECT, data)
            if fields["id"] != source.path.stem:
                raise source.wrong(("id",), f"the dialect is called {fields['id']}, and its file is not")
            found.append(Checked(fields, source))
        return sorted(found, key=lambda checked: _order(checked.fields))

    def _name_conditions(self) -> None:
        """Compile the named conditions, a later one made of earlier ones."""
        for source in self._sources("predicates/predicates.yaml"):
            for name, text in source.data.items():
                self.checker.named[name] = self.checker.condition(source, (name,), text, vocabulary.NAMED)

    def _rules(self) -> list[Checked]:
        """The fields of every rule, in the order of their codes."""
        seen: dict[str, RuleSource] = {}
        found = []
        for source in self._sources("*.yaml"):
            fields: Fields = source.check(models.RULE, source.data)
            if fields["name"] != source.path.stem:
                raise source.wrong(("name",), f"the rule is called {fields['name']}, and its file is not")
            found.append(Checked(fields, source))
        for fields, source, _ in found:
            code = fields["code"]
            if code in seen:
                raise source.wrong(("code",), f"{code} is the rule of {seen[code].label}{_free(code[:3], found)}")
            seen[code] = source
        return sorted(found, key=lambda checked: str(checked.fields["code"]))

    def _effective(self) -> Iterator[Checked]:
        """What unset options resolve to, from every file of effective/."""
        for source in self._sources("effective/*.yaml"):
            entries = source.data if isinstance(source.data, list) else None
            for number, entry in enumerate([source.data] if entries is None else entries):
                at: Loc = () if entries is None else (number,)
                yield Checked(source.check(models.EFFECTIVE, entry, at), source, at)

    def _tables(self, path: str, kind: Any) -> Fields:
        """The records of a file that has them by name."""
        return {
            name: source.check(kind, fields, (name,))
            for source in self._sources(path)
            for name, fields in source.data.items()
        }

    def compile(self) -> dict[str, Fields]:
        """Every record with its conditions compiled, by kind and by name (in order), with what is told of it."""
        dialects = {checked.fields["id"]: self._compiled(records.Dialect, checked) for checked in self.dialects}
        rules = {checked.fields["name"]: _with_parts(self._compiled(records.Rule, checked)) for checked in self.rules}
        effective = {
            checked.fields["option"]: self._compiled(records.EffectiveEntry, checked) for checked in self.effective
        }
        return {
            "dialects": dialects,
            "effective": effective,
            "gpus": self.gpus,
            "models": self.models,
            "rules": rules,
        }

    def _compiled(self, kind: type, checked: Checked) -> Fields:
        fields = {name: value for name, value in checked.fields.items() if name != "examples"}
        self.checker.defined = frozenset(fields.get("define", ()) if kind is records.Dialect else ())
        return Compiler(self.checker, checked.source).record(kind, fields, checked.at, "")


def _order(dialect: Fields) -> tuple[bool, str]:
    return any(sign.get("serve_flags") for sign in dialect.get("recognise", ())), dialect["id"]


def _with_parts(rule: Fields) -> Fields:
    """A compiled rule with each of its further parts made whole."""
    shared = {name: rule[name] for name in SHARED if name in rule}
    return {**rule, "also": [{**shared, **part} for part in rule["also"]]} if "also" in rule else rule


def _extended(data: Fields, base: Fields) -> Fields:
    """A dialect laid over the one it extends: its own fields replace, tables of keys and facts are joined."""
    out = {**base, **data}
    for field in JOINED:
        if field in base and field in data:
            out[field] = {**base[field], **data[field]}
    out["passes"] = [*data.get("passes", []), *base.get("passes", [])]
    if "examples" not in data:
        out.pop("examples", None)
    return out


NO_EXAMPLES: Fields = {"fires": [], "silent": []}


def read_rules(folder: Path) -> list[RuleFile]:
    """Every rule with its page and examples, in the order of their codes."""
    read = RulesFolder(folder)
    made = read.compile()["rules"]
    return [
        RuleFile(
            _record(records.Rule, made[fields["name"]]),
            _record(records.RulePage, fields),
            records.Examples.decoded(fields.get("examples") or NO_EXAMPLES),
        )
        for fields in (checked.fields for checked in read.rules)
    ]


def read_dialects(folder: Path, files: Sequence[Path] = ()) -> list[DialectFile]:
    """Every dialect with its page and examples, in the order in which they are tried; files: further ones."""
    read = RulesFolder(folder, files=files)
    made = read.compile()["dialects"]
    return [
        DialectFile(
            _record(records.Dialect, made[fields["id"]]),
            _record(records.DialectPage, fields),
            records.DialectExamples.decoded(fields.get("examples") or NO_EXAMPLES),
        )
        for fields in (checked.fields for checked in read.dialects)
    ]


def read_effective(folder: Path) -> list[EntryFile]:
    """Every effective entry with its page."""
    read = RulesFolder(folder)
    made = read.compile()["effective"]
    return [
        EntryFile(_record(records.EffectiveEntry, made[fields["option"]]), _record(records.EffectivePage, fields))
        for fields in (checked.fields for checked in read.effective)
    ]


def _record(kind: type[Kind], fields: Fields) -> Kind:
    """A record of one class from fields that are also another's."""
    return kind.decoded(_only(kind, fields))


def compile_all(folder: Path, more: Sequence[Path] = (), files: Sequence[Path] = ()) -> tuple[Fields, Fields]:
    """What a lint reads, and what is told of rules, dialects and effective entries by name; both as `load` takes them.

    more, files: as of RulesFolder.
    """
    made = RulesFolder(folder, more, files).compile()
    kinds = {
        "rules": (records.Rule, records.RulePage),
        "dialects": (records.Dialect, records.DialectPage),
        "effective": (records.EffectiveEntry, records.EffectivePage),
    }
    read: Fields = {
        name: {key: _only(kind, fields) for key, fields in made[name].items()} for name, (kind, _) in kinds.items()
    }
    told: Fields = {
        name: {key: _only(page, fields) for key, fields in made[name].items()} for name, (_, page) in kinds.items()
    }
    return {**read, "gpus": made["gpus"], "models": made["models"]}, told


def _only(kind: Any, fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name in kind.__annotations__}


def render(folder: Path) -> dict[str, str]:
    """The compiled files by path."""
    return {path: _lines(part) for path, part in zip((COMPILED, PAGES), compile_all(folder), strict=True)}


def _lines(kinds: Fields) -> str:
    """JSON with each record in a line of its own."""
    out = []
    for kind, by_name in sorted(kinds.items()):
        lines = [f"{_json(name)}:{_json(fields)}" for name, fields in by_name.items()]
        out.append(f"{_json(kind)}:{{\n" + ",\n".join(lines) + "\n}")
    return "{\n" + ",\n".join(out) + "\n}\n"


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _free(family: str, rules: list[Checked]) -> str:
    """The code after a family's last one, for an error message."""
    last = max(str(checked.fields["code"]) for checked in rules if str(checked.fields["code"]).startswith(family))
    return "" if last.endswith("99") else f"; the next free one is VM{int(last[2:]) + 1}"


def stale(folder: Path) -> list[str]:
    """Names of the compiled files that are not what the rules folder compiles to."""
    return [
        Path(path).name
        for path, text in render(folder).items()
        if not Path(path).exists() or read_text(str(path)) != text
    ]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m vllm_migrate.knowledge.build", description="Check and compile rules/.")
    parser.add_argument("--check", action="store_true", help="only say whether the compiled files are stale (exit 1)")
    if parser.parse_args(argv).check:
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
