"""The schema against the release's own parser: one-key files, accept or reject, and what arrives.

VLLM_MIGRATE_REAL_MORE=0.12.0=PYTHON:0.24.0=PYTHON names releases beside the two of the fixtures.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import yaml

from tests.real.oracles.client import run_oracle
from vllm_migrate.catalog import schema, store
from vllm_migrate.catalog.store import Flag

jsonschema = pytest.importorskip("jsonschema")

MORE = dict(pair.split("=", 1) for pair in os.environ.get("VLLM_MIGRATE_REAL_MORE", "").split(":") if "=" in pair)
# values no schema of one key can judge: they need a file on disk, another key, or a whole config's validator
ELSEWHERE = {
    "chat-template",
    "enable-auto-tool-choice",
    "enable-log-outputs",
    "enable-reasoning",
    "model",
    "config",
    "data-parallel-multi-port-external-lb",
}
PLAIN: list[Any] = [True, False, None, 0, 1.5, -1, "x", "", "7", "1k", "auto", "-x", ["a", "b"], ["x"], [3], [], {}]
SPELLINGS: list[tuple[str, Any]] = [
    ("enable_prefix_caching", True),
    ("no_enable_prefix_caching", True),
    ("no-enable-prefix-caching", False),
    ("tensor_parallel_size", 2),
    ("max-num", 5),
    ("tp", 2),
    ("Seed", 1),
    ("no-such", False),
    ("no-such", True),
    ("no-such", 3),
    ("swap-space", 4),
    ("num-scheduler-steps", 1),
    ("disable-log-requests", True),
    ("compilation-config.max_cudagraph_capture_size", 8),
    ("compilation-config.nonsense", 3),
    ("hf-overrides.a", 1),
]


def cases(release: str) -> list[tuple[str, Any]]:
    """Every option with a value it takes and values it may not, and odd spellings."""
    found: list[tuple[str, Any]] = []
    for option, flag in store.load().flags(release).items():
        if option.startswith("--") and flag.action != "help" and option[2:] not in ELSEWHERE:
            found += [(option[2:], value) for value in [*(flag.choices or [])[:2], *PLAIN]]
    return found + SPELLINGS


def text_of(value: Any) -> Any:
    """A YAML scalar as the argument it becomes."""
    return [str(v) for v in value] if isinstance(value, list) else str(value)


def expected(flag: Flag, value: Any) -> Any:
    """What should arrive for a plain value; Ellipsis where the conversion is not this test's matter."""
    if not flag.takes_value:
        return flag.action != "store_false" and not flag.negative
    kind = flag.type.removeprefix("optional_")
    if flag.action.endswith("ParserAction"):
        return ...
    if flag.type != kind and value in ("", None, "None"):
        one: Any = None
    elif value is True:
        one = flag.const
    elif kind == "str" and not isinstance(value, list | dict):
        one = str(value)
    elif kind in ("int", "human_readable_int") and isinstance(value, int):
        one = value
    elif kind == "float" and isinstance(value, int | float):
        one = float(value)
    else:
        return ...
    return [one] if flag.nargs == "+" or flag.action == "append" else one


@pytest.mark.parametrize("release", ["0.18.1", "0.8.5", *MORE])
def test_schema_agrees_with_the_parser(release: str, request: pytest.FixtureRequest) -> None:
    py = MORE.get(release) or request.getfixturevalue({"0.8.5": "vllm_py_085", "0.18.1": "vllm_py_0181"}[release])
    cat = store.load()
    flags = cat.flags(release)
    validator = jsonschema.Draft202012Validator(schema.schema(cat, release))
    items = cases(release)
    files = [
        {"argv": ["serve", "m", "--config", "c.yaml"], "files": {"c.yaml": yaml.safe_dump({k: v})}} for k, v in items
    ]
    answers = run_oracle(py, "serve_parser.py", files, timeout_s=900)
    wrong, arrived_wrong, accepted = [], [], 0
    for (key, value), answer in zip(items, answers, strict=True):
        given = {k: v for k, v in (answer["given"] or {}).items() if k not in ("model_tag", "config")}
        real = answer["ok"] and bool(given)
        if validator.is_valid({key: value}) is not real:
            wrong.append((key, value, answer["error"][-1:]))
        flag = flags.get("--" + key)
        if real and flag is not None:
            accepted += 1
            want = expected(flag, value)
            if want is not ... and given.get(flag.dest) != want:
                arrived_wrong.append((key, value, given))
    print(f"{release}: {len(items)} one-key files, {accepted} accepted, {len(wrong)} disagree")
    assert len(items) > 150
    assert wrong == [] and arrived_wrong == []


def test_a_false_that_never_arrives_is_rejected_everywhere() -> None:
    cat = store.load()
    for release in cat.releases:
        validator = jsonschema.Draft202012Validator(schema.schema(cat, release))
        assert not validator.is_valid({"enable-prefix-caching": False})
        assert validator.is_valid({"enable-prefix-caching": True})
        assert json.dumps(validator.schema)
