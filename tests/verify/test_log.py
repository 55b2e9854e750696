"""What a log tells: each kind of line, by release; what it cannot hold, what is cut off and what differs is not told."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vllm_migrate.errors import UsageError
from vllm_migrate.opening import lines_of, opened_output
from vllm_migrate.verify.log import holds_engine, release_of, running
from vllm_migrate.verify.model import ARGUMENT, CONFIG, DEFAULT, Running

OLD = [
    "INFO 04-30 09:00:00 [api_server.py:1043] vLLM API server version 0.8.5\n",
    "INFO 04-30 09:00:00 [api_server.py:1044] args: Namespace(subparser='serve', model_tag='m', "
    "host=None, port=8000, api_key='sk-secretsecretsecret1', "
    "model='m', served_model_name=None, max_model_len=None, seed=None, gpu_memory_utilization=0.8, enable_prefix_caching=None, "
    "max_num_seqs=64, dispatch_function=<function ServeSubcommand.cmd at 0x7f0000000000>)\n",
    "INFO 04-30 09:00:09 [config.py:2003] Chunked prefill is enabled with max_num_batched_tokens=2048.\n",
    "INFO 04-30 09:00:12 [core.py:58] Initializing a V1 LLM engine (v0.8.5) with config: model='m', speculative_config=None, "
    "tokenizer='m', dtype=torch.bfloat16, max_seq_len=40960, load_format=LoadFormat.AUTO, tensor_parallel_size=2, quantization=None, "
    "kv_cache_dtype=auto,  device_config=cuda, decoding_config=DecodingConfig(guided_decoding_backend='auto', x=None), seed=None, "
    "enable_prefix_caching=True, chunked_prefill_enabled=True, use_async_output_proc=True, "
    'compilation_config={"level":3,"use_cudagraph":true,"cudagraph_capture_sizes":[8,4,2,1]}\n',
    "INFO 04-30 09:00:12 [cuda.py:221] Using Flash Attention backend on V1 engine.\n",
    "INFO 04-30 09:10:00 [block_pool.py:264] Successfully reset prefix cache\n",
]
NEW = [
    "\x1b[36m(APIServer pid=1)\x1b[0m INFO 03-01 09:00:00 [utils.py:233] non-default args: {'model_tag': 'm', 'model': 'm', "
    "'max_num_seqs': 64, 'logprobs_mode': 'processed_logprobs', 'enable_prefix_caching': False}\n",
    "(APIServer pid=1) INFO 03-01 09:00:02 [model.py:1582] Using max model len 32768\n",
    "(APIServer pid=1) INFO 03-01 09:00:02 [vllm.py:775] Asynchronous scheduling is enabled.\n",
    "(APIServer pid=1) WARNING 03-01 09:00:02 [envs.py:1717] Unknown vLLM environment variable detected: VLLM_USE_V1\n",
    "(EngineCore pid=2) INFO 03-01 09:00:05 [core.py:103] Initializing a V1 LLM engine (v0.18.1) with config: model='m', "
    "dtype=torch.bfloat16, "
    "max_seq_len=32768, enforce_eager=False, device_config=cuda, seed=0, enable_prefix_caching=False, enable_chunked_prefill=True, "
    "compilation_config={'mode': <CompilationMode.VLLM_COMPILE: 3>, 'cudagraph_mode': <CUDAGraphMode.FULL_AND_PIECEWISE: (2, 1)>}\n",
    "(APIServer pid=1) WARNING 03-01 09:00:06 [model.py:1376] Default vLLM sampling parameters have been overridden by the model's "
    "`generation_config.json`: "
    "`{'temperature': 0.6, 'top_p': 0.95}`. If this is not intended, please relaunch vLLM instance with `--generation-config vllm`.\n",
]


def reported(lines: list[str], target: str | None = None) -> Running:
    return running(lines, "serve.log", target)


def values(found: Running, kind: str) -> dict[str, object]:
    return {name: one.value for name, one in found.reported.items() if one.kind == kind}


def test_a_server_of_0_8_5() -> None:
    found = reported(OLD)
    assert (found.release, found.cleared) == ("0.8.5", "yes")
    config = values(found, CONFIG)
    assert config["dtype"] == "bfloat16" and config["max_model_len"] == 40960 and config["load_format"] == "auto"
    assert config["enable_prefix_caching"] is True and config["enable_chunked_prefill"] is True
    assert config["compilation_config.mode"] == 3 and config["engine"] == "v1"
    assert config["max_num_batched_tokens"] == 2048
    assert values(found, ARGUMENT) == {"gpu_memory_utilization": 0.8, "max_num_seqs": 64}
    assert "logprobs_mode" not in found.reported and "swap_space" not in found.reported
    assert "sk-secret" not in str(found)
    assert any("Flash Attention" in note for note in found.notes)


def test_a_server_of_0_18_1() -> None:
    found = reported(NEW)
    assert found.release == "0.18.1" and found.unknown == ("VLLM_USE_V1",)
    config = values(found, CONFIG)
    assert config["async_scheduling"] is True and config["enable_prefix_caching"] is False
    assert (config["compilation_config.mode"], config["compilation_config.cudagraph_mode"]) == (3, "FULL_AND_PIECEWISE")
    assert (config["sampling.temperature"], config["sampling.top_p"]) == (0.6, 0.95)
    assert values(found, ARGUMENT) == {"max_num_seqs": 64, "logprobs_mode": "processed_logprobs"}
    # Left out of a complete line: the release's default, unless something decides it later.
    defaults = values(found, DEFAULT)
    assert defaults["gpu_memory_utilization"] == 0.9 and defaults["enable_sleep_mode"] is False
    assert "distributed_executor_backend" not in found.reported and "max_num_batched_tokens" not in found.reported


def test_a_line_cut_off_tells_nothing() -> None:
    lines = [NEW[0][:160] + "\n", NEW[4]]
    found = reported(lines)
    assert not values(found, ARGUMENT) and not values(found, DEFAULT)
    assert any("cut off" in note for note in found.notes)
    whole = NEW[4]
    cut = reported([whole[: whole.index("768, enforce")] + "\n"])
    assert "max_model_len" not in cut.reported and cut.reported["dtype"].value == "bfloat16"


def test_engines_of_one_log_that_differ_are_not_told() -> None:
    other = [line.replace("'max_num_seqs': 64, ", "").replace("max_seq_len=32768", "max_seq_len=8192") for line in NEW]
    found = reported([*NEW, *(line.replace("len 32768", "len 8192") for line in other)])
    assert "max_num_seqs" not in found.reported and "max_model_len" not in found.reported
    assert found.reported["logprobs_mode"].value == "processed_logprobs"
    assert {"max_num_seqs", "max_model_len"} <= {word for note in found.notes for word in note.replace(",", "").split()}


def test_only_the_last_release_of_a_log_counts() -> None:
    found = reported([*OLD, *[line.replace("v0.8.5", "v0.18.1") for line in NEW]])
    assert found.release == "0.18.1"
    assert found.reported["max_num_seqs"].value == 64 and found.reported["gpu_memory_utilization"].value == 0.9
    assert found.cleared == ""
    assert release_of([*OLD, *NEW]) == "0.18.1"


def test_the_cpu_platform_switches_asynchronous_scheduling_off_after_the_message() -> None:
    found = reported([line.replace("device_config=cuda", "device_config=cpu") for line in NEW])
    assert "async_scheduling" not in found.reported
    assert any("CPU platform" in note for note in found.notes)


def test_the_release_is_asked_for_where_the_log_does_not_tell() -> None:
    with pytest.raises(UsageError, match="does not show the release") as caught:
        reported([NEW[0]])
    assert "--to" in caught.value.remedy
    assert reported([NEW[0]], "0.18.1").reported["max_num_seqs"].value == 64
    with pytest.raises(UsageError, match="dev") as caught:
        reported([NEW[4].replace("v0.18.1", "v0.18.2.dev12+gabc")])
    assert "--to" in caught.value.remedy


def test_a_quiet_log_says_why_nothing_is_told() -> None:
    found = reported(["WARNING x\n"], "0.18.1")
    assert any("INFO" in note for note in found.notes)
    assert not holds_engine(["WARNING 03-01 args: nothing\n"]) and holds_engine([NEW[0]]) and holds_engine(OLD)


def prefixed(prefix: str) -> Callable[[str], str]:
    return lambda line: prefix + line


@pytest.mark.parametrize(
    "shape",
    [
        prefixed("policy-1  | "),
        prefixed("\x1b[36mpolicy-1  | \x1b[0m"),
        prefixed("2026-11-30T19:13:39.123456789Z stdout F "),
        prefixed("(vLLMHttpServer pid=123, ip=10.0.0.1) "),
        prefixed("[default0]:"),
        prefixed("0: "),
        prefixed("Nov 30 19:13:39 host vllm[123]: "),
        prefixed("> "),
        prefixed("Loading:  50%|#####     | 1/2 [00:01<00:01]\r"),
        lambda line: json.dumps({"log": line, "stream": "stderr", "time": "2026"}) + "\n",
        lambda line: json.dumps({"level": "INFO", "message": line.strip()}) + "\n",
        html.escape,
        lambda line: line.replace("'", "\u2019").replace('"', "\u201d"),
    ],
)
@pytest.mark.parametrize("lines", [OLD, NEW])
def test_what_collects_a_log_changes_nothing(lines: list[str], shape: Callable[[str], str]) -> None:
    assert reported([shape(line) for line in lines]).reported == reported(lines).reported


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_log_in_the_encoding_of_its_shell(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "serve.log").write_bytes((mark + "\r\n".join(line.strip() for line in NEW)).encode(encoding))
    with opened_output(str(tmp_path / "serve.log")) as stream:
        assert reported(list(lines_of(stream))).reported == reported(NEW).reported


@pytest.mark.parametrize("width", [80, 120, 200, 300])
def test_a_log_that_a_terminal_wrapped_or_quoted_is_not_misread(width: int) -> None:
    for lines in (OLD, NEW):
        whole = reported(lines).reported
        wrapped = [line[at : at + width] + "\n" for line in lines for at in range(0, len(line.rstrip()), width)]
        for shown in (wrapped, [repr(line) + "\n" for line in lines], [json.dumps(lines)]):
            found = reported(shown, "0.18.1" if lines is NEW else "0.8.5").reported
            assert {name: one.value for name, one in found.items()}.items() <= {
                n: o.value for n, o in whole.items()
            }.items()


def test_a_number_in_the_last_column_is_not_read() -> None:
    lines = ["INFO 1 [model.py:1582] Using max model len 25\n", "6\n", NEW[4][:120] + "\n"]
    assert "max_model_len" not in reported(lines, "0.18.1").reported
