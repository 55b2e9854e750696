"""The same situation for every engine of a test."""

from __future__ import annotations

from collections.abc import Mapping

from vllm_migrate.dialects.model import Engine
from vllm_migrate.dialects.situation import Known, PinnedAt, Situate, Situation, everywhere


def move(
    source: str = "0.8.5",
    target: str = "0.18.1",
    engine: str | None = None,
    gpu: str | None = None,
    frameworks: Mapping[str, str] | None = None,
) -> Situate:
    """A move between two releases; engine: v0 or v1 at the source ("auto": not stated); frameworks: their releases."""
    return everywhere(
        Situation(
            Known(source),
            Known(target),
            frameworks={
                package: Known(release, "requirements.txt:1 pins it", PinnedAt("requirements.txt", 1, package))
                for package, release in (frameworks or {}).items()
            },
            core=Known(engine, f"--from-engine {engine}") if engine not in (None, "auto") else None,
            gpu=Known(gpu, "--gpu") if gpu else None,
        )
    )


def in_situation(engine: Engine, situation: Situation) -> Engine:
    """The same engine in another situation."""
    origin = engine.origin._replace(situation=situation)
    return Engine(engine.id, origin, engine.facts, engine.container, engine.options, engine.dead, engine.remarks)
