"""Findings of the VM9xx rules, which are about how a file can be read."""

from __future__ import annotations

from vllm_migrate.dialects.model import Spot, Subject
from vllm_migrate.knowledge.reading import FileRule
from vllm_migrate.rules.finding import CHECKLIST, Firing


def file_finding(rule: FileRule, message: str, spot: Spot, key: str = "", engine: Subject | None = None) -> Firing:
    """A finding of one of these rules."""
    finding = Firing(rule.code, rule.name, rule.severity, "broken-config", message, spot, engine)
    if rule.checklist:
        finding = finding._replace(kind=CHECKLIST)
    return finding._replace(why=rule.why, advice=rule.write, key=key)
