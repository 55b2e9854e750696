"""Which words are options of `vllm serve`, over all releases: what tells a configuration file from any other YAML."""

from __future__ import annotations

from functools import lru_cache

from vllm_migrate.catalog.store import Catalog

# Engine options whose names other programs use too; alone they tell nothing.
COMMON = frozenset(
    {"allowed-origins", "api-key", "block-size", "chat-template", "download-dir", "log-level", "root-path"}
)

# Engine options that other inference servers have too, under the same names.
SHARED = frozenset(
    (
        "attention-backend", "cpu-offload-gb", "data-parallel-size", "disable-custom-all-reduce", "dist-init-addr",
        "enable-eplb", "enable-lora", "hf-overrides", "kv-cache-dtype", "kv-events-config", "load-format",
        "lora-target-modules", "max-log-len", "max-lora-rank", "max-loras", "model-impl", "model-loader-extra-config",
        "node-rank", "otlp-traces-endpoint", "pipeline-parallel-size", "quantization-param-path", "reasoning-parser",
        "scheduling-policy", "served-model-name", "skip-tokenizer-init", "speculative-config", "stream-interval",
        "tensor-parallel-size", "tokenizer-mode", "tokenizer-revision", "tool-call-parser", "trust-remote-code",
    )
)  # fmt: skip


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


def is_short(catalog: Catalog, flag: str) -> bool:
    """Whether a flag, with its one dash, is short for an option of the newest release: `-tp`."""
    return not flag.startswith("--") and flag in catalog.flags(catalog.releases[-1])


def telling_options(catalog: Catalog) -> frozenset[str]:
    """Options, with dashes, that no other program's configuration is likely to have."""
    return _sets(catalog)[1]


def is_telling_option(catalog: Catalog, name: str) -> bool:
    return name in telling_options(catalog)


def is_vllms_own(catalog: Catalog, name: str) -> bool:
    """Whether an option tells, and no other inference server has it."""
    return is_telling_option(catalog, name) and name.removeprefix("no-") not in SHARED


@lru_cache(64)
def destinations(catalog: Catalog, release: str) -> frozenset[str]:
    """The names under which a release's parser stores its options."""
    return frozenset(flag.dest for flag in catalog.flags(release).values())
