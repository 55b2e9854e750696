"""What a view says of generated engines is what `create_engine_config()` resolves, at both releases.

The table of tests/resolve holds chosen engines; these are drawn at random from settings that users combine.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from tests.real.oracles.client import RELEASES, run_oracle
from tests.resolve import engines
from tests.resolve.test_against_engines import REASONS, UNCLAIMED
from vllm_migrate.knowledge.expr import Undetermined

SEED = 20250
COUNT = 80
DEVICES = ("h100", "h200", "b200", "a100", "a10g", "v100")
NGRAM = {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 3}
# keyword, values; None stands for leaving it out
SETTINGS: dict[str, tuple[object, ...]] = {
    "enable_prefix_caching": (None, True, False),
    "enable_chunked_prefill": (None, None, True, False),
    "enforce_eager": (None, None, True),
    "max_model_len": (None, 2048, 4096, 40960, 131072),
    "max_num_seqs": (None, None, 16, 256, 2048),
    "max_num_batched_tokens": (None, None, None, 4096, 65536),
    "seed": (None, 0, 7),
    "dtype": (None, "auto", "bfloat16", "float16", "half", "float32"),
    "tensor_parallel_size": (None, None, 2, 8),
    "pipeline_parallel_size": (None, None, None, 2),
    "distributed_executor_backend": (None, None, "mp", "ray", "uni", "external_launcher"),
    "gpu_memory_utilization": (None, 0.5),
    "kv_cache_dtype": (None, None, None, "auto", "fp8", "fp8_e5m2", "fp8_e4m3"),
    "quantization": (None, None, "fp8", "bitsandbytes"),
    "disable_cascade_attn": (None, None, True, False),
    "generation_config": (None, "vllm"),
    "enable_sleep_mode": (None, None, True),
    "enable_lora": (None, None, True),
    "max_lora_rank": (None, None, 32),
    "compilation_config": (None, None, None, {}, {"cudagraph_capture_sizes": [1, 2]}),
    "load_format": (None, "dummy", "auto", "safetensors", "sharded_state"),
    "cpu_offload_gb": (None, None, 4),
    "enable_expert_parallel": (None, None, True),
    "disable_custom_all_reduce": (None, True),
    "prefix_caching_hash_algo": (None, None, "sha256"),
    "tokenizer_mode": (None, "auto", "slow"),
    "max_logprobs": (None, 5),
    "data_parallel_size": (None, None, None, 2),
    "disable_sliding_window": (None, None, True),
    "hf_overrides": (None, None, {"head_dtype": "float32"}, {"max_position_embeddings": 8192}),
    "override_generation_config": (None, None, {"temperature": 0.5}),
    "speculative_config": (None, None, NGRAM, {**NGRAM, "disable_padded_drafter_batch": True}),
    "scheduling_policy": (None, None, "fcfs", "priority"),
}
OF_ONE: dict[str, dict[str, tuple[object, ...]]] = {
    "0.8.5": {
        "num_scheduler_steps": (None, None, None, 1, 8),
        "compilation_config": (
            None,
            *({"level": level} for level in range(4)),
            {"full_cuda_graph": True},
            {"use_cudagraph": False},
        ),
        "speculative_config": (None, None, NGRAM),
        "swap_space": (None, 8),
        "scheduler_delay_factor": (None, None, None, 0.5),
        "disable_async_output_proc": (None, None, None, True),
        "max_num_partial_prefills": (None, None, None, 1, 2),
        "enable_prompt_adapter": (None, None, None, True),
        "max_seq_len_to_capture": (None, None, 1024),
        "rope_theta": (None, None, 500000.0),
        "rope_scaling": (
            None,
            None,
            None,
            {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 4096},
        ),
        "preemption_mode": (None, None, None, "recompute"),
        "task": (None, None, "auto", "generate", "embed"),
        "guided_decoding_backend": (None, None, "xgrammar", "outlines"),
    },
    "0.18.1": {
        "async_scheduling": (None, None, True, False),
        "logprobs_mode": (None, "processed_logprobs", "raw_logits"),
        "compilation_config": (
            None,
            *({"mode": mode} for mode in range(4)),
            *(
                {"cudagraph_mode": mode}
                for mode in ("NONE", "PIECEWISE", "FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE")
            ),
            {"mode": 0, "cudagraph_mode": "FULL_DECODE_ONLY"},
            {"mode": 0, "cudagraph_mode": "FULL_AND_PIECEWISE"},
            {"pass_config": {"fuse_allreduce_rms": False}},
        ),
        "attention_backend": (None, None, "FLASH_ATTN", "TRITON_ATTN", "FLASHINFER"),
        "decode_context_parallel_size": (None, None, None, 2),
        "stream_interval": (None, None, 4),
        "optimization_level": (None, None, 0, 1, 3),
        "runner": (None, None, "auto", "generate", "pooling"),
        "performance_mode": (None, None, "throughput", "interactivity"),
    },
}
VARIABLES = {
    "VLLM_USE_V1": (None, None, None, "0", "1"),
    "VLLM_BATCH_INVARIANT": (None, None, None, "1"),
    "VLLM_ATTENTION_BACKEND": (None, None, None, None, "FLASH_ATTN_VLLM_V1", "XFORMERS"),
}
LENGTHS = (4096, 32768, 40960, 131072)
WINDOWS: tuple[dict[str, object], ...] = (
    {},
    {},
    {},
    {"use_sliding_window": True, "sliding_window": 2048, "max_window_layers": 0},
    {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}},
)


def drawn(release: str) -> list[dict[str, Any]]:
    """Engines by keyword and by command line, with a model and a device each."""
    chance = random.Random(SEED + RELEASES.index(release))
    return [_case(chance, {**SETTINGS, **OF_ONE[release]}, number) for number in range(COUNT)]


def _case(chance: random.Random, settings: dict[str, tuple[object, ...]], number: int) -> dict[str, Any]:
    few = chance.sample(list(settings), chance.randint(1, 7))
    kwargs = {name: value for name in few if (value := chance.choice(settings[name])) is not None}
    dtype = chance.choice(("bfloat16", "float16", "float32"))
    case: dict[str, Any] = {
        "device": chance.choice(DEVICES),
        "env": {name: value for name, of in VARIABLES.items() if (value := chance.choice(of)) is not None},
        "model_config": {"torch_dtype": dtype, "dtype": dtype, "max_position_embeddings": chance.choice(LENGTHS)},
    }
    case["model_config"].update(chance.choice(WINDOWS))
    if number % 2 and not any(isinstance(value, dict) for value in kwargs.values()):
        return {**case, "argv": words(kwargs)}
    return {**case, "kwargs": kwargs, "usage": chance.choice(("llm", "server", "engine"))}


def words(kwargs: dict[str, object]) -> list[str]:
    """The same as arguments of `vllm serve`."""
    out = []
    for name, value in kwargs.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            out.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            out += [f"--{flag}", str(value)]
    return out


def differing(case: dict[str, Any], release: str, resolved: dict[str, Any], told: bool) -> list[object]:
    seen = engines.view(case, release, told)
    wrong: list[object] = []
    # V1 is assumed where nothing points to V0; a GPU of which nobody told is nothing.
    if not told and resolved["engine"] == "v0" and seen.value("engine").value == "v1":
        return wrong
    for name, real in resolved.items():
        option = engines.option_of(name)
        if option is None or name in UNCLAIMED:
            continue
        ours, value = engines.shown(name, seen.value(option).value), engines.measured(name, real)
        named = ours.options if isinstance(ours, Undetermined) else (ours,)
        if not engines.alike(ours, value) and not any((resolved["engine"], name, value, o) in REASONS for o in named):
            wrong.append((name, value, ours))
    return wrong


@pytest.mark.parametrize("release", RELEASES)
def test_views_say_what_the_release_resolves(vllm_pythons: dict[str, str], tiny_model: str, release: str) -> None:
    cases = drawn(release)
    answers = run_oracle(vllm_pythons[release], "engine_config.py", cases, "--cuda", tiny_model)
    started = [(case, answer["resolved"]) for case, answer in zip(cases, answers, strict=True) if answer["ok"]]
    assert len(started) >= 40, [answer["error"] for answer in answers if not answer["ok"]]
    wrong = []
    for case, resolved in started:
        for told in (True, False):
            if found := differing(case, release, resolved, told):
                wrong.append((case, told, found))
    assert wrong == []


def test_a_newer_release_resolves_as_views_say(tiny_model: str) -> None:
    """Of 0.32.0, where VLLM_MIGRATE_REAL_0_32_0 names a python that imports it (the CPU build, without Triton)."""
    python = os.environ.get("VLLM_MIGRATE_REAL_0_32_0")
    if not python:
        pytest.skip("VLLM_MIGRATE_REAL_0_32_0 names no python that imports vLLM 0.32.0")
    chance = random.Random(32)
    settings = {**SETTINGS, **OF_ONE["0.18.1"], "quantization": (None, None, "fp8"), "tokenizer_mode": (None, "auto")}
    settings.pop("disable_cascade_attn")
    cases = [_case(chance, settings, number) for number in range(90)]
    for case in cases:  # without Triton the V1 runner runs
        case["env"] = {"VLLM_USE_V2_MODEL_RUNNER": "0"}
    answers = run_oracle(python, "engine_config.py", cases, "--cuda", tiny_model, timeout_s=1_200)
    started = [(case, answer["resolved"]) for case, answer in zip(cases, answers, strict=True) if answer["ok"]]
    assert len(started) >= 60, [answer["error"] for answer in answers if not answer["ok"]]
    found = [(case, differing(case, "0.32.0", resolved, told)) for case, resolved in started for told in (True, False)]
    assert [one for one in found if one[1]] == []
