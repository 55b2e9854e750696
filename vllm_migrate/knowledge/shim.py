"""Dialects as mappings, for code that does not read the records yet. To be removed with its last reader."""

from __future__ import annotations

from typing import Any

from vllm_migrate.knowledge.expr import Condition
from vllm_migrate.knowledge.records import Dialect

CONDITIONS = ("when", "value_of")


class Profile(dict[str, Any]):
    """The compiled fields of a dialect; its attributes are those of the record."""

    def __init__(self, fields: Any, record: Dialect) -> None:
        super().__init__(_converted(fields))
        self.record = record
        for name in ("define", "engine_core"):
            if name in self:
                self[name] = getattr(record, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.record, name)


def _converted(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: Condition(v) if k in CONDITIONS else _converted(v) for k, v in node.items()}
    return [_converted(item) for item in node] if isinstance(node, list) else node
