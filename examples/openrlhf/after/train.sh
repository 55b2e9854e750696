ray job submit -- python3 -m openrlhf.cli.train_ppo_ray \
    --vllm.num_engines 4 \
    --vllm.enable_prefix_caching \
    --rollout.temperature 0.9 \
    --algo.advantage.is_correction_enable
