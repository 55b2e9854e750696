"""A small trainer of one's own: rollouts from vLLM, weights updated while requests run."""

import json
import os

from vllm import AsyncEngineArgs, SamplingParams
from vllm.utils import random_uuid
from vllm.v1.engine.async_llm import AsyncLLM

os.environ["VLLM_USE_V1"] = "1"

TEMPERATURE = 0.7

engine = AsyncLLM.from_engine_args(
    AsyncEngineArgs(
        model="Qwen/Qwen2.5-7B-Instruct",
        max_model_len=8192,
        worker_extension_cls="extension.Weights",
        async_scheduling=False,
        enable_prefix_caching=False,
    )
)
params = SamplingParams(temperature=TEMPERATURE, max_tokens=1024, logprobs=0)


async def rollout(prompt: str) -> list[dict[int, float]]:
    final = None
    async for output in engine.generate(prompt, params, request_id=random_uuid()):
        final = output
    return final.outputs[0].logprobs


async def update_weights(request: dict) -> None:
    await engine.pause_generation(mode="keep", clear_cache=False)
    try:
        await engine.collective_rpc("receive_weights", args=(json.dumps(request),))
    finally:
        await engine.resume_generation()
