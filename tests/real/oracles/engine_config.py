"""Ask a vLLM release what its own `create_engine_config()` resolves.

Runs inside the interpreter of that release (standard library and vllm only); no model is loaded or run.
`engine_config.py [--cuda] MODEL` reads a JSON list of cases from stdin and writes a JSON list of the same
length to stdout. A case holds one of

    {"argv": [...]}             arguments after `vllm serve MODEL`
    {"kwargs": {...}}           keyword arguments of EngineArgs; `model` is MODEL unless given

and may hold "env" {name: value}, "usage" ("server", "llm" or, as AsyncLLM.from_engine_args has it, "engine": the context whose
batch defaults apply; default "server" for argv, "llm" for kwargs), "model_config" and "generation_config" {key: value} (keys to replace in
the model's config.json and generation_config.json), and with --cuda "device" (of DEVICES, default h100). An answer:

    {"ok": bool, "error": null or {"type": ..., "message": ...}, "resolved": {name: value}}

The CPU platform forces values a GPU would not: V0 at 0.8.5, async scheduling and cascade attention off, block
size 128, no CUDA graphs. With --cuda the release runs its own CUDA code path, and the answers of eight such GPUs
stand in for the driver's; no GPU is needed, since building the configuration asks a device for nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serve_parser import build_parser, environment, plain

# name: (the driver's name, compute capability, memory in GiB)
DEVICES = {
    "h100": ("NVIDIA H100 80GB HBM3", (9, 0), 80),
    "h200": ("NVIDIA H200", (9, 0), 141),
    "b200": ("NVIDIA B200", (10, 0), 180),
    "a100": ("NVIDIA A100-SXM4-80GB", (8, 0), 80),
    "a10g": ("NVIDIA A10G", (8, 6), 24),
    "v100": ("Tesla V100-SXM2-32GB", (7, 0), 32),
}
DEVICE_COUNT = 8

# name: attribute paths, the first that exists counts; releases moved some of them
PATHS = {
    "async_scheduling": ["scheduler_config.async_scheduling"],
    "block_size": ["cache_config.block_size"],
    "compilation_level": ["compilation_config.level"],
    "compilation_mode": ["compilation_config.mode"],
    "cpu_offload_gb": ["cache_config.cpu_offload_gb", "offload_config.uva.cpu_offload_gb"],
    "cudagraph_mode": ["compilation_config.cudagraph_mode"],
    "use_cudagraph": ["compilation_config.use_cudagraph"],
    "full_cuda_graph": ["compilation_config.full_cuda_graph"],
    "disable_cascade_attn": ["model_config.disable_cascade_attn"],
    "distributed_executor_backend": ["parallel_config.distributed_executor_backend"],
    "dtype": ["model_config.dtype"],
    "enable_chunked_prefill": ["scheduler_config.enable_chunked_prefill"],
    "enable_prefix_caching": ["cache_config.enable_prefix_caching"],
    "enable_sleep_mode": ["model_config.enable_sleep_mode"],
    "enforce_eager": ["model_config.enforce_eager"],
    "generation_config": ["model_config.generation_config"],
    "gpu_memory_utilization": ["cache_config.gpu_memory_utilization"],
    "hf_overrides": ["model_config.hf_overrides"],
    "kv_cache_dtype": ["cache_config.cache_dtype"],
    "load_format": ["load_config.load_format"],
    "logprobs_mode": ["model_config.logprobs_mode"],
    "max_logprobs": ["model_config.max_logprobs"],
    "max_model_len": ["model_config.max_model_len"],
    "max_num_batched_tokens": ["scheduler_config.max_num_batched_tokens"],
    "max_num_seqs": ["scheduler_config.max_num_seqs"],
    "num_scheduler_steps": ["scheduler_config.num_scheduler_steps"],
    "optimization_level": ["optimization_level"],
    "override_generation_config": ["model_config.override_generation_config"],
    "pipeline_parallel_size": ["parallel_config.pipeline_parallel_size"],
    "policy": ["scheduler_config.policy"],
    "prefix_caching_hash_algo": ["cache_config.prefix_caching_hash_algo"],
    "quantization": ["model_config.quantization"],
    "runner_type": ["model_config.runner_type"],
    "scheduler_cls": ["scheduler_config.scheduler_cls"],
    "seed": ["model_config.seed"],
    "swap_space_bytes": ["cache_config.swap_space_bytes"],
    "tensor_parallel_size": ["parallel_config.tensor_parallel_size"],
    "tokenizer_mode": ["model_config.tokenizer_mode"],
    "use_async_output_proc": ["model_config.use_async_output_proc"],
    "worker_cls": ["parallel_config.worker_cls"],
}


class Device:
    """The device that the release is to resolve for; set before each case."""

    name, capability, memory_gib = DEVICES["h100"]

    @classmethod
    def become(cls, device: str) -> None:
        cls.name, cls.capability, cls.memory_gib = DEVICES[device]


def pretend_cuda() -> None:
    """Make the release resolve for `Device`: its own CUDA platform class, with our answers for the driver's.

    Must run before vllm modules take a reference to the platform.
    """
    import vllm.platforms

    sys.modules.setdefault("vllm._C_stable_libtorch", types.ModuleType("vllm._C_stable_libtorch"))  # 0.27 and newer
    from vllm.platforms.cuda import NonNvmlCudaPlatform
    from vllm.platforms.interface import DeviceCapability

    class Pretended(NonNvmlCudaPlatform):
        @classmethod
        def get_device_capability(cls, device_id: int = 0) -> Any:
            return DeviceCapability(*Device.capability)

        @classmethod
        def get_device_name(cls, device_id: int = 0) -> str:
            return Device.name

        @classmethod
        def get_device_total_memory(cls, device_id: int = 0) -> int:
            return Device.memory_gib * 1024**3

        @classmethod
        def device_count(cls) -> int:
            return DEVICE_COUNT

        @classmethod
        def is_sleep_mode_available(cls) -> bool:
            return True

    vllm.platforms._current_platform = Pretended()
    pretend_kernels()
    pretend_node()


def pretend_kernels() -> None:
    """The CPU build answers "not compiled in" where a CUDA build would answer by capability."""
    import vllm._custom_ops as ops

    for name in [n for n in vars(ops) if n.startswith("cutlass_") and "support" in n]:
        setattr(ops, name, lambda capability: Device.capability >= (9, 0))
    try:
        import vllm.vllm_flash_attn.flash_attn_interface as interface
    except ImportError:  # the folder is not in the CPU build; what newer releases import from it is never called
        package = types.ModuleType("vllm.vllm_flash_attn")
        kernels = ("compile_flash_attn_varlen_func_from_specs", "flash_attn_varlen_func", "get_scheduler_metadata")
        vars(package).update(dict.fromkeys(kernels))
        interface = types.ModuleType("vllm.vllm_flash_attn.flash_attn_interface")
        sys.modules.update({m.__name__: m for m in (package, interface)})
    interface.is_fa_version_supported = lambda version: version != 3 or Device.capability[0] == 9
    interface.fa_version_unsupported_reason = lambda version: None


def pretend_node() -> None:
    """The number of GPUs is asked of torch, and Ray is installed (not started)."""
    try:
        import vllm.utils.torch_utils as utils
        import vllm.v1.executor.ray_utils as ray_utils
    except ImportError:  # 0.8.5
        import vllm.executor.ray_utils as ray_utils
        import vllm.utils as utils
    utils.cuda_device_count_stateless = lambda: DEVICE_COUNT
    ray_utils.assert_ray_available = lambda: None
    for module in list(sys.modules.values()):
        if module.__name__.startswith("vllm.") and hasattr(module, "cuda_device_count_stateless"):
            module.cuda_device_count_stateless = utils.cuda_device_count_stateless


def resolved(config: Any) -> dict[str, Any]:
    """The values of PATHS that this release has, and which engine it chose."""
    import vllm.envs as envs

    out: dict[str, Any] = {"engine": "v1" if getattr(envs, "VLLM_USE_V1", True) else "v0"}
    for name, paths in PATHS.items():
        for path in paths:
            value, found = config, True
            for part in path.split("."):
                found = found and hasattr(value, part)
                value = getattr(value, part, None)
            if found:
                out[name] = readable(value)
                break
    out["default_sampling_params"] = plain(config.model_config.get_diff_sampling_param())
    return out


def readable(value: Any) -> Any:
    """Like `plain`, with torch dtypes and classes by their name."""
    text = str(value)
    if text.startswith("torch."):
        return text.removeprefix("torch.")
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if type(value).__name__ in ("CUDAGraphMode", "CompilationMode", "OptimizationLevel"):
        return value.name
    return plain(value)


@contextlib.contextmanager
def variant(model: str, changes: dict[str, dict[str, Any]]) -> Iterator[str]:
    """`model` itself, or a copy of it whose JSON files have the `changes` {file name: {key: value}}."""
    if not any(changes.values()):
        yield model
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "model")
        shutil.copytree(model, copy)
        for name, values in changes.items():
            path = copy / name
            path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
        yield str(copy)


def engine_args(case: dict[str, Any], model: str, parser: argparse.ArgumentParser) -> Any:
    from vllm.engine.arg_utils import AsyncEngineArgs, EngineArgs

    if "kwargs" in case:
        return EngineArgs(**{"model": model, **case["kwargs"]})
    namespace = parser.parse_args(["serve", model, *case["argv"]])
    if namespace.model_tag is not None:
        namespace.model = namespace.model_tag
    return AsyncEngineArgs.from_cli_args(namespace)


def answer(case: dict[str, Any], model: str, parser: argparse.ArgumentParser) -> dict[str, Any]:
    from vllm.usage.usage_lib import UsageContext

    contexts = {
        "llm": UsageContext.LLM_CLASS,
        "server": UsageContext.OPENAI_API_SERVER,
        "engine": UsageContext.ENGINE_CONTEXT,
    }
    usage = case.get("usage", "llm" if "kwargs" in case else "server")
    context = contexts[usage]
    Device.become(case.get("device", "h100"))
    changes = {
        "config.json": case.get("model_config", {}),
        "generation_config.json": case.get("generation_config", {}),
    }
    with environment(case.get("env", {})), variant(model, changes) as path:
        try:
            config = engine_args(case, path, parser).create_engine_config(usage_context=context)
            return {"ok": True, "error": None, "resolved": resolved(config)}
        except SystemExit as stop:
            error = {"type": "SystemExit", "message": str(stop.code)}
        except Exception as failure:
            error = {"type": type(failure).__name__, "message": str(failure).replace(path, "MODEL")}
    return {"ok": False, "error": error, "resolved": {}}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("model")
    arguments.add_argument("--cuda", action="store_true")
    options = arguments.parse_args()
    # vLLM logs to stdout: keep the real one for the answer.
    with os.fdopen(os.dup(1), "w") as real_stdout:
        os.dup2(2, 1)
        cases = json.load(sys.stdin)
        if options.cuda:
            pretend_cuda()
        parser, _ = build_parser("serve", explicit=False)
        json.dump([answer(case, options.model, parser) for case in cases], real_stdout)


if __name__ == "__main__":
    main()
