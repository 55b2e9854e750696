#!/usr/bin/env bash
set -euo pipefail

VLLM_USE_V1=0 python3 -m verl.trainer.main_ppo \
    data.max_response_length=32 \
    actor_rollout_ref.actor.policy_loss.loss_mode=gspo \
    actor_rollout_ref.actor.clip_ratio_low=0.02 \
    actor_rollout_ref.actor.clip_ratio_high=0.02 \
    actor_rollout_ref.actor.fsdp_config.mixed_precision.param_dtype=fp32 \
    algorithm.rollout_is=True \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.mode=sync \
    actor_rollout_ref.rollout.dtype=float32 \
    actor_rollout_ref.rollout.temperature=0.7 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=1 \
    actor_rollout_ref.rollout.enforce_eager=True \
    actor_rollout_ref.rollout.enable_prefix_caching=False \
    actor_rollout_ref.rollout.max_model_len=192 \
    actor_rollout_ref.rollout.max_num_seqs=64 \
    actor_rollout_ref.rollout.max_num_batched_tokens=16384
