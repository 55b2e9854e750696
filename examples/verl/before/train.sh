#!/usr/bin/env bash
set -euo pipefail

ROLLOUT=(
    actor_rollout_ref.rollout.name=vllm
    actor_rollout_ref.rollout.tensor_model_parallel_size=2
    actor_rollout_ref.rollout.enable_prefix_caching=False  # no blocks of older weights
)

python3 -m verl.trainer.main_ppo \
    algorithm.rollout_correction.rollout_is=token \
    "${ROLLOUT[@]}" \
    trainer.nnodes=1 "$@"
