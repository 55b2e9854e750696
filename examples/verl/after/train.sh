#!/usr/bin/env bash
set -euo pipefail

ROLLOUT=(
    actor_rollout_ref.rollout.name=vllm
    actor_rollout_ref.rollout.tensor_model_parallel_size=2
    ++actor_rollout_ref.rollout.engine_kwargs.vllm.no_enable_prefix_caching=True  # no blocks of older weights
    ++actor_rollout_ref.rollout.engine_kwargs.vllm.no_async_scheduling=True
)

python3 -m verl.trainer.main_ppo \
    algorithm.rollout_correction.rollout_is=token \
    "${ROLLOUT[@]}" \
    trainer.nnodes=1 "$@"
