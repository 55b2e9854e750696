"""Keys inside options whose value is a mapping: every field and unknown names, against real constructors.

VLLM_MIGRATE_REAL_MORE=0.33.0=PYTHON adds releases; PYTHON may be an environment of a neighbouring release that has the sources of this
one in front of its path.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.oracles.client import MORE, RELEASES, run_oracle
from vllm_migrate.catalog import nested, store
from vllm_migrate.dialects.inner import verdict

OPTIONS: dict[str, dict[str, object]] = {
    "compilation_config": {},
    "speculative_config": {
        "method": "ngram",
        "num_speculative_tokens": 2,
        "prompt_lookup_max": 2,
        "prompt_lookup_min": 1,
    },
    "kv_transfer_config": {"kv_connector": "ExampleConnector", "kv_role": "kv_both"},
    "structured_outputs_config": {},
    "attention_config": {},
    "profiler_config": {},
    "pooler_config": {},
    "override_pooler_config": {},
    "eplb_config": {},
    "hf_overrides": {},
}
MADE_UP = (
    "lvl",
    "backendd",
    "Mode",
    "use_cudagraphs",
    "num_spec_tokens",
    "kv_rank_",
    "enabled_",
    "x",
    "level_",
    "cache",
)
# Sets what another field must agree with, or starts what this machine has not.
SAMPLES: dict[str, object] = {"int": 1, "float": 0.5, "bool": True, "str": "x", "int | None": 1, "str | None": "x"}


def unknown_names(option: str, release: str) -> list[str]:
    """Twenty names that are no fields: those that the class has at other releases first."""
    known = nested.load()
    mine = set(known.fields(option, release))
    elsewhere = {name for other in store.load().shipped for name in known.fields(option, other)} - mine
    return [*sorted(elsewhere)[:20], *(name for name in MADE_UP if name not in mine), *(f"key_{n}" for n in range(20))][
        :20
    ]


def cases(release: str) -> list[dict[str, Any]]:
    known, out = nested.load(), list[dict[str, Any]]()
    for option, needed in OPTIONS.items():
        if option not in known.options(release):
            continue
        fields = known.fields(option, release)
        for key in [*fields, *unknown_names(option, release)]:
            facts = fields.get(key)
            value = needed.get(key, SAMPLES.get(facts.type if facts else "int"))
            if facts is not None and facts.choices:
                value = facts.choices[0]
            out += [
                {"entry": entry, "option": option, "key": key, "value": {**needed, key: value}}
                for entry in nested.ENTRIES
            ]
    return out


def mine(case: dict[str, Any], release: str) -> str:
    key, option = str(case["key"]), str(case["option"])
    found = verdict(nested.load(), option, (key,), 1, str(case["entry"]), release)
    return {"unknown": "refused", "lost": "lost", "": "kept"}[found.kind]


@pytest.mark.parametrize("release", [*RELEASES, *MORE])
def test_every_field_and_unknown_names(release: str, vllm_pythons: dict[str, str], tiny_model: str) -> None:
    asked = cases(release)
    answers: list[Any] = run_oracle(
        {**vllm_pythons, **MORE}[release], "nested_keys.py", asked, tiny_model, timeout_s=1800
    )
    wrong, compared, other = [], 0, 0
    for case, answered in zip(asked, answers, strict=True):
        # A class may name the keys that it has lost, and refuse them by itself.
        theirs = "refused" if f"`{case['key']}` was removed" in str(answered) else answered
        if case["option"] == "override_pooler_config" and theirs == "kept" and mine(case, release) != "kept":
            other += 1  # 0.9.0 to 0.11.0 make the class of it for a pooling model alone, and this model generates
            continue
        if str(theirs).startswith("other"):
            other += 1  # the value is refused, not the key
            # The parser of 0.8.5 names the text, and not what is wrong with it.
            if mine(case, release) == "refused" and "invalid from_json value" not in str(theirs):
                wrong.append((case, theirs))
            continue
        compared += 1
        if mine(case, release) != theirs:
            wrong.append((case, theirs))
    print(f"{release}: {compared} compared, {other} values refused, {len(wrong)} wrong")
    assert wrong == []
    assert compared > 150
