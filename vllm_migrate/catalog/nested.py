"""Options whose value is a mapping: their fields at a release, and what each way in does with a key that is none.

nested = load()
nested.fields("compilation_config", "0.18.1")["mode"].default
nested.unknown_key("compilation_config", "llm", "0.18.1")       # "dropped"
"""

from __future__ import annotations

from vllm_migrate.catalog import sheets, store
from vllm_migrate.catalog.store import OptionFacts

ENTRIES = ("llm", "engine", "parser")  # LLM(...), EngineArgs(...), a flag of `vllm serve`


class Nested:
    """Reads `nested.json`, and the fields from the catalog's section of config classes."""

    def __init__(self, sheet: sheets.Sheet) -> None:
        self._sheet = sheet
        self._catalog = sheet.catalog

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
        found = {}
        for name in sorted(self._catalog.names("config", release)):
            owner, _, field = name.partition(".")
            facts = self._catalog.get("config", name, release) if owner == cls else None
            if facts is not None and facts.extra("init") is not False:
                found[field] = facts
        return found

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
        if how in ("checked", "filtered"):
            return "refused" if how == "checked" else "dropped"
        if how not in ("constructor", "validated"):
            return None
        kind = self._sheet.at("kind", facts["class"], release)
        if kind is None:
            return None
        if kind["forbid"] or (how == "constructor" and kind["built"] in ("dataclass", "class")):
            return "refused"
        return "dropped"


def load(catalog: store.Catalog | None = None) -> Nested:
    """The shipped facts, read once for each loaded catalog."""
    return Nested(sheets.load("nested", catalog))
