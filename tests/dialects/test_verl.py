"""verl and rLLM: overrides in scripts and YAML, releases of the framework, the false that never arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading
from vllm_migrate import lint
from vllm_migrate.knowledge.expr import Undetermined

RUN = "python3 -m verl.trainer.main_ppo \\\n    actor_rollout_ref.rollout.name=vllm \\\n"
OFF = RUN + "    actor_rollout_ref.rollout.enable_prefix_caching=False \\\n    trainer.nnodes=1\n"


def test_a_false_never_arrives_and_its_pin_does(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": OFF})
    assert ("dropped", "enable_prefix_caching") in reading.diagnostics("0.18.1")
    assert reading.named("yaml-false-dropped").severity == "error"
    outcome = reading.fix()
    assert not outcome.refused
    assert "++actor_rollout_ref.rollout.engine_kwargs.vllm.no_enable_prefix_caching=True \\\n" in reading.text("run.sh")
    after = Reading(tmp_path, {"run.sh": reading.text("run.sh")})
    assert after.arrives("0.18.1")["enable_prefix_caching"] is False


@pytest.mark.parametrize(
    ("release", "vllm", "kind"),
    [
        ("0.5.0", "0.8.5", "dead"),
        ("0.6.1", "0.9.0", ""),
        ("0.7.0", "0.10.2", "dropped"),
        ("0.9.0", "0.18.1", "dropped"),
    ],
)
def test_what_becomes_of_the_false_by_release(tmp_path: Path, release: str, vllm: str, kind: str) -> None:
    reading = Reading(tmp_path, {"run.sh": OFF}, target=vllm, frameworks={"verl": release})
    kinds = {found for found, option in reading.diagnostics(vllm) if option == "enable_prefix_caching"}
    assert kinds == ({kind} if kind else set())
    if release == "0.5.0":
        assert reading.arrives(vllm)["enable_prefix_caching"] is True, "hardcoded"
    if release == "0.6.1":
        assert reading.arrives(vllm)["enable_prefix_caching"] is False, "a keyword of LLM()"


def test_defaults_of_the_framework_by_release(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": RUN + "    trainer.nnodes=1\n"})
    now = reading.arrives("0.18.1")
    assert (now["logprobs_mode"], now["max_num_seqs"]) == ("processed_logprobs", 256)
    assert isinstance(reading.arrives("0.8.5")["enforce_eager"], Undetermined), "no file pins verl's release"
    old = Reading(tmp_path, {"run.sh": RUN + "    trainer.nnodes=1\n"}, frameworks={"verl": "0.5.0"})
    assert old.arrives("0.8.5")["enforce_eager"] is True


def test_another_backend_is_none_of_our_business(tmp_path: Path) -> None:
    text = OFF.replace("name=vllm", "name=sglang")
    assert not Reading(tmp_path, {"run.sh": text}).engines


def test_a_group_file_of_the_rollout(tmp_path: Path) -> None:
    text = "_target_: verl.workers.config.RolloutConfig\nname: vllm\nenable_prefix_caching: false\n"
    reading = Reading(tmp_path, {"rollout/mine.yaml": text})
    assert ("dropped", "enable_prefix_caching") in reading.diagnostics("0.18.1")
    reading.fix()
    assert "no_enable_prefix_caching: true" in reading.text("rollout/mine.yaml")


def test_parents_that_come_with_verl_are_not_missing(tmp_path: Path) -> None:
    text = "hydra:\n  searchpath:\n    - pkg://verl.trainer.config\ndefaults:\n  - ppo_trainer\n  - _self_\n"
    text += "actor_rollout_ref:\n  rollout:\n    name: vllm\n"
    reading = Reading(tmp_path, {"conf/mine.yaml": text})
    assert not reading.engine.missing
    strange = text.replace("- ppo_trainer", "- somebody_elses")
    assert [m.name for m in Reading(tmp_path, {"conf/other.yaml": strange}).engine.missing] == ["somebody_elses"]


def test_overrides_over_the_file_that_the_command_names(tmp_path: Path) -> None:
    config = "defaults: [ppo_trainer, _self_]\nactor_rollout_ref:\n  rollout: {name: vllm, temperature: 0.7, max_num_seqs: 64}\n"
    script = 'ROOT="$(pwd)"\npython3 -m verl.trainer.main_ppo --config-path="$ROOT/conf" --config-name=mine \\\n'
    script += "    actor_rollout_ref.rollout.max_num_seqs=128\n"
    reading = Reading(tmp_path, {"run.sh": script, "conf/mine.yaml": config})
    engine = next(engine for engine in reading.engines if engine.file.path.endswith("run.sh"))
    assert engine.facts["sampling.temperature"].value == 0.7
    assert [w.value for w in engine.options if w.key == "max_num_seqs"] == [128]


def test_reward_model_and_teacher(tmp_path: Path) -> None:
    text = RUN + "    reward.reward_model.enable=True reward.reward_model.rollout.name=vllm \\\n"
    text += "    distillation.enabled=True distillation.teacher_models.teacher_model.inference.name=vllm\n"
    assert [engine.role for engine in Reading(tmp_path, {"run.sh": text}).engines] == ["rl_rollout", "judge", "teacher"]
    off = RUN + "    reward.reward_model.enable=False reward.reward_model.rollout.name=vllm\n"
    assert [engine.role for engine in Reading(tmp_path, {"run.sh": off}).engines] == ["rl_rollout"]


def test_bash_arrays_are_edited_in_place(tmp_path: Path) -> None:
    text = "ROLLOUT=(\n    actor_rollout_ref.rollout.name=vllm\n    actor_rollout_ref.rollout.enable_prefix_caching=False\n)\n"
    text += 'python3 -m verl.trainer.main_ppo "${ROLLOUT[@]}" "$@"\n'
    reading = Reading(tmp_path, {"run.sh": text})
    reading.fix()
    assert "    ++actor_rollout_ref.rollout.engine_kwargs.vllm.no_enable_prefix_caching=True\n" in reading.text(
        "run.sh"
    )


def test_rllm_reads_its_own_switch(tmp_path: Path) -> None:
    text = "python3 train.py rllm/backend=verl actor_rollout_ref.rollout.name=vllm rllm.algorithm.rollout_correction.bypass_mode=true\n"
    reading = Reading(tmp_path, {"run.sh": text})
    assert reading.engine.name == "rllm"
    assert reading.engine.facts["rl.logprobs_in_loss"].value is True
    off = Reading(tmp_path, {"run.sh": text.replace("bypass_mode=true", "bypass_mode=false")})
    assert off.engine.facts["rl.logprobs_in_loss"].value is False


def test_lost_overrides_are_named_and_do_not_count(tmp_path: Path) -> None:
    text = RUN + "\n    actor_rollout_ref.rollout.temperature=0.6 \\\n    trainer.nnodes=1\n"
    reading = Reading(tmp_path, {"run.sh": text})
    (remark,) = reading.engine.remarks
    assert remark.value == "actor_rollout_ref.rollout.temperature=0.6, trainer.nnodes=1"
    assert reading.engine.facts["sampling.temperature"].value == 1.0, "verl's default"


@pytest.mark.parametrize("release", ["0.3.0", "0.4.1", "0.7.0", "0.9.1"])
@pytest.mark.parametrize("key", ["swap_space", "no_such_option", "max_seq_len_to_capture"])
def test_a_null_that_the_framework_takes_out_is_no_setting(release: str, key: str) -> None:
    config = (
        "actor_rollout_ref:\n  rollout:\n    name: vllm\n    mode: sync\n    temperature: 1.0\n"
        f"    engine_kwargs:\n      vllm:\n        {key}: null\n  model: {{path: a/b}}\n"
    )
    files = {"requirements.txt": f"verl=={release}\nvllm==0.8.5\n", "conf.yaml": config}
    assert not [found for found in lint(files=files).findings if key in found.message]
