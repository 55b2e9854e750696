"""Options whose value is a mapping: their fields at a release, and what each way in does with a key that is none.

nested = load()
nested.fields("compilation_config", "0.18.1")["mode"].default
nested.unknown_key("compilation_config", "llm", "0.18.1")       # "dropped"
"""

from __future__ import annotations

from functools import lru_cache

from vllm_migrate.catalog import sheets, store
from vllm_migrate.catalog.store import OptionFacts

ENTRIES = ("llm", "engine", "parser")  # LLM(...), EngineArgs(...), a flag of `vllm serve`


class Nested:
    """Reads `nested.json`, and the fields from the catalog's section of config classes."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet
        self._catalog = sheet.catalog
        self._fields: dict[tuple[str, str], dict[str, OptionFacts]] = {}

    def options(self, release: str) -> dict[str, str | None]:
        """Option -> its class, None for a mapping with keys of anybody's choice."""
        return {name: facts.get("class") for name, facts in self._sheet.entries("option", release).items()}

    def class_of(self, option: str, release: str) -> str | None:
        facts = self._sheet.at("option", option, release)
        return facts.get("class") if facts else None

    def fields(self, option: str, release: str) -> dict[str, OptionFacts]:
        """Fields that a user may write in this option's mapping, with default, type and choices."""
        cls = self.class_of(option, release)
        if cls is None:
            return {}
        if (cls, release) not in self._fields:
            every = ((name, self.field(cls, name, release)) for name in self.fields_of(cls, release))
            self._fields[cls, release] = {name: facts for name, facts in every if facts is not None}
        return self._fields[cls, release]

    def _validated_later(self, option: str, release: str) -> bool:
        """Whether pydantic reads a mapping that is handed on, when the whole configuration is built."""
        for holder in ("VllmConfig", "ModelConfig"):
            if self._catalog.get("config", f"{holder}.{option}", release) is not None:
                kind = self._sheet.at("kind", holder, release)
                return kind is not None and kind["built"] == "pydantic"
        return False

    def internal(self, option: str, entry: str, name: str, release: str) -> bool:
        """Whether a way in leaves out a field that only vLLM itself may set (`LLM()` since 0.9.0)."""
        facts = self._sheet.at("option", option, release)
        if facts is None or facts.get(entry) not in ("checked", "filtered"):
            return False
        known = self._catalog.get("config", f"{facts['class']}.{name}", release)
        return known is not None and known.extra("init") is False

    def field(self, cls: str, name: str, release: str) -> OptionFacts | None:
        """What a class has of a field that a user may write, by its name or its alias; None where it has none."""
        kind = self._sheet.at("kind", cls, release) or {}
        for field, alias in kind.get("aliases", {}).items():
            name = field if name == alias else name
        facts = self._catalog.get("config", f"{cls}.{name}", release)
        return None if facts is None or facts.extra("init") is False else facts

    def fields_of(self, cls: str, release: str) -> list[str]:
        """Names of a class's fields that a user may write, in order."""
        names = (n.partition(".") for n in self._catalog.names("config", release))
        return sorted(field for owner, _, field in names if owner == cls and self.field(cls, field, release))

    def class_in(self, annotation: str, release: str) -> str | None:
        """The configuration class that a field's type names; None where it names none."""
        name = annotation.removesuffix(" | None")
        return name if name.isidentifier() and self._sheet.at("kind", name, release) is not None else None

    def unknown_field(self, cls: str, release: str) -> str | None:
        """What a class below another one does with a key that is none of its fields; None where source does not decide it."""
        kind = self._sheet.at("kind", cls, release)
        if kind is None or kind["built"] not in ("pydantic", "model"):
            return None
        return "refused" if kind["forbid"] else "dropped"

    def constructed(self, cls: str, release: str) -> str | None:
        """What `Class(key=...)` does with a key that is none of its fields; None where source does not decide it."""
        kind = self._sheet.at("kind", cls, release)
        if kind is None:
            return None
        return "refused" if kind["forbid"] or kind["built"] in ("dataclass", "class") else "dropped"

    def is_checked(self, cls: str, release: str) -> bool:
        """Whether a class checks the values of its fields when it is made."""
        kind = self._sheet.at("kind", cls, release)
        return kind is not None and kind["built"] in ("pydantic", "model")

    def checks(self, option: str, cls: str, entry: str, release: str) -> bool:
        """Whether a class checks the values of its fields where this option comes in by this way."""
        return self.is_checked(cls, release) and self.unknown_key(option, entry, release) in ("refused", "dropped")

    def stops(self, option: str, entry: str, release: str) -> bool:
        """Whether an unknown key takes every key after it away (`LLM()` of 0.9.0 to 0.10.2)."""
        facts = self._sheet.at("option", option, release)
        return facts is not None and facts.get(entry) == "filtered"

    def aliases(self, option: str, release: str) -> dict[str, str]:
        """Field -> the other name that the class reads it under."""
        facts = self._sheet.at("kind", self.class_of(option, release) or "", release)
        return dict(facts.get("aliases", {})) if facts else {}

    def unknown_key(self, option: str, entry: str, release: str) -> str | None:
        """What a way in (`ENTRIES`) does with a key that is no field: refused, dropped, or kept where keys are free.

        None where source alone does not decide it: the mapping is handed on as it is, and other code reads it.
        """
        facts = self._sheet.at("option", option, release)
        if facts is None or entry not in ENTRIES:
            return None
        if "class" not in facts:
            return "kept"
        how = facts.get(entry, "no flag")
        if how == "unchanged" and entry == "parser":
            how = facts["engine"]
        if how == "unchanged" and self._validated_later(option, release):
            how = "validated"
        if how in ("checked", "filtered"):
            return "refused" if how == "checked" else "dropped"
        if how not in ("constructor", "validated"):
            return None
        kind = self._sheet.at("kind", facts["class"], release)
        if kind is None:
            return None
        if how == "constructor":
            return self.constructed(facts["class"], release)
        return "refused" if kind["forbid"] else "dropped"


def load(catalog: store.Catalog | None = None) -> Nested:
    """The shipped facts, read once for each loaded catalog."""
    return _reading(sheets.load("nested", catalog))


_reading = lru_cache(4)(Nested)
