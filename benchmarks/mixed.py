# ruff: noqa: E501 - texts of files, as they stand in them
"""Configurations as a large project has them: several frameworks, some dozen recipes that people copied and changed.

`config(n)` is file n, always the same text: of one of 24 recipes, which fix the framework and the usual settings, with
values, comments, sections and an extra or a missing setting of its own. About 90 lines each.
"""

from __future__ import annotations

import random

RECIPES = 24
MODELS = (
    "Qwen/Qwen2.5-7B",
    "Qwen/Qwen3-8B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "/models/base-32b",
    "Qwen/Qwen2.5-Math-1.5B",
)
WORDS = (
    "tuned on eight GPUs",
    "see the run of last week",
    "do not raise: out of memory",
    "half of the batch",
    "as in the paper",
    "TODO: sweep",
)

# Settings under vLLM's own names, with the values people write.
SETTINGS: dict[str, tuple[object, ...]] = {
    "gpu_memory_utilization": (0.6, 0.7, 0.8, 0.85, 0.9, 0.92),
    "tensor_parallel_size": (1, 2, 4, 8),
    "max_model_len": (4096, 8192, 10000, 16384, 20480, 32768),
    "max_num_seqs": (64, 128, 256, 512, 1024),
    "max_num_batched_tokens": (2048, 4096, 8192, 16384, 32768),
    "dtype": ("bfloat16", "auto", "float16"),
    "enable_chunked_prefill": (True, False),
    "enforce_eager": (True, False),
    "enable_prefix_caching": (True, False),
    "seed": (0, 1, 42),
    "swap_space": (4, 8, 16),
    "trust_remote_code": (True,),
    "disable_log_requests": (True,),
    "kv_cache_dtype": ("auto", "fp8"),
    "generation_config": ("vllm", "auto"),
}


def config(number: int) -> str:
    """The text of file `number`."""
    recipe = random.Random(number % RECIPES * 7919)
    own = random.Random(number)
    frameworks = (_pipelinerl, _verl, _nemo, _serve, _kubernetes, _areal)
    names = recipe.sample(sorted(SETTINGS), recipe.randint(5, 9))
    if own.random() < 0.25:
        names.append(own.choice(sorted(set(SETTINGS) - set(names))))
    elif own.random() < 0.3:
        names.remove(own.choice(names))
    settings = {name: own.choice(SETTINGS[name]) for name in names}
    sections = frameworks[number % RECIPES % len(frameworks)](settings, own)
    while sum(section.count("\n") for section in sections) < 84:
        sections.append(_filler(own, len(sections)))
    head = sections[:1] if sections[0].startswith("apiVersion") else []
    rest = sections[len(head) :]
    recipe.shuffle(rest)
    if own.random() < 0.2:
        own.shuffle(rest)
    return f"# Experiment {number}: {own.choice(WORDS)}\n" + "\n".join(head + rest)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _lines(pairs: dict[str, object], indent: int, own: random.Random, dashes: bool = False) -> str:
    out = []
    for name, value in pairs.items():
        if own.random() < 0.12:
            out.append(f"{' ' * indent}# {own.choice(WORDS)}")
        note = f"  # {own.choice(WORDS)}" if own.random() < 0.08 else ""
        out.append(f"{' ' * indent}{name.replace('_', '-') if dashes else name}: {_text(value)}{note}")
    return "\n".join(out) + "\n"


def _filler(own: random.Random, at: int) -> str:
    """A section about something else."""
    kind = own.choice(("trainer", "optimizer", "logging", "data", "checkpoint", "environment")) + (
        f"_{at}" if at > 1 else ""
    )
    if kind.startswith("data"):
        items = "".join(
            f"  - {{name: set_{own.randint(0, 40)}, weight: {own.random():.2f}}}\n" for _ in range(own.randint(3, 8))
        )
        return f"{kind}:\n{items}"
    words = (
        "learning_rate",
        "batch",
        "warmup_steps",
        "path",
        "every",
        "clip",
        "decay",
        "name",
        "ratio",
        "workers",
        "limit",
        "mode",
    )
    values = (
        own.randint(1, 2000),
        f"{own.random():.4f}",
        f"runs/{own.randint(1, 999)}",
        "adamw",
        True,
        "[train, test]",
        "null",
    )
    return f"{kind}:\n" + _lines({word: own.choice(values) for word in own.sample(words, own.randint(5, 11))}, 2, own)


def _pipelinerl(settings: dict[str, object], own: random.Random) -> list[str]:
    settings = {name: value for name, value in settings.items() if not isinstance(value, bool)}
    flags = "".join(
        f'    {flag}: ""\n'
        for flag in ("enable-chunked-prefill", "disable-log-requests", "enforce-eager")
        if own.random() < 0.5
    )
    steps = "    num-scheduler-steps: 1\n" if own.random() < 0.5 else ""
    kwargs = _lines(settings, 4, own, True)
    return [
        f"vllm_config:\n  use_v1: {own.choice(('false', 'true'))}\n  vllm_kwargs:\n{kwargs}{flags}{steps}",
        f"llm:\n  parameters:\n    max_tokens: {own.choice((2048, 4096, 8192))}\n    temperature: {own.choice((1.0, 0.7))}\n",
        f"finetune:\n  learning_rate: {own.choice((1e-6, 5e-7))}\n  attempts: {own.choice((8, 16))}\n",
    ]


