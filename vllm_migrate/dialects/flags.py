"""Which words are options of `vllm serve`, over all releases: what tells a configuration file from any other YAML."""

from __future__ import annotations

from functools import lru_cache

from vllm_migrate.catalog.store import Catalog

# Engine options whose names other programs use too; alone they tell nothing.
COMMON = frozenset(
    {"allowed-origins", "api-key", "block-size", "chat-template", "download-dir", "log-level", "root-path"}
)


@lru_cache(8)
def _sets(catalog: Catalog) -> tuple[frozenset[str], frozenset[str]]:
    """All options, and those that tell."""
    engine = {name.lstrip("-") for name in catalog.all_names("cli")}
    every = engine | {name.lstrip("-") for name in catalog.all_names("frontend")}
    telling = {name for name in engine if "-" in name and name not in COMMON}
    return frozenset(every | {"no-" + name for name in every}), frozenset(telling | {"no-" + name for name in telling})


def is_serve_option(catalog: Catalog, name: str) -> bool:
    """Whether a key, with dashes, is a `vllm serve` option of any release."""
    return name in _sets(catalog)[0]


def telling_options(catalog: Catalog) -> frozenset[str]:
    """Options, with dashes, that no other program's configuration is likely to have."""
    return _sets(catalog)[1]


def is_telling_option(catalog: Catalog, name: str) -> bool:
    return name in telling_options(catalog)


@lru_cache(64)
def destinations(catalog: Catalog, release: str) -> frozenset[str]:
    """The names under which a release's parser stores its options."""
    return frozenset(flag.dest for flag in catalog.flags(release).values())
