"""NeMo-RL: parents, many engines, typed keys beside keywords, what each release passes by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dialects.reading import Reading
from vllm_migrate.documents.editing import plan
from vllm_migrate.documents.interface import Op
from vllm_migrate.fixes.carriers import writer_of

BASE = """policy:
  precision: bfloat16
  generation:
    backend: vllm
    temperature: 1.0
    vllm_cfg:
      async_engine: false
      precision: ${policy.precision}
      tensor_parallel_size: 1
      enforce_eager: false
      max_model_len: 4096
    vllm_kwargs: {}
grpo:
  num_prompts_per_step: 8
"""


def read(tmp_path: Path, release: str, more: str = "", **options: Any) -> Reading:
    return Reading(tmp_path, {"grpo.yaml": BASE + more}, frameworks={"nemo-rl": release}, **options)


def test_what_arrives_from_keys_and_from_the_framework(tmp_path: Path) -> None:
    reading = read(tmp_path, "0.6.0")
    assert reading.engine.role == "rl_rollout"
    arrives = reading.arrives("0.18.1")
    assert arrives["dtype"] == "bfloat16" and arrives["max_model_len"] == 4096
    assert arrives["enable_prefix_caching"] is True and arrives["logprobs_mode"] == "processed_logprobs"
    assert reading.engine.facts["sampling.temperature"].value == 1.0


def test_releases_pass_different_things(tmp_path: Path) -> None:
    old = read(tmp_path, "0.4.0")
    assert old.arrives("0.10.0")["logprobs_mode"] == "raw_logprobs"
    assert "logprobs_mode" not in read(tmp_path, "0.3.0").arrives("0.9.0")
    assert read(tmp_path, "0.2.0").arrives("0.8.5")["enforce_eager"] is True


@pytest.mark.parametrize(("release", "vllm", "read_there"), [("0.5.0", "0.11.2", False), ("0.6.0", "0.18.1", True)])
def test_a_key_that_only_newer_releases_read(release: str, vllm: str, read_there: bool, tmp_path: Path) -> None:
    text = BASE.replace("      enforce_eager", "      enable_prefix_caching: false\n      enforce_eager")
    reading = Reading(tmp_path, {"grpo.yaml": text}, frameworks={"nemo-rl": release}, target=vllm)
    assert reading.arrives(vllm)["enable_prefix_caching"] is not read_there
    assert (("dead", "enable_prefix_caching") in reading.diagnostics(vllm)) is not read_there


@pytest.mark.parametrize(
    "line", ["enable_prefix_caching: false", "seed: 1", "enforce_eager: true", "logprobs_mode: raw_logprobs"]
)
def test_what_the_framework_passes_must_not_be_passed_again(line: str, tmp_path: Path) -> None:
    text = BASE.replace("vllm_kwargs: {}", f"vllm_kwargs: {{{line}}}")
    reading = Reading(tmp_path, {"grpo.yaml": text}, frameworks={"nemo-rl": "0.6.0"})
    assert ("duplicate", line.partition(":")[0]) in reading.diagnostics("0.18.1")


def test_the_newest_key_wins_over_the_keyword(tmp_path: Path) -> None:
    text = BASE.replace("vllm_kwargs: {}", "vllm_kwargs: {logprobs_mode: raw_logprobs}")
    text = text.replace("      enforce_eager", "      logprobs_mode: processed_logprobs\n      enforce_eager")
    reading = Reading(tmp_path, {"grpo.yaml": text}, frameworks={"nemo-rl": "0.8.0"}, target="0.25.1")
    assert reading.arrives("0.25.1")["logprobs_mode"] == "processed_logprobs"
    assert reading.diagnostics("0.25.1") == {("overridden", "logprobs_mode")}


def test_a_pin_goes_to_the_keywords_of_the_child(tmp_path: Path) -> None:
    child = "defaults: ../grpo.yaml\npolicy:\n  generation:\n    vllm_cfg:\n      tensor_parallel_size: 4\n"
    reading = Reading(tmp_path, {"grpo.yaml": BASE, "recipes/child.yaml": child}, frameworks={"nemo-rl": "0.6.0"})
    assert len(reading.engines) == 2 and not any(engine.missing for engine in reading.engines)
    reading.fix()
    assert yaml.safe_load(reading.text("grpo.yaml"))["policy"]["generation"]["vllm_kwargs"] == {
        "async_scheduling": False
    }
    assert reading.text("recipes/child.yaml") == child


def test_a_child_alone_is_read_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "grpo.yaml").write_text(BASE, encoding="utf-8")
    child = "defaults: grpo.yaml\npolicy:\n  generation:\n    vllm_kwargs:\n      max_num_seqs: 8\n"
    reading = Reading(tmp_path, {"child.yaml": child}, frameworks={"nemo-rl": "0.6.0"})
    assert reading.arrives("0.18.1")["max_num_seqs"] == 8
    reading.fix()
    assert reading.text("child.yaml") == child + "      async_scheduling: false\n"


def test_a_missing_parent_is_told(tmp_path: Path) -> None:
    child = "defaults: gone.yaml\npolicy:\n  generation:\n    vllm_cfg: {tensor_parallel_size: 4}\n"
    reading = Reading(tmp_path, {"child.yaml": child})
    assert "parent-not-found" in reading.names_of()


def test_every_engine_of_a_file(tmp_path: Path) -> None:
    more = (
        "env:\n  judge:\n    backend: vllm\n    vllm_cfg: {tensor_parallel_size: 1}\n"
        "  other:\n    backend: sglang\n    vllm_cfg: {tensor_parallel_size: 1}\n"
        "teacher:\n  generation:\n    vllm_cfg: {tensor_parallel_size: 1}\n"
    )
    reading = read(tmp_path, "0.6.0", more)
    assert [(engine.site_path, engine.role) for engine in reading.engines] == [
        ("policy.generation", "rl_rollout"),
        ("env.judge", "judge"),
    ]


def test_what_cannot_be_pinned_is_said(tmp_path: Path) -> None:
    reading = Reading(
        tmp_path, {"grpo.yaml": BASE}, source="0.9.0", target="0.10.0", frameworks={"nemo-rl": "0.4.0"}, engine="v0"
    )
    refused = {finding.name: why for finding, why in reading.fix().refused}
    assert "upgrade NeMo-RL" in refused.get("logprobs-semantics", "upgrade NeMo-RL")


def test_overrides_of_a_script_over_the_file_it_names(tmp_path: Path) -> None:
    script = "uv run examples/run_grpo.py --config grpo.yaml ++policy.generation.vllm_kwargs.max_num_seqs=16 \\\n    grpo.x=1\n"
    reading = Reading(tmp_path, {"run.sh": script, "grpo.yaml": BASE}, frameworks={"nemo-rl": "0.6.0"})
    engine = next(engine for engine in reading.engines if engine.file.path.endswith("run.sh"))
    assert {written.key: written.value for written in engine.options}["max_num_seqs"] == 16


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("backend: vllm", "backend: megatron"),
        BASE.replace("backend: vllm", "backend: sglang"),
        "policy:\n  generation: null\n  vllm_config: {}\n",
        "defaults: [a, _self_]\nvllm_cfg: null\n",
    ],
)
def test_other_backends_are_silent(text: str, tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"grpo.yaml": text})
    assert not reading.engines


def test_a_key_that_stands_there_is_written_over_in_its_place(tmp_path: Path) -> None:
    text = BASE.replace(
        "      enforce_eager: false\n", "      enable_prefix_caching: true  # fast\n      enforce_eager: false\n"
    )
    text += "  async_grpo: {in_flight_weight_updates: true}\nenv:\n  judge:\n    backend: vllm\n    vllm_cfg: {x: 1}\n"
    reading = Reading(tmp_path, {"grpo.yaml": text}, frameworks={"nemo-rl": "0.6.0"})
    rollout, judge = reading.engines
    assert rollout.facts["rl.inflight_updates"].value is True and judge.facts["rl.inflight_updates"].value is False
    written = next(setting for setting in rollout.options if setting.option == "enable_prefix_caching")
    (change,) = writer_of(rollout, written).respell(written, "enable_prefix_caching", False)
    assert isinstance(change.op, Op)
    assert change.file.data is not None and plan(change.file.data, [change.op])[0].text == "false"


CHILD = "defaults: grpo.yaml\n"
OWN = CHILD + "policy:\n  generation:\n    vllm_kwargs:\n      max_num_seqs: 8\n"


def family(tmp_path: Path, **texts: str) -> Reading:
    files = {f"{name}.yaml": text for name, text in texts.items()}
    return Reading(tmp_path, files, frameworks={"nemo-rl": "0.6.0"})


def test_a_pin_in_the_parent_settles_its_children(tmp_path: Path) -> None:
    """A child is read before its parent here; both speak of the same parent file."""
    reading = family(tmp_path, a_child=CHILD, b_own=OWN, grpo=BASE)
    (finding,) = [f for f in reading.findings if f.name == "async-scheduling-default"]
    assert Path(finding.spot.file.path).name == "grpo.yaml"
    (candidate,) = [c for c in reading.result.candidates if c.fired is finding]
    assert [Path(path).name for path in candidate.children] == ["a_child.yaml", "b_own.yaml"]
    reading.fix()
    assert "async_scheduling: false" in reading.text("grpo.yaml")
    assert reading.text("a_child.yaml") == CHILD and reading.text("b_own.yaml") == OWN


def test_what_only_a_child_needs_is_pinned_in_the_child(tmp_path: Path) -> None:
    """Updates in flight are switched on in one child; its sibling and the parent keep their prefix cache."""
    inflight = "loss_fn:\n  use_importance_sampling_correction: true\ngrpo:\n  async_grpo:\n    in_flight_weight_updates: true\n"
    files = {"a.yaml": OWN + inflight, "b.yaml": OWN, "grpo.yaml": BASE}
    reading = Reading(tmp_path, files, frameworks={"nemo-rl": "0.6.0"})
    (finding,) = [f for f in reading.findings if f.name == "stale-prefix-cache"]
    assert Path(finding.spot.file.path).name == "a.yaml"


def test_two_children_whose_parent_updates_in_flight_have_a_pin_each(tmp_path: Path) -> None:
    inflight = "  async_grpo:\n    in_flight_weight_updates: true\n"
    parent = (tmp_path / "parent.yaml", BASE + inflight)
    parent[0].write_text(parent[1], encoding="utf-8")
    child = OWN.replace("grpo.yaml", "parent.yaml")
    reading = family(tmp_path, a=child, b=child)
    pins = [f for f in reading.findings if f.name == "stale-prefix-cache"]
    assert [Path(f.spot.file.path).name for f in pins] == ["a.yaml", "b.yaml"]