def _verl(settings: dict[str, object], own: random.Random) -> list[str]:
    known = (
        "gpu_memory_utilization",
        "max_model_len",
        "max_num_seqs",
        "max_num_batched_tokens",
        "enable_chunked_prefill",
        "enforce_eager",
        "dtype",
    )
    rollout = {name: value for name, value in settings.items() if name in known}
    rollout |= {
        "name": "vllm",
        "temperature": own.choice((1.0, 0.6)),
        "n": own.choice((4, 8, 16)),
        "tensor_model_parallel_size": own.choice((1, 2, 4)),
    }
    return [
        f"actor_rollout_ref:\n  model:\n    path: {own.choice(MODELS)}\n  rollout:\n{_lines(rollout, 4, own)}  actor:\n    ppo_mini_batch_size: {own.choice((64, 128, 256))}\n",
        f"algorithm:\n  adv_estimator: {own.choice(('grpo', 'gae'))}\n  kl_ctrl:\n    kl_coef: {own.choice((0.0, 0.001))}\n",
        f"data:\n  train_files:\n  - data/{own.randint(1, 50)}.parquet\n  - data/math.parquet\n  max_response_length: {own.choice((2048, 8192))}\n",
    ]


def _nemo(settings: dict[str, object], own: random.Random) -> list[str]:
    cfg = {
        name: settings[name]
        for name in ("gpu_memory_utilization", "max_model_len", "enforce_eager", "tensor_parallel_size")
        if name in settings
    }
    cfg |= {"async_engine": own.choice((True, False)), "precision": "bfloat16"}
    extra = {name: value for name, value in settings.items() if name not in cfg and name not in ("dtype", "seed")}
    kwargs = f"    vllm_kwargs:\n{_lines(extra, 6, own)}" if extra else "    vllm_kwargs: {}\n"
    return [
        f"policy:\n  model_name: {own.choice(MODELS)}\n  max_total_sequence_length: {own.choice((4096, 8192))}\n  generation:\n    backend: vllm\n"
        f"    temperature: {own.choice((1.0, 0.8))}\n    top_p: 1.0\n    vllm_cfg:\n{_lines(cfg, 6, own)}{kwargs}",
        f"grpo:\n  num_prompts_per_step: {own.choice((32, 64))}\n  num_generations_per_prompt: {own.choice((8, 16))}\n",
    ]


def _serve(settings: dict[str, object], own: random.Random) -> list[str]:
    """A `vllm serve --config` file, with long comments for what else such a file has."""
    sections = [_lines({"model": own.choice(MODELS), **settings}, 0, own, True)]
    sections += [
        "".join(f"# {own.choice(WORDS)}: {own.randint(1, 99)}\n" for _ in range(own.randint(20, 26))) for _ in range(3)
    ]
    return sections


def _kubernetes(settings: dict[str, object], own: random.Random) -> list[str]:
    args = [f"--model={own.choice(MODELS)}"]
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        args += [flag] if value is True else [] if value is False else [f"{flag}={value}"]
    words = "".join(f"            - {arg}\n" for arg in args)
    env = "".join(
        f'            - name: {name}\n              value: "{value}"\n'
        for name, value in (("HF_HOME", "/cache"), ("VLLM_USE_V1", own.choice((0, 1))))
    )
    name = f"rollout-{own.randint(1, 99)}"
    return [
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n  replicas: {own.randint(1, 4)}\n"
        f"  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    spec:\n      containers:\n"
        f"        - name: server\n          image: vllm/vllm-openai:v0.8.5\n          args:\n{words}          env:\n{env}"
        f"          resources:\n            limits:\n              nvidia.com/gpu: {own.choice((1, 2, 4))}\n              memory: {own.choice((64, 128))}Gi\n"
    ]


def _areal(settings: dict[str, object], own: random.Random) -> list[str]:
    vllm = {
        name: value for name, value in settings.items() if name not in ("generation_config", "disable_log_requests")
    }
    return [
        f'rollout:\n  backend: "vllm:d{own.choice((2, 4))}"\n  max_concurrent_rollouts: {own.choice((128, 256))}\n',
        f"gconfig:\n  temperature: {own.choice((1.0, 0.9))}\n  n_samples: {own.choice((4, 8))}\n",
        f"actor:\n  path: {own.choice(MODELS)}\n  recompute_logprob: true\n",
        f"vllm:\n{_lines(vllm, 2, own)}",
    ]
