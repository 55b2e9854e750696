"""Pins in a shared parent: who inherits them, and who ran differently before."""

from __future__ import annotations

from vllm_migrate.dialects.model import Engine
from vllm_migrate.effective.view import View
from vllm_migrate.knowledge.expr import Unsure, same
from vllm_migrate.records import NamedTuple
from vllm_migrate.rules.finding import Act, Finding


class Judged(NamedTuple):
    """An engine with its two views."""

    engine: Engine
    source: View
    target: View


def note_inheritors(finding: Finding, engines: list[Judged]) -> None:
    """Lower a safe pin in a shared parent to `review` when an engine that inherits it ran with another value, and name it."""
    proposal, engine = finding.proposal, finding.engine
    if proposal is None or engine is None or engine.dialect.get("pin_file") != "root" or engine.site is None:
        return
    pinned = [act for act in proposal.acts if act.kind == "set" and act.written is None]
    if not pinned:
        return
    home = engine.site.places[0].file
    differing: list[str] = []
    for other in engines:
        if other.engine is engine or other.engine.site_path != engine.site_path or home not in other.engine.files:
            continue
        for act in pinned:
            said = _ran_otherwise(other, act)
            if said:
                differing.append(f"{other.engine.file.path} {said}")
    if differing:
        finding.proposal = proposal._replace(safety="review" if proposal.safety == "safe" else proposal.safety)
        finding.inheritors = differing


def _ran_otherwise(judged: Judged, act: Act) -> str:
    """How an inheriting engine ran at the source, when that is not what the pin says; "" when it is, or it sets its own."""
    if act.option in judged.target.delivery.values and judged.target.delivery.values[act.option].written is not None:
        return ""
    value = judged.source.name(act.option)
    if isinstance(value, Unsure):
        return f"may have run with another {act.option}"
    return "" if same(value, act.value) else f"ran with {act.option} {value}"
