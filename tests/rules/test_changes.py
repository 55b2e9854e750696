"""Every entry of the survey of changes is answered by a rule, or rules/README.md says why no file can show it."""

from __future__ import annotations

import pytest

from vllm_migrate.knowledge.build import read_rules, rules_folder

ENTRIES = [
    "allreduce-rms-fusion",
    "allreduce-symm-mem",
    "arg-disable-log-requests",
    "arg-prefix-hash",
    "arg-rope",
    "arg-task",
    "args-misc-removed",
    "args-removed-later",
    "async-scheduling-default",
    "attention-backend-blackwell",
    "attention-backend-env",
    "batch-invariant",
    "batch-limits-defaults",
    "best-of",
    "bool-cli-value",
    "cascade-attn-default",
    "cascade-attn-removed",
    "chunked-prefill-always",
    "collective-rpc-serialization",
    "compilation-config-keys",
    "compile-and-kernels",
    "deepgemm-default",
    "dev-mode-routes",
    "dtype-auto-fp32-ckpt",
    "engine-internals-path",
    "engine-seed-default",
    "engine-v0-removed",
    "flashinfer-allreduce-default",
    "flashinfer-sampler",
    "flashinfer-sampler-default",
    "float32-dtype",
    "fp32-lm-head",
    "gen-config-unchanged",
    "generation-config-fields",
    "gpu-mem-startup-check",
    "gpu-memory-utilization-default",
    "head-dtype-active",
    "hybrid-models",
    "hybrid-prefix-caching-default",
    "inflight-weight-update",
    "kv-cache-dtype-auto",
    "llm-generate-kwargs",
    "logits-processors-per-request",
    "logprobs-mode-unchanged",
    "logprobs-semantics",
    "max-model-len-off-by-one",
    "min-p-order",
    "mm-limit",
    "model-runner-v2-default",
    "multi-step",
    "new-rl-features",
    "partial-prefills",
    "pause-api-changes",
    "penalty-dtype",
    "prefix-caching-default",
    "prompt-logprobs-mode",
    "prompt-logprobs-semantics",
    "python-imports",
    "ray-async-default",
    "reasoning-content-renamed",
    "request-extra-fields-ignored",
    "reset-prefix-cache",
    "sampling-params-fields",
    "scheduler-policy-preemption",
    "seeded-sampling-not-portable",
    "sleep-mode",
    "spec-decode",
    "stop-strings-limit",
    "structured-outputs-params",
    "v0-sampling-params-dtype",
    "watermark-added",
    "weight-transfer-api",
    "yaml-false-dropped",
]

RULES = read_rules(rules_folder())
ANSWERED = {entry for file in RULES for entry in file.page.changes}


def listed() -> set[str]:
    """The entries in the README's table of what no file shows: its rows begin with `| entry |`."""
    text = (rules_folder() / "README.md").read_text(encoding="utf-8")
    _, found, table = text.partition("## What no file shows")
    assert found
    return {line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")} - {"entry"}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_answered_or_explained(entry: str) -> None:
    assert (entry in ANSWERED) != (entry in listed()), "by a rule, or in the table, and not in both"


def test_no_rule_answers_an_entry_that_does_not_exist() -> None:
    assert ANSWERED | listed() == set(ENTRIES)
