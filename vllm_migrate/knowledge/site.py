"""Where the documentation stands. Every rule keeps its address; `website/` builds the pages."""

from __future__ import annotations

SITE = "https://vllm-migrate.github.io/"
# Whether the address is ours and the pages are there: until then a terminal shows no links to them.
PUBLISHED = False


def rule_url(name: str) -> str:
    """The page of a rule, by its name."""
    return f"{SITE}rules/{name}/"
