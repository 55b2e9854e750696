"""vllm-migrate: lint and migrate vLLM settings of RL training configurations."""

__version__ = "0.1.0"
