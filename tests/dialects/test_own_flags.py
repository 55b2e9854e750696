"""OpenRLHF, ms-swift, TRL and SkyRL: flags of their own, flat YAML, what cannot be pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialects.reading import Reading

OPENRLHF = "ray job submit --address=x -- python3 -m openrlhf.cli.train_ppo_ray \\\n    --vllm.num_engines 4 \\\n"
SWIFT = "CUDA_VISIBLE_DEVICES=0 swift rlhf --rlhf_type grpo --use_vllm true --vllm_mode colocate"


def test_openrlhf_absence_is_false(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": OPENRLHF + "    --vllm.enforce_eager \\\n    --rollout.temperature 0.9\n"})
    arrives = reading.arrives("0.18.1")
    assert arrives["enable_prefix_caching"] is False and arrives["enforce_eager"] is True
    assert reading.engine.facts["sampling.temperature"].value == 0.9
    on = Reading(tmp_path, {"run.sh": OPENRLHF + "    --vllm.enable_prefix_caching\n"})
    assert on.arrives("0.18.1")["enable_prefix_caching"] is True


def test_openrlhf_old_flags_and_no_engine(tmp_path: Path) -> None:
    old = "python3 -m openrlhf.cli.train_ppo_ray --vllm_num_engines 2 --enable_prefix_caching --enable_vllm_is_correction\n"
    reading = Reading(tmp_path, {"run.sh": old})
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is True
    assert reading.arrives("0.18.1")["logprobs_mode"] == "processed_logprobs"
    assert reading.engine.facts["rl.logprobs_in_loss"].value is True
    assert not Reading(tmp_path, {"run.sh": "python3 -m openrlhf.cli.train_ppo_ray --vllm_num_engines 0\n"}).engines


def test_openrlhf_says_what_it_cannot_pin(tmp_path: Path) -> None:
    outcome = Reading(tmp_path, {"run.sh": OPENRLHF + "    --vllm.enforce_eager\n"}).fix()
    assert not outcome.edits
    assert any("has no flag for it" in why for _, why in outcome.refused)


def test_swift_literal_booleans_and_json(tmp_path: Path) -> None:
    text = SWIFT + " --vllm_enable_prefix_caching false --vllm_engine_kwargs '{\"max_num_batched_tokens\": 4096}'\n"
    reading = Reading(tmp_path, {"run.sh": text})
    arrives = reading.arrives("0.18.1")
    assert arrives["enable_prefix_caching"] is False and arrives["max_num_batched_tokens"] == 4096
    assert arrives["disable_cascade_attn"] is False, "passed unless its flag is true"
    reading.fix()
    assert '\'{"max_num_batched_tokens": 4096, "async_scheduling": false}\'' in reading.text("run.sh")


def test_swift_gets_a_new_flag(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"run.sh": SWIFT + "\n"})
    reading.fix()
    assert reading.text("run.sh") == SWIFT + " --vllm_engine_kwargs '{\"async_scheduling\": false}'\n"


def test_swift_without_vllm(tmp_path: Path) -> None:
    assert not Reading(tmp_path, {"run.sh": SWIFT.replace("--use_vllm true", "--use_vllm false") + "\n"}).engines
    assert not Reading(tmp_path, {"run.sh": "swift infer --model m --infer_backend pt\n"}).engines
    assert not Reading(tmp_path, {"run.sh": SWIFT.replace("colocate", "server") + "\n"}).engines


def test_trl_colocated_and_server(tmp_path: Path) -> None:
    text = "use_vllm: true\nvllm_mode: colocate\nnum_generations: 8\nvllm_gpu_memory_utilization: 0.4\n"
    reading = Reading(tmp_path, {"grpo.yaml": text})
    arrives = reading.arrives("0.18.1")
    assert (arrives["gpu_memory_utilization"], arrives["logprobs_mode"]) == (0.4, "processed_logprobs")
    assert reading.engine.facts["rl.logprobs_in_loss"].value is True, "importance sampling correction is on by default"
    assert not reading.fix().edits
    assert not Reading(tmp_path, {"grpo.yaml": text.replace("colocate", "server")}).engines


def test_trl_server_takes_literal_booleans(tmp_path: Path) -> None:
    text = "trl vllm-serve --model m --enable_prefix_caching false --tensor-parallel-size 2 &\n"
    reading = Reading(tmp_path, {"serve.slurm": text})
    assert reading.arrives("0.8.5")["enable_prefix_caching"] is False
    assert reading.arrives("0.8.5")["tensor_parallel_size"] == 2


def test_open_r1_is_served_elsewhere(tmp_path: Path) -> None:
    text = "use_vllm: true\ndataset_prompt_column: problem\nreward_funcs: [accuracy]\n"
    assert not Reading(tmp_path, {"config.yaml": text}).engines
    (engine,) = Reading(tmp_path, {"config.yaml": text + "vllm_mode: colocate\n"}).engines
    assert engine.name == "open-r1"


def test_skyrl_false_arrives_and_dead_keys(tmp_path: Path) -> None:
    text = "python -m skyrl.train.entrypoints.main_base \\\n    generator.inference_engine.backend=vllm \\\n"
    text += "    generator.inference_engine.enable_chunked_prefill=false \\\n    generator.inference_engine.enable_prefix_caching=false\n"
    reading = Reading(tmp_path, {"run.sh": text})
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is False
    assert ("dead", "enable_chunked_prefill") in reading.diagnostics("0.18.1")
    reading.fix()
    assert "    generator.inference_engine.engine_init_kwargs.async_scheduling=False\n" in reading.text("run.sh")


def test_skyrl_flat_layout_crashes_on_a_keyword_twice(tmp_path: Path) -> None:
    text = "python -m skyrl_train.entrypoints.main_base generator.num_inference_engines=4 generator.enable_prefix_caching=false "
    text += "+generator.engine_init_kwargs.enable_prefix_caching=false\n"
    assert ("duplicate", "enable_prefix_caching") in Reading(tmp_path, {"run.sh": text}).diagnostics("0.13.0")
    assert not Reading(
        tmp_path, {"run.sh": text.replace("generator.num", "generator.backend=sglang generator.num")}
    ).engines


def test_open_instruct_says_what_its_flags_cannot(tmp_path: Path) -> None:
    flags = "--num_unique_prompts_rollout 8 --vllm_num_engines 2 --vllm_top_p 0.9"
    reading = Reading(
        tmp_path, {"run.sh": f"python mason.py -- python open_instruct/grpo_fast.py {flags}\n"}, engine="v1"
    )
    assert reading.arrives("0.18.1")["enable_prefix_caching"] is False
    assert reading.engine.facts["sampling.top_p"].value == 0.9
    assert {why for _, why in reading.fix().refused} == {
        "open-instruct has no flag for it: change create_vllm_engines in open_instruct/vllm_utils.py"
    }


def test_a_grpo_script_of_others_is_no_engine_of_open_instruct(tmp_path: Path) -> None:
    assert not Reading(
        tmp_path, {"run.sh": "accelerate launch src/grpo.py --config c.yaml --num_generations 8\n"}
    ).engines


@pytest.mark.parametrize(("trl", "found"), [("use_vllm: true", 1), ("use_vllm: false", 0), ("vllm_mode: colocate", 0)])
def test_axolotls_server_block(trl: str, found: int, tmp_path: Path) -> None:
    text = f"base_model: m\nrl: grpo\ntrl: {{{trl}}}\nvllm: {{enable_prefix_caching: false, tensor_parallel_size: 2}}\n"
    reading = Reading(tmp_path, {"grpo.yaml": text}, target="0.18.1")
    assert len(reading.engines) == found
    if found:
        arrives = reading.arrives("0.18.1")
        assert arrives["enable_prefix_caching"] is False and arrives["logprobs_mode"] == "processed_logprobs"


def test_flags_of_the_launcher_in_front_are_no_repeated_settings(tmp_path: Path) -> None:
    flags = "--num_unique_prompts_rollout 8 --vllm_num_engines 2 --seed 1 --seed 2"
    script = f"python mason.py --env A=1 --env B=2 -- python open_instruct/grpo_fast.py {flags}\n"
    found = [f for f in Reading(tmp_path, {"run.sh": script}).findings if f.name == "repeated-override"]
    (finding,) = found
    assert finding.message.startswith("seed is set again")


def test_variables_behind_a_value_bring_flags_of_their_own(tmp_path: Path) -> None:
    flags = "--num_unique_prompts_rollout 8 --vllm_tensor_parallel_size 2 $EXTRA"
    reading = Reading(tmp_path, {"run.sh": f"python open_instruct/grpo_fast.py {flags}\n"})
    assert reading.arrives("0.18.1")["tensor_parallel_size"] == 2


@pytest.mark.parametrize(
    ("size", "executor"), [("", "uni"), ("generator.inference_engine.tensor_parallel_size=4", "ray")]
)
def test_skyrl_runs_one_device_without_ray(size: str, executor: str, tmp_path: Path) -> None:
    words = f"generator.inference_engine.backend=vllm generator.inference_engine.num_engines=1 {size}"
    reading = Reading(tmp_path, {"run.sh": f"python -m skyrl.train.entrypoints.main_base {words}\n"}, engine="v1")
    assert reading.arrives("0.18.1")["distributed_executor_backend"] == executor
    assert ("async-scheduling-default" in reading.names_of()) is (executor == "uni")
