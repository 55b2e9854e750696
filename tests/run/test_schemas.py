"""Every schema is one, takes the files that it is for, and refuses what is wrong with a short error."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from vllm_migrate.catalog import store
from vllm_migrate.errors import UsageError
from vllm_migrate.knowledge.load import load
from vllm_migrate.knowledge.records import Dialect
from vllm_migrate.knowledge.schemas import TREES
from vllm_migrate.run.config import KEYS
from vllm_migrate.run.schemas import NAMES, named

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[2]
DIALECTS = {
    each.id: each
    for each in load().dialects
    if set(TREES).intersection(each.carriers)
    and any(not spec.calls for spec in each.engines)
    and each.own_format is None
}
OWN = [each.id for each in load().dialects if each.own_format is not None]
WRITTEN = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / "rules/dialects").glob("*.yaml")
}


def validator(schema: dict[str, Any]) -> Any:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_of_the_configuration() -> None:
    checks = validator(named("config"))
    assert set(checks.schema["properties"]) == set(KEYS)
    good = tomllib.loads(
        'from = "0.8.5"\nselect = ["VM1"]\nunsafe-fixes = true\n[per-file-ignores]\n"a/" = ["VM101"]\n'
        '[per-file-settings]\n"b/*" = {to = "0.18.1", role = "judge"}\n[severity]\nVM101 = "off"\n'
        '[[acknowledged]]\nrule = "VM999"\nreason = "done"\n'
    )
    assert not list(checks.iter_errors(good))
    for bad in ({"form": "0.8.5"}, {"select": "VM1"}, {"fail-on": "warn"}, {"severity": {"VM1": "loud"}}):
        (error,) = checks.iter_errors(bad)
        assert len(error.message) < 200
    assert not checks.is_valid({"acknowledged": [{"rule": "VM1"}]})
    assert not checks.is_valid({"per-file-settings": {"a": {"rol": "judge"}}})


def test_of_a_rule_and_a_dialect() -> None:
    for kind, folder in (("rule", ROOT / "rules"), ("dialect", ROOT / "rules/dialects")):
        checks = validator(named(kind))
        for path in sorted(folder.glob("*.yaml")):
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(found, dict) or "examples" not in found:
                continue
            errors = [
                f"{path.name}: {error.json_path}: {error.message[:200]}" for error in checks.iter_errors(plain(found))
            ]
            assert errors == []
            assert not checks.is_valid({**plain(found), "nmae": "x"})


def plain(found: object) -> Any:
    """YAML as JSON has it: `true` is a text where it is a key."""
    return json.loads(json.dumps(found))


def test_those_of_output_say_what_they_are() -> None:
    for name in NAMES:
        found = named(name)
        validator(found)
        assert found["title"] and json.loads(json.dumps(found)) == found


def examples(dialect: Dialect) -> Iterator[tuple[str, str, object]]:
    """The target, the name and the content of every file of a dialect's examples that is a tree of its own."""
    for example in WRITTEN[dialect.id]["examples"]["fires"]:
        for name, text in example["files"].items():
            if name.endswith((".yaml", ".yml", ".toml", ".json")):
                content = tomllib.loads(text) if name.endswith(".toml") else yaml.safe_load(text)
                yield example.get("target", "0.18.1"), name, content


@pytest.mark.parametrize("name", DIALECTS)
def test_of_a_dialect_takes_its_examples(name: str) -> None:
    for target, file, content in examples(DIALECTS[name]):
        if isinstance(content, dict):
            errors = list(validator(named(str(target), name)).iter_errors(content))
            assert [f"{file}: {error.json_path}: {error.message[:300]}" for error in errors] == []
    for release in ("0.8.5", store.load().releases[-1]):
        validator(named(release, name))


@pytest.mark.parametrize("name", OWN)
def test_a_format_of_a_programs_own_has_no_schema(name: str) -> None:
    with pytest.raises(UsageError, match="no keys of its own"):
        named("0.18.1", name)


WRONG: dict[str, tuple[object, str]] = {
    "axolotl": ({"rl": "grpo", "vllm": {"max_model_len": "long"}}, "long"),
    "nemo-rl": ({"policy": {"generation": {"vllm_cfg": {}, "vllm_kwargs": {"max_num_sqs": 1}}}}, "max_num_sqs"),
    "prime-rl": ({"inference": {"vllm": {"max_num_seqs": "many"}}}, "many"),
    "pipelinerl": ({"vllm_config": {"vllm_kwargs": {"max-num-sqs": 1}}}, "max-num-sqs"),
    "torchforge": ({"policy": {"engine_args": {"dtype": "float8"}}}, "float8"),
    "verl": ({"actor_rollout_ref": {"rollout": {"engine_kwargs": {"vllm": {"max_num_sqs": 1}}}}}, "max_num_sqs"),
    "roll": ({"a": {"strategy_args": {"strategy_name": "vllm", "strategy_config": {"dtype": "float8"}}}}, "float8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_of_a_dialect_refuses_what_is_wrong(name: str) -> None:
    content, word = WRONG[name]
    errors = list(validator(named("0.18.1", name)).iter_errors(content))
    assert errors and all(len(error.message) < 500 for error in errors)
    assert any(word in error.message for error in errors), errors


def test_a_dialect_describes_its_options() -> None:
    found = named("0.18.1", "nemo-rl")
    kwargs = found["properties"]["policy"]["properties"]["generation"]
    text = json.dumps(kwargs)
    assert "gpu_memory_utilization" in text and "Sets gpu_memory_utilization of vLLM" in text
    assert "swap_space" not in text and "swap_space" in json.dumps(named("0.8.5", "nemo-rl"))


@pytest.mark.parametrize(
    ("name", "dialect", "words"),
    [
        ("9.9", None, "vllm-migrate releases"),
        ("confg", None, "config"),
        ("lock", "verl", "RELEASE --dialect verl"),
        ("0.18.1", "nemo", "nemo-rl"),
        ("0.18.1", "vllm-argv", "dialects"),
        ("0.18.1", "vllm-python", "dialects"),
    ],
)
def test_what_there_is_no_schema_of(name: str, dialect: str | None, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        named(name, dialect)
    assert words in caught.value.remedy and len(caught.value.message) < 200
