#!/bin/bash
# Two engines of two GPUs each.
export VLLM_USE_V1=0
uv run python open_instruct/grpo_fast.py \
    --model_name_or_path Qwen/Qwen2.5-7B \
    --num_unique_prompts_rollout 32 \
    --num_samples_per_prompt_rollout 8 \
    --temperature 0.7 \
    --vllm_num_engines 2 \
    --vllm_tensor_parallel_size 2 \
    --truncated_importance_sampling_ratio_cap 2.0
