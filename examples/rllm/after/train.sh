#!/usr/bin/env bash
python -u train.py \
    rllm/backend=verl \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.mode=async \
    actor_rollout_ref.rollout.temperature=0.6 \
    ++actor_rollout_ref.rollout.engine_kwargs.vllm.no_async_scheduling=True \
    rllm.algorithm.rollout_correction.bypass_mode=true
