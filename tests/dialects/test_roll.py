"""ROLL: strategies of any role, keywords verbatim, the environment variable among them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.dialects.reading import Reading

TEXT = """defaults: []
actor_infer:
  strategy_args:
    strategy_name: vllm
    strategy_config:
      gpu_memory_utilization: 0.8
      VLLM_USE_V1: 0
      disable_log_requests: true
rewards:
  judge:
    strategy_args:
      strategy_name: vllm
      strategy_config:
        enable_prefix_caching: false
  rule:
    strategy_args: {strategy_name: hf_infer, strategy_config: {}}
actor_train:
  strategy_args: {strategy_name: megatron_train, strategy_config: {tensor_model_parallel_size: 2}}
"""


def test_roles_and_what_arrives(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rlvr.yaml": TEXT})
    rollout, judge = reading.engines
    assert (rollout.role, judge.role) == ("rl_rollout", "judge")
    assert rollout.facts["env.VLLM_USE_V1"].value == "0"
    assert [written.key for written in rollout.options] == ["gpu_memory_utilization", "disable_log_requests"]


def test_defaults_of_the_framework_and_the_users_false(tmp_path: Path) -> None:
    alone = TEXT.partition("actor_infer:")[0] + TEXT.partition("rewards:")[1] + TEXT.partition("rewards:")[2]
    reading = Reading(tmp_path, {"rlvr.yaml": alone})
    arrives = reading.arrives("0.18.1")
    assert arrives["enable_prefix_caching"] is False and arrives["max_num_batched_tokens"] == 8192


def test_overridden_whatever_is_written(tmp_path: Path) -> None:
    text = "actor_infer:\n  strategy_args:\n    strategy_name: vllm\n    strategy_config: {trust_remote_code: false}\n"
    reading = Reading(tmp_path, {"rlvr.yaml": text})
    assert reading.diagnostics("0.18.1") == {("overridden", "trust_remote_code")}


def test_fixes(tmp_path: Path) -> None:
    reading = Reading(tmp_path, {"rlvr.yaml": TEXT})
    reading.fix()
    after = yaml.safe_load(reading.text("rlvr.yaml"))
    rollout = after["actor_infer"]["strategy_args"]["strategy_config"]
    # ROLL passes prefix caching by itself; V0 ran with it on, and so does V1. The loss takes the trainer's own logprobs.
    assert rollout == {"gpu_memory_utilization": 0.8, "async_scheduling": False}
    judge = after["rewards"]["judge"]["strategy_args"]["strategy_config"]
    assert judge == {"enable_prefix_caching": False, "async_scheduling": False}
    assert after["actor_train"] == yaml.safe_load(TEXT)["actor_train"]


@pytest.mark.parametrize("name", ["sglang", "hf_infer", "megatron_infer"])
def test_other_strategies_are_silent(name: str, tmp_path: Path) -> None:
    text = f"actor_infer:\n  strategy_args:\n    strategy_name: {name}\n    strategy_config: {{enforce_eager: true}}\n"
    assert not Reading(tmp_path, {"rlvr.yaml": text}).engines
