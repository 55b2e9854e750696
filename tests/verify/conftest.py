"""A configuration of each kind, and what its engine would say of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

SERVE = "model: m\nmax-model-len: 512\nseed: 3\nenable-prefix-caching: false\nmax-num-seqs: 16\n"
CONFIG = {
    "model_config": {
        "object": "ModelConfig",
        "model": "m",
        "dtype": "torch.bfloat16",
        "seed": 3,
        "max_model_len": 512,
        "logprobs_mode": "raw_logprobs",
        "disable_cascade_attn": True,
    },
    "cache_config": {"object": "CacheConfig", "enable_prefix_caching": True, "cache_dtype": "auto"},
    "scheduler_config": {
        "object": "SchedulerConfig",
        "max_num_seqs": 16,
        "async_scheduling": True,
        "enable_chunked_prefill": True,
        "max_num_batched_tokens": 8192,
        "policy": "fcfs",
    },
    "lora_config": None,
    "compilation_config": {"object": "CompilationConfig", "mode": 3, "cudagraph_mode": [2, 1]},
}


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `vllm serve --config` file with a false that is dropped, in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "serve.yaml"
    path.write_text(SERVE, encoding="utf-8")
    return path
