"""Logs in the shapes in which people publish them, of seventeen releases: what is reported is right, what is not there is not told.

Each is rewritten from what a public log showed (in an issue, a guide, a repository of results): the lines that count, with other
names. `reported` is all that may be said with a value; what a line leaves out, cuts off or prints of an object is in `silent`.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.verify.log import running
from vllm_migrate.verify.model import ARGUMENT, CONFIG


class Log(NamedTuple):
    """A log; `reported`: values of the configuration and of arguments; silent: options that it does not tell."""

    name: str
    release: str
    lines: tuple[str, ...]
    reported: dict[str, object]
    silent: tuple[str, ...] = ()
    core: str = "v1"


V0 = "INFO 06-11 11:07:44 [llm_engine.py:230] Initializing a V0 LLM engine (v{}) with config: model='m', speculative_config=None, {}"
CORE = "INFO 06-05 09:09:44 [core.py:65] Initializing a V1 LLM engine (v{}) with config: model='m', speculative_config=None, {}"
OBJECTS = (
    "device_config=cuda, decoding_config=DecodingConfig(backend='auto', disable_fallback=False, reasoning_backend=''), "
    "observability_config=ObservabilityConfig(show_hidden_metrics_for_version=None, otlp_traces_endpoint=None), "
)
LOGS = (
    Log(
        "a vendor's container",
        "0.13.0",
        (
            CORE.format(
                "0.13.0+faa43dbf.nv26.01",
                "dtype=torch.bfloat16, max_seq_len=32768, quantization=compressed-tensors, kv_cache_dtype=fp8, device_config=cuda, "
                "structured_outputs_config=StructuredOutputsConfig(backend='xgrammar', disable_fallback=False), observability_config=Obs",
            ),
        ),
        {"dtype": "bfloat16", "max_model_len": 32768, "quantization": "compressed-tensors", "kv_cache_dtype": "fp8"},
        ("structured_outputs_config", "enable_prefix_caching"),
    ),
    Log(
        "a walk through a notebook's log",
        "0.11.2",
        (
            "INFO 11-28 11:45:51 [scheduler.py:216] Chunked prefill is enabled with max_num_batched_tokens=2048.",
            "max_num_batched_tokens caps tokens per step; the default is 8192.",
            "(APIServer pid=90) INFO 11-28 11:45:51 [api_server.py:1977] vLLM API server version 0.11.2",
            "(APIServer pid=90) INFO 11-28 11:45:51 [utils.py:253] non-default args: {'host': '0.0.0.0', 'model': '/k', "
            "'max_model_len': 98304, 'gpu_memory_utilization': 0.96, 'max_num_seqs': 6}",
            "max_num_seqs caps co",
        ),
        {
            "max_num_batched_tokens": 2048,
            "enable_chunked_prefill": True,
            "max_model_len": 98304,
            "max_num_seqs": 6,
        },
    ),
    Log(
        "a page that put the log's blanks together",
        "0.19.0",
        (
            "(APIServer pid=6539) INFO 04-18 20:22:57 [utils.py:299] \u2584\u2588 \u2580\u2584\u2580 \u2588 version 0.19.0",
            "(APIServer pid=6539) INFO 04-18 20:22:57 [utils.py:233] non-default args: {'model_tag': 'o', 'port': 10000, 'model': 'o', "
            "'max_model_len': 131072, 'gpu_memory_utilization': 0.65}",
        ),
        {"max_model_len": 131072, "gpu_memory_utilization": 0.65},
        ("max_num_batched_tokens", "dtype"),
    ),
    Log(
        "an adapter's platform, all arguments",
        "0.8.5.post1",
        (
            "INFO 05-09 08:06:00 [api_server.py:1043] vLLM API server version 0.8.5.post1",
            "INFO 05-09 08:06:00 [api_server.py:1044] args: Namespace(subparser='serve', model_tag='/m', host='0.0.0.0', port=80, "
            "allowed_origins=['*'], lora_modules=None, model='/m', task='auto', tokenizer=None, dtype='auto', max_model_len=4096, "
            "tensor_parallel_size=4, gpu_memory_utilization=0.9, enable_prefix_caching=None, served_model_name=['x'], "
            "max_num_seqs=None, swap_space=4, dispatch_function=<function ServeSubcommand.cmd at 0xffff0000>)",
        ),
        {"max_model_len": 4096, "tensor_parallel_size": 4},
        ("enable_prefix_caching", "max_num_seqs", "dtype", "logprobs_mode"),
        "",
    ),
    Log(
        "a guide that cut the arguments off",
        "0.8.5",
        (
            "INFO 04-27 09:20:22 [api_server.py:1034] vLLM API server version 0.8.5",
            "INFO 04-27 09:20:22 [api_server.py:1035] args: Namespace(subparser='serve', model_tag='m', host='0.0.0.0', "
            "port=8000, ssl_keyfile=No...",
        ),
        {},
        ("max_model_len", "gpu_memory_utilization", "tensor_parallel_size"),
        "",
    ),
    Log(
        "four replicas, the arguments edited",
        "0.9.0",
        (
            "INFO 06-10 23:38:40 [api_server.py:1289] vLLM API server version 0.9.0",
            "INFO 06-10 23:38:40 [cli_args.py:300] non-default args: { 'task': 'embed', 'data_parallel_size': 4}",
            V0.format(
                "0.9.0",
                "trust_remote_code=False, dtype=torch.bfloat16, max_seq_len=40960, load_format=LoadFormat.AUTO, tensor_",
            ),
        ),
        {"task": "embed", "data_parallel_size": 4, "dtype": "bfloat16", "max_model_len": 40960},
        ("load_format", "tensor_parallel_size", "enable_prefix_caching", "enable_lora"),
        "v0",
    ),
    Log(
        "a streamed load",
        "0.9.0.1",
        (
            CORE.format(
                "0.9.0.1",
                "dtype=torch.bfloat16, max_seq_len=131072, load_format=LoadFormat.RUNAI_STREAMER, kv_cache_dtype=auto,  "
                + OBJECTS
                + "seed=0, served_model_name=org/m, num_scheduler_steps=1, multi_step_stream_outputs=True, enable_prefix_caching=T",
            ),
        ),
        {"load_format": "runai_streamer", "max_model_len": 131072, "seed": 0, "num_scheduler_steps": 1},
        ("enable_prefix_caching", "max_num_seqs"),
    ),
    Log(
        "a cluster's pod",
        "0.9.0.1",
        (
            "INFO 08-31 08:01:29 [api_server.py:1413] vLLM API server version 0.9.0.1",
            "INFO 08-31 08:01:29 [cli_args.py:325] non-default args: {'port': 8080, 'model': '/mnt/m', 'max_model_len': "
            "2048, 'served_model_name': ['n']}",
            "INFO 08-31 08:01:42 [config.py:1473] Using max model len 2048",
            "INFO 08-31 08:01:42 [config.py:2286] Chunked prefill is enabled with max_num_batched_tokens=2048.",
            CORE.format(
                "0.9.0.1",
                "max_seq_len=2048, quantization=None, enforce_eager=False, "
                + OBJECTS
                + "enable_prefix_caching=True, chunked_prefill_enabled=True, use_async_output_proc=True, pooler_config=None, compilati",
            ),
        ),
        {
            "max_model_len": 2048,
            "max_num_batched_tokens": 2048,
            "enable_prefix_caching": True,
            "enable_chunked_prefill": True,
        },
        ("max_num_seqs",),
    ),
    Log(
        "a platform that falls back to V0",
        "0.9.1",
        (
            "INFO 06-11 11:07:44 [arg_utils.py:1653] rocm is experimental on VLLM_USE_V1=1. Falling back to V0 Engine.",
            V0.format(
                "0.9.1",
                "trust_remote_code=True, dtype=torch.bfloat16, max_seq_len=10240, disable_custom_all_reduce=True, "
                "kv_cache_dtype=auto,...",
            ),
        ),
        {"trust_remote_code": True, "max_model_len": 10240, "disable_custom_all_reduce": True},
        ("kv_cache_dtype", "enable_prefix_caching"),
        "v0",
    ),
    Log(
        "a crash that dumps the configuration",
        "0.9.1",
        (
            "ERROR 07-09 09:55:41 [dump_input.py:69] Dumping input data",
            "ERROR 07-09 09:55:41 [dump_input.py:71] V1 LLM engine (v0.9.1) with config: model='/m', speculative_config=None, "
            "dtype=torch.bfloat16, max_seq_len=16384, enforce_eager=False, device_config=npu, seed=0, ",
        ),
        {"dtype": "bfloat16", "max_model_len": 16384, "enforce_eager": False, "seed": 0},
    ),
    Log(
        "a report on one line",
        "0.9.2",
        (
            "vllm serve /m INFO 07-24 17:34:57 [api_server.py:1395] vLLM API server version 0.9.2",
            "INFO 07-24 17:34:57 [cli_args.py:325] non-default args: {'model': '/m', 'served_model_name': ['n'], "
            "'tensor_parallel_size': 2} INFO 07-24 "
            "17:35:04 [config.py:1472] Using max model len 65536 WARNING 07-24 17:35:04 [config.py:3371] Casting "
            "torch.bfloat16 to torch.float16.",
        ),
        {"tensor_parallel_size": 2},
        ("max_model_len", "dtype"),
        "",
    ),
    Log(
        "speech on V0",
        "0.9.2",
        (
            "INFO 07-09 02:08:44 [cli_args.py:325] non-default args: {'port': 8006, 'model': 'm', 'gpu_memory_utilization': "
            "0.4, 'swap_space': 5.0, "
            "'disable_log_requests': True}",
            "INFO 07-09 02:08:49 [config.py:1472] Using max model len 448",
            "INFO 07-09 02:08:54 [llm_engine.py:230] Initializing a V0 LLM engine (v0.9.2) with co...",
            "INFO 07-09 02:08:44 [api_server.py:1395] vLLM API server version 0.9.2",
        ),
        {"gpu_memory_utilization": 0.4, "swap_space": 5.0, "max_model_len": 448},
        ("enable_prefix_caching",),
        "",
    ),
    Log(
        "colours turned into text",
        "0.10.1.1",
        (
            "[1;36m(APIServer pid=15)[0;0m INFO 08-27 21:02:14 [api_server.py:1805] vLLM API server version 0.10.1.1",
            "[1;36m(APIServer pid=15)[0;0m INFO 08-27 21:02:14 [utils.py:326] non-default args: {'model_tag': 'm', 'port': "
            "8010, 'dtype': 'float16'}",
            "[1;36m(APIServer pid=15)[0;0m INFO 08-27 21:02:22 [scheduler.py:222] Chunked prefill is enabled with "
            "max_num_batched_tokens=2048.",
            "[1;36m(EngineCore_0 pid=82)[0;0m "
            + CORE.format(
                "0.10.1.1",
                "dtype=torch.float16, max_seq_len=131072, enable_prefix_caching=True, use_async_output_proc=Tru",
            ),
        ),
        {"dtype": "float16", "max_num_batched_tokens": 2048, "max_model_len": 131072, "enable_prefix_caching": True},
    ),
    Log(
        "a logits processor",
        "0.10.1.1",
        (
            "(APIServer pid=7) INFO 03-19 11:13:10 [utils.py:326] non-default args: {'host': '127.0.0.1', 'model': '/m', "
            "'logits_processors': "
            "['p:Q'], 'gpu_memory_utilization': 0.25}",
            "(EngineCore_0 pid=62) " + CORE.format("0.10.1.1", "max_seq_len=16384, seed=0, serv"),
        ),
        {"gpu_memory_utilization": 0.25, "logits_processors": ["p:Q"], "max_model_len": 16384, "seed": 0},
        ("served_model_name",),
    ),
    Log(
        "LLM() in a notebook",
        "0.10.2",
        (
            "INFO 09-23 18:11:48 [__init__.py:1815] Using max model len 4096",
            "INFO 09-23 18:11:54 [scheduler.py:222] Chunked prefill is enabled with max_num_batched_tokens=16384.",
            "(EngineCore_DP0 pid=3021) "
            + CORE.format(
                "0.10.2",
                'dtype=torch.float16, max_seq_len=4096, enable_prefix_caching=True, compilation_config={"level":',
            ),
        ),
        {"max_model_len": 4096, "max_num_batched_tokens": 16384, "dtype": "float16", "enable_prefix_caching": True},
        ("compilation_config.mode",),
    ),
    Log(
        "a platform that has no chunked prefill",
        "0.10.2",
        (
            "INFO 10-09 01:30:20 [scheduler.py:222] Chunked prefill is enabled with max_num_batched_tokens=8192.",
            "(EngineCore_DP0 pid=6903) "
            + CORE.format(
                "0.10.2",
                "enforce_eager=True, device_config=npu, enable_prefix_caching=True, chunked_prefill_enabled=False, "
                "pooler_config=None, co",
            ),
        ),
        {"enforce_eager": True, "enable_chunked_prefill": False, "max_num_batched_tokens": 8192},
    ),
    Log(
        "a vendor's build",
        "0.11.0",
        (
            "(APIServer pid=1) INFO 01-23 15:48:33 [utils.py:233] non-default args: {'model': '/m', 'dtype': 'float16', "
            "'quantization': 'gptq'}",
            "(EngineCore_DP0 pid=164) "
            + CORE.format(
                "0.11.0+582e4e37.nv25.11",
                "dtype=torch.float16, quantization=gptq, structured_outputs_config=StructuredOutputsConfig(backend='auto', "
                "reasoning_parser=''), "
                'chunked_prefill_enabled=True, pooler_config=None, compilation_config={"level":3,"debug_dump_path":"","cache_dir":""',
            ),
        ),
        {"dtype": "float16", "quantization": "gptq", "enable_chunked_prefill": True},
        ("compilation_config.mode", "structured_outputs_config"),
    ),
    Log(
        "a trainer's workers",
        "0.11.0",
        (
            "args: Namespace(seed=42, dtype='float32', max_model_len=9, output_dir='o', model='trainer')",
            "(EngineCore_DP0 pid=39535) "
            + CORE.format("0.11.0", "dtype=torch.bfloat16, max_seq_len=4096, seed=0, served_model_name=/m/ai-se"),
        ),
        {"dtype": "bfloat16", "max_model_len": 4096, "seed": 0},
    ),
    Log(
        "a server of an adapter",
        "0.11.0",
        (
            "(APIServer pid=5385) INFO 11-03 05:51:44 [api_server.py:1839] vLLM API server version 0.11.0",
            "(APIServer pid=5385) INFO 11-03 05:51:44 [utils.py:233] non-default args: {'model_tag': '/m/', 'port': 8005, "
            "'trust_remote_code': True, "
            "'dtype': 'bfloat16', 'max_model_len': 4096, 'tensor_parallel_size': 2, 'gpu_memory_utilization': 0.96, 'enable_lora': True, "
            "'max_lora_rank': 64} (APIServer pid=5385) The argument `trust_remote_code` is to be used with Auto classes.",
        ),
        {"enable_lora": True, "max_lora_rank": 64, "gpu_memory_utilization": 0.96, "dtype": "bfloat16"},
        ("max_num_batched_tokens", "max_num_seqs"),
    ),
    Log(
        "arguments reported by the dots alone",
        "0.11.0",
        (
            "INFO 10-16 05:05:46 api_server.py:523] vLLM API server version 0.11.0",
            "INFO 10-16 05:05:46 api_server.py:524] args: Namespace(...)",
            "INFO 10-16 05:05:47 selector.py:106] Using XFormers backend",
        ),
        {},
        ("max_model_len",),
    ),
    Log(
        "a script on an ARM CPU",
        "0.11.0",
        (
            "INFO 10-23 18:38:42 [utils.py:233] non-default args: {'dtype': 'bfloat16', 'max_num_batched_tokens': 32768, "
            "'disable_log_stats': True, 'model': 'm'}",
            "INFO 10-23 18:38:42 [arg_utils.py:1166] Chunked prefill is not supported for ARM and POWER and S390X CPUs; "
            "disabling it for V1 backend.",
            CORE.format("0.11.0", "dtype=torch.bfloat16, device_config=cpu, chunked_prefill_enabled=False, "),
        ),
        {"max_num_batched_tokens": 32768, "enable_chunked_prefill": False, "dtype": "bfloat16"},
    ),
    Log(
        "shortened by hand",
        "0.12.0",
        (
            "INFO 12-06 19:45:23 [scheduler.py:228] Chunked prefill is enabled with max_num_batched_tokens=4096.",
            "(EngineCore_DP0 pid=19883) INFO 12-06 19:45:25 [core.py:93] Initializing a V1 LLM engine (v0.12.0) with config: "
            "model='/q', device_config=cpu...",
        ),
        {"max_num_batched_tokens": 4096, "enable_chunked_prefill": True},
        ("max_model_len", "dtype"),
    ),
    Log(
        "truncated by a tool",
        "0.12.0",
        (
            CORE.format(
                "0.12.0", "trust_remote_code=False, dtype=torch.bfloat16, max_seq_len=8192, download_dir=N …[truncated]"
            ),
        ),
        {"dtype": "bfloat16", "max_model_len": 8192},
        ("download_dir",),
    ),
    Log(
        "kept as a comment over several lines",
        "0.12.0",
        (
            "# INFO 12-21 15:59:39 [core.py:93] Initializing a V1 LLM engine (v0.12.0) with config:",
            "# model='m', speculative_config=None, max_seq_len=16384, tensor_parallel_size=2,",
        ),
        {},
        ("max_model_len", "tensor_parallel_size"),
    ),
    Log(
        "an adapter module printed as an object",
        "0.13.0",
        (
            "(APIServer pid=5) INFO 03-02 11:00:22 [utils.py:253] non-default args: {'model_tag': 'm', 'host': '0.0.0.0', "
            "'lora_modules': "
            "[LoRAModulePath(name='n', path='p', base_model_name=None)], 'max_model_len': 8192, 'enable_lora': True, "
            "'max_lora_rank': 32}",
            "(EngineCore_DP0 pid=15) " + CORE.format("0.13.0", "max_seq_len=8192, tensor_parallel_size=1, "),
        ),
        {"max_lora_rank": 32, "enable_lora": True, "max_model_len": 8192, "tensor_parallel_size": 1},
    ),
    Log(
        "a quantized model of two GPUs",
        "0.16.0",
        (
            "(APIServer pid=46) INFO 02-27 20:31:44 [scheduler.py:224] Chunked prefill is enabled with max_num_batched_tokens=2048.",
            "(APIServer pid=46) INFO 02-27 20:31:44 [vllm.py:689] Asynchronous scheduling is enabled.",
            "(EngineCore_DP0 pid=314) "
            + CORE.format(
                "0.16.0",
                "dtype=torch.float16, max_seq_len=8192, tensor_parallel_size=2, quantization=awq_marlin, enforce_eager=False, en",
            ),
        ),
        {
            "async_scheduling": True,
            "enable_chunked_prefill": True,
            "quantization": "awq_marlin",
            "tensor_parallel_size": 2,
        },
        ("enable_prefix_caching",),
    ),
    Log(
        "composed, with times before each line",
        "0.20.0",
        (
            "2026-05-01 21:27:02.000 | (APIServer pid=1) INFO 05-01 19:27:02 [utils.py:233] non-default args: {'model': 'm', "
            "'kv_cache_dtype': 'fp8_e4m3', "
            "'max_num_batched_tokens': 8192, 'max_num_seqs': 32, 'enable_chunked_prefill': True, 'moe_backend': 'flashinfer_cutlass'}",
            "2026-05-01 21:27:13.814 | (EngineCore pid=188) "
            + CORE.format("0.20.0", "dtype=torch.bfloat16, quantization=compressed"),
        ),
        {"kv_cache_dtype": "fp8_e4m3", "max_num_seqs": 32, "moe_backend": "flashinfer_cutlass", "dtype": "bfloat16"},
        ("quantization",),
    ),
    Log(
        "a plugin's platform",
        "0.23.0",
        (
            "(EngineCore pid=69652) "
            + CORE.format(
                "0.23.0", "max_seq_len=4096, disable_custom_all_reduce=True, quantization_config=None, enforce_"
            ),
        ),
        {"max_model_len": 4096, "disable_custom_all_reduce": True},
        ("enforce_eager",),
    ),
    Log(
        "drafts printed as an object",
        "0.24.0",
        (
            "INFO [core.py:114] Initializing a V1 LLM engine (v0.24.0+rhaiv.13) with config: model='m', "
            "speculative_config=SpeculativeConfig(method='mtp', model='m', num_spec_tokens=4), dtype=torch.bfloat16, "
            "max_seq_len=32768, quantization=None",
        ),
        {"dtype": "bfloat16", "max_model_len": 32768},
        ("speculative_config", "quantization"),
    ),
    Log(
        "graphs of whole and partial steps",
        "0.26.0",
        (
            "Initializing a V1 LLM engine (v0.26.0) with config: max_seq_len=393216, tensor_parallel_size=4, enable_prefix_caching=True, "
            "enable_chunked_prefill=True, compilation_config={'mode': <CompilationMode.VLLM_COMPILE: 3>, 'cudagraph_mode': "
            "<CUDAGraphMode.FULL_AND_PIECEWISE: (2, 1)>, 'cudagraph_capture_sizes': [1, 2]}",
        ),
        {
            "compilation_config.mode": 3,
            "compilation_config.cudagraph_mode": "FULL_AND_PIECEWISE",
            "enable_prefix_caching": True,
        },
    ),
    Log(
        "a table of results",
        "0.29.0",
        (
            "- non-default args: {'host': '0.0.0.0', 'port': 18982, 'model': '/m', 'dtype': 'bfloat16', 'max_model_len': "
            "98304, 'tensor_parallel_si",
            "- Initializing a V1 LLM engine (v0.29.0) with config: model='/m', "
            "speculative_config=SpeculativeConfig(method='mtp', num_spec_tokens=3), "
            "tokenizer='/m', skip_to",
        ),
        {},
        ("max_model_len", "dtype", "speculative_config"),
    ),
)
BETWEEN = (
    "0.11.0rc3",
    "0.10.2rc3.dev321+g65a5910ce",
    "0.16.1rc1.dev265+gd106bf39f",
    "0.27.1.dev0+g4bdc8a788.d20260814",
)
PLACES = ("model", "tokenizer", "served_model_name")


def test_there_are_enough() -> None:
    assert len(LOGS) >= 25 and len({log.release for log in LOGS}) >= 8


@pytest.mark.parametrize("log", LOGS, ids=[f"{log.release}-{log.name}" for log in LOGS])
def test_what_a_log_tells(log: Log) -> None:
    found = running(log.lines, "x.log", log.release)
    reported = {name: one.value for name, one in found.reported.items() if one.kind in (CONFIG, ARGUMENT)}
    assert {name: reported.get(name) for name in log.reported} == log.reported
    assert not set(log.silent) & set(found.reported)
    assert reported.get("engine", "") == log.core
    # Nothing else is said but nulls, placeholders of the line, and what names the model.
    rest = {name: value for name, value in reported.items() if name not in {*log.reported, *PLACES, "engine"}}
    assert all(f"{value}".lower() in f"{log.lines}".lower() for value in rest.values()), rest


@pytest.mark.parametrize("release", BETWEEN)
def test_a_build_between_releases_is_asked_for(release: str) -> None:
    lines = [CORE.format(release, "max_seq_len=4096, ")]
    with pytest.raises(UsageError) as caught:
        running(lines, "x.log")
    assert "--to" in caught.value.remedy


def test_the_banner_tells_the_release() -> None:
    lines = ["(APIServer pid=1) INFO [utils.py:299]  ▄▄ ▄█ █     █ █ ▀▄▀ █  version 0.19.1\n", LOGS[-5].lines[0][:0]]
    assert running(lines, "x.log").release == "0.19.1"
