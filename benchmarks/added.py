"""Refusals that came between the releases people move from and 0.33.0: `python -m benchmarks.added SOURCES > benchmarks/added.md`.

SOURCES has one unpacked source per release. Every `raise` and `assert` of the configuration, the arguments, the sampling parameters, the
entry points and the platforms whose condition reads a setting, and that an earlier release has not under that message. The verdict is
what evaluates it, or the first of the patterns below that its place, message and condition have; **open** where none does.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.replaced import cell
from vllm_migrate.catalog.extract import bounds
from vllm_migrate.catalog.extract.conditions import Spot, identity, message, spots
from vllm_migrate.catalog.extract.interp import Interpreter
from vllm_migrate.catalog.extract.routes import negated
from vllm_migrate.catalog.extract.settings import Settings
from vllm_migrate.catalog.extract.source import SourceTree
from vllm_migrate.resolve.refusals import ALWAYS_RUN

TARGET, SOURCES = "0.33.0", ("0.12.0", "0.18.1", "0.21.0", "0.24.0", "0.28.0")
_READ = re.compile(
    r"vllm\.(config(\..*)?|engine\.arg_utils|sampling_params|pooling_params|platforms\..*|entrypoints\..*)\Z"
)
# Why no rule speaks, or which one does besides those that evaluate conditions.
VERDICTS = (
    (r"Offline data parallel", "VM219 llm-data-parallel"),
    (
        r"_verify_quantization|online_quant|online quant|Unknown quantization",
        "VM221 value-removed, VM222 online-fp8-refused",
    ),
    (r"KV_CACHE_DTYPE|kv_cache_dtype|cache_dtype", "VM210 value-not-a-choice; what a model supports is in no file"),
    (r"kv_connector|KVConnector|KV connector", "VM228 kv-connector-removed; the rest is the connector's own"),
    (r"deprecated", "VM212 deprecated-option, and VM208 once it is gone"),
    (
        r"_validate_trace_replay|trace_decode|prompt_logprob_token_ids|prompt_logprob_start|logprob_token_ids",
        "a field that no older release has",
    ),
    (
        r"diffusion|Diffusion|engram|Engram|hisparse|HiSparse|minimax|DeepSeek|deepseek|Gemma|gemma"
        r"|[Mm]istral|Kimi|dspark|DSpark|dflash|DFlash",
        "one kind of model or feature that no older release has",
    ),
    (r"[Mm]amba|SSM|SSU|ssm|linear_attn|gdn", "one kind of model"),
    (
        r"multimodal|mm_|Multi[Mm]odal|encoder|vision|audio|video|image|chat_template|prompt_embeds",
        "multimodal or encoder models: which model runs is in no file",
    ),
    (
        r"platforms?\.|current_platform|is_cuda|is_rocm|capability|CUDA or ROCm|NVIDIA",
        "the machine's: no file decides the platform's capability",
    ),
    (
        r"num_attention_heads|num_kv_heads|num_q_per_kv|use_mla|is_moe|architectures|hf_config|registry"
        r"|total_num|num_experts|embedding_size|derived_max|max_position|head_dim",
        "by the model's own sizes",
    ),
    (
        r"invalid_token_ids|vocab|tokenizer|prompt_len|max_prompt|NUL|isfinite|bad_words|stop_token_ids"
        r"|extra_args|allowed_token",
        "by the contents of one request",
    ),
    (r"structured_outputs|grammar|Choice '", "by the contents of one request; the backend by VM217 and VM226"),
    (
        r"entrypoints\.(pooling|openai\.(speech|realtime|translat|transcri)|speech)|pooling_params|pooler"
        r"|Pooling|score|embed",
        "pooling and speech",
    ),
    (
        r"entrypoints\..*(request|serving|protocol|chat|completion|responses|anthropic|messages|generate"
        r"|render|beam|batch|decisions|tool)",
        "by the contents of one HTTP request",
    ),
    (
        r"entrypoints\.(cli|launcher|grpc|sagemaker|serve|mcp|dp_|scale_out)|api_server|api_process"
        r"|api-server|headless|node_rank|nnodes|master_|data_parallel|ProcessGroup|elastic|Elastic|placement"
        r"|world_size|rank",
        "how servers and ranks are started",
    ),
    (
        r"is_nixl|not installed|requires the .* package|find_spec|is_available|has_\w+\(\)|_available"
        r"|[Ii]nstall",
        "a package that is not installed",
    ),
    (r"isinstance|must be a string|must be an integer|type\(", "a type that the parser and VM210 check"),
    (r"os\.path|is_file|is_dir|not found|exists", "files on that machine"),
    (
        r"cudagraph|compil|splitting_ops|custom_ops|inductor|fuse_|pass_config|compile_range",
        "graphs and compilation: VM216 and VM217 say what their fields accept",
    ),
    (r"eplb|all2all|moe|expert|ubatch|dbo|DBO", "expert parallelism: VM218 where both settings are written"),
    (r"lora|LoRA", "LoRA: VM218 where both settings are written"),
    (r"speculative|draft|num_spec", "speculation: VM218 where both settings are written"),
    (
        r"must be set|should be set|must be initialized|None\)\Z|is not None\Z",
        "vLLM's own state, filled in before it is asked",
    ),
    (
        r"custom_histogram|numa_bind|profiler|device_ids|grpc|ir_op_priority",
        "the syntax of an option that no older release has",
    ),
    (
        r"requires Model Runner V2",
        "a new option beside the old runner, which only VLLM_USE_V2_MODEL_RUNNER=0 still asks for",
    ),
    (r"async scheduling yet", "older releases reject it under another message"),
    (r"Hybrid KV|AuxOutput|watermarking|Batch-sharded", "what a model or a connector says of itself"),
)
HEAD = """# Refusals added on the way to {target}

