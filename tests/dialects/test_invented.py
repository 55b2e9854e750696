"""A framework that nobody has: one file in rules/dialects/ is enough to lint and fix what it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.dialects.reading import Reading
from vllm_migrate.knowledge.build import compile_all, rules_folder
from vllm_migrate.knowledge.load import Knowledge
from vllm_migrate.run.versions import find_releases

GULL = """
id: gull
title: Gull
repository: example/gull
framework: gull
verified: source
evidence: [{commit: abcdef0, file: gull/serve.py, symbol: launch}]
about: A framework of this test.
carriers: [yaml, toml]
markers: [roosts]
recognise:
  - {glob: "roosts.*", where: {kind: vllm}}
engines:
  - {role: rl_rollout, root: "roosts.*", where: {kind: vllm}, excluding: [roosts.spare], entrypoint: async_llm}
requires: {1.0.0: "<0.11.0", 2.0.0: ">=0.11.0"}
keys:
  shards: tensor_parallel_size
  no_reuse: {to: enable_prefix_caching, invert: true, when: "fw('>=2.0.0')", unread: Gull 1 does not read it}
  heat: sampling.temperature
environment: [air]
passthrough: [{path: extra, excluding: [note]}]
sampling: {via: explicit}
facts:
  rl.logprobs_in_loss: {value_of: "config('loss') == 'flock'", at: [loss]}
  rl.inflight_updates: false
passes:
  - {option: seed, because: Gull counts its engines, keyword: true}
  - {option: enable_prefix_caching, value: true, because: Gull's default}
transport:
  - {kind: kwargs, duplicate: crash}
pins:
  - {when: "option == 'seed'", say: Gull counts its engines}
  - {key: "{typed}"}
  - {key: "extra.{snake}"}
"""

CONFIG = """# a note that stays
roosts:
  north:
    kind: vllm
    shards: 2
    heat: 0.7
    no_reuse: true
    air: {VLLM_USE_V1: "0", KEPT: x}
    extra: {max_num_seqs: 8, note: mine}
  south:
    kind: sglang
    shards: 4
  spare:
    kind: vllm
loss: flock
"""


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> Knowledge:
    """The shipped rules with one dialect more."""
    folder = tmp_path_factory.mktemp("rules") / "rules"
    shutil.copytree(rules_folder(), folder)
    (folder / "dialects" / "gull.yaml").write_text(GULL, encoding="utf-8")
    return Knowledge(compile_all(folder)[0])


def test_engines_values_and_facts(knowledge: Knowledge, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"flock.yaml": CONFIG}, knowledge=knowledge, frameworks={"gull": "2.1.0"})
    engine = reading.engine
    assert engine.site_path == "roosts.north"
    assert reading.arrives("0.18.1")["tensor_parallel_size"] == 2
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is False
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8
    assert engine.facts["sampling.temperature"].value == 0.7
    assert engine.facts["env.VLLM_USE_V1"].value == "0"
    assert engine.facts["rl.logprobs_in_loss"].value is True
    assert not reading.diagnostics("0.18.1")


def test_an_older_release_does_not_read_a_key(knowledge: Knowledge, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"flock.yaml": CONFIG}, knowledge=knowledge, target="0.10.2")
    assert ("dead", "enable_prefix_caching") in reading.diagnostics("0.10.2")


def test_fixes_in_yaml(knowledge: Knowledge, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"flock.yaml": CONFIG}, knowledge=knowledge)
    assert reading.fix().applied
    text = reading.text("flock.yaml")
    north = yaml.safe_load(text)["roosts"]["north"]
    assert north["air"] == {"KEPT": "x"}
    assert north["extra"] == {
        "max_num_seqs": 8,
        "note": "mine",
        "async_scheduling": False,
        "logprobs_mode": "processed_logprobs",
    }
    assert text.startswith("# a note that stays\n")


def test_an_inverted_key_takes_the_opposite(knowledge: Knowledge, tmp_path: Path) -> None:
    """V0 ran without prefix caching where Gull 1 has no word for it; the pin is `no_reuse: true`."""
    text = CONFIG.replace(
        "    extra: {max_num_seqs: 8, note: mine}", "    extra: {seed: 1, enable_prefix_caching: false}"
    )
    text = text.replace("    no_reuse: true\n", "")
    reading = Reading(tmp_path, {"flock.yaml": text}, knowledge=knowledge)
    # Gull passes a seed of its own as a keyword; what else is passed through reaches vLLM.
    assert reading.diagnostics("0.18.1") == {("duplicate", "seed")}
    refused = {finding.name: why for finding, why in reading.fix().refused}
    assert refused["duplicate-keyword"] == "Gull counts its engines"


def test_the_same_file_in_toml(knowledge: Knowledge, tmp_path: Path) -> None:
    text = '[roosts.north]\nkind = "vllm"\nshards = 2\n\n[roosts.north.air]\nVLLM_USE_V1 = "0"\n'
    reading = Reading(tmp_path, {"flock.toml": text}, knowledge=knowledge)
    assert reading.fix().applied
    assert "VLLM_USE_V1" not in reading.text("flock.toml")
    assert "async_scheduling = false" in reading.text("flock.toml")


def test_other_files_are_silent(knowledge: Knowledge, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"a.yaml": "roosts: {a: {kind: hf}}\n", "b.yaml": "roosts: []\n"}, knowledge=knowledge)
    assert not reading.engines


def test_its_release_is_read_from_the_project(knowledge: Knowledge, tmp_path: Path) -> None:
    """The package that a dialect names is looked for without being known to any code."""
    (tmp_path / "requirements.txt").write_text("gull==1.4.0\nvllm==0.8.5\n", encoding="utf-8")
    found = find_releases(str(tmp_path), packages=("vllm", *knowledge.frameworks()))
    assert {pin.package: pin.version for pin in found} == {"gull": "1.4.0", "vllm": "0.8.5"}
