NPROC_PER_NODE=8 \
swift rlhf \
    --rlhf_type grpo \
    --model Qwen/Qwen2.5-7B-Instruct \
    --use_vllm true \
    --vllm_mode colocate \
    --vllm_enable_prefix_caching false \
    --vllm_engine_kwargs '{"max_num_batched_tokens": 16384, "async_scheduling": false}' \
    --num_generations 8
