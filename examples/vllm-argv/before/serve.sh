#!/usr/bin/env bash
# A rollout server of the vLLM 0.8.5 era.
export VLLM_USE_V1=0

vllm serve Qwen/Qwen2.5-7B \
    --max-model-len 8192 \
    --generation-config vllm \
    --num-scheduler-steps 1 \
    --port 8000
