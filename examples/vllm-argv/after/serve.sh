#!/usr/bin/env bash
# A rollout server of the vLLM 0.8.5 era.

vllm serve Qwen/Qwen2.5-7B \
    --max-model-len 8192 \
    --generation-config vllm \
    --port 8000 \
    --no-enable-prefix-caching \
    --no-async-scheduling \
    --logprobs-mode processed_logprobs
