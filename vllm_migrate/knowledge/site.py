"""Where the documentation stands. Every rule keeps its address; `website/` builds the pages."""

from __future__ import annotations

SITE = "https://vllm-migrate.github.io/"


def rule_url(name: str) -> str:
    """The page of a rule, by its name."""
    return f"{SITE}rules/{name}/"
