"""Declared defaults that changed: shipped releases are known to rules of their own, and nothing is asked of them."""

from __future__ import annotations

from itertools import pairwise

from vllm_migrate.catalog.store import load as load_catalog
from vllm_migrate.knowledge.load import load as load_knowledge
from vllm_migrate.rules.default import moved

# Other words for the same: every token (-1 and 0), and the precision of products of 32-bit floats that nobody lowered.
SAME = {"sampling.top_k", "env.VLLM_FLOAT32_MATMUL_PRECISION"}


def test_between_shipped_releases_no_default_moved_that_no_rule_knows() -> None:
    catalog, knowledge = load_catalog(), load_knowledge()
    pairs = [*pairwise(catalog.shipped), (catalog.shipped[0], catalog.shipped[-1])]
    found = {(a, b): [default.option for default in moved(catalog, knowledge, a, b)] for a, b in pairs}
    assert {option for options in found.values() for option in options} == SAME
