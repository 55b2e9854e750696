# The trainer's use_vllm with vllm_mode: server asks this server.
trl vllm-serve --model Qwen/Qwen2.5-7B-Instruct --tensor-parallel-size 2 --gpu-memory-utilization 0.85