`raise` and `assert` statements of {target} that read a setting and that the older release does not have, in vllm/config, arg_utils,
sampling_params, entrypoints and platforms; made by `python -m benchmarks.added SOURCES`. A reworded message counts as a new one.
`evaluated`: VM218 asks it of every engine with two of its settings or more, VM231 with a number out of bounds.

| move | refusals added | evaluated | no rule needed, or said by another | open |
|---|---|---|---|---|
"""


class Found(NamedTuple):
    """One statement of a release."""

    text: str
    at: str
    when: str
    settings: tuple[str, ...]
    compares: bool


def read(folder: str) -> dict[str, Found]:
    """Every refusal of a release that reads a setting, by the identity of its message."""
    it = Interpreter(SourceTree(folder))
    settings = Settings(it)
    out: dict[str, Found] = {}
    for path in it.tree.files():
        name = it.tree.module_name(path)
        module = it.tree.module(name) if _READ.match(name) else None
        for spot in spots(module) if module is not None else ():
            for found in _refused(spot, name, settings):
                out.setdefault(identity(found.text or found.when), found)
    return out


def _refused(spot: Spot, module: str, settings: Settings) -> Iterator[Found]:
    node, tests, text = spot.node, list(spot.tests), ""
    if isinstance(node, ast.Assert):
        tests.append(ast.parse(negated(ast.unparse(node.test)), mode="eval").body)
        text = message(node.msg, spot.names) if node.msg is not None else ""
    elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        text = message(node.exc.args[0], spot.names) if node.exc.args else ""
    else:
        return
    read_ = set[str]().union(*(settings.read(test, spot.owner, spot.names) for test in tests))
    names = tuple(sorted(one for one in read_ if not any(other.startswith(f"{one}.") for other in read_)))
    if names:
        full = spot._replace(tests=tuple(tests))
        yield Found(text, f"{module}:{spot.where}", full.when, names, bounds.compares(tests))


def verdict(found: Found) -> str:
    """What evaluates a refusal, else why no rule speaks of it."""
    always = bool(found.text) and ALWAYS_RUN.match(found.at.replace(":", ".")) is not None
    if always and len(found.settings) > 1:
        return "evaluated: VM218"
    if always and found.compares:
        return "evaluated: VM231"
    text = f"{found.at} {' '.join(found.settings)} {found.text} {found.when}"
    return next((why for pattern, why in VERDICTS if re.search(pattern, text)), "**open**")


def main(folder: str) -> None:
    known = {release: read(os.path.join(folder, release)) for release in (*SOURCES, TARGET)}
    print(HEAD.format(target=TARGET), end="")
    verdicts = {name: verdict(found) for name, found in known[TARGET].items()}
    for source in SOURCES:
        added = [verdicts[name] for name in known[TARGET] if name not in known[source]]
        asked, left = sum(one.startswith("evaluated") for one in added), added.count("**open**")
        print(f"| {source} → {TARGET} | {len(added)} | {asked} | {len(added) - asked - left} | {left} |")
    print("\n| not in | where | settings | refusal | verdict |\n|---|---|---|---|---|")
    rows = sorted(known[TARGET].items(), key=lambda item: (item[1].at, item[0]))
    for name, found in rows:
        lacking = [source for source in SOURCES if name not in known[source]]
        if lacking:
            settings = ", ".join(found.settings[:4]) + (", ..." if len(found.settings) > 4 else "")
            text = found.text or found.when
            cells = (f"{lacking[-1]} and before", found.at.removeprefix("vllm."), settings, text[:100], verdicts[name])
            print("| " + " | ".join(map(cell, cells)) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
